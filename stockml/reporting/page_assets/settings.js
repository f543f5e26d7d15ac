// Colours and keys: both are remembered where the browser lets a file remember anything, else for this page alone.

const kept = {
  read(name) {
    try {
      return localStorage.getItem(`stockml.${name}`);
    } catch {
      return null;
    }
  },
  write(name, value) {
    try {
      localStorage.setItem(`stockml.${name}`, value);
    } catch {
      // it holds until the page is closed
    }
  },
};

function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

function startTheme() {
  const known = kept.read("theme");
  for (const choice of document.querySelectorAll("#theme input")) {
    choice.checked = choice.value === (known ?? "system") || choice.checked;
    choice.addEventListener("change", () => {
      setTheme(choice.value);
      kept.write("theme", choice.value);
    });
  }
  setTheme(document.querySelector("#theme input:checked").value);
  byId("theme").hidden = false;
}

// What takes letters, and what walks or scrolls by the arrow keys itself.
const FIELDS = "input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]";
const WALKED = "input, svg, .scroll";

function startKeys() {
  const isOn = byId("shortcuts");
  isOn.checked = kept.read("keys") !== "off";
  isOn.addEventListener("change", () => kept.write("keys", isOn.checked ? "on" : "off"));
  byId("keys").hidden = false;
  document.addEventListener("keydown", (event) => {
    if (!isOn.checked || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.target.closest(FIELDS)) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "/") {
      byId("search").focus();
      byId("search").select();
    } else if (by && !event.shiftKey && !event.target.closest(WALKED)) step(by);
    else return;
    event.preventDefault();
  });
}

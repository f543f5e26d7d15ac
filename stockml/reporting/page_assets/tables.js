// Tables that sort by any column and can be had as CSV, and the search over today's predictions.

function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value ?? cell.textContent.trim();
  return value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value;
}

function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  if (one === "" || other === "") return (one === "") - (other === "");
  return String(one).localeCompare(String(other), "en");
}

function sortBy(table, column, direction) {
  const body = table.tBodies[0];
  const factor = direction === "descending" ? -1 : 1;
  const keyed = [...body.rows].map((row) => [sortKey(row, column), row]);
  // what has no value stays last either way
  keyed.sort(([one], [other]) => (one === "" || other === "" ? compare(one, other) : factor * compare(one, other)));
  body.append(...keyed.map(([, row]) => row));
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    if (at === column) head.setAttribute("aria-sort", direction);
    else head.removeAttribute("aria-sort");
  });
  table.dispatchEvent(new Event("sorted"));
}

// The first click on figures shows the largest first, on texts and days the first first.
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = element("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      sortBy(table, column, head.getAttribute("aria-sort") === first ? other : first);
    });
    head.replaceChildren(button);
  });
}

const FIRST_ROWS = 12; // of the predictions, in the order chosen; the others wait behind a button

function fits(row) {
  const text = byId("search").value.trim().toLowerCase(), regime = byId("regime").value, ahead = byId("ahead")?.value ?? "";
  const valueOf = (label) => row.querySelector(`[data-label="${label}"]`).dataset.value;
  if (ahead !== "" && valueOf("Sessions") !== ahead) return false;
  if (Number(valueOf("Confidence")) < Number(byId("sure").value)) return false;
  return row.cells[0].dataset.value.toLowerCase().includes(text) && (regime === "" || row.dataset.regime === regime);
}

let areAllShown = false;

function applySearch() {
  const rows = [...byId("predictions").tBodies[0].rows];
  const found = rows.filter(fits);
  const limit = areAllShown || found.length <= FIRST_ROWS + 2 ? found.length : FIRST_ROWS;
  for (const row of rows) row.hidden = true;
  for (const row of found.slice(0, limit)) row.hidden = false;
  byId("shown").textContent = found.length === rows.length ? plural(rows.length, "prediction") : `${found.length} of ${plural(rows.length, "prediction")}`;
  byId("nothing").hidden = found.length > 0;
  byId("more").hidden = limit === found.length;
  byId("more").textContent = `Show all ${found.length}`;
  fitCard();
}

// Where even cells broken at their blanks are too wide together, figures break as well.
function fitCard() {
  const table = byId("predictions"), right = (node) => node.getBoundingClientRect().right;
  table.classList.remove("tight");
  table.classList.toggle("tight", right(table) > right(table.previousElementSibling) + 0.5);
}

function startSearch() {
  byId("search").addEventListener("input", applySearch);
  for (const name of ["regime", "ahead", "sure"]) byId(name)?.addEventListener("change", applySearch);
  byId("predictions").addEventListener("sorted", applySearch);
  byId("more").addEventListener("click", () => {
    areAllShown = true;
    const next = [...byId("predictions").tBodies[0].rows].find((row) => row.hidden && fits(row));
    applySearch();
    next.querySelector("a").focus();
  });
  applySearch();
  drawn(byId("today"), fitCard);
}

// On a phone the table has no head to press: a list of the same columns instead.
function startSortList() {
  const table = byId("predictions");
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const name = head.textContent;
    const directions = head.classList.contains("number") ? ["descending", "ascending"] : ["ascending", "descending"];
    for (const direction of directions) {
      byId("sort").append(element("option", { value: `${column} ${direction}` }, `${name} ${direction === "ascending" ? "▲" : "▼"}`));
    }
  });
  byId("sort").addEventListener("change", (event) => {
    const [column, direction] = event.target.value.split(" ");
    sortBy(table, Number(column), direction);
  });
}

// ---- as CSV, made here: nothing is asked for it ----

const FORMULA_STARTS = /^[=+\-@\t\r\n＝＋－＠]/; // what a spreadsheet might take for a formula
const isNumber = (text) => /^-?\d+(\.\d+)?$/.test(text);

// A range and a pair of figures are two columns.
function parts(cell) {
  const text = cell.textContent.trim();
  return cell.classList.contains("number") && text !== "–" ? text.split(/ – | \/ /) : [text];
}

// The figure without its unit and its marks; a day as 2026-03-27; else the value that the cell sorts by, or its text.
function csvValue(cell, text, isOnly) {
  const known = isOnly ? (cell.dataset.value ?? "") : "";
  if (/^\d{4}-\d\d-\d\d$/.test(known)) return known;
  const plain = text.replace(/[▲▼■,%\s]/g, "").replace("−", "-").replace(/^\+/, "");
  if (isNumber(plain)) return plain;
  if (text === "–") return "";
  const told = known !== "" ? known : text.replace(/[●✕]/g, "").replace(/\s+/g, " ").trim();
  return !isNumber(told) && FORMULA_STARTS.test(told) ? `'${told}` : told;
}

function csvText(table, rows) {
  const cells = [...rows].map((row) => [...row.cells].map(parts));
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim());
  const wide = heads.map((_, column) => Math.max(1, ...cells.map((row) => row[column]?.length ?? 1)));
  const isShare = heads.map((_, column) => cells.some((row) => row[column]?.some((text) => text.includes("%"))));
  const named = heads.flatMap((head, column) => {
    const [first, second] = head.split(" / ");
    const names = wide[column] === 1 ? [head] : second ? [first, `${second} (${first})`] : [`${head}, from`, `${head}, to`];
    return isShare[column] ? names.map((name) => (name.includes("%") ? name : `${name} in %`)) : names;
  });
  const lines = [...rows].map((row, at) =>
    heads.flatMap((_, column) => {
      const texts = cells[at][column] ?? [""];
      const values = texts.map((text) => csvValue(row.cells[column] ?? row, text, texts.length === 1 && wide[column] === 1));
      return Array.from({ length: wide[column] }, (_, part) => values[part] ?? "");
    }),
  );
  const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [named, ...lines].map((line) => `${line.map(field).join(",")}\r\n`).join("");
}

// A button that saves the table which stands in the host when it is pressed, as it is sorted and filtered then.
function csvButton(host, name, chosenRows = (table) => table.tBodies[0].rows) {
  const button = element("button", { type: "button", class: "csv", "aria-label": `CSV of ${name}` }, "CSV");
  button.addEventListener("click", () => {
    const table = host.matches("table") ? host : host.querySelector("table");
    const address = URL.createObjectURL(new Blob([csvText(table, chosenRows(table))], { type: "text/csv" }));
    element("a", { href: address, download: `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  });
  return button;
}

function startCsv() {
  for (const host of document.querySelectorAll("main .scroll[aria-label]:not(:has(#why))")) host.after(csvButton(host, host.getAttribute("aria-label")));
  if (byId("ranges-held")) byId("ranges-held").after(csvButton(byId("ranges-held"), "Ranges held"));
  byId("shown")?.after(csvButton(byId("predictions"), "Predictions", (table) => [...table.tBodies[0].rows].filter(fits)));
}

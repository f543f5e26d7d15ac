// Tables that sort by any column, and the search over today's predictions.

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
  const text = byId("search").value.trim().toLowerCase(), regime = byId("regime").value;
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
}

function startSearch() {
  byId("search").addEventListener("input", applySearch);
  byId("regime").addEventListener("change", applySearch);
  byId("predictions").addEventListener("sorted", applySearch);
  byId("more").addEventListener("click", () => {
    areAllShown = true;
    const next = [...byId("predictions").tBodies[0].rows].find((row) => row.hidden && fits(row));
    applySearch();
    next.querySelector("a").focus();
  });
  applySearch();
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

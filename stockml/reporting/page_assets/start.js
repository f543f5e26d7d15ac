// Starts the parts that this page has.

startTheme();
for (const table of document.querySelectorAll("table[data-sortable]")) if (table.tHead) makeSortable(table);
if (byId("predictions")) {
  startSortList();
  startSearch();
  startStock();
  startKeys();
}
if (byId("hit-chart")) startRecord();
startCsv();

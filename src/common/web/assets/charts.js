"use strict";
// Charts: the pointer or the arrow keys show the row of the table of numbers that is drawn at that x.
const rowsOf = (chart) => all("tbody tr", chart.closest("figure"));
// Where a row is drawn: where it says, and then it holds until the next one; else at equal distances.
const shareOf = (rows, at) => +(rows[at].dataset.at ?? at / (rows.length - 1));
const rowAt = (rows, share) => rows.findLastIndex((row, at) =>
  shareOf(rows, at) <= share + (row.dataset.at ? 0 : .5 / (rows.length - 1)));
const ends = (chart) => chart.dataset.plot.split(" ").map(Number);
function read(chart, row) {
  const figure = chart.closest("figure"), rows = rowsOf(chart), [left, right] = ends(chart);
  const at = Math.max(0, Math.min(rows.length - 1, row)), cells = all("th,td", rows[at]).map((cell) => cell.textContent);
  const names = all("thead th", figure).map((cell) => cell.textContent);
  const values = cells.map((cell, number) => `${names[number]} ${cell}`).slice(1).filter((text) => !text.endsWith("–"));
  const x = left + (right - left) * shareOf(rows, at);
  one(".cross", chart).setAttribute("d", `M${x} 12V${chart.viewBox.baseVal.height - 30}`);
  chart.dataset.row = at;
  const first = cells[0].replace(/^\d+$/, (count) => `${count} ${names[0]}`).replace(/^1 days/, "1 day");
  one("output", figure).textContent = `${first}: ${values.join(", ")}`;
}

// The last row whose first series has a value: where the arrow keys begin.
const newest = (rows) => rows.findLastIndex((row) => row.cells[1].textContent !== "–");

function prepareCharts(root) {
  for (const chart of all("[data-plot]", root)) {
    chart.tabIndex = 0;
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX).matrixTransform(chart.getScreenCTM().inverse()).x;
      const [left, right] = ends(chart);
      read(chart, rowAt(rowsOf(chart), (at - left) / (right - left)));
    });
  }
}
preparations.push(prepareCharts);
prepareCharts(document);
addEventListener("keydown", (event) => {
  const chart = event.target.closest?.("[data-plot]"), rows = chart ? rowsOf(chart) : [];
  const to = moved(event, +(chart?.dataset.row ?? NaN), rows.length - 1);
  if (!rows.length || to === undefined) return;
  event.preventDefault();
  read(chart, isNaN(to) ? newest(rows) : to);
});

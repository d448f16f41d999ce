"use strict";
// Charts: the pointer or the arrow keys show the row of the table of numbers that is drawn at that x.
const rowsOf = (chart) => all("tbody tr", chart.closest("figure"));
const shareOf = (rows, at) => +(rows[at].dataset.at ?? at / (rows.length - 1 || 1));
// Rows that say where they are drawn last until the next one.
const rowAt = (rows, share) => rows[0]?.dataset.at === undefined ? Math.round(share * (rows.length - 1))
  : rows.findLastIndex((row) => +row.dataset.at <= share);
const ends = (chart) => chart.dataset.plot.split(" ").map(Number);
function read(chart, row) {
  const figure = chart.closest("figure"), rows = rowsOf(chart), [left, right] = ends(chart);
  const at = Math.max(0, Math.min(rows.length - 1, row)), cells = all("th,td", rows[at]).map((cell) => cell.textContent);
  if (!cells.length) return;
  const names = all("thead th", figure).map((cell) => cell.textContent);
  const values = cells.map((cell, number) => `${names[number]} ${cell}`).slice(1).filter((text) => !text.endsWith("–"));
  const x = left + (right - left) * shareOf(rows, at);
  let line = one(".cross", chart);
  if (!line) {
    line = chart.appendChild(document.createElementNS(chart.namespaceURI, "path"));
    line.setAttribute("class", "cross");
  }
  line.setAttribute("d", `M${x} 12V${chart.viewBox.baseVal.height - 30}`);
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
      read(chart, rowAt(rowsOf(chart), (at - left) / (right - left || 1)));
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

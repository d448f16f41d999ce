"use strict";
// Everything works without this script. It refreshes pages and says when they are old, moves through past dates with
// the slider, reads charts at a position, and moves the focus by arrow keys.
const LOST_AFTER = 15000, BUSY_AFTER = 150, FRAME = 250;
const policy = window.trustedTypes?.createPolicy("nightaudit", { createHTML: (text) => text });
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = document.querySelector("main");
let tag = null, answeredAt = Date.now(), askedAt = answeredAt, asking = false;

// An element that holds the focus, or is pressed, is not replaced: the next refresh does it.
let pressed = null;
addEventListener("pointerdown", (event) => { pressed = event.target; });
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = null; });
const isHeld = (element) => element.contains(pressed) || element.contains(document.activeElement);

function replaceLive(page) {
  for (const old of all("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (!fresh || fresh.outerHTML === old.dataset.seen || isHeld(old)) continue;
    const seen = fresh.outerHTML;
    const scrolled = all(".scroll", old).map((part) => part.scrollLeft);
    const open = all("details", old).map((part) => part.open);
    old.replaceWith(fresh);
    fresh.dataset.seen = seen;
    all(".scroll", fresh).forEach((part, number) => { part.scrollLeft = scrolled[number] ?? 0; });
    all("details", fresh).forEach((part, number) => { part.open = open[number] ?? part.open; });
    prepare(fresh);
  }
  document.title = page.title;
  const seconds = page.querySelector("main")?.dataset.refresh;
  if (seconds) main.dataset.refresh = seconds; else delete main.dataset.refresh;
}

async function get(address, headers) {
  const response = await fetch(address,
    { headers: { Accept: "text/html", ...headers }, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (response.status !== 304 && !response.ok) throw new Error(response.status);
  return response;
}

async function ask() {
  if (asking) return;
  asking = true;
  askedAt = Date.now();
  const address = location.href;
  try {
    const response = await get(address, tag && { "If-None-Match": tag });
    if (main.dataset.error !== undefined) return location.reload();
    answeredAt = Date.now();
    if (address === location.href) {
      if (response.status === 200) {
        replaceLive(parse(await response.text()));
        tag = response.headers.get("ETag");
      }
      showThrough(response.headers.get("X-Data-Through"));
    }
  } catch { /* showConnection() says so */ } finally {
    asking = false;
    showConnection();
  }
}

function showThrough(instant) {
  const time = document.querySelector("#freshness time");
  if (!instant || !time) return;
  time.dateTime = instant;
  time.textContent = instant.slice(11, 19);
}

function showConnection() {
  const lost = Date.now() - answeredAt > LOST_AFTER, line = document.getElementById("connection");
  if (!line) return;
  document.body.classList.toggle("lost", lost);
  line.hidden = !lost;
  const at = new Date(answeredAt).toLocaleTimeString("en-GB");
  const text = lost ? `Not connected since ${at}. What you see is old.` : "";
  if (line.textContent !== text) line.textContent = text;
  for (const button of all("[data-needs-connection]")) button.disabled = lost;
}

// A hidden page asks for nothing, and at once when it is shown again.
function askWhenDue(seconds) {
  if (document.hidden || !main?.dataset.refresh) return;
  if (Date.now() - askedAt >= 1000 * seconds) ask();
  showConnection();
}
setInterval(() => askWhenDue(main?.dataset.refresh), 1000);
addEventListener("visibilitychange", () => {
  answeredAt = Math.max(answeredAt, Date.now() - LOST_AFTER);
  askWhenDue(0);
});

// The slider of past dates: each date is an address. It asks for one date at a time, then for the newest one wanted.
const slider = document.querySelector("input[type=range][data-date]");
let wanted = null, loading = false, playing = null;
const dateAt = (days) => {
  const date = new Date(`${slider.dataset.date}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + Number(days));
  return date.toISOString().slice(0, 10);
};
async function show(days) {
  wanted = days;
  const field = slider.form.elements.as_of;
  field.value = slider.ariaValueText = dateAt(days);
  if (loading) return;
  loading = true;
  const busy = setTimeout(() => { main.ariaBusy = "true"; }, BUSY_AFTER);
  try {
    while (wanted !== null) {
      const next = wanted, address = new URL(location.href);
      wanted = null;
      if (next < 0) address.searchParams.set("as_of", dateAt(next)); else address.searchParams.delete("as_of");
      const response = await get(address);
      replaceLive(parse(await response.text()));
      history.replaceState(null, "", address);
      tag = response.headers.get("ETag");
      answeredAt = askedAt = Date.now();
    }
  } catch { play(false); slider.form.submit(); } finally {
    clearTimeout(busy);
    main.ariaBusy = "false";
    loading = false;
  }
}
function play(start) {
  const button = document.querySelector("[data-play]");
  clearInterval(playing);
  playing = null;
  button.textContent = start ? "❚❚ Pause" : "▶ Play";
  if (!start) return;
  if (Number(slider.value) === 0) slider.value = slider.min;
  show(Number(slider.value));
  playing = setInterval(() => {
    if (loading) return;
    slider.value = Number(slider.value) + 7;
    show(Number(slider.value));
    if (Number(slider.value) >= 0) play(false);
  }, FRAME);
}
if (slider) {
  const button = document.querySelector("[data-play]");
  slider.hidden = false;
  slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
  button.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
  button.addEventListener("click", () => play(playing === null));
}

// Charts: the pointer or the arrow keys show the row of the table of numbers that is drawn at that x.
function read(chart, row) {
  const figure = chart.closest("figure"), rows = all("tbody tr", figure), [left, right] = chart.dataset.plot.split(" ");
  const at = Math.max(0, Math.min(rows.length - 1, row)), cells = all("th,td", rows[at]).map((cell) => cell.textContent);
  if (!cells.length) return;
  const names = all("thead th", figure).map((cell) => cell.textContent);
  const values = cells.map((cell, number) => `${names[number]} ${cell}`).slice(1).filter((text) => !text.endsWith("–"));
  const x = Number(left) + (right - left) * (rows.length > 1 ? at / (rows.length - 1) : 0);
  let line = chart.querySelector(".cross");
  if (!line) {
    line = chart.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    line.setAttribute("class", "cross");
  }
  line.setAttribute("d", `M${x} 12V${chart.viewBox.baseVal.height - 30}`);
  chart.dataset.row = at;
  const counted = `${cells[0]} ${names[0]}`.replace(/^1 days/, "1 day");
  const first = /^\d+$/.test(cells[0]) ? counted : cells[0];
  figure.querySelector("output").textContent = `${first}: ${values.join(", ")}`;
}

// Groups of links with one tab stop: arrows move by one and by a row, Home and End to the ends.
function prepare(root) {
  for (const group of all("[data-roving]", root)) {
    all("a", group).forEach((link, number) => { link.tabIndex = number ? -1 : 0; });
  }
  for (const chart of all("svg[data-plot]", root)) {
    chart.tabIndex = 0;
    chart.addEventListener("pointermove", (event) => {
      const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse()).x;
      const [left, right] = chart.dataset.plot.split(" "), rows = all("tbody tr", chart.closest("figure")).length;
      read(chart, Math.round((at - left) / (right - left || 1) * (rows - 1)));
    });
  }
}
addEventListener("keydown", (event) => {
  const chart = event.target.closest?.("svg[data-plot]"), group = event.target.closest?.("[data-roving]");
  const items = group ? all("a", group) : chart ? all("tbody tr", chart.closest("figure")) : [];
  const row = Number(group?.dataset.roving) || 7, last = items.length - 1;
  const at = group ? items.indexOf(event.target) : Number(chart?.dataset.row ?? last + 1);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, PageDown: at + 7,
    PageUp: at - 7, Home: 0, End: last }[event.key];
  if (to === undefined || last < 0) return;
  event.preventDefault();
  if (chart) return read(chart, to);
  if (!items[to]) return;
  items[at].tabIndex = -1;
  items[to].tabIndex = 0;
  items[to].focus();
});
for (const button of all("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
prepare(document);

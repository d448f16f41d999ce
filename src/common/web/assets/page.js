"use strict";
// Everything works without this script. It refreshes pages and says when they are old, moves through past dates with
// the slider, reads charts at a position, and moves the focus by arrow keys.
const LOST_MS = 15000, BUSY_MS = 150, STEP_MS = 250;
const policy = window.trustedTypes?.createPolicy("nightaudit", { createHTML: (text) => text });
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = document.querySelector("main");
let tag = null, latest = null, answeredAt = Date.now(), askedAt = answeredAt, graceUntil = 0, asking = false;

// An element that holds the focus, the pressed pointer or selected text is not replaced until it is let go.
let pressed = null;
const selected = (element) => !getSelection().isCollapsed && getSelection().containsNode(element, true);
const isHeld = (element) =>
  element.contains(pressed) || element.contains(document.activeElement) || selected(element);
addEventListener("pointerdown", (event) => { pressed = event.target; });
for (const end of ["pointerup", "pointercancel", "focusout"]) {
  addEventListener(end, (event) => {
    if (event.type !== "focusout") pressed = null;
    setTimeout(() => latest && replaceLive(latest));
  });
}

// What the server sent of each live element, which the browser has changed since.
const sent = new WeakMap();

function replaceLive(page) {
  latest = page;
  for (const old of all("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (!fresh || fresh.outerHTML === sent.get(old) || isHeld(old)) continue;
    sent.set(fresh, fresh.outerHTML);
    const scrolled = all(".scroll", old).map((part) => part.scrollLeft);
    const open = all("details", old).map((part) => part.open);
    const stop = all("[data-roving] a", old).findIndex((link) => link.tabIndex === 0);
    old.replaceWith(fresh);
    all(".scroll", fresh).forEach((part, number) => { part.scrollLeft = scrolled[number] ?? 0; });
    all("details", fresh).forEach((part, number) => { part.open = open[number] ?? part.open; });
    prepare(fresh, stop);
  }
  document.title = page.title;
  const seconds = page.querySelector("main")?.dataset.refresh;
  if (seconds) main.dataset.refresh = seconds; else delete main.dataset.refresh;
  const today = page.querySelector(SLIDER)?.dataset.date;
  if (slider && today) {
    slider.dataset.date = field.max = today;
    if (!chosen()) field.value = today;
  }
}

async function get(address, headers) {
  const response = await fetch(address,
    { headers: { Accept: "text/html", ...headers }, cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (response.status !== 304 && !response.ok) throw new Error(response.status);
  return response;
}

function showPage(response, text) {
  answeredAt = Date.now();
  if (response.status === 200) {
    replaceLive(parse(text));
    tag = response.headers.get("ETag");
  }
  showThrough(response.headers.get("X-Data-Through"), response.headers.get("Date"));
}

async function ask() {
  if (asking || loading) return;
  asking = true;
  askedAt = Date.now();
  const address = location.href;
  try {
    const response = await get(address, tag && { "If-None-Match": tag });
    if (main.dataset.error !== undefined) return location.reload();
    const text = await response.text();
    if (address === location.href && !loading) showPage(response, text);
  } catch { /* showConnection() says so */ } finally {
    asking = false;
    showConnection();
  }
}

function showThrough(instant, now) {
  const time = document.querySelector("#freshness time"), behind = document.querySelector("#freshness span");
  if (!instant || !time) return;
  time.dateTime = instant;
  time.textContent = instant.slice(11, 19);
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(instant)) / 1000));
  if (seconds <= 60) behind.textContent = `${seconds} s behind`;
}

function showConnection() {
  const lost = Date.now() > graceUntil && Date.now() - answeredAt > LOST_MS;
  const line = document.getElementById("connection");
  if (!line) return;
  document.body.classList.toggle("lost", lost);
  line.hidden = !lost;
  const at = new Date(answeredAt).toLocaleTimeString("en-GB");
  const text = lost ? `Not connected since ${at}. What you see is old.` : "";
  if (line.textContent !== text) line.textContent = text;
}

// A hidden page does not refresh; it refreshes as soon as it is shown again.
function askWhenDue(seconds) {
  if (document.hidden || !main?.dataset.refresh) return;
  if (Date.now() - askedAt >= 1000 * seconds) ask();
  showConnection();
}
setInterval(() => askWhenDue(main?.dataset.refresh), 1000);
addEventListener("visibilitychange", () => {
  graceUntil = Date.now() + 5000;
  askWhenDue(0);
});

// The slider of past dates: each date is an address. One request at a time; then the latest date chosen is requested.
const SLIDER = "input[type=range][data-date]", slider = document.querySelector(SLIDER);
const field = slider?.form.elements.as_of, button = document.querySelector("[data-play]");
let wanted = null, loading = false, playing = null;
const chosen = () => slider.valueAsNumber;
const dateAt = (days) => {
  const date = new Date(`${slider.dataset.date}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
};
function showDate() {
  if (wanted !== null) field.value = dateAt(wanted);
  const days = Math.round((Date.parse(slider.dataset.date) - Date.parse(field.value)) / 864e5);
  slider.ariaValueText = slider.nextElementSibling.value = days > 1 ? `${days} days ago` : days ? "yesterday" : "today";
}
async function show(days) {
  slider.value = wanted = days;
  showDate();
  if (loading) return;
  loading = true;
  const busy = setTimeout(() => { main.ariaBusy = "true"; }, BUSY_MS);
  try {
    while (wanted !== null) {
      const next = wanted, address = new URL(location.href);
      wanted = null;
      address.searchParams.delete("cursor");
      if (next < 0) address.searchParams.set("as_of", dateAt(next)); else address.searchParams.delete("as_of");
      const response = await get(address), text = await response.text();
      history.replaceState(null, "", address);
      askedAt = Date.now();
      showPage(response, text);
    }
  } catch {
    play(false);
    answeredAt = Math.min(answeredAt, Date.now() - LOST_MS - 1);
    wanted = null;
    showConnection();
  } finally {
    clearTimeout(busy);
    main.ariaBusy = "false";
    loading = false;
  }
}
function play(start) {
  clearInterval(playing);
  playing = null;
  button.textContent = start ? "❚❚ Pause" : "▶ Play";
  if (!start) return;
  show(chosen() || +slider.min);
  playing = setInterval(() => {
    if (loading) return;
    show(Math.min(0, chosen() + 7));
    if (!chosen()) play(false);
  }, STEP_MS);
}
if (slider) {
  slider.hidden = slider.nextElementSibling.hidden = false;
  slider.addEventListener("input", () => { play(false); show(chosen()); });
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
  const x = +left + (right - left) * (rows.length > 1 ? at / (rows.length - 1) : 0);
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

// The last row whose first series has a value: where the arrow keys begin.
const newest = (rows) => rows.findLastIndex((row) => row.cells[1].textContent !== "–");

// Groups of links with one tab stop: arrows move by one and by a row, Home and End to the ends.
function prepare(root, stop = 0) {
  for (const group of all("[data-roving]", root)) {
    all("a", group).forEach((link, number) => { link.tabIndex = number === Math.max(0, stop) ? 0 : -1; });
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
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const chart = event.target.closest?.("svg[data-plot]"), group = event.target.closest?.("[data-roving]");
  const items = group ? all("a", group) : chart ? all("tbody tr", chart.closest("figure")) : [];
  const row = Number(group?.dataset.roving) || 7, last = items.length - 1;
  const at = group ? items.indexOf(event.target) : Number(chart?.dataset.row ?? NaN);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, PageDown: at + 7,
    PageUp: at - 7, Home: 0, End: last }[event.key];
  if (to === undefined || last < 0) return;
  event.preventDefault();
  if (chart) return read(chart, isNaN(to) ? newest(items) : to);
  if (!items[to]) return;
  items[at].tabIndex = -1;
  items[to].tabIndex = 0;
  items[to].focus();
});
for (const printer of all("[data-print]")) {
  printer.hidden = false;
  printer.addEventListener("click", () => print());
}
for (const element of all("[data-live]")) sent.set(element, element.outerHTML);
prepare(document);
if (slider) showDate();

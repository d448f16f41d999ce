"use strict";
// Everything works without this script. It refreshes pages, says when they are old, and moves the focus by arrow keys.
// Scripts of some pages follow it: they share its names.
const LOST_MS = 15e3;
const policy = window.trustedTypes?.createPolicy("nightaudit", { createHTML: (text) => text }),
  parse = (text) => new DOMParser().parseFromString(policy?.createHTML(text) ?? text, "text/html");
const all = (selector, root = document) => [...root.querySelectorAll(selector)],
  one = (selector, root = document) => root.querySelector(selector);
// Of a clock that is set back, any distance counts: it must not make an old page look new.
const main = one("main"), stamp = Date.now, since = (at) => Math.abs(stamp() - at);
let tag, latest, answeredAt = stamp(), askedAt = answeredAt, shownAt = 0, asking;

// What other scripts add: preparations of new elements, and whether refreshes have to wait.
const preparations = [];
let held;

// An element that holds the focus, the pressed pointer or selected text is not replaced until it is let go.
let pressed;
const isHeld = (element) => [pressed, document.activeElement].some((each) => element.contains(each)) ||
  !getSelection().isCollapsed && getSelection().containsNode(element, true);
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
    const scrolled = all(".scroll", old).map((part) => [part.scrollLeft, part.scrollTop]);
    const open = all("details", old).map((part) => part.open);
    const stops = all("[data-roving]", old).map((group) => all("a", group).findIndex((link) => !link.tabIndex));
    old.replaceWith(fresh);
    all(".scroll", fresh).forEach((part, number) => part.scrollTo(...scrolled[number] ?? []));
    all("details", fresh).forEach((part, number) => { part.open = open[number] ?? part.open; });
    prepare(fresh, stops);
  }
  document.title = page.title;
  main.dataset.refresh = one("main", page)?.dataset.refresh ?? "";
  for (const make of preparations) make(page);
}

async function get(address, headers) {
  const response = await fetch(address,
    { headers: { Accept: "text/html", ...headers }, cache: "no-store", signal: AbortSignal.timeout(1e4) });
  if (response.status !== 304 && !response.ok) throw response;
  return response;
}

// Show an answer, and how far the data goes, which a 304 has in its headers too.
function showPage(response, text) {
  answeredAt = stamp();
  const header = (name) => response.headers.get(name);
  if (response.status === 200) {
    replaceLive(parse(text));
    tag = header("ETag");
  }
  const instant = header("X-Data-Through"), time = one("#freshness time");
  if (!instant || !time) return;
  time.dateTime = instant;
  time.textContent = instant.slice(11, 19);
  const seconds = Math.max(0, Math.round((Date.parse(header("Date")) - Date.parse(instant)) / 1000));
  if (seconds <= 60) one("#freshness span").textContent = `${seconds} s behind`;
}

async function ask() {
  if (asking || held) return;
  asking = true;
  askedAt = stamp();
  const address = location.href;
  try {
    const response = await get(address, tag && { "If-None-Match": tag });
    if ("error" in main.dataset) return location.reload();
    const text = await response.text();
    if (address === location.href && !held) showPage(response, text);
  } catch { /* showConnection() says so */ } finally {
    asking = false;
    showConnection();
  }
}

function showConnection() {
  const late = since(answeredAt) > Math.max(LOST_MS, 1500 * (main.dataset.refresh || 0));
  const lost = late && since(shownAt) > 5e3, line = one("#connection");
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
  if (since(askedAt) >= 1e3 * seconds) ask();
  showConnection();
}
setInterval(() => askWhenDue(main?.dataset.refresh), 1000);
addEventListener("visibilitychange", () => {
  shownAt = stamp();
  askWhenDue(0);
});

// Groups of links with one tab stop, first the current link: arrows move by one and by a row, Home and End to the ends.
function prepare(root, stops = []) {
  all("[data-roving]", root).forEach((group, place) => {
    const links = all("a", group), stop = stops[place] ?? links.findIndex((link) => link.ariaCurrent);
    links.forEach((link, number) => { link.tabIndex = number - Math.max(0, stop) && -1; });
  });
  for (const make of preparations) make(root);
}

// Where a key moves from a position, with seven positions in a row; undefined for other keys, and with modifiers.
const moved = (event, at, last) =>
  event.altKey || event.ctrlKey || event.metaKey || event.shiftKey ? undefined
    : { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + 7, ArrowUp: at - 7, PageDown: at + 7,
      PageUp: at - 7, Home: 0, End: last }[event.key];
addEventListener("keydown", (event) => {
  const group = event.target.closest?.("[data-roving]"), items = group ? all("a", group) : [];
  const at = items.indexOf(event.target), to = moved(event, at, items.length - 1);
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  if (!items[to]) return;
  items[at].tabIndex = -1;
  items[to].tabIndex = 0;
  items[to].focus();
});
// A reload does not say again what a form did.
history.replaceState(null, "", location.href.replace(/.notice=[^#]*/, ""));
for (const printer of all("[data-print]")) {
  printer.hidden = false;
  printer.onclick = () => print();
}
for (const element of all("[data-live]")) sent.set(element, element.outerHTML);
prepare(document);

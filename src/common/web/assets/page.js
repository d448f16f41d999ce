"use strict";
// Everything works without this script: it refreshes pages, says when they are old, and moves the focus by arrows.
const LOST_AFTER = 15000;
const policy = window.trustedTypes?.createPolicy("nightaudit", { createHTML: (text) => text });
const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const main = document.querySelector("main");
let tag = null, answeredAt = Date.now(), asking = false;

// An element that holds the focus, or is pressed, is not replaced under the finger: the next refresh does it.
let pressed = null;
addEventListener("pointerdown", (event) => { pressed = event.target; });
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { pressed = null; });
const isHeld = (element) => element.contains(pressed) || (element !== main && element.contains(document.activeElement));

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
    fresh.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
  }
  document.title = page.title;
}

async function ask() {
  if (asking || document.hidden || main.hasAttribute("data-still")) return;
  asking = true;
  try {
    const headers = { Accept: "text/html", ...(tag && { "If-None-Match": tag }) };
    const response = await fetch(location.href, { headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (response.status !== 304 && !response.ok) throw new Error(response.status);
    answeredAt = Date.now();
    if (response.ok && "error" in main.dataset) location.reload();
    if (response.status === 200) {
      replaceLive(parse(await response.text()));
      tag = response.headers.get("ETag");
    }
    showThrough(response.headers.get("X-Data-Through"));
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
  document.body.classList.toggle("lost", lost);
  line.hidden = !lost;
  const text = lost ? `Not connected since ${new Date(answeredAt).toLocaleTimeString()}. What you see is old.` : "";
  if (line.textContent !== text) line.textContent = text;
  for (const button of all("[data-needs-connection]")) button.disabled = lost;
}

if (main?.dataset.refresh) {
  setInterval(ask, 1000 * main.dataset.refresh);
  setInterval(showConnection, 1000);
  addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
}

// Groups of links with one tab stop: arrows move by `data-step` (one, and by a week or a row), Home and End to the ends.
function enter(group) {
  const links = all("a", group);
  links.forEach((link, number) => { link.tabIndex = number === 0 ? 0 : -1; });
}
addEventListener("keydown", (event) => {
  const group = event.target.closest?.("[data-roving]");
  if (!group) return;
  const links = all("a", group), row = Number(group.dataset.roving) || 7, at = links.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, PageDown: at + 7,
    PageUp: at - 7, Home: 0, End: links.length - 1 }[event.key];
  if (at < 0 || to === undefined || !links[to]) return;
  event.preventDefault();
  links[at].tabIndex = -1;
  links[to].tabIndex = 0;
  links[to].focus();
});
all("[data-roving]").forEach(enter);
addEventListener("refreshed", (event) => all("[data-roving]", event.target).forEach(enter));

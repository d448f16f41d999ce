"use strict";
// The front desk: cards come and go, answers are sent without leaving the page, a sound lasts until somebody has seen.
const RING_MS = 2e4, NEWS_MS = 3e4, SETTLE_MS = 500;
const list = one("#cards"), news = one("#news"), sound = one("#sound"), seen = one("#seen");
const unseen = new Set(), movedAt = {}, typed = {};
let audio = null, rangAt = 0, saidAt = stamp(), places = {};

function say(text, kind = "") {
  news.textContent = text;
  news.className = kind;
  saidAt = stamp();
}

function ring() {
  if (sound.ariaPressed !== "true") return;
  const note = audio.createOscillator(), volume = audio.createGain(), at = audio.currentTime;
  note.connect(volume).connect(audio.destination);
  note.frequency.setValueAtTime(880, at);
  note.frequency.setValueAtTime(660, at + .25);
  volume.gain.setValueAtTime(.4, at);
  volume.gain.exponentialRampToValueAtTime(.001, at + .8);
  note.start();
  note.stop(at + .8);
  rangAt = stamp();
}
function setSound(on) {
  audio ??= new AudioContext();
  audio.resume();
  sound.ariaPressed = on;
  localStorage.sound = on ? "on" : "";
  ring();
}

// Cards of answered orders leave and new ones enter; the others stay the elements that they are. A reason stays typed.
addEventListener("input", ({ target }) => { typed[target.id] = target.value; });
preparations.push((page) => {
  for (const area of all("textarea", page)) area.value = typed[area.id] ?? "";
  const fresh = one("#cards", page), ids = fresh?.dataset.ids.split(" ");
  if (!ids || fresh === list) return;
  for (const card of [...list.children]) if (!ids.includes(card.id) && !isHeld(card)) card.remove();
  let before = null;
  for (const id of ids) {
    let card = one(`#${id}`, list);
    if (!card && (card = page.getElementById(id))) {
      sent.set(card, card.outerHTML);
      list.insertBefore(card, before ? before.nextSibling : list.firstChild);
      if (card.dataset.news) {
        say(card.dataset.news);
        unseen.add(id);
        ring();
      }
    }
    before = card ?? before;
  }
  show();
});

// A button that cannot reach the server is disabled and says why.
function show() {
  const reason = one(".lost footer [role]:not([hidden])")?.innerText ?? "";
  for (const button of all("button")) button.disabled = button.title = reason;
  for (const id of unseen) if (!one(`#${id}`, list)) unseen.delete(id);
  seen.hidden = !unseen.size;
  for (const card of list.children) {
    card.classList.toggle("new", unseen.has(card.id));
    if ((places[card.id] ?? card.offsetTop) !== card.offsetTop) movedAt[card.id] = stamp();
    places[card.id] = card.offsetTop;
  }
}
setInterval(() => {
  show();
  if (stamp() - saidAt > NEWS_MS) say("");
  if (unseen.size && !seen.disabled && stamp() - rangAt >= RING_MS) ring();
}, 1000);

// A tap on a card that has just moved was meant for the one that was there before.
addEventListener("click", (event) => {
  const card = event.target.closest("#cards > *");
  if (event.detail && stamp() - movedAt[card?.id] < SETTLE_MS) event.preventDefault();
}, true);
addEventListener("toggle", () => { places = {}; }, true);

addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches(".answer form")) return;
  event.preventDefault();
  say("Sending");
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(1e4) });
    if (response.status >= 500) throw response;
    if (!response.ok) return form.submit(); // which shows the page that says what is wrong
    const answer = one("#news", parse(await response.text()));
    if (answer) say(answer.textContent, answer.className);
    one("#waiting").focus({ preventScroll: true });
  } catch {
    say("No answer from the server. The order shows whether it was answered.", "bad");
  }
  while (asking) await new Promise((resolve) => { setTimeout(resolve, 50); });
  ask();
});

sound.hidden = false;
sound.addEventListener("click", () => setSound(sound.ariaPressed !== "true"));
// After a reload, browsers play no sound before somebody has touched the page.
if (localStorage.sound) addEventListener("click", (event) => event.target !== sound && setSound(true), { once: true });
seen.addEventListener("click", () => {
  unseen.clear();
  sound.focus();
  show();
});

history.replaceState(null, "", location.href.replace(/notice=\w*&?/, ""));
const present = one("[data-now]");
if (present) one("#day .scroll").scrollLeft = present.dataset.now - 200;

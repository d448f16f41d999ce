"use strict";
// The front desk: cards come and go, answers are sent without leaving the page, a sound lasts until somebody has seen.
const RING_MS = 2e4, NEWS_MS = 3e4, SETTLE_MS = 500,
  list = one("#cards"), news = one("#news"), sound = one("#sound"), seen = one("#seen"),
  unseen = new Set(), movedAt = {}, typed = {};
let audio, rangAt = 0, saidAt = stamp(), places = {}, newest = list.dataset.newest;

function say(text, kind = "") {
  news.textContent = text;
  news.className = kind;
  saidAt = stamp();
}

function ring() {
  if (sound.ariaPressed !== "true") return;
  audio.resume(); // the system may have stopped it
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
  sound.ariaPressed = on;
  localStorage.sound = on || "";
  ring();
}

// Cards of answered orders leave and new ones enter; the others stay the elements that they are. A reason stays typed.
// Of more orders than are shown, `newest` is the last: a card that enters and is older has only moved up.
addEventListener("input", ({ target }) => { typed[target.id] = target.value; });
preparations.push((page) => {
  for (const area of all("textarea", page)) area.value = typed[area.id] ?? "";
  const fresh = one("#cards", page)?.dataset, ids = fresh?.ids.split(" "), heard = [];
  if (!ids) return;
  for (const card of [...list.children]) if (!ids.includes(card.id) && !isHeld(card)) card.remove();
  let next;
  for (const id of ids.reverse()) {
    let card = one(`#${id}`, list);
    if (!card && (card = page.getElementById(id))) {
      list.insertBefore(card, next);
      if (card.dataset.at > newest) {
        heard.unshift(card.dataset.news);
        unseen.add(id);
      }
    }
    next = card ?? next;
  }
  if (!heard.length && fresh.newest > newest) {
    heard.push("One more order waits");
    unseen.add("waiting-more");
  }
  newest = fresh.newest;
  if (heard.length) {
    say(heard.join("; "));
    ring();
  }
  show();
});

// A button that cannot reach the server is disabled and says why.
function show() {
  const reason = one(".lost footer [role]:not([hidden])")?.innerText ?? "";
  for (const button of all("button")) button.disabled = button.title = reason;
  for (const id of unseen) if (!one(`#waiting #${id}:not(:empty)`)) unseen.delete(id);
  seen.hidden = !unseen.size;
  for (const card of list.children) {
    const { id, offsetTop } = card;
    card.classList.toggle("new", unseen.has(id));
    if ((places[id] ?? offsetTop) !== offsetTop) movedAt[id] = stamp();
    places[id] = offsetTop;
  }
}
setInterval(() => {
  show();
  if (since(saidAt) > NEWS_MS) say("");
  if (unseen.size && !seen.disabled && since(rangAt) >= RING_MS) ring();
}, 1000);

// A tap on a card that has just moved was meant for the one that was there before.
addEventListener("click", (event) => {
  const card = event.target.closest("#cards > *");
  if (event.detail && since(movedAt[card?.id]) < SETTLE_MS) event.preventDefault();
}, true);
addEventListener("toggle", () => { places = {}; }, true);

onsubmit = async (event) => {
  const form = event.target;
  if (!form.matches(".answer") || form.target) return;
  event.preventDefault();
  say("Sending");
  try {
    const body = new URLSearchParams(new FormData(form, event.submitter));
    body.set("csrf", one("#log-out input").value); // cards are older than a log-in in another tab
    const response = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(1e4) });
    if (response.status >= 500) throw response;
    if (!response.ok) { // the page that says what is wrong
      form.target = "_self";
      return form.requestSubmit(event.submitter);
    }
    const answer = one("#news", parse(await response.text()));
    say(answer?.textContent ?? "Nothing was changed.", answer?.className ?? "bad");
    one("#waiting").focus({ preventScroll: true });
  } catch {
    say("No answer from the server. The order shows whether it was answered.", "bad");
  }
  askedAt = 0; // if a request is under way, the next one follows it at once
  ask();
};

sound.hidden = false;
sound.onclick = () => setSound(sound.ariaPressed !== "true");
// After a reload, browsers play no sound before somebody has touched the page.
if (localStorage.sound) addEventListener("click", (event) => event.target !== sound && setSound(true), { once: true });
seen.onclick = () => {
  unseen.clear();
  sound.focus();
  show();
};

const present = one("[data-now]");
if (present) one("#day .scroll").scrollLeft = present.dataset.now - 200;

"use strict";
// The slider of past dates: each date is an address. One request at a time; then the latest date chosen is requested.
const BUSY_MS = 150, STEP_MS = 250;
const SLIDER = "[type=range][data-date]", slider = one(SLIDER);
const field = slider?.form.elements.as_of, button = one("[data-play]");
let wanted = null, playing = null;
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
  if (held) return;
  held = true;
  const busy = setTimeout(() => { main.ariaBusy = "true"; }, BUSY_MS);
  try {
    while (wanted !== null) {
      const next = wanted, address = new URL(location.href);
      wanted = null;
      const query = address.searchParams;
      query.delete("cursor");
      if (next < 0) query.set("as_of", dateAt(next)); else query.delete("as_of");
      const response = await get(address), text = await response.text();
      history.replaceState(null, "", address);
      askedAt = stamp();
      showPage(response, text);
    }
  } catch {
    play(false);
    answeredAt = Math.min(answeredAt, stamp() - LOST_MS - 1);
    wanted = null;
    showConnection();
  } finally {
    clearTimeout(busy);
    main.ariaBusy = "false";
    held = false;
  }
}
function play(start) {
  clearInterval(playing);
  playing = null;
  button.textContent = start ? "❚❚ Pause" : "▶ Play";
  if (!start) return;
  show(chosen() || +slider.min);
  playing = setInterval(() => {
    if (held) return;
    show(Math.min(0, chosen() + 7));
    if (!chosen()) play(false);
  }, STEP_MS);
}
if (slider) {
  slider.hidden = slider.nextElementSibling.hidden = button.hidden = false;
  slider.addEventListener("input", () => { play(false); show(chosen()); });
  button.addEventListener("click", () => play(playing === null));
  preparations.push((root) => {
    const today = one(SLIDER, root)?.dataset.date;
    if (!today) return;
    slider.dataset.date = field.max = today;
    if (!chosen()) field.value = today;
  });
  showDate();
}

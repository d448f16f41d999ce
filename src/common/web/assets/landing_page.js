"use strict";
// Refreshes the figures. A hidden page requests nothing; a table that was scrolled sideways stays where it is.
setInterval(async () => {
  if (document.hidden) return;
  try {
    const response = await fetch("/", { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const shown = document.querySelector("main"), fresh = page.querySelector("main");
    const scrolled = [...shown.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
    shown.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((table, number) => { table.scrollLeft = scrolled[number] ?? 0; });
  } catch { /* the next attempt follows in 3 s */ }
}, 3000);

"use strict";
// The links of a drawing, such as the days of a strip, show their names below it; a screen reader says them by itself.
for (const kind of ["pointerover", "focusin"]) {
  addEventListener(kind, (event) => {
    const link = event.target.closest?.("svg a"), output = link && one("output", link.closest("figure"));
    if (output) output.textContent = link.getAttribute("aria-label");
  });
}

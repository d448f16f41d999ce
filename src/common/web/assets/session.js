"use strict";
// Pages that need a session go on showing what they have when it ends, and say so. It replaces functions of page.js.
const replacePage = replaceLive, showLost = showConnection;
let hasEnded;
replaceLive = (page) => {
  hasEnded = one("[data-login]", page);
  if (!hasEnded) replacePage(page);
};
showConnection = () => {
  showLost();
  one("#session").hidden = !hasEnded;
  if (hasEnded) document.body.classList.add("lost");
};

"use strict";
// Pages that need a session go on showing what they have when it ends, and say so. It replaces functions of page.js.
const replacePage = replaceLive, showLost = showConnection;
let isLoggedOut = false;
replaceLive = (page) => {
  isLoggedOut = !!one("[data-login]", page);
  if (!isLoggedOut) replacePage(page);
};
showConnection = () => {
  showLost();
  one("#session").hidden = !isLoggedOut;
  if (isLoggedOut) document.body.classList.add("lost");
};

/* What the theme leaves to the mouse. On a narrow screen its menu button is a label: this makes it a button
   that Tab reaches, Enter and Space press, Escape closes. Blocks that scroll sideways take the focus where the
   browser does not see to that itself. */
(function () {
  "use strict";

  /* A button inside the label: a label may not be one itself. Beside the button the label works as before. */
  function button(label, name, toggle) {
    var made = document.createElement("button");
    made.type = "button";
    made.className = "pg-button";
    made.setAttribute("aria-label", name);
    made.setAttribute("aria-expanded", String(toggle.checked));
    toggle.addEventListener("change", function () {
      made.setAttribute("aria-expanded", String(toggle.checked));
    });
    made.addEventListener("click", function () { toggle.click(); });
    while (label.firstChild) made.appendChild(label.firstChild);
    label.appendChild(made);
  }

  var idle = window.requestIdleCallback || function (action) { return setTimeout(action, 1); };
  var waiting = [];

  /* A few blocks at a time, when nothing else is to do: to measure all at once would hold up a long page. */
  function scrollers(within) {
    var blocks = within.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap");
    if (!waiting.length && blocks.length) idle(some);
    waiting = waiting.concat(Array.prototype.slice.call(blocks));
  }

  function some() {
    var blocks = waiting.splice(0, 8);
    var wide = blocks.map(function (block) { return block.scrollWidth > block.clientWidth; });
    blocks.forEach(function (block, position) {
      if (wide[position] && block.tabIndex !== 0) block.tabIndex = 0;
      else if (!wide[position] && block.hasAttribute("tabindex")) block.removeAttribute("tabindex");
    });
    if (waiting.length) idle(some);
  }

  function start() {
    [["__drawer", "Menu"]].forEach(function (pair) {
      var toggle = document.getElementById(pair[0]);
      var label = document.querySelector('.md-header label.md-header__button[for="' + pair[0] + '"]');
      if (toggle && label) button(label, pair[1], toggle);
    });

    document.addEventListener("keydown", function (event) {
      var drawer = document.getElementById("__drawer");
      if (event.key !== "Escape" || !drawer || !drawer.checked) return;
      drawer.click();
      document.querySelector('.md-header label[for="__drawer"] button').focus();
    });
    window.addEventListener("load", function () { scrollers(document); });
    window.addEventListener("resize", function () { waiting = []; scrollers(document); });
    document.addEventListener("toggle", function (event) { scrollers(event.target); }, true);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

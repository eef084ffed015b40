/* What the theme leaves to the mouse. On a narrow screen its menu and search buttons are labels: this puts
   buttons into them that Tab reaches, Enter and Space press, Escape closes. Blocks that scroll sideways take the
   focus where the browser does not see to that itself, and the search dialog gets its name. */
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

  /* Look at all first, then change: a page of code blocks is laid out once and not once a block. */
  function scrollers() {
    var blocks = document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap");
    var wide = Array.prototype.map.call(blocks, function (block) { return block.scrollWidth > block.clientWidth; });
    blocks.forEach(function (block, position) {
      if (wide[position] && block.tabIndex !== 0) block.tabIndex = 0;
      else if (!wide[position] && block.hasAttribute("tabindex")) block.removeAttribute("tabindex");
    });
  }

  function start() {
    [["__drawer", "Menu"], ["__search", "Search"]].forEach(function (pair) {
      var toggle = document.getElementById(pair[0]);
      var label = document.querySelector('.md-header label.md-header__button[for="' + pair[0] + '"]');
      if (toggle && label) button(label, pair[1], toggle);
    });
    var dialog = document.querySelector('.md-search[role="dialog"]');
    if (dialog) dialog.setAttribute("aria-label", "Search");

    document.addEventListener("keydown", function (event) {
      var drawer = document.getElementById("__drawer");
      if (event.key !== "Escape" || !drawer || !drawer.checked) return;
      drawer.click();
      document.querySelector('.md-header label[for="__drawer"] button').focus();
    });
    window.addEventListener("load", scrollers);
    window.addEventListener("resize", scrollers);
    document.addEventListener("toggle", scrollers, true);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

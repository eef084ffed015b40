/* What the theme leaves to the mouse. On a narrow screen its menu button is a label: this makes it a button
   that Tab reaches, Enter and Space press, Escape closes. Blocks that scroll sideways take the focus where the
   browser does not see to that itself. */
(function () {
  "use strict";

  function button(label, name, toggle) {
    label.tabIndex = 0;
    label.setAttribute("role", "button");
    label.setAttribute("aria-label", name);
    label.setAttribute("aria-expanded", String(toggle.checked));
    toggle.addEventListener("change", function () {
      label.setAttribute("aria-expanded", String(toggle.checked));
    });
    label.addEventListener("keydown", function (event) {
      // The theme itself presses a label on Enter.
      if (event.key !== " ") return;
      event.preventDefault();
      label.click();
    });
  }

  function scrollers() {
    document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap").forEach(function (block) {
      if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    });
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
      document.querySelector('.md-header label[for="__drawer"]').focus();
    });
    window.addEventListener("load", scrollers);
    window.addEventListener("resize", scrollers);
    document.addEventListener("toggle", scrollers, true);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

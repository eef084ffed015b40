/* On a narrow screen, the theme's menu and search buttons are labels that the keyboard cannot reach.
   This makes them buttons: Tab goes there, Enter and Space press them, Escape closes the menu. */
(function () {
  "use strict";

  function start() {
    var drawer = document.getElementById("__drawer");
    var buttons = { __drawer: "Menu", __search: "Search" };
    Object.keys(buttons).forEach(function (id) {
      var label = document.querySelector('.md-header label[for="' + id + '"].md-header__button');
      if (!label) return;
      label.tabIndex = 0;
      label.setAttribute("role", "button");
      label.setAttribute("aria-label", buttons[id]);
      label.addEventListener("keydown", function (event) {
        // The theme itself presses a label on Enter.
        if (event.key !== " ") return;
        event.preventDefault();
        label.click();
      });
    });
    document.addEventListener("keydown", function (event) {
      if (event.key !== "Escape" || !drawer || !drawer.checked) return;
      drawer.click();
      document.querySelector('.md-header label[for="__drawer"]').focus();
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

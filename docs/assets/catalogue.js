/* The filters of the lab catalogue. Without this file every lab is shown and the form stays hidden.
   What is chosen stands in the address, so that a filtered list can be linked. */
(function () {
  "use strict";

  function start() {
    var form = document.getElementById("lab-filters");
    var list = document.getElementById("labs");
    if (!form || !list) return;

    var cards = Array.prototype.slice.call(list.children);
    var count = document.getElementById("labs-count");
    var none = document.getElementById("labs-none");
    var names = ["find", "track", "level", "needs", "sort"];

    function chosen() {
      var values = {};
      names.forEach(function (name) {
        values[name] = form.elements[name].value.trim();
      });
      return values;
    }

    function fits(card, values) {
      var words = values.find.toLowerCase().split(/\s+/).filter(Boolean);
      return (
        words.every(function (word) { return card.dataset.words.indexOf(word) >= 0; }) &&
        ["track", "level", "needs"].every(function (name) { return !values[name] || card.dataset[name] === values[name]; })
      );
    }

    function show() {
      var values = chosen();
      var order = cards.slice();
      if (values.sort === "minutes") {
        order.sort(function (a, b) { return a.dataset.minutes - b.dataset.minutes; });
      }
      var shown = 0;
      order.forEach(function (card) {
        card.hidden = !fits(card, values);
        shown += card.hidden ? 0 : 1;
        list.appendChild(card);
      });
      none.hidden = shown > 0;
      count.textContent = shown + " of " + cards.length + (cards.length === 1 ? " lab" : " labs");
    }

    function remember() {
      var query = new URLSearchParams();
      var values = chosen();
      names.forEach(function (name) {
        if (values[name]) query.set(name, values[name]);
      });
      var text = query.toString();
      history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
    }

    /* From the address into the form. A value the form does not offer is left out. */
    function recall() {
      var query = new URLSearchParams(location.search);
      names.forEach(function (name) {
        var field = form.elements[name];
        field.value = query.get(name) || "";
        if (field.selectedIndex === -1) field.value = "";
      });
    }

    function changed() {
      show();
      remember();
    }

    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("reset", function () { setTimeout(changed, 0); });
    window.addEventListener("popstate", function () { recall(); show(); });
    recall();
    show();
    form.hidden = false;
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

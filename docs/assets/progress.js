/* What has been read and done, noted in this browser and nowhere else. Without this file nothing is shown.

   The note is one object in localStorage: the page's address below the site's root, and the day it was marked. */
(function () {
  "use strict";

  var WORDS = {
    read: { offer: "Mark as read", taken: "Read", tick: "read" },
    done: { offer: "Mark this lab as done", taken: "Done", tick: "done" },
  };

  function start() {
    var config = JSON.parse(document.getElementById("__config").textContent);
    var root = new URL(config.base.replace(/\/?$/, "/"), location.href);
    var store = "proving-ground." + root.pathname + ".pages";
    var kept = load();

    function load() {
      try {
        var value = JSON.parse(localStorage.getItem(store));
        return value && typeof value === "object" ? value : {};
      } catch (error) {
        return {};
      }
    }

    /* Returns whether the browser keeps it. Some do not, for private windows or files. */
    function save() {
      try {
        if (Object.keys(kept).length) localStorage.setItem(store, JSON.stringify(kept));
        else localStorage.removeItem(store);
        return true;
      } catch (error) {
        return false;
      }
    }

    function address(url) {
      return url.pathname.slice(root.pathname.length).replace(/index\.html$/, "");
    }

    /* The sign beside each link to a page that is marked. */
    function ticks() {
      document.querySelectorAll(".pg-tick").forEach(function (tick) { tick.remove(); });
      var links = ".md-nav--primary a.md-nav__link[href], .pg-card-title a[href]";
      document.querySelectorAll(links).forEach(function (link) {
        if (link.hash || !kept[address(link)]) return;
        var tick = document.createElement("span");
        tick.className = "pg-tick";
        tick.setAttribute("role", "img");
        tick.setAttribute("aria-label", address(link).indexOf("labs/") === 0 ? WORDS.done.tick : WORDS.read.tick);
        link.appendChild(tick);
      });
    }

    /* The button at the end of a lesson or lab. */
    function offer(box) {
      var words = WORDS[box.dataset.pgKind];
      var here = address(location);
      var button = document.createElement("button");
      var status = document.createElement("span");
      button.type = "button";
      button.className = "pg-mark";
      status.setAttribute("role", "status");

      function show() {
        button.setAttribute("aria-pressed", String(!!kept[here]));
        button.textContent = kept[here] ? words.taken + " on " + kept[here] : words.offer;
      }

      button.addEventListener("click", function () {
        kept = load();
        if (kept[here]) delete kept[here];
        else kept[here] = new Date().toISOString().slice(0, 10);
        status.textContent = !save() ? "This browser keeps no notes: it is forgotten when you leave."
          : kept[here] ? "Noted, in this browser only." : "The note is gone.";
        show();
        ticks();
      });
      show();
      var line = document.createElement("p");
      line.className = "pg-mark-line";
      line.appendChild(button);
      line.appendChild(status);
      box.appendChild(line);
    }

    /* How far along the way, where to go on, and how to forget it all. */
    function summary(box) {
      var links = Array.prototype.slice.call(box.querySelectorAll("a[data-pg-kind]"));
      var of = { read: [0, 0], done: [0, 0] };
      links.forEach(function (link) {
        var count = of[link.dataset.pgKind];
        count[1] += 1;
        if (kept[address(link)]) count[0] += 1;
      });
      if (of.read[0] + of.done[0] === 0) return;
      var next = links.filter(function (link) { return !kept[address(link)]; })[0];
      var line = document.createElement("p");
      var forget = document.createElement("button");
      line.append("Read: " + of.read[0] + " of " + of.read[1] + " lessons. Done: " + of.done[0] + " of " + of.done[1] + " labs. ");
      if (next) line.append("Go on with ", next, ". ");
      forget.type = "button";
      forget.textContent = "Forget this";
      forget.addEventListener("click", function () {
        kept = {};
        save();
        ticks();
        line.textContent = "Forgotten. This browser holds no note of what you have read.";
        line.tabIndex = -1;
        line.focus();
      });
      line.append(forget);
      box.replaceChildren(line);
      box.hidden = false;
    }

    document.querySelectorAll(".pg-next").forEach(offer);
    document.querySelectorAll(".pg-progress").forEach(summary);
    ticks();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

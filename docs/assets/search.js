/* The search box in the header. It costs a first visit this file and nothing else: index and engine (search/) come when the
   box gets the focus, as scripts, so that it works from a disk as well. Nothing that is typed leaves the page.

   "/" goes to the box, the arrows choose, Enter opens what is chosen or else the best page, Escape closes. For screen
   readers it is a combobox with a list of options, and it says how many there are when typing pauses. */
(function () {
  "use strict";

  var MOST = 10;
  var PAUSE = 500;
  var NONE = "Nothing found. Fewer or other words may help.";
  var WAIT = "The index is loading.";
  var FAILED = "The index did not load. Reload the page to try again.";
  var script = document.currentScript.src;
  var top = new URL("../", script);
  var state = "idle";
  var results = [];
  var chosen = -1;
  var pause;

  function make(tag, attributes, children) {
    var element = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) { element.setAttribute(name, attributes[name]); });
    (children || []).forEach(function (child) { element.append(child); });
    return element;
  }

  var input = make("input", {
    type: "text", id: "pg-search", name: "query", placeholder: "Search", "aria-label": "Search", role: "combobox",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "pg-search-list", "aria-keyshortcuts": "/",
    autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false", enterkeyhint: "go",
  });
  var list = make("div", { role: "listbox", id: "pg-search-list", "aria-label": "Pages found" });
  var note = make("p", { "class": "pg-search-note" });
  var status = make("p", { role: "status", "class": "pg-search-status" });
  // What scrolls would be a stop for Tab of its own; the arrows scroll it.
  var panel = make("div", { "class": "pg-search-panel", hidden: "", tabindex: "-1" }, [note, list]);
  var closer = make("button", { type: "button", "class": "pg-search-close", "aria-label": "Close the search" }, ["×"]);
  var opener = make("button", {
    type: "button", "class": "pg-search-open md-header__button", "aria-label": "Search", "aria-expanded": "false", "aria-controls": "pg-search-box",
  });
  var box = make("div", { "class": "pg-search-box", id: "pg-search-box" }, [input, closer, panel]);
  var search = make("div", { "class": "pg-search", role: "search", "aria-label": "Site" }, [opener, box, status]);

  // -- the index ------------------------------------------------------------------------------

  function fetchScript(name, then) {
    var element = make("script", { src: new URL("assets/search/" + name, top).href });
    element.onload = then;
    element.onerror = function () { state = "failed"; show(); };
    document.head.append(element);
  }

  function load() {
    if (state !== "idle") return;
    state = "loading";
    fetchScript("engine.js", function () {
      fetchScript("pages.js", function () { state = "ready"; show(); });
    });
  }

  /* Where a page is. From a disk a browser shows a folder as a list of files: there the link names the file. */
  function address(page) {
    var folder = page.at.replace(/(^|\/)index$/, "$1").replace(/([^/])$/, "$1/");
    var path = folder + (location.protocol === "file:" ? "index.html" : "");
    return new URL(path, top).href + (page.part ? "#" + page.part : "");
  }

  // -- what is found --------------------------------------------------------------------------

  /* The text, with the words that were found marked. */
  function marked(text, stems) {
    var parts = text.split(/([A-Za-z0-9]+)/).map(function (part, at) {
      var hit = at % 2 && part.length > 1 && stems.has(window.provingSearch.stem(part.toLowerCase()));
      return hit ? make("mark", {}, [part]) : part;
    });
    return parts;
  }

  function option(result, number) {
    var page = result.page;
    var kind = window.provingSearch.label(page);
    return make("a", { role: "option", id: "pg-search-" + number, tabindex: "-1", href: address(page), "aria-selected": "false" }, [
      make("span", { "class": "pg-search-kind" }, [kind]), " ",
      make("span", { "class": "pg-search-title" }, marked(page.title, result.words)), " ",
      make("span", { "class": "pg-search-text" }, marked(page.description || "", result.words)),
    ]);
  }

  function choose(number) {
    var options = list.children;
    if (options[chosen]) options[chosen].setAttribute("aria-selected", "false");
    chosen = number;
    if (!options[chosen]) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    options[chosen].setAttribute("aria-selected", "true");
    options[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[chosen].id);
  }

  function show() {
    var text = input.value.trim();
    var open = text !== "" && box.contains(document.activeElement);
    results = open && state === "ready" ? window.provingSearch.find(input.value, MOST) : [];
    var said = state === "failed" ? FAILED : state !== "ready" ? WAIT : results.length === 0 ? NONE
      : results.length + (results.length === 1 ? " page, best first" : " pages, best first");
    choose(-1);
    list.replaceChildren.apply(list, results.map(option));
    list.hidden = results.length === 0;
    list.scrollTop = 0;
    note.textContent = said;
    panel.hidden = !open;
    input.setAttribute("aria-expanded", String(open && results.length > 0));
    clearTimeout(pause);
    pause = setTimeout(function () { status.textContent = open ? said : ""; }, PAUSE);
  }

  function hide() {
    choose(-1);
    panel.hidden = true;
    input.setAttribute("aria-expanded", "false");
    clearTimeout(pause);
    status.textContent = "";
  }

  // -- hands ----------------------------------------------------------------------------------

  /* On a narrow screen the box lies over the header while it is in use. */
  function unfold(open) {
    search.classList.toggle("pg-search-unfolded", open);
    opener.setAttribute("aria-expanded", String(open));
    if (open) input.focus();
    else hide();
  }

  function keys(event) {
    if (event.isComposing) return;
    var last = results.length - 1;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      var folded = search.classList.contains("pg-search-unfolded");
      if (!panel.hidden) hide();
      else if (input.value) input.value = "";
      else if (!folded) input.blur();
      if (folded) {
        unfold(false);
        opener.focus();
      }
    } else if (panel.hidden && (event.key === "ArrowDown" || event.key === "Enter")) {
      show();
      event.preventDefault();
    } else if (event.key === "ArrowDown" && last >= 0) {
      choose(chosen >= last ? -1 : chosen + 1);
      event.preventDefault();
    } else if (event.key === "ArrowUp" && last >= 0) {
      choose(chosen < 0 ? last : chosen - 1);
      event.preventDefault();
    } else if (event.key === "Enter" && last >= 0) {
      event.preventDefault();
      list.children[Math.max(chosen, 0)].click();
    }
  }

  function start() {
    var header = document.querySelector(".md-header__inner");
    if (!header) return;
    header.append(search);
    input.addEventListener("focus", function () {
      search.classList.add("pg-search-unfolded");
      opener.setAttribute("aria-expanded", "true");
      load();
      show();
    });
    input.addEventListener("input", show);
    input.addEventListener("keydown", keys);
    opener.addEventListener("click", function () { unfold(true); });
    closer.addEventListener("click", function () { unfold(false); opener.focus(); });
    // A press on a result must not take the focus away before it is a click.
    panel.addEventListener("mousedown", function (event) { event.preventDefault(); });
    list.addEventListener("click", function () { setTimeout(function () { unfold(false); }, 0); });
    search.addEventListener("focusout", function (event) {
      if (!search.contains(event.relatedTarget)) unfold(false);
    });
    document.addEventListener("keydown", function (event) {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      var at = document.activeElement;
      if (at && (/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) || at.isContentEditable)) return;
      event.preventDefault();
      unfold(true);
      input.select();
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

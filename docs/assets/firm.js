/* The self-assessment. The page holds the questions as a form, and below each the step that closes its gap; this turns
   the answers into an ordered plan. Without this file the form is a checklist. Nothing is sent: the answers
   stay in this browser. */
(function () {
  "use strict";

  var EFFORTS = ["an hour", "a day", "a week", "a month"];

  function start() {
    var form = document.querySelector("form.pg-firm");
    var plan = document.getElementById("firm-plan");
    if (!form || !plan) return;
    var fields = Array.prototype.slice.call(form.querySelectorAll("fieldset"));
    var heading = document.getElementById("plan");
    var store = "proving-ground." + location.pathname + ".answers";
    var status = element("p", "pg-firm-status");
    status.setAttribute("role", "status");

    function element(name, kind, text) {
      var made = document.createElement(name);
      if (kind) made.className = kind;
      if (text) made.textContent = text;
      return made;
    }

    function button(text, action, primary) {
      var made = element("button", primary ? "md-button md-button--primary" : "md-button", text);
      made.type = "button";
      made.addEventListener("click", action);
      return made;
    }

    function chosen(field) {
      return field.querySelector("input:checked");
    }

    /* The open steps: greatest harm first, then the shortest, then as asked. */
    function steps() {
      var open = fields.filter(function (field) { return chosen(field) && chosen(field).value !== "0"; });
      function weight(field) { return field.dataset.harm * chosen(field).value; }
      function effort(field) { return EFFORTS.indexOf(field.dataset.effort); }
      return open.sort(function (a, b) {
        return weight(b) - weight(a) || effort(a) - effort(b) || fields.indexOf(a) - fields.indexOf(b);
      });
    }

    function step(field) {
      var item = element("li");
      var asked = field.querySelector("legend").textContent.replace(/^\d+\. /, "");
      Array.prototype.forEach.call(field.querySelector(".pg-step").childNodes, function (node) {
        item.appendChild(node.cloneNode(true));
      });
      item.appendChild(element("p", "pg-answer", asked + " You said: " + chosen(field).nextElementSibling.textContent + "."));
      return item;
    }

    function show() {
      var answered = fields.filter(chosen).length;
      var open = steps();
      var missing = fields.length - answered;
      var said = answered - open.length + " of " + fields.length + " are in place, " + open.length + " to do";
      var summary = element("p", "", said + (missing ? ", " + missing + " not answered." : "."));
      var list = element("ol");
      open.forEach(function (field) { list.appendChild(step(field)); });
      plan.replaceChildren(summary, list, button("Print the plan", function () { window.print(); }));
      document.body.classList.add("pg-planned");
    }

    function count() {
      status.textContent = fields.filter(chosen).length + " of " + fields.length + " answered.";
    }

    function save() {
      var answers = {};
      fields.forEach(function (field) { if (chosen(field)) answers[field.id] = chosen(field).value; });
      try { localStorage.setItem(store, JSON.stringify(answers)); } catch (error) { /* then they last as long as the page */ }
    }

    function recall() {
      var answers = {};
      try { answers = JSON.parse(localStorage.getItem(store)) || {}; } catch (error) { /* as on a first visit */ }
      fields.forEach(function (field) {
        field.querySelectorAll("input").forEach(function (input) { input.checked = answers[field.id] === input.value; });
      });
    }

    function clear() {
      fields.forEach(function (field) { if (chosen(field)) chosen(field).checked = false; });
      try { localStorage.removeItem(store); } catch (error) { /* there was nothing */ }
      document.body.classList.remove("pg-planned");
      plan.replaceChildren(element("p", "", "No answers, no plan."));
      count();
    }

    var line = element("p", "pg-start");
    line.appendChild(button("Make the plan", function () { show(); heading.tabIndex = -1; heading.focus(); }, true));
    line.appendChild(button("Clear the answers", clear));
    form.append(line, status);
    form.classList.add("pg-live");
    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("change", function () {
      save();
      count();
      if (document.body.classList.contains("pg-planned")) show();
    });
    recall();
    count();
    if (fields.some(chosen)) show();
    else plan.replaceChildren(element("p", "", "Answer what you can, then make the plan."));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

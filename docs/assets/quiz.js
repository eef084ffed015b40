/* The questions at the end of a lesson. The page holds each as a heading, a list of options and a folded answer; this
   makes the options radio buttons. Without this file the page reads as it was written.

   A click, Enter or Space answers. The arrow keys move between options as everywhere, and answer nothing:
   who wants the third option should not be told about the second. */
(function () {
  "use strict";

  var LETTER = /^\s*([a-z])\b/i;

  /* The parts of the question that begins at this heading; null when it is no question. */
  function parts(heading) {
    var list = heading.nextElementSibling;
    while (list && list.tagName === "P") list = list.nextElementSibling;
    var answer = list && list.nextElementSibling;
    if (!answer || list.tagName !== "UL" || !answer.matches("details.success")) return null;
    var right = answer.querySelector("strong");
    var letter = right && LETTER.exec(right.textContent);
    return letter ? { list: list, answer: answer, letter: letter[1].toLowerCase() } : null;
  }

  function make(heading) {
    var question = parts(heading);
    if (!question) return;
    var list = question.list;
    var answer = question.answer;
    var field = document.createElement("fieldset");
    var legend = document.createElement("legend");
    var status = document.createElement("p");
    var byArrow = false;

    /* The question is the heading without the sign that links to it. */
    var text = document.createElement("span");
    text.id = heading.id + "-question";
    Array.prototype.slice.call(heading.childNodes).forEach(function (node) {
      if (!node.classList || !node.classList.contains("headerlink")) text.appendChild(node);
    });
    heading.insertBefore(text, heading.firstChild);

    field.className = "pg-choice pg-quiz";
    field.setAttribute("aria-labelledby", text.id);
    heading.parentNode.insertBefore(field, heading);
    legend.appendChild(heading);
    field.appendChild(legend);
    for (var next = field.nextElementSibling; next !== answer; next = field.nextElementSibling) field.appendChild(next);
    status.className = "pg-quiz-status";
    status.setAttribute("role", "status");
    field.appendChild(status);
    field.appendChild(answer);

    Array.prototype.forEach.call(list.children, function (item) {
      var label = document.createElement("label");
      var radio = document.createElement("input");
      var words = document.createElement("span");
      var letter = LETTER.exec(item.textContent);
      radio.type = "radio";
      radio.name = heading.id;
      radio.value = letter ? letter[1].toLowerCase() : "";
      while (item.firstChild) words.appendChild(item.firstChild);
      label.appendChild(radio);
      label.appendChild(words);
      item.appendChild(label);
    });
    list.classList.add("pg-options");

    function judge(radio) {
      var right = radio.value === question.letter;
      Array.prototype.forEach.call(list.children, function (item) {
        var chosen = item.contains(radio);
        item.classList.toggle("pg-right", chosen && right);
        item.classList.toggle("pg-wrong", chosen && !right);
      });
      status.textContent = right ? "✓ Right. The answer says why." : "✗ Not this one. The answer says why.";
      answer.open = true;
    }

    field.addEventListener("keydown", function (event) {
      if (event.target.type !== "radio") return;
      byArrow = event.key.indexOf("Arrow") === 0;
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.target.checked = true;
      judge(event.target);
    });
    field.addEventListener("pointerdown", function () { byArrow = false; });
    field.addEventListener("change", function (event) {
      if (!byArrow) judge(event.target);
      else if (!answer.open) status.textContent = "Press Enter to answer.";
      byArrow = false;
    });
    /* A click on the option that the arrows had reached changes nothing, and answers all the same. The arrows
       make clicks as well: those come before the change, and byArrow is still set. */
    list.addEventListener("click", function (event) {
      if (event.target.type === "radio" && event.target.checked && !byArrow) judge(event.target);
    });
  }

  function start() {
    document.querySelectorAll("article h2[id^=check] ~ h3").forEach(make);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();

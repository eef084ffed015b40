"""What every lesson says about itself, from its front matter: where it stands, how long it takes, what comes next.

    start/a-lesson.md    front matter: kind: lesson, track, minutes
      .cache/includes/start/a-lesson.head.md    below its h1: track, place, time, lab
      .cache/includes/start/a-lesson.next.md    before its sources: the next step

The lessons take these in by name. The list of lessons, the way through the course and the questions of the
self-assessment are includes as well. All of them are Markdown, so that links are checked like any other.
"""

import html
import re
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, relpath
from typing import Any

import yaml

from proving import nav
from proving.paths import Tree
from proving.source import Lab

TRACK_SAYS = {
    "start": "what changes when software decides",
    "host": "what the node runs",
    "cluster": "where agents run",
    "supply-chain": "what you install, build and ship",
    "protocols": "how agents talk",
    "agents": "what agents may do",
    "operations": "living with agents",
}
ASSESSMENT = "assets/assessment.yml"
KNOWLEDGE = "knowledge"


@dataclass(frozen=True)
class Lesson:
    """One lesson. `source` is its file below docs/."""

    source: str
    title: str
    summary: str
    track: str
    minutes: int


def lessons(tree: Tree) -> list[Lesson]:
    """The lessons in the order of the nav."""
    found = []
    for source in nav.sources(tree):
        data = _front(tree.docs / source)
        if data.get("kind") == "lesson":
            found.append(
                Lesson(source, data["title"], data.get("summary", ""), data.get("track", "start"), data["minutes"])
            )
    return found


def _front(path: Path) -> dict[str, Any]:
    """The front matter of a page; none where the page is still to be generated or has none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    block = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    return dict(yaml.safe_load(block[1])) if block else {}


def includes(tree: Tree, labs: list[Lab]) -> dict[Path, str]:
    """Every include of this module: its path, and its text. `labs` are those the site shows, in order."""
    course = lessons(tree)
    texts = {
        "progress.md": progress(course, labs, "index.md"),
        "learn/progress.md": progress(course, labs, "learn/index.md"),
        "learn/lessons.md": catalogue(course, labs, "learn/index.md"),
    }
    for position, lesson in enumerate(course):
        following = course[position + 1] if position + 1 < len(course) else None
        stem = lesson.source.removesuffix(".md")
        texts[f"{stem}.head.md"] = head(lesson, course, labs)
        texts[f"{stem}.next.md"] = onwards(lesson, following, labs)
    if (tree.docs / ASSESSMENT).exists():
        texts["start/assessment.md"] = assessment(tree, "start/where-does-our-firm-stand.md")
    return {tree.cache / "includes" / name: text for name, text in texts.items()}


def led(text: str, source: str) -> str:
    """A lesson's text with the two lines that take in its head, below the title, and what comes next, before its sources."""
    stem = source.removesuffix(".md")
    head, following = (f'--8<-- "{stem}.{part}.md"' for part in ("head", "next"))
    if f"\n{head}\n" not in text:
        text = re.sub(r"^# .*\n", lambda match: f"{match[0]}\n{head}\n", text, count=1, flags=re.MULTILINE)
    if f"\n{following}\n" not in text:
        text = re.sub(r"^## Sources", lambda match: f"{following}\n\n{match[0]}", text, count=1, flags=re.MULTILINE)
    return text


def sync(tree: Tree, *, write: bool) -> list[str]:
    """Give each lesson its two lines, or with `write` false only say which one lacks them: their files below docs/."""
    lacking = []
    for lesson in lessons(tree):
        path = tree.docs / lesson.source
        text = path.read_text(encoding="utf-8")
        new = led(text, lesson.source)
        if new != text:
            lacking.append(lesson.source)
            if write:
                path.write_text(new, encoding="utf-8", newline="\n")
    return lacking


# -- on a lesson ----------------------------------------------------------------------------------


def head(lesson: Lesson, course: list[Lesson], labs: list[Lab]) -> str:
    """Where am I, how long does it take, what is it for."""
    beside = [other for other in course if other.track == lesson.track]
    facts = [
        ("Track", track_mark(lesson.track)),
        ("Lesson", f"{beside.index(lesson) + 1} of {len(beside)}"),
        ("Time", f"{lesson.minutes} minutes"),
    ]
    facts += [("Lab", f"{_lab_link(lab, lesson.source)}, {lab.header.minutes} minutes") for lab in _its(lesson, labs)]
    items = "".join(
        f'<div markdown="1"><dt>{name}</dt><dd markdown="span">{value}</dd></div>\n' for name, value in facts
    )
    return f'<dl class="pg-facts" markdown="1">\n{items}</dl>\n'


def onwards(lesson: Lesson, following: Lesson | None, labs: list[Lab]) -> str:
    """The next step: its lab where it has one, then the next lesson. progress.js adds its button here."""
    steps = [f"Do the lab: {_lab_link(lab, lesson.source)}, {lab.header.minutes} minutes" for lab in _its(lesson, labs)]
    if following:
        link = f"[{plain(following.title)}]({href(lesson.source, following.source)})"
        steps.append(f"Read on: {link}, {following.minutes} minutes")
    else:
        steps.append(f"[Choose a lab]({href(lesson.source, 'labs/index.md')})")
    return next_step(steps, "read")


def next_step(steps: list[str], kind: str) -> str:
    """The box at the end of a lesson (`kind` read) or a lab (done). `steps` are Markdown, the first one counts most."""
    items = "\n".join(f"- {step}" for step in steps)
    return (
        f'<div class="pg-next" data-pg-kind="{kind}" markdown="1">\n\n'
        f"What next\n{{ .pg-next-name }}\n\n{items}\n\n</div>\n"
    )


def track_mark(track: str) -> str:
    """The name of a track with its sign."""
    return f'<span class="pg-track pg-track-{track}">{track_name(track)}</span>'


def track_name(track: str) -> str:
    return track.replace("-", " ").capitalize()


# -- on the way through the course ------------------------------------------------------------------


def catalogue(course: list[Lesson], labs: list[Lab], page: str) -> str:
    """Every lesson as a card, by track."""
    parts = []
    for track in TRACK_SAYS:
        beside = [lesson for lesson in course if lesson.track == track]
        if not beside:
            continue
        cards = "\n".join(_card(lesson, labs, page) for lesson in beside)
        parts.append(
            f"## {track_name(track)}: {TRACK_SAYS[track]} {{ #{track} .pg-track .pg-track-{track} }}\n\n"
            f'<ul class="pg-cards" markdown="1">\n\n{cards}\n</ul>\n'
        )
    return "\n".join(parts)


def _card(lesson: Lesson, labs: list[Lab], page: str) -> str:
    facts = [f"{lesson.minutes} minutes", *("with a lab" for _ in _its(lesson, labs)[:1])]
    return (
        '<li class="pg-card" markdown="block">\n\n'
        f"[{plain(lesson.title)}]({href(page, lesson.source)})\n{{ .pg-card-title }}\n\n"
        f"{plain(lesson.summary)}\n\n"
        f'<p class="pg-card-facts">{" ".join(f"<span>{fact}</span>" for fact in facts)}</p>\n\n</li>\n'
    )


def progress(course: list[Lesson], labs: list[Lab], page: str) -> str:
    """The way through the course for progress.js, which shows it once something is read. Hidden until then."""
    steps = []
    placed: set[str] = set()
    for lesson in course:
        steps.append(f"- [{plain(lesson.title)}]({href(page, lesson.source)}){{ data-pg-kind=read }}")
        placed |= {lab.slug for lab in _its(lesson, labs)}
        steps += [f"- {_lab_link(lab, page)}{{ data-pg-kind=done }}" for lab in _its(lesson, labs)]
    steps += [f"- {_lab_link(lab, page)}{{ data-pg-kind=done }}" for lab in labs if lab.slug not in placed]
    items = "\n".join(steps)
    return f'<div class="pg-progress" hidden markdown="1">\n\n{items}\n\n</div>\n'


# -- the self-assessment ----------------------------------------------------------------------------


def assessment(tree: Tree, page: str) -> str:
    """The questions as a form that can be read, ticked and printed without a script. firm.js makes the plan of it."""
    data = yaml.safe_load((tree.docs / ASSESSMENT).read_text(encoding="utf-8"))
    shown = set(nav.sources(tree))
    parts, number = [], 0
    for area in data["areas"]:
        parts.append(f"### {area['title']} {{ #{area['id']} }}\n")
        for question in area["questions"]:
            number += 1
            parts.append(_question(tree, question, number, page, shown))
    form = "\n".join(parts)
    return f'<form class="pg-firm" aria-label="Where does our firm stand" markdown="1">\n\n{form}\n</form>\n'


def _question(tree: Tree, question: dict[str, Any], number: int, page: str, shown: set[str]) -> str:
    name = f"q-{question['id']}"
    options = "".join(
        f'<label><input type="radio" name="{name}" value="{gap}"> <span>{html.escape(text)}</span></label>\n'
        for gap, text in enumerate(question["options"])
    )
    links = [_link(tree, source, page) for source in question["links"] if source in shown]
    how_to = f"{KNOWLEDGE}/{question['how_to']}.md"
    guide = f"[{plain(_front(tree.docs / how_to).get('title', how_to))}]({href(page, how_to)})"
    data = f'data-harm="{question["harm"]}" data-effort="{question["effort"]}"'
    return (
        f'<fieldset class="pg-choice" id="{name}" {data} markdown="1">\n'
        f"<legend>{number}. {html.escape(question['ask'])}</legend>\n"
        f'<div class="pg-options">\n{options}</div>\n'
        '<div class="pg-step" markdown="1">\n\n'
        f"**{plain(question['do'])}** {plain(question['why'])}\n\n"
        f"Takes {question['effort']}. {'; '.join(links)}. How-to: {guide}.\n\n"
        "</div>\n</fieldset>\n"
    )


def _link(tree: Tree, source: str, page: str) -> str:
    """A link to a lesson or a lab, with the word for which of them it is."""
    title = _front(tree.docs / source).get("title", "")
    kind = "Lab" if source.startswith("labs/") else "Lesson"
    return f"{kind}: [{plain(title)}]({href(page, source)})"


# -- small parts ------------------------------------------------------------------------------------


def _its(lesson: Lesson, labs: list[Lab]) -> list[Lab]:
    return [lab for lab in labs if lab.header.lesson == lesson.source]


def _lab_link(lab: Lab, page: str) -> str:
    return f"[{plain(lab.header.title)}]({href(page, f'labs/{lab.slug}.md')})"


def href(page: str, target: str) -> str:
    return relpath(target, dirname(page) or ".")


def plain(text: str) -> str:
    """Plain text for one line of Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", text)

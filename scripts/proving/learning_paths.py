"""Ways through the course: which lessons and labs, in which order, and how long they take together.

    docs/assets/paths.yml       for whom, and what is in it
      .cache/includes/learn/paths.md    each path with its steps and the sum of their minutes
      .cache/includes/start/paths.md    the same as one table
      .cache/includes/paths.md          where each begins, for the landing page

Minutes are never written there: a lesson and a lab say their own, and a lab of which only some exercises are done
takes what the others would have taken less.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from proving import knowledge, reading
from proving.findings import Finding
from proving.paths import Tree
from proving.reading import Lesson
from proving.source import Lab

DATA = "assets/paths.yml"
KEYS = {"id", "title", "for", "summary", "target", "before", "steps", "tracks", "labs"}


@dataclass(frozen=True)
class Step:
    """One thing to do. `source` is its page below docs/; `part` says which part of a lab."""

    source: str
    title: str
    minutes: int
    part: str = ""


@dataclass(frozen=True)
class Way:
    """One path. `later` are labs that are planned; `target` is what the steps may take, 0 for no bound."""

    id: str
    title: str
    audience: str
    summary: str
    target: int
    before: tuple[Step, ...]
    steps: tuple[Step, ...]
    later: tuple[str, ...]

    @property
    def minutes(self) -> int:
        return sum(step.minutes for step in self.steps)


def read(tree: Tree, course: list[Lesson], labs: list[Lab]) -> tuple[list[Way], list[Finding]]:
    """Every path, and a finding for each entry that names what is not there or takes longer than it may."""
    if not (tree.docs / DATA).exists():
        return [], []
    ways, findings = [], []
    where = f"docs/{DATA}"
    planned = knowledge.planned(tree)
    for entry in yaml.safe_load((tree.docs / DATA).read_text(encoding="utf-8")):
        name = entry.get("id", "?")
        for key in sorted(set(entry) - KEYS):
            findings.append(Finding(where, f"{name}: the key {key!r} is unknown.", f"Keys: {', '.join(sorted(KEYS))}."))
        try:
            before = tuple(_lesson(course, source) for source in entry.get("before", []))
            steps = tuple(_steps(entry, course, labs))
        except LookupError as error:
            findings.append(Finding(where, f"{name}: {error.args[0]}", "Correct the name, or build it first."))
            continue
        tracks = set(entry.get("tracks", [])) if entry.get("labs", True) else set()
        later = tuple(str(lab["slug"]) for lab in planned if lab["track"] in tracks)
        way = Way(name, entry["title"], entry["for"], entry["summary"], entry.get("target", 0), before, steps, later)
        if way.target and way.minutes > way.target:
            problem = f"{name} takes {way.minutes} minutes, {way.minutes - way.target} more than its {way.target}."
            findings.append(Finding(where, problem, "Leave an exercise out, or shorten a lab."))
        ways.append(way)
    return ways, findings


def _steps(entry: dict[str, Any], course: list[Lesson], labs: list[Lab]) -> Iterator[Step]:
    for step in entry.get("steps", []):
        yield _lesson(course, step["lesson"]) if "lesson" in step else _lab(labs, step["lab"], step.get("exercises"))
    for track in entry.get("tracks", []):
        for lesson in (lesson for lesson in course if lesson.track == track):
            yield _lesson(course, lesson.source)
            for lab in labs if entry.get("labs", True) else []:
                if lab.header.lesson == lesson.source:
                    yield _lab(labs, lab.slug, None)


def _lesson(course: list[Lesson], source: str) -> Step:
    for lesson in course:
        if lesson.source == source:
            return Step(source, lesson.title, lesson.minutes)
    raise LookupError(f"there is no lesson {source!r} in the nav.")


def _lab(labs: list[Lab], slug: str, only: list[str] | None) -> Step:
    lab = next((lab for lab in labs if lab.slug == slug), None)
    if lab is None:
        raise LookupError(f"there is no lab {slug!r}.")
    page = f"labs/{slug}.md"
    if only is None:
        return Step(page, lab.header.title, lab.header.minutes)
    for name in only:
        if name not in {exercise.id for exercise in lab.exercises}:
            raise LookupError(f"the lab {slug!r} has no exercise {name!r}.")
    left_out = sum(exercise.minutes for exercise in lab.exercises if exercise.id not in only)
    titles = [exercise.title for exercise in lab.exercises if exercise.id in only]
    return Step(page, lab.header.title, lab.header.minutes - left_out, " and ".join(f"*{title}*" for title in titles))


# -- what is shown ----------------------------------------------------------------------------------


def includes(tree: Tree, course: list[Lesson], labs: list[Lab]) -> dict[str, str]:
    """The includes by their name below .cache/includes."""
    ways, _ = read(tree, course, labs)
    if not ways:
        return {}
    return {
        "learn/paths.md": "\n".join(_section(way, "learn/paths.md") for way in ways),
        "start/paths.md": _table(ways, "start/how-to-use-this-course.md"),
        "paths.md": _beginnings(ways, "index.md"),
    }


def _section(way: Way, page: str) -> str:
    parts = [f"## {way.title} {{#{way.id}}}", f"For {way.audience}. {way.summary}"]
    if way.before:
        links = ", ".join(f"{_link(step, page)} ({step.minutes} minutes)" for step in way.before)
        parts.append(f"On another day, read {links}.")
    clock, rows = 0, ["| From minute | What | Minutes |", "|---|---|---|"]
    for step in way.steps:
        part = f": {step.part}" if step.part else ""
        kind = "Lab" if step.source.startswith("labs/") else "Lesson"
        rows.append(f"| {clock} | {kind}: {_link(step, page)}{part} | {step.minutes} |")
        clock += step.minutes
    rows.append(f"| {clock} | end | **{way.minutes}** |")
    parts.append("\n".join(rows))
    if way.later:
        parts.append("Planned, and not yet in the sum: " + ", ".join(f"`{slug}`" for slug in way.later) + ".")
    return "\n\n".join(parts) + "\n"


def _table(ways: list[Way], page: str) -> str:
    rows = ["| path | for | takes | planned |", "|---|---|---|---|"]
    for way in ways:
        link = f"[{way.title}]({reading.href(page, 'learn/paths.md')}#{way.id})"
        later = f"{len(way.later)} lab{'s' * (len(way.later) > 1)}" if way.later else "-"
        rows.append(f"| {link} | {way.audience} | {_time(way.minutes)} in {len(way.steps)} steps | {later} |")
    return "\n".join(rows) + "\n"


def _beginnings(ways: list[Way], page: str) -> str:
    items = []
    for way in ways:
        rest = f"[{_time(way.minutes)} in {len(way.steps)} steps]({reading.href(page, 'learn/paths.md')}#{way.id})"
        begin = f"Begin with {_link(way.steps[0], page)}. The whole path: {rest}."
        items.append(f"- **{way.title}**, for {way.audience}\n\n    {begin}\n")
    return "\n".join(items)


def _time(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} h" if hours else f"{rest} min"


def _link(step: Step, page: str) -> str:
    return f"[{reading.plain(step.title)}]({reading.href(page, step.source)})"

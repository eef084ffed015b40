"""Read the knowledge base: Markdown under docs/knowledge/, with front matter that is data.

    Page      one page: its kind, its data, where it lies
    read      all pages, and a finding (file, key, repair) for each that breaks the schema
    proofs    which controls are proved by an exercise of a lab that passed

What links to what is said once, in front matter: threats, incidents, how-tos and errors name
controls; a control names the exercises that prove it. Everything else follows from that.
"""

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from proving.findings import Finding
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import TRACKS, Lab

Json = dict[str, Any]
REVIEW_AFTER = datetime.timedelta(days=180)
CAUSES = (
    "prompt-injection",
    "mutable-reference",
    "stolen-credential",
    "incomplete-rotation",
    "privileged-trigger",
    "shared-cache",
    "install-script",
    "maintainer-takeover",
    "name-confusion",
    "missing-check",
    "insecure-default",
    "kernel-bug",
    "other",
)


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() else "write a text"


def _texts(value: object) -> str:
    good = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
    return "" if good else "write a list of texts; it may be empty: []"


def _day(value: object) -> str:
    return "" if isinstance(value, datetime.date) else "write a day as 2026-11-23"


def _minutes(value: object) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "write whole minutes"


def _sources(value: object) -> str:
    keys = {"title", "url", "read"}
    if not isinstance(value, list) or not value:
        return "name at least one source, as {title, url, read}"
    good = all(isinstance(s, dict) and set(s) == keys and str(s["url"]).startswith("https://") for s in value)
    return "" if good else "each source has a title, an https address and the day it was read"


def _one_of(*allowed: str) -> Callable[[object], str]:
    return lambda value: "" if value in allowed else f"use one of: {', '.join(allowed)}"


def _description(value: object) -> str:
    if not isinstance(value, str) or not 60 <= len(value) <= 170:
        return "write one sentence of 60 to 170 characters"
    # The theme puts it between double quotes in the page's head, as it is.
    return "use no double quotes and no angle brackets" if re.search(r'["<>]', value) else ""


def _maybe_text(value: object) -> str:
    return "" if value is None or not _text(value) else "write a text or null"


Check = Callable[[object], str]
EVERY: dict[str, Check] = {
    "title": _text,
    "description": _description,
    "kind": _text,
    "verified": _day,
    "aliases": _texts,
    "sources": _sources,
}
KINDS: dict[str, dict[str, Check]] = {
    "threat": {"ids": _texts, "controls": _texts, "labs": _texts},
    "control": {
        "track": _one_of(*TRACKS),
        "cost": _text,
        "proved_by": _texts,
        "lab": _maybe_text,
        "takeaway": _maybe_text,
    },
    "incident": {
        "date": _day,
        "cause": _one_of(*CAUSES),
        "ids": _texts,
        "controls": _texts,
        "confidence": _one_of("primary", "secondary"),
    },
    "protocol": {"as_of": _day, "status": _text, "steward": _text},
    "platform": {"as_of": _day, "status": _text, "steward": _text},
    "how-to": {"minutes": _minutes, "controls": _texts, "needs": _text},
    "error": {"message": _text, "tool": _text},
    "guide": {"controls": _texts},
    "checklist": {"controls": _texts, "minutes": _minutes},
}
OPTIONAL: dict[str, dict[str, Check]] = {
    "threat": {"not_executed": _text},
    "error": {"controls": _texts, "lesson": _maybe_text},
}
FOLDERS = {
    "threat": "threats",
    "control": "controls",
    "incident": "incidents",
    "protocol": "protocols",
    "platform": "platforms",
    "how-to": "how-to",
    "error": "errors",
    "guide": "guides",
    "checklist": "checklists",
}


@dataclass(frozen=True)
class Page:
    """One page of the knowledge base."""

    path: Path
    kind: str
    slug: str
    data: Json
    body: str

    @property
    def title(self) -> str:
        return str(self.data["title"])

    @property
    def place(self) -> str:
        """Its path below docs/knowledge/."""
        return f"{FOLDERS[self.kind]}/{self.slug}.md"

    @property
    def include(self) -> str:
        """The generated foot that the page ends with, as its own last line names it."""
        return f'--8<-- "foot/{self.place}"'

    def list_of(self, key: str) -> list[str]:
        return list(self.data.get(key) or [])

    def is_stale(self, today: datetime.date) -> bool:
        return bool(today - self.data["verified"] > REVIEW_AFTER)


@dataclass(frozen=True)
class Knowledge:
    """All pages, and the questions that generated pages ask of them."""

    pages: tuple[Page, ...]
    planned: tuple[Json, ...]

    def of(self, kind: str) -> list[Page]:
        return sorted((p for p in self.pages if p.kind == kind), key=lambda p: p.title.lower())

    @cached_property
    def controls(self) -> dict[str, Page]:
        return {p.slug: p for p in self.pages if p.kind == "control"}

    def naming(self, control: str) -> list[Page]:
        """The pages, controls aside, that name this control."""
        found = [p for p in self.pages if p.kind != "control" and control in p.list_of("controls")]
        return sorted(found, key=lambda p: (p.kind, p.title.lower()))


def read(tree: Tree, labs: list[Lab]) -> tuple[Knowledge, list[Finding]]:
    """The knowledge base and everything that is wrong with it."""
    folder = tree.docs / "knowledge"
    findings: list[Finding] = []
    pages = []
    for kind, name in FOLDERS.items():
        for path in sorted((folder / name).glob("*.md")):
            if path.name != "index.md" and (page := _page(tree, path, kind, findings)):
                pages.append(page)
    known = Knowledge(tuple(pages), tuple(planned(tree)))
    _cross_check(tree, known, labs, findings)
    return known, findings


def proofs(known: Knowledge, evidence: list[Evidence]) -> dict[str, list[str]]:
    """For each control, the exercises (lab#exercise) that prove it in labs that passed."""
    passed = {e.slug for e in evidence if e.passed}
    return {
        slug: [p for p in page.list_of("proved_by") if p.split("#")[0] in passed]
        for slug, page in known.controls.items()
    }


def unproved(tree: Tree, known: Knowledge, evidence: list[Evidence]) -> list[Finding]:
    """Controls that claim a proof which did not pass in this run."""
    held = proofs(known, evidence)
    return [
        Finding(
            tree.relative(page.path),
            f"It claims the proof {claim}, which did not pass.",
            "Repair the lab, or withdraw the claim.",
        )
        for slug, page in known.controls.items()
        for claim in page.list_of("proved_by")
        if claim not in held[slug]
    ]


def _page(tree: Tree, path: Path, kind: str, findings: list[Finding]) -> Page | None:
    where = tree.relative(path)
    text = path.read_text(encoding="utf-8")
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if not match:
        findings.append(Finding(where, "The front matter is missing.", "Begin with YAML between two lines `---`."))
        return None
    try:
        data = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        findings.append(
            Finding(where, "The front matter is no YAML.", f"Repair it: {getattr(error, 'problem', error)}.")
        )
        return None
    if not isinstance(data, dict):
        findings.append(Finding(where, "The front matter is no mapping.", "Write `key: value` lines."))
        return None
    before = len(findings)
    required = {**EVERY, **KINDS[kind]}
    allowed = {**required, **OPTIONAL.get(kind, {})}
    for key in sorted(data.keys() - allowed.keys()):
        findings.append(
            Finding(where, f"The key {key!r} is unknown for a page of kind {kind}.", f"Keys: {', '.join(allowed)}.")
        )
    for key in required.keys() - data.keys():
        findings.append(
            Finding(where, f"The key {key!r} is missing.", "labs/README.md and CONTRIBUTING.md say what it holds.")
        )
    for key, check in allowed.items():
        if key in data and (repair := check(data[key])):
            findings.append(Finding(where, f"`{key}` is {str(data[key])[:60]!r}.", f"{repair[0].upper()}{repair[1:]}."))
    if data.get("kind") != kind:
        findings.append(
            Finding(
                where,
                f"`kind` is {data.get('kind')!r} in the folder of kind {kind!r}.",
                "Move the page or correct the kind.",
            )
        )
    if len(findings) > before:
        return None
    page = Page(path, kind, path.stem, data, match[2])
    if page.body.rstrip().splitlines()[-1:] != [page.include]:
        findings.append(
            Finding(where, "The page does not end with its generated foot.", f"Let its last line be: {page.include}")
        )
    return page


def planned(tree: Tree) -> list[Json]:
    """The labs of the curriculum that nobody has built yet: [{slug, title, track}]."""
    try:
        return list(yaml.safe_load((tree.labs / "planned.yml").read_text(encoding="utf-8")) or [])
    except FileNotFoundError:
        return []


def _cross_check(tree: Tree, known: Knowledge, labs: list[Lab], findings: list[Finding]) -> None:
    exercises = {f"{lab.slug}#{e.id}" for lab in labs for e in lab.exercises}
    built = {lab.slug for lab in labs}
    named = built | {str(p["slug"]) for p in known.planned}
    for slug in sorted(built & {str(p["slug"]) for p in known.planned}):
        findings.append(Finding("labs/planned.yml", f"{slug} is built.", "Take its line away."))
    titles: dict[str, Page] = {}
    for page in known.pages:
        where = tree.relative(page.path)
        for control in page.list_of("controls"):
            if control not in known.controls:
                findings.append(
                    Finding(
                        where,
                        f"`controls` names {control!r}, which has no page.",
                        "Name a file of docs/knowledge/controls/.",
                    )
                )
        for lab in [*page.list_of("labs"), *([page.data["lab"]] if page.data.get("lab") else [])]:
            if lab not in named:
                findings.append(
                    Finding(
                        where,
                        f"There is no lab {lab!r}, built or planned.",
                        "Correct it, or add it to labs/planned.yml.",
                    )
                )
        if page.data.get("not_executed") and built & set(page.list_of("labs")):
            findings.append(
                Finding(
                    where,
                    "It says why no attack is executed, and names a lab that is built.",
                    "Take `not_executed` away.",
                )
            )
        for claim in page.list_of("proved_by"):
            if claim not in exercises:
                findings.append(
                    Finding(
                        where,
                        f"`proved_by` claims {claim}, which does not exist.",
                        "Name lab#exercise of a lab that is built.",
                    )
                )
        takeaway = page.data.get("takeaway")
        if takeaway and not (tree.labs / takeaway).is_file():
            findings.append(
                Finding(where, f"The take-home file labs/{takeaway} does not exist.", "Correct the path or write null.")
            )
        other = titles.setdefault(f"{page.kind} {page.title.lower()}", page)
        if other is not page:
            findings.append(Finding(where, f"It has the title of {tree.relative(other.path)}.", "Give it its own."))

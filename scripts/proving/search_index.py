"""Write the index of the search: what each page is called, known as and about, as one script.

    docs/assets/search/words.yml   weights, kinds, synonyms, words without meaning: data, checked here
    docs/assets/search/pages.js    GENERATED: the texts of all pages, with those words
    docs/assets/search/engine.js   finds and ranks; makes its inverted index from pages.js in the reader's browser
    docs/assets/search.js          the box in the header; loads the two when it gets the focus

The index is a script and no JSON file because a page opened from a disk may load the one and not the other. It
holds texts and nothing computed, so that splitting and stemming words is said once, in engine.js.
"""

import json
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from proving.findings import Finding
from proving.paths import Tree

Json = dict[str, Any]
WORDS = PurePosixPath("assets/search/words.yml")
PAGES = PurePosixPath("assets/search/pages.js")
FIELDS = ("title", "aliases", "ids", "message", "description", "headings", "body")
# A word that a page says this often is what the page is about, and counts twice.
OFTEN = 4
_CALL = ("provingSearch.load(", ");\n")
_FRONT = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_HEADING = re.compile(r"^#{2,4} +(.+?)(?: *\{[^}]*\})? *$", re.MULTILINE)
_NOISE = re.compile(
    r"--8<--.*|<svg.*?</svg>|<style.*?</style>|<[^>]+>|\{[ :]*[.#][^}\n]*\}|(?<=\])\([^)\n]*\)|https?://\S+", re.DOTALL
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.'’/-][A-Za-z0-9]+)*|\d{3,}")


def stage(tree: Tree) -> list[Finding]:
    """Write pages.js from the Markdown on disk. Returns what is wrong with words.yml; then nothing is written."""
    if not (tree.docs / WORDS).exists():
        return []
    words = yaml.safe_load((tree.docs / WORDS).read_text(encoding="utf-8"))
    findings = _wrong(words)
    if findings:
        return findings
    stop = frozenset(str(words["stop"]).split())
    data = {
        "fields": words["fields"],
        "kinds": words["kinds"],
        "cues": words["cues"],
        "stop": sorted(stop),
        "synonyms": [line.split() for line in words["synonyms"]],
        "pages": [*_pages(tree, words["kinds"].keys(), stop), *_terms(tree)],
    }
    text = _CALL[0] + json.dumps(data, ensure_ascii=False, separators=(",", ":")) + _CALL[1]
    target = tree.docs / PAGES
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8", newline="\n")
    return []


def _wrong(words: Any) -> list[Finding]:
    """What engine.js would trip over."""
    where = f"docs/{WORDS}"
    wanted = {"fields", "kinds", "cues", "stop", "synonyms"}
    if not isinstance(words, dict) or words.keys() != wanted:
        return [
            Finding(where, "Its keys are not the five that the search knows.", f"Keys: {', '.join(sorted(wanted))}.")
        ]
    found = []
    if set(words["fields"]) != set(FIELDS):
        found.append(
            Finding(where, f"`fields` names {sorted(words['fields'])}.", f"Weigh each of: {', '.join(FIELDS)}.")
        )
    for kind, data in words["kinds"].items():
        if set(data) != {"label", "boost"}:
            found.append(Finding(where, f"The kind {kind!r} has {sorted(data)}.", "Give it a label and a boost."))
    if "other" not in words["kinds"]:
        found.append(Finding(where, "The kind 'other' is missing.", "Pages of any further kind are shown as that."))
    for kind, data in words["cues"].items():
        if kind not in words["kinds"] or set(data) != {"boost", "words"}:
            found.append(Finding(where, f"The cue {kind!r} is none.", "Name a kind, with a boost and words."))
    for line in words["synonyms"]:
        if len(line.split()) < 2:
            found.append(Finding(where, f"The synonyms {line!r} are one word.", "Write two or more in a line."))
    return found


def _pages(tree: Tree, kinds: Any, stop: frozenset[str]) -> list[Json]:
    """Each Markdown page below docs/, in a fixed order. Fields without a text are left out."""
    found = []
    for path in sorted(tree.docs.rglob("*.md")):
        match = _FRONT.match(path.read_text(encoding="utf-8"))
        data = yaml.safe_load(match[1]) if match else None
        if not match or not isinstance(data, dict) or not data.get("title"):
            continue
        body = _NOISE.sub(" ", match[2])
        headings = [re.sub(r"[`*_]", "", text) for text in _HEADING.findall(match[2])]
        kind = data.get("kind")
        page = {
            "at": path.relative_to(tree.docs).with_suffix("").as_posix(),
            "kind": kind if kind in kinds else "other",
            "title": data["title"],
            "aliases": " | ".join(data.get("aliases") or []),
            "ids": " | ".join(data.get("ids") or []),
            "message": data.get("message", ""),
            "description": data.get("description", ""),
            "headings": " | ".join(headings),
            "body": _said(body, stop),
        }
        found.append({key: value for key, value in page.items() if value})
    return found


def _said(body: str, stop: frozenset[str]) -> str:
    """The words of a page, each once, or twice when the page keeps saying it. Their order is not kept."""
    counts = Counter(word.lower() for word in _WORD.findall(body))
    words = sorted(word for word in counts if len(word) > 2 and word not in stop)
    return " ".join(f"{word} {word}" if counts[word] >= OFTEN else word for word in words)


def _terms(tree: Tree) -> list[Json]:
    """The entries of the glossary, each of which is an answer of its own."""
    try:
        entries = yaml.safe_load((tree.docs / "knowledge" / "glossary.yml").read_text(encoding="utf-8")) or []
    except FileNotFoundError:
        return []
    return [
        {
            "at": "knowledge/glossary",
            "part": re.sub(r"[^a-z0-9]+", "-", entry["term"].lower()).strip("-"),
            "kind": "term",
            "title": entry["term"],
            "aliases": " | ".join(entry.get("abbreviations") or []),
            "description": entry["text"],
        }
        for entry in entries
        if {"term", "text"} <= entry.keys()
    ]


def built(folder: Path) -> Path:
    """Where a built site holds the index."""
    return folder / PAGES


def read(path: Path) -> Json:
    """The data of an index that was written."""
    data: Json = json.loads(path.read_text(encoding="utf-8").removeprefix(_CALL[0]).removesuffix(_CALL[1]))
    return data

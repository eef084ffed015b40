"""What becomes of the site when it grows: the time to build it, the size of the search index, the time of a search.

    grow(tree, folder, 4)      a checkout in `folder` with each page of the knowledge base four times
    measure(...)               stages and builds it, and searches in it with Chromium
    verdict(rows)              what does not hold, what breaks first, and at how many pages

Only the knowledge base is copied: it is nearly all pages, and labs grow by hand. A copy has a title of its own, and its
links and controls lead to pages of the same copy, so that feet and indexes grow as they would. The index also gets new
words: what only one page says, its copies say in other letters. Else sixteen courses would have the words of one.
"""

import gzip
import html
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from posixpath import normpath

import yaml

from proving import printing, search_index, site, staging
from proving.knowledge import FOLDERS
from proving.paths import Tree
from proving.plain import front_matter
from proving.proof import Evidence
from proving.source import Lab

SCALES = (1, 4, 16)
# What breaks when a figure passes a limit, and what to do then.
LIMITS = (
    (
        "index_bytes",
        400_000.0,
        "the search index passes 400 KB. Then load titles, names and messages first, and the words of the texts after them.",
    ),
    (
        "late_ms",
        100.0,
        "one search in twenty takes over 100 ms. Then search in a worker, and compare misspelled words with fewer others.",
    ),
    (
        "build_seconds",
        300.0,
        "a build takes over five minutes. Then build with Zensical, which keeps what has not changed.",
    ),
)
QUESTIONS = 200
_LINK = re.compile(r"\]\(([\w./-]+)\.md(?=[#)])")
_WORD = re.compile(r"[A-Za-z]{5,}")
_COPY = re.compile(r"-copy-(\d+)$")
# Types each question into the engine and notes how long it thinks; the first has warmed it up.
_ASK = """
const begun = performance.now();
provingSearch.load(data);
const ready = performance.now() - begun;
provingSearch.find(asked[0], 10);
const times = asked.map(text => {
  const from = performance.now();
  provingSearch.find(text, 10);
  return performance.now() - from;
});
document.body.textContent = JSON.stringify({ready, times});
"""


@dataclass(frozen=True)
class Row:
    """The site at one scale. The search was not timed where there is no Chromium."""

    scale: int
    pages: int
    build_seconds: float
    index_bytes: int
    ready_ms: float | None = None
    search_ms: float | None = None
    late_ms: float | None = None


def grow(tree: Tree, folder: Path, scale: int) -> Tree:
    """Copy what a build reads into `folder`, with each page of the knowledge base `scale` times."""
    grown = Tree(folder)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("docs", "labs"):
        shutil.copytree(tree.root / name, grown.root / name, ignore=ignore)
    for name in ("mkdocs.yml", "requirements.txt"):
        shutil.copyfile(tree.root / name, grown.root / name)
    for kind in FOLDERS.values():
        for path in sorted((grown.docs / "knowledge" / kind).glob("*.md")):
            if path.name != "index.md":
                for number in range(1, scale):
                    _copy(path, kind, number)
    return grown


def _copy(path: Path, kind: str, number: int) -> None:
    """Write the copy `number` of a page beside it."""
    data, body = front_matter(path.read_text(encoding="utf-8"))
    mark = f"-copy-{number}"

    def turned(match: re.Match[str]) -> str:
        target = PurePosixPath(normpath(f"{kind}/{match[1]}"))
        own = len(target.parts) == 2 and target.parts[0] in FOLDERS.values() and target.name != "index"
        return f"]({match[1]}{mark}.md" if own else match[0]

    data["title"] = f"{data['title']} ({number})"
    if "controls" in data:
        data["controls"] = [f"{slug}{mark}" for slug in data["controls"]]
    body = _LINK.sub(turned, body).replace(f'"foot/{kind}/{path.stem}.md"', f'"foot/{kind}/{path.stem}{mark}.md"')
    text = f"---\n{yaml.safe_dump(data, allow_unicode=True, sort_keys=False)}---\n{body}"
    path.with_name(f"{path.stem}{mark}.md").write_text(text, encoding="utf-8", newline="\n")


def measure(tree: Tree, labs: list[Lab], evidence: list[Evidence], scale: int) -> Row:
    """Stage, build and search the site at a scale, in a temporary folder. Raises `site.BuildFailed`."""
    with tempfile.TemporaryDirectory(prefix="growth-") as name:
        grown = grow(tree, Path(name) / "course", scale)
        begun = _working()
        findings = staging.stage(grown, labs, evidence)
        if findings:
            raise site.BuildFailed(str(findings[0]))
        site.render(grown, grown.site)
        seconds = _working() - begun
        data = search_index.read(search_index.built(grown.site))
        with_new_words(data["pages"])
        # Copies apart from each other: side by side they would be compressed as repetitions, which new pages are not.
        data["pages"].sort(key=lambda page: _copy_number(page["at"]))
        script = f"var data = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))};\n"
        row = Row(
            scale=scale,
            pages=len(list(grown.site.rglob("index.html"))),
            build_seconds=round(seconds, 2),
            index_bytes=len(gzip.compress(script.encode())),
        )
        return Row(**{**asdict(row), **_searched(grown, script, questions(data["pages"]), Path(name))})


def _working() -> float:
    """Seconds that this process and those it has waited for have worked: on a busy machine a clock says something else."""
    times = os.times()
    return sum(times[:4]) if os.name == "posix" else time.perf_counter()


def with_new_words(pages: list[dict[str, str]]) -> None:
    """Give the copies among these entries of the index words of their own, for those that one page alone says."""
    fields = ("title", "aliases", "message", "description", "headings", "body")
    counts: Counter[str] = Counter()
    for page in pages:
        if not _copy_number(page["at"]):
            counts.update({word for field in fields for word in _WORD.findall(page.get(field, ""))})
    for page in pages:
        number = _copy_number(page["at"])
        if number:
            other = _other_letters(counts, number)
            for field in fields:
                if field in page:
                    page[field] = _WORD.sub(other, page[field])


def _copy_number(at: str) -> int:
    """Which copy this page is; 0 for what was written by hand."""
    copy = _COPY.search(at)
    return int(copy[1]) if copy else 0


def _other_letters(counts: Counter[str], number: int) -> Callable[[re.Match[str]], str]:
    def other(match: re.Match[str]) -> str:
        word = match[0]
        if counts[word] > 1:
            return word
        return "".join(random.Random(f"{word} {number}").sample(word, len(word)))

    return other


def questions(pages: list[dict[str, str]]) -> list[str]:
    """Titles from all over the index, each with two letters swapped: what costs a search most."""
    titles = [page["title"] for page in pages]
    asked = []
    for title in titles[:: max(1, len(titles) // QUESTIONS)]:
        word = max(title.split(), key=len)
        at = len(word) // 2
        asked.append(title.replace(word, word[: at - 1] + word[at : at + 1] + word[at - 1 : at] + word[at + 1 :], 1))
    return asked


def _searched(tree: Tree, script: str, asked: list[str], folder: Path) -> dict[str, float]:
    """How long the engine takes to take in the index and to answer, in Chromium; nothing where there is none."""
    chromium = printing.find_chromium()
    if not chromium:
        return {}
    engine = (tree.docs / "assets" / "search" / "engine.js").read_text(encoding="utf-8")
    page = folder / "search.html"
    parts = (engine, script, f"const asked = {json.dumps(asked)};\n{_ASK}")
    scripts = "".join("<script>" + part.replace("</script", "<\\/script") + "</script>" for part in parts)
    page.write_text(f'<!doctype html><meta charset="utf-8"><body>{scripts}</body>', encoding="utf-8")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [chromium, "--headless=new", "--disable-gpu", "--no-first-run", *root]
    command += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL).stdout
    found = re.search(r"<body[^>]*>(\{.*\})", dumped, re.DOTALL)
    if not found:
        raise RuntimeError(f"Chromium did not search: {dumped[-300:]!r}")
    said = json.loads(html.unescape(found[1]))
    times = sorted(said["times"])
    return {
        "ready_ms": round(said["ready"], 1),
        "search_ms": round(statistics.median(times), 2),
        "late_ms": round(times[int(len(times) * 0.95)], 2),
    }


def verdict(rows: list[Row]) -> tuple[list[str], list[str]]:
    """The bars that are missed, and what breaks at how many pages, the first one first, with what to do then."""
    first, last = rows[0], rows[-1]
    grown, slower = last.pages / first.pages, last.build_seconds / first.build_seconds
    missed = [f"{grown:.1f} times the pages take {slower:.1f} times as long to build"] if slower > grown else []
    found = sorted((pages, said) for name, limit, said in LIMITS if (pages := _crossing(rows, name, limit)))
    return missed, [f"At about {pages} pages {said}" for pages, said in found] or [
        f"Nothing breaks up to {last.pages} pages."
    ]


def _crossing(rows: list[Row], name: str, limit: float) -> int | None:
    """At how many pages a figure passes its limit, on the straight lines between what was measured; None if it does not."""
    points = [(row.pages, float(value)) for row in rows if (value := getattr(row, name)) is not None]
    if points and points[0][1] > limit:
        return points[0][0]
    for (low, under), (high, over) in pairwise(points):
        if under <= limit < over:
            return round(low + (high - low) * (limit - under) / (over - under))
    return None

"""The site of this checkout, built in a copy of it, and one of its pages as a reader finds it."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import yaml
from proving import proof, site, staging
from proving.paths import Tree
from proving.proof import Evidence
from proving.source import Lab, read_all

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Built:
    """The site of this checkout, built in a copy of it."""

    tree: Tree
    labs: dict[str, Lab]
    evidence: dict[str, Evidence]

    @property
    def pages(self) -> list[str]:
        """The address of each page of the nav, below the site's root."""
        return [re.sub(r"(^|/)index\.md$|\.md$", lambda m: m[1] or "/" * (m[0] == ".md"), p) for p in self.sources]

    @property
    def all_pages(self) -> list[str]:
        """Every page on disk: those of the nav, and the knowledge base behind its index pages."""
        folders = [p.parent.relative_to(self.tree.site).as_posix() for p in self.tree.site.rglob("index.html")]
        return sorted("" if folder == "." else f"{folder}/" for folder in folders)

    @property
    def sources(self) -> list[str]:
        nav = yaml.safe_load((self.tree.root / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
        return [str(leaf) for leaf in _leaves(nav)]

    def html(self, page: str) -> Path:
        return self.tree.site / page / "index.html" if not page.endswith(".html") else self.tree.site / page


def _leaves(node: object) -> Iterator[object]:
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _leaves(child)
    else:
        yield node


def build(tree: Tree) -> Built:
    """Prove (from the cache where nothing has changed), stage and build, all in a copy."""
    ignore = shutil.ignore_patterns("__pycache__", ".ruff_cache")
    for name in ("docs", "labs", ".cache/evidence"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tree.root / name, ignore=ignore)
    for name in ("mkdocs.yml", "requirements.txt"):
        shutil.copyfile(ROOT / name, tree.root / name)
    labs, findings = read_all(tree)
    assert findings == []
    complete = [lab for lab in labs if not lab.todos]
    evidence = proof.prove(tree, [lab.slug for lab in complete], reuse=True)
    staging.stage(tree, complete, evidence)
    site.render(tree, tree.site)
    return Built(tree, {lab.slug: lab for lab in complete}, {e.slug: e for e in evidence})


class Page(HTMLParser):
    """What a reader, a link and a search engine find in one page."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.title = self.description = ""
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.blocks: list[str] = []
        self.classes: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self.ids += [have["id"]] if "id" in have else []
        self.links += [have[name] for name in ("href", "src") if name in have]
        self.classes += [c for c in have.get("class", "").split() if c.startswith("pg-")]
        if tag == "meta" and have.get("name") == "description":
            self.description = have.get("content", "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((tag, ""))
        if tag == "pre":
            self.blocks.append("")
        if tag in ("title", "pre", "script", "style", "article") or re.fullmatch("h[1-6]", tag):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        if "script" in self._open or "style" in self._open:
            return
        self.text += data
        if "title" in self._open:
            self.title += data
        if "pre" in self._open:
            self.blocks[-1] += data
        if self._open and re.fullmatch("h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data.replace("¶", ""))

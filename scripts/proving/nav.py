"""The pages of the course, in the order of mkdocs.yml's nav, and the address that each gets.

    Entry(("Learn", "Host"), "learn/host/immutable-hosts.md", "")   its sections, its file below docs/, its name in nav
    address("learn/host/immutable-hosts.md")                        learn/host/immutable-hosts/
    file("learn/host/immutable-hosts.md")                           learn/host/immutable-hosts/index.html

Where nav names the index page of a folder and not its other pages, as for the knowledge base, those follow it by name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from proving.paths import Tree


@dataclass(frozen=True)
class Entry:
    """One leaf of the nav. `name` is empty where nav leaves the title to the page."""

    sections: tuple[str, ...]
    source: str
    name: str


class _Loader(yaml.SafeLoader):
    """mkdocs.yml may hold tags such as `!ENV`, which say nothing about the nav."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def settings(tree: Tree) -> dict[str, Any]:
    """mkdocs.yml as data. Raises ValueError with the repair in it when it cannot be read as that."""
    try:
        config = yaml.load((tree.root / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ValueError(f"mkdocs.yml cannot be read ({error.strerror}). Restore it.") from error
    except yaml.YAMLError as error:
        raise ValueError(f"mkdocs.yml is no YAML: {' '.join(str(error).split())}. Repair that line.") from error
    if not isinstance(config, dict):
        raise ValueError("mkdocs.yml is no mapping of settings. Give it `site_name:` and `nav:`.")
    return config


def sources(tree: Tree) -> list[str]:
    """The pages that nav names, without those that hang off an index page."""
    return [entry.source for entry in _walk(settings(tree).get("nav") or [], (), "")]


def entries(tree: Tree) -> list[Entry]:
    """Every page, in the order of nav; links to elsewhere are left out."""
    named = list(_walk(settings(tree).get("nav") or [], (), ""))
    known = {entry.source for entry in named}
    found = []
    for entry in named:
        folder = entry.source.removesuffix("index.md").rstrip("/")
        hanging = _others(tree, folder, known) if folder and entry.source.endswith("/index.md") else []
        sections = (*entry.sections, folder.rpartition("/")[2].replace("-", " ").capitalize()) if hanging else ()
        found.append(replace(entry, sections=sections) if hanging else entry)
        found += [Entry(sections, source, "") for source in hanging]
    return found


def _others(tree: Tree, folder: str, known: set[str]) -> list[str]:
    """The pages of a folder that nav does not name."""
    sources = (f"{folder}/{path.name}" for path in sorted((tree.docs / folder).glob("*.md")))
    return [source for source in sources if source not in known]


def _walk(node: Any, sections: tuple[str, ...], name: str) -> Iterator[Entry]:
    if isinstance(node, str):
        if node.endswith(".md"):
            yield Entry(sections, node, name)
    elif isinstance(node, list):
        inner = (*sections, name) if name else sections
        for child in node:
            yield from _walk(child, inner, "")
    elif isinstance(node, dict):
        for title, child in node.items():
            yield from _walk(child, sections, str(title))


def address(source: str) -> str:
    """Where the site shows the page `source`, below its root; the root itself is the empty string."""
    stem = source.removesuffix(".md")
    return "" if stem == "index" else stem.removesuffix("index") if stem.endswith("/index") else f"{stem}/"


def file(source: str) -> str:
    """The file of the built site that holds the page `source`."""
    return f"{address(source)}index.html"

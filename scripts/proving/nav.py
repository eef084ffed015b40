"""The pages of the course, in the order of mkdocs.yml's nav, and the address that each gets.

Entry(("Learn", "Host"), "learn/host/immutable-hosts.md", "")   its sections, its file below docs/, its name in nav
address("learn/host/immutable-hosts.md")                        learn/host/immutable-hosts/
address("learn/host/immutable-hosts.md", flat=True)             learn/host/immutable-hosts.html (opened as a file)
"""

from collections.abc import Iterator
from dataclasses import dataclass
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


def entries(tree: Tree) -> list[Entry]:
    """Every page that nav names, in its order; links to elsewhere are left out."""
    return list(_walk(settings(tree).get("nav") or [], (), ""))


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


def address(source: str, *, flat: bool = False) -> str:
    """Where the site shows the page `source`, below its root; the root itself is the empty string."""
    stem = source.removesuffix(".md")
    if flat:
        return f"{stem}.html"
    return "" if stem == "index" else f"{stem.removesuffix('index')}" if stem.endswith("/index") else f"{stem}/"

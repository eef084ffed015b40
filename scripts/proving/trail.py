"""Where a page is that nav does not name: a line above its title that leads back to the lists it hangs off.

    trails(tree)             {"knowledge/errors/x/index.html": "Knowledge base > Error messages", as HTML}
    with_trail(text, html)   a built page with that line above its h1

Put into the built page, whichever engine built it: hundreds of authored pages need not say where they lie.
"""

import html
import re
from pathlib import PurePosixPath

from proving import nav, plain
from proving.paths import Tree

_TITLE = re.compile(r"<h1\b")


def trails(tree: Tree) -> dict[str, str]:
    """The line of each page that hangs off an index page, by its file in the built site."""
    named = set(nav.sources(tree))
    return {nav.file(e.source): _trail(tree, e.source) for e in nav.entries(tree) if e.source not in named}


def _trail(tree: Tree, source: str) -> str:
    links: list[str] = []
    above = PurePosixPath(source).parents
    for steps, folder in enumerate(above, start=1):
        index = tree.docs / folder / "index.md"
        if str(folder) != "." and index.is_file():
            data, _ = plain.front_matter(index.read_text(encoding="utf-8"))
            links.insert(0, f'<a href="{"../" * steps}">{html.escape(str(data.get("title", folder.name)))}</a>')
    return f'<nav class="pg-trail" aria-label="Where this page is">{" › ".join(links)}</nav>'


def with_trail(text: str, trail: str) -> str:
    """The page with the line above its title."""
    return _TITLE.sub(lambda match: trail + match[0], text, count=1)

"""Addresses are kept: what was published once still leads somewhere.

    docs/pages.txt        every address ever published, one a line; sync.py adds, nobody takes away
    docs/redirects.yml    old address: new address (which may end in #part), for a page that moved or went

An address is what follows the site's root: `labs/verify-every-block/`. A listed one that is neither a page nor
redirected is a finding, which fails `sync.py --check` and the build.
"""

import html
import os
import re
from pathlib import Path

import yaml

from proving import nav
from proving.findings import Finding
from proving.paths import Tree

_ADDRESS = re.compile(r"(?:[a-z0-9][a-z0-9._-]*/)*")
_HEAD = """\
# Every address this site has published, written by `python3 scripts/sync.py`. Take no line away: a page that moves or
# goes gets a line in docs/redirects.yml. `/` is the first page.
"""


def pages_file(tree: Tree) -> Path:
    return tree.docs / "pages.txt"


def redirects_file(tree: Tree) -> Path:
    return tree.docs / "redirects.yml"


def current(tree: Tree) -> set[str]:
    """The addresses of the pages that nav names."""
    return {nav.address(entry.source) for entry in nav.entries(tree)}


def published(tree: Tree) -> set[str]:
    """The addresses that docs/pages.txt lists; none when there is no such file."""
    try:
        lines = pages_file(tree).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {"" if line.strip() == "/" else line.strip() for line in lines if line.strip() and not line.startswith("#")}


def read(tree: Tree) -> dict[str, str]:
    """docs/redirects.yml: old address to new one. Raises ValueError with the repair in it."""
    path = redirects_file(tree)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML, near line {_line(error)}. Write a line `old/: new/`.") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(part, str) for pair in data.items() for part in pair):
        raise ValueError("it is no mapping of addresses. Write a line `old/: new/` for each page that moved.")
    return {("" if old == "/" else old): ("" if new == "/" else new) for old, new in data.items()}


def _line(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1


def findings(tree: Tree) -> list[Finding]:
    """What is wrong with the redirects, and each published page that is gone without one."""
    where = tree.relative(redirects_file(tree))
    try:
        pages, moved = current(tree), read(tree)
    except ValueError as error:
        before, _, repair = str(error).partition(". ")
        return [Finding(where, f"{before}.", repair)]
    found = []
    for old, new in moved.items():
        goal = new.partition("#")[0]
        if not old or not _ADDRESS.fullmatch(old):
            found.append(Finding(where, f"{old!r} is no address.", "Write it as in docs/pages.txt: `labs/old-name/`."))
        elif old in pages:
            found.append(Finding(where, f"{old} is a page, so nothing can lead away from it.", "Take the line out."))
        elif goal in moved:
            found.append(
                Finding(where, f"{old} leads to {goal}, which is redirected itself.", f"Write `{old}: {moved[goal]}`.")
            )
        elif goal not in pages:
            found.append(
                Finding(
                    where, f"{old} leads to {new}, which is no page.", "Name the address of a page in mkdocs.yml's nav."
                )
            )
    listed = tree.relative(pages_file(tree))
    for gone in sorted(published(tree) - pages - moved.keys()):
        repair = f"Say where its readers should go: add `{gone or '/'}: <new address>` to {where}."
        found.append(Finding(listed, f"the page {gone or '/'} is gone, and no redirect leads on from it.", repair))
    return found


def unlisted(tree: Tree) -> list[Finding]:
    """Pages that docs/pages.txt does not list yet."""
    where = tree.relative(pages_file(tree))
    return [
        Finding(where, f"the page {new or '/'} is not listed.", "Run `python3 scripts/sync.py`.")
        for new in sorted(current(tree) - published(tree))
    ]


def sync(tree: Tree) -> list[str]:
    """Add new pages to docs/pages.txt. Returns what was done."""
    missing = current(tree) - published(tree)
    if not missing:
        return []
    lines = [address or "/" for address in sorted(published(tree) | missing)]
    path = pages_file(tree)
    path.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return [f"wrote {tree.relative(path)}: {len(missing)} new"]


def write(tree: Tree, target: Path) -> list[Path]:
    """Write a page for each redirect into the built site `target`. Returns what was written."""
    written = []
    for old, new in read(tree).items():
        goal, mark, part = new.partition("#")
        way = os.path.relpath(f"/{goal}", f"/{old}").replace(os.sep, "/") + "/"
        place = target / old / "index.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_page(way, mark + part), encoding="utf-8", newline="\n")
        written.append(place)
    return written


def _page(way: str, part: str) -> str:
    """A redirect that works without scripts; with them it also keeps the part of the page that was asked for."""
    goal = html.escape(way + part)
    script = "" if part else "<script>location.replace(document.links[0].href + location.hash)</script>\n"
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>This page has moved</title>\n'
        f'<meta name="robots" content="noindex">\n<link rel="canonical" href="{html.escape(way)}">\n'
        f'<meta http-equiv="refresh" content="0; url={goal}">\n'
        f'<p>This page has moved: <a href="{goal}">go on to where it is now</a>.</p>\n{script}</html>\n'
    )

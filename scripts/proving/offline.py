"""The site as files: opened from the file system, without a server, with its search.

Made from the built site, whichever engine built it. A link to `labs/x/` becomes one to `labs/x/index.html`, because a
browser shows a folder as a list. The search needs nothing more: its index is a script, and scripts load from a disk.
"""

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from proving import redirects
from proving.paths import Tree

# What only a server has a use for. The sitemap also holds the day of the build.
_SERVED = ("404.html", "sitemap.xml", "sitemap.xml.gz")
_LINK = re.compile(r'(<(?:a|link)\b[^>]*?\bhref=")([^"]*)')


def make(tree: Tree, target: Path) -> None:
    """Make the site as files in `target` from site/."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(tree.site, target)
    for name in (*_SERVED, *(f"{old}index.html" for old in redirects.read(tree))):
        (target / name).unlink(missing_ok=True)
    for page in target.rglob("*.html"):
        text = _LINK.sub(lambda match: match[1] + named(match[2]), page.read_bytes().decode("utf-8"))
        page.write_bytes(text.encode("utf-8"))


def named(link: str) -> str:
    """The same link with the file in it that a server would give for a folder."""
    if urlsplit(link).scheme or link.startswith(("#", "//")):
        return link
    address, mark, part = link.partition("#")
    folder, ask, query = address.partition("?")
    if folder in (".", "./"):
        folder = "index.html"
    elif folder.endswith(("/", "..")):
        folder = f"{folder.rstrip('/')}/index.html"
    return folder + ask + query + mark + part

"""The site as files: opened from the file system, without a server, with its search.

Made from the built site, whichever engine built it. Three things differ. A link to `labs/x/` becomes one to
`labs/x/index.html`, because a browser shows a folder as a list. The search index is a script, because a page opened as a
file may not fetch; the theme looks for search/search_index.js then. And the search worker starts from text in the page,
because a browser starts none from a file. Material's offline plugin does the last with a script from another host.
"""

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from proving import redirects, site
from proving.paths import Tree

SCRIPT = "assets/offline.js"
_START = """\
/* Written by bundle.py: a browser starts no worker from a file, so the search worker starts from this text. */
(function () {
  "use strict";
  if (location.protocol !== "file:") return;
  var Native = window.Worker;
  var source = %s;
  window.Worker = function () {
    return new Native(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  };
})();
"""
# What only a server has a use for. The sitemap also holds the day of the build.
_SERVED = ("404.html", "sitemap.xml", "sitemap.xml.gz")
_LINK = re.compile(r'(<(?:a|link)\b[^>]*?\bhref=")([^"]*)')


def make(tree: Tree, target: Path) -> None:
    """Make the site as files in `target` from site/. Raises `site.BuildFailed` when the theme has changed."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(tree.site, target)
    for name in (*_SERVED, *(f"{old}index.html" for old in redirects.read(tree))):
        (target / name).unlink(missing_ok=True)
    _make_search_work(target)
    for page in target.rglob("*.html"):
        way = os.path.relpath(target / SCRIPT, page.parent).replace(os.sep, "/")
        text = _LINK.sub(lambda match: match[1] + named(match[2]), page.read_text(encoding="utf-8"))
        text = text.replace("</head>", f'<script src="{way}"></script></head>', 1)
        page.write_text(text, encoding="utf-8", newline="\n")


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


def _make_search_work(target: Path) -> None:
    """The index as a script, and a script that starts the worker. Raises `site.BuildFailed` when the theme has changed."""
    index = target / "search" / "search_index.json"
    workers = sorted(target.glob("assets/javascripts/workers/search.*.js"))
    if len(workers) != 1 or not index.is_file():
        raise site.BuildFailed(
            f"{len(workers)} search workers and {int(index.is_file())} search index were built, where one of each is expected: "
            "the theme has changed. Adapt scripts/proving/offline.py to it."
        )
    data = json.loads(index.read_text(encoding="utf-8"))
    for entry in data["docs"]:
        entry["location"] = named(entry["location"]) if entry["location"] else "index.html"
    script = f"var __index = {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}"
    index.with_suffix(".js").write_text(script, encoding="utf-8", newline="\n")
    index.unlink()
    source = workers[0].read_text(encoding="utf-8")
    (target / SCRIPT).write_text(_START % json.dumps(source), encoding="utf-8", newline="\n")

"""The site as files: opened from the file system, without a server, with its search.

Three things differ from the served site. Links end in .html: MkDocs does that, and the few that the theme gives as a folder
are changed here. The search index is a script, because a page opened as a file may not fetch; the theme looks for
search/search_index.js then. And the search worker starts from text in the page, because a browser starts none from a file.
Material's offline plugin does that with a script from another host; the few lines below need none.
"""

import json
import os
import re
from pathlib import Path

from proving import assistants, site
from proving.paths import Tree

_FOLDER = re.compile(r'href="(\.|(?:\.\./)*\.\.)/?"')
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


def build(tree: Tree, target: Path) -> None:
    """Build the site for the file system into `target`. Raises `site.BuildFailed`."""
    site.run_mkdocs(tree, target, "--no-directory-urls")
    assistants.write(tree, target)
    for name in _SERVED:
        (target / name).unlink(missing_ok=True)
    _make_search_work(target)
    for page in target.rglob("*.html"):
        way = os.path.relpath(target / SCRIPT, page.parent).replace(os.sep, "/")
        text = _FOLDER.sub(_first_page, page.read_text(encoding="utf-8"))
        text = text.replace("</head>", f'<script src="{way}"></script></head>', 1)
        page.write_text(text, encoding="utf-8", newline="\n")


def _first_page(match: re.Match[str]) -> str:
    """A link to a folder, which a browser would show as a list of files, made one to the page in it."""
    return f'href="{match[1]}/index.html"' if match[1] != "." else 'href="index.html"'


def _make_search_work(target: Path) -> None:
    """The index as a script, and a script that starts the worker. Raises `site.BuildFailed` when the theme has changed."""
    index = target / "search" / "search_index.json"
    workers = sorted(target.glob("assets/javascripts/workers/search.*.js"))
    if len(workers) != 1 or not index.is_file():
        raise site.BuildFailed(
            f"{len(workers)} search workers and {int(index.is_file())} search index were built, where one of each is expected: "
            "the theme has changed. Adapt scripts/proving/offline.py to it."
        )
    index.with_suffix(".js").write_text(f"var __index = {index.read_text(encoding='utf-8')}", encoding="utf-8")
    index.unlink()
    source = workers[0].read_text(encoding="utf-8")
    (target / SCRIPT).write_text(_START % json.dumps(source), encoding="utf-8", newline="\n")

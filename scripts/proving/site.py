"""Build the site from Markdown on disk, and only when something has changed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from proving import assistants, policy, redirects, trail
from proving.paths import Tree

STAMP = "site.key"
CODE = ("site", "assistants", "plain", "nav", "policy", "redirects", "trail")
_BOX = re.compile(r'<input type="checkbox" disabled([^>/]*)')
_PLAIN = re.compile(r'<span class="(?:n|w|p|o)">([^<]*)</span>')


class BuildFailed(Exception):
    """A page or a redirect is wrong; the text says which, as MkDocs or our own check printed it."""


def build(tree: Tree) -> bool:
    """Build site/: pages with MkDocs, strictly, then copies for assistants and redirects. Was that necessary?

    The site is built beside the old one and takes its place at the end, so an interrupted build
    leaves a whole site. Raises `BuildFailed`.
    """
    key = _key(tree)
    stamp = tree.cache / STAMP
    if (tree.site / "index.html").exists() and stamp.exists() and stamp.read_text() == key:
        return False
    wrong = redirects.findings(tree)
    if wrong:
        raise BuildFailed("\n".join(map(str, wrong)))
    draft = tree.cache / "site.draft"
    shutil.rmtree(draft, ignore_errors=True)
    render(tree, draft)
    shutil.rmtree(tree.site, ignore_errors=True)
    os.replace(draft, tree.site)
    stamp.write_text(key)
    return True


def render(tree: Tree, target: Path) -> None:
    """The whole site as it is served: MkDocs' pages, copies for assistants, redirects; each page with its place, plain code
    and its policy. Raises `BuildFailed`."""
    run_mkdocs(tree, target)
    assistants.write(tree, target)
    redirects.write(tree, target)
    hanging = trail.trails(tree)
    for page in target.rglob("*.html"):
        # As bytes: a hash in the policy counts every character, and Windows would change line ends on the way.
        text = page.read_bytes().decode("utf-8")
        text = trail.with_trail(text, hanging.get(page.relative_to(target).as_posix(), ""))
        page.write_bytes(policy.with_policy(named_boxes(plain_code(text))).encode("utf-8"))


def plain_code(text: str) -> str:
    """A page without the marks on names, spaces and punctuation in code: the stylesheet gives them no color, and
    they are two thirds of a lab's elements, each of which a browser has to lay out."""
    return _PLAIN.sub(r"\1", text)


def named_boxes(text: str) -> str:
    """A page with names on the boxes of its checklists, which a screen reader says; the theme gives them none."""
    return _BOX.sub(lambda match: f'{match[0]} aria-label="{"Done" if "checked" in match[1] else "To do"}"', text)


def run_mkdocs(tree: Tree, target: Path) -> None:
    """The plain build, as anyone could run it. Raises `BuildFailed`."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(tree.root / "mkdocs.yml"),
        "--site-dir",
        str(target),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "true", "PYTHONUTF8": "1"}
    result = subprocess.run(
        command, cwd=tree.root, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if result.returncode:
        raise BuildFailed((result.stderr + result.stdout).strip())


def _key(tree: Tree) -> str:
    """A hash over every file that the build reads, and over the code that goes on where MkDocs ends."""
    digest = hashlib.sha256()
    places = [tree.docs, tree.cache / "includes"]
    files = [
        tree.root / "mkdocs.yml",
        tree.root / "requirements.txt",
        *(p for place in places for p in sorted(place.rglob("*")) if p.is_file()),
    ]
    here = Path(__file__).parent
    digest.update(b"".join((here / f"{name}.py").read_bytes() for name in CODE))
    for path in files:
        digest.update(f"\0{tree.relative(path)}\0".encode() + path.read_bytes())
    return digest.hexdigest()

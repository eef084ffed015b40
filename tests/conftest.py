"""What several tests need: a small checkout with labs of its own; this checkout's site, built, and a browser on it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from browser import Browser, opened, served  # noqa: E402 # the path above has to be set first
from proving import proof, site, staging  # noqa: E402
from proving.paths import Tree  # noqa: E402
from proving.proof import Evidence  # noqa: E402
from proving.source import Lab, read_all  # noqa: E402

TINY = (ROOT / "tests" / "material" / "tiny.py").read_text(encoding="utf-8")


def small_checkout(root: Path) -> Tree:
    """A checkout with labkit and no lab."""
    (root / "labs").mkdir(parents=True)
    (root / "docs" / "start").mkdir(parents=True)
    (root / "docs" / "start" / "till.md").write_text("---\ntitle: The till\n---\n# The till\n")
    (root / "requirements.txt").write_text("")
    (root / "mkdocs.yml").write_text("site_name: Small\nnav:\n  - start/till.md\n")
    shutil.copytree(ROOT / "labs" / "labkit", root / "labs" / "labkit", ignore=shutil.ignore_patterns("__pycache__"))
    return Tree(root)


def write_small_lab(tree: Tree, slug: str = "tiny", *changes: tuple[str, str]) -> Path:
    """Write the tiny lab under `slug`, changed by (old, new) pairs; each old text has to be there."""
    text = TINY.replace('begin("tiny")', f'begin("{slug}")').replace(
        "Keep the till closed", f"Keep the till closed ({slug})"
    )
    for old, new in changes:
        assert old in text, f"the tiny lab no longer holds {old!r}"
        text = text.replace(old, new)
    folder = tree.labs / slug
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "files" / "rule.txt").write_text("staff only\n")
    (folder / "lab.py").write_text(text, encoding="utf-8")
    return folder / "lab.py"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small checkout, in a folder with a space in its name."""
    return small_checkout(tmp_path / "a checkout")


Script = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def script(tree: Tree) -> Script:
    """Run one of the scripts as a process on the small checkout."""

    def run(name: str, *arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / name), *arguments],
            env={**os.environ, "PROVING_GROUND_ROOT": str(tree.root), "COLUMNS": "160", **environment},
            cwd=tree.root.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


# -- the site of this checkout. Its tests are one group: one worker builds it and opens the browser, once. --


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


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Prove (from the cache where nothing has changed), stage and build, all in a copy."""
    tree = Tree(tmp_path_factory.mktemp("site") / "copy")
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
    site.run_mkdocs(tree, tree.site)
    return Built(tree, {lab.slug: lab for lab in complete}, {e.slug: e for e in evidence})


@pytest.fixture(scope="session")
def browser(built: Built) -> Iterator[Browser]:
    with served(built.tree.site) as base, opened(base) as session:
        yield session

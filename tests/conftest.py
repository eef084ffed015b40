"""What several tests need: a small checkout with labs of its own; this checkout's site, built, and a browser on it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from browser import Browser, opened, served  # noqa: E402 # the path above has to be set first
from built import Built, build  # noqa: E402 # the path above has to be set first
from proving.paths import Tree  # noqa: E402 # the path above has to be set first

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


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(Tree(tmp_path_factory.mktemp("site") / "copy"))


@pytest.fixture(scope="session")
def browser(built: Built) -> Iterator[Browser]:
    with served(built.tree.site) as base, opened(base) as session:
        yield session

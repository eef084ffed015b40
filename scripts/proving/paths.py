"""Where things lie. Every path hangs off the checkout, never off the working directory."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """A checkout. Tests make small ones of their own."""

    root: Path

    @property
    def labs(self) -> Path:
        return self.root / "labs"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    @property
    def site(self) -> Path:
        return self.root / "site"

    def relative(self, path: Path) -> str:
        """`path` as a reader of the checkout would write it."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return path.as_posix()


def checkout() -> Tree:
    """The checkout these scripts belong to, or the one that PROVING_GROUND_ROOT names (for tests)."""
    named = os.environ.get("PROVING_GROUND_ROOT")
    return Tree(Path(named).resolve() if named else Path(__file__).resolve().parents[2])

"""The lab that is open in this process: its temporary folder and its files."""

import atexit
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import record
from labkit.events import LabError

LABS = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Lab:
    """`dir`: this run's own folder, removed at the end. `files`: what the lab brings along."""

    slug: str
    dir: Path
    files: Path


def begin(slug: str) -> Lab:
    """Start the lab `slug` and return it.

    Raises `LabError` when labs/<slug> does not exist. Calling it again (a cell run twice)
    gives a fresh folder.
    """
    if not (LABS / slug / "lab.py").is_file():
        raise LabError(f"labs/{slug}/lab.py does not exist. Give begin() the name of the lab's folder.")
    owner = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=f"{slug}-"))

    def remove() -> None:
        # A process forked from this one must not take the folder away from it.
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    record.open_lab(slug)
    _keep_errors_in_async_cells_from_hanging()
    _show_a_stub_in_one_line()
    return Lab(slug=slug, dir=folder, files=LABS / slug / "files")


def _keep_errors_in_async_cells_from_hanging() -> None:
    """ipykernel 7.4.0 reads `_last_traceback` before the first error has set it.

    When that first error is an ExceptionGroup in a cell with top-level await, the kernel
    breaks on the missing attribute and the cell never ends.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and not hasattr(shell, "_last_traceback"):
        shell._last_traceback = []


def _show_a_stub_in_one_line() -> None:
    """In a notebook, a cell that needs an exercise still to be written says which, without a traceback."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return

    def show(shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None) -> None:
        shell._showtraceback(kind, error, [f"✗ This cell needs an exercise that is not done yet: {error}"])

    shell.set_custom_exc((NotImplementedError,), show)

"""Which lines are the learner's: those of the open exercise's cell, and of no other cell; and whose a stub is."""

import ast
import linecache
import sys
import traceback
from functools import cache

from labkit import record
from labkit.opening import LABS


def learners_line(error: BaseException, exercise: str | None) -> str:
    """Return where `error` was in the learner's cell, as text to put behind it.

    The innermost line of that cell counts, whatever it called. Empty when the error never was
    there: a line of the lab's own would send the learner to the wrong place.
    """
    slug = record.open_slug()
    if slug is None or exercise is None:
        return ""
    frames = [(frame.f_code, frame.f_globals, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours, names = vars(sys.modules["__main__"]), _defined(slug, exercise)
    # By the names that the check calls, and then by the file: a cell has one of its own, so helpers count too.
    files = {c.co_filename for c, space, _ in frames if space is ours and c.co_qualname.split(".")[0] in names}
    for code, _, line in reversed(frames):
        if code.co_filename in files:
            text = linecache.getline(code.co_filename, line).strip()
            return f" (in {code.co_name}, at `{text}`)" if text else f" (in {code.co_name})"
    return ""


def is_of_another_exercise(stub: str, exercise: str | None) -> bool:
    """Whether `stub`, the words that a starter raises, is the title of another exercise of the open lab."""
    slug = record.open_slug()
    return slug is not None and any(stub == title and id != exercise for id, title in _titles(slug).items())


@cache
def _titles(slug: str) -> dict[str, str]:
    """{id: title} of the lab's exercises."""
    marks = [line for line in _source(slug).split("\n") if line.startswith("# %%") and '"exercise"' in line]
    return {
        mark.partition(' id="')[2].partition('"')[0]: mark.partition(' title="')[2].partition('"')[0] for mark in marks
    }


@cache
def _defined(slug: str, exercise: str) -> frozenset[str]:
    """The functions and classes that the exercise's cell in lab.py defines."""
    _, _, after = _source(slug).partition(f' id="{exercise}"')
    cell, _, _ = after.partition("\n")[2].partition("\n# %%")
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(n.name for n in ast.parse(cell).body if isinstance(n, kinds))


def _source(slug: str) -> str:
    return (LABS / slug / "lab.py").read_text(encoding="utf-8")

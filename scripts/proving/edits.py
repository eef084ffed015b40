"""A wrong answer as an edit of the right one.

In lab.py such a mistake is comments only. Lines that begin with `# - ` go, the lines that follow with
`# + ` come in their place, and a bare `#` may stand between two edits:

    # -     return salt + block
    # +     return block + salt

What goes has to stand in the solution exactly once, line for line, so that a changed solution breaks
its edits loudly. The marks of the solution (`### BEGIN SOLUTION` and so on) are no part of it.
"""

from dataclasses import dataclass
from itertools import pairwise

_GOES, _COMES = "-", "+"


class NoEdit(Exception):
    """The edit cannot be applied: `line` of the edit (from 0), what is wrong, and the repair."""

    def __init__(self, line: int, problem: str, repair: str) -> None:
        super().__init__(problem)
        self.line, self.problem, self.repair = line, problem, repair


@dataclass(frozen=True)
class _Hunk:
    """Lines that go, lines that come, and where the hunk begins in the edit."""

    line: int
    goes: tuple[str, ...]
    comes: tuple[str, ...]


def is_edit(text: str) -> bool:
    """Whether a mistake is meant as an edit: a line begins as one, or all of it is comments."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return any(_is_part(line) for line in lines) or (bool(lines) and all(line.startswith("#") for line in lines))


def _is_part(line: str) -> bool:
    return line[:3] in (f"# {_GOES}", f"# {_COMES}") and line[3:4] in ("", " ")


def apply(edit: str, solution: str) -> str:
    """Return `solution` with `edit` made in it. Raises `NoEdit`."""
    lines = solution.splitlines()
    placed: list[tuple[int, _Hunk]] = []
    for hunk in _hunks(edit):
        size = len(hunk.goes)
        places = [at for at in range(len(lines) - size + 1) if tuple(lines[at : at + size]) == hunk.goes]
        if not places:
            strange = next((n for n, line in enumerate(hunk.goes) if line not in lines), 0)
            raise NoEdit(
                hunk.line + strange,
                f"The solution has no line `{hunk.goes[strange]}`, or not with the others that go.",
                "Copy the lines that go from the solution as they are, indentation included, without its ### marks.",
            )
        if len(places) > 1:
            raise NoEdit(
                hunk.line,
                f"What goes stands {len(places)} times in the solution.",
                "Add the line before it, or the one behind it, to both blocks.",
            )
        placed.append((places[0], hunk))
    placed.sort(key=lambda place: place[0])
    for (at, hunk), (following, other) in pairwise(placed):
        if at + len(hunk.goes) > following:
            raise NoEdit(other.line, "Two edits take the same line.", "Make them one.")
    for at, hunk in reversed(placed):
        lines[at : at + len(hunk.goes)] = hunk.comes
    changed = "\n".join(lines)
    if changed == solution:
        raise NoEdit(0, "The edit changes nothing.", "Write what the mistake does differently.")
    return changed


def _hunks(edit: str) -> list[_Hunk]:
    found: list[_Hunk] = []
    goes: list[str] = []
    comes: list[str] = []
    began = 0

    def close() -> None:
        if goes:
            found.append(_Hunk(began, tuple(goes), tuple(comes)))
        goes.clear()
        comes.clear()

    for number, line in enumerate(edit.splitlines()):
        sign, text = line[2:3], line[4:]
        if line.strip() in ("#", ""):
            close()
        elif not _is_part(line):
            raise NoEdit(
                number,
                "A line of the edit begins neither with `# - ` nor with `# + `.",
                "A mistake is Python, or an edit and nothing else; say in its title why somebody writes it.",
            )
        elif sign == _COMES and not goes:
            raise NoEdit(
                number,
                "Nothing goes where this comes.",
                "Name the line beside it, once with `# - ` and once with `# + `.",
            )
        elif sign == _COMES:
            comes.append(text)
        else:
            if comes:
                close()
            began = began if goes else number
            goes.append(text)
    close()
    return found

"""Read a lab from labs/<slug>/lab.py.

    Lab
      header        closed set of keys (labs/README.md)
      cells         prose and code in order; a code cell may be tagged
        exercise    its code, the starter made from it, its checks, its mistakes

The file is read as text: it is never imported, and nothing in it runs here.
"""

import ast
import datetime
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from proving import edits
from proving.findings import Finding, Unreadable
from proving.paths import Tree

TRACKS = ("start", "host", "cluster", "supply-chain", "protocols", "agents", "operations")
LEVELS = ("first steps", "working", "deep")
NEEDS = ("any", "linux")
TAGS = ("setup", "attack", "exercise", "check", "mistake", "solution", "instructor")
ATTRIBUTES = {
    "code": {"id"},
    "attack": {"id"},
    "exercise": {"id", "title", "minutes"},
    "check": {"exercise"},
    "mistake": {"exercise", "title", "catches"},
    "solution": {"exercise"},
}
# What a cell may go without.
OPTIONAL = {("code", "id"), ("attack", "id"), ("solution", "exercise")}
LEAST_MISTAKES = 3
TODO = re.compile(r"\bTODO\b:?\s*(.*)")

_MARKER = re.compile(r"^# %%(?P<rest>.*)$")
_ATTRIBUTE = re.compile(r"""\s+(?P<key>\w+)=(?P<value>\[[^\]]*\]|"(?:[^"\\]|\\.)*"|[\w.-]+)""")
_SLUG = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")
_BEGIN, _STUB, _END = "### BEGIN SOLUTION", "### STUB", "### END SOLUTION"

Kind = Literal["markdown", "code"]


@dataclass(frozen=True)
class Source:
    """Where a statement was read: its title, its public address, and the day."""

    title: str
    url: str
    read: str


@dataclass(frozen=True)
class Header:
    title: str
    summary: str
    track: str
    lesson: str
    minutes: int
    level: str
    needs: str
    browser: bool
    threats: tuple[str, ...]
    controls: tuple[str, ...]
    versions: tuple[str, ...]
    protocols: tuple[str, ...]
    takeaway: str
    sources: tuple[Source, ...]
    verified: str


@dataclass(frozen=True)
class Cell:
    """One cell. `text` is Markdown or Python; `line` is where it begins in lab.py (from 1).

    `named` says that the author gave a plain or attack cell its id, so that pages can include what it prints.
    """

    id: str
    kind: Kind
    tag: str | None
    text: str
    line: int
    exercise: str | None = None
    title: str | None = None
    minutes: int | None = None
    catches: str | None = None
    named: bool = False


@dataclass(frozen=True)
class Exercise:
    """What the learner writes: the cell with the solution, its starter, checks and mistakes.

    The text of a mistake is the whole answer here, also where lab.py holds an edit of the solution.
    """

    id: str
    title: str
    minutes: int
    cell: Cell
    solution: str
    starter: str
    checks: tuple[Cell, ...]
    mistakes: tuple[Cell, ...]


@dataclass(frozen=True)
class Todo:
    """A place that its author has still to fill."""

    line: int
    text: str


@dataclass(frozen=True)
class Lab:
    slug: str
    path: Path
    header: Header
    cells: tuple[Cell, ...]
    exercises: tuple[Exercise, ...]
    todos: tuple[Todo, ...]
    digest: str

    @property
    def shown(self) -> tuple[Cell, ...]:
        """The cells a learner sees, in order."""
        return tuple(c for c in self.cells if c.tag not in ("mistake", "solution", "instructor"))

    @property
    def code(self) -> tuple[Cell, ...]:
        """The cells that run, in order."""
        return tuple(c for c in self.shown if c.kind == "code")

    @property
    def take_home(self) -> tuple[str, ...]:
        """What lies in files/, as paths below it: the take-home file of the header, then what belongs to it."""
        folder = self.path.parent / "files"
        found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        return (self.header.takeaway, *(n for n in found if n != self.header.takeaway and not _is_by_the_way(n)))

    def exercise(self, name: str) -> Exercise:
        return next(e for e in self.exercises if e.id == name)


def _is_by_the_way(name: str) -> bool:
    """Whether a file came about by itself: Python's cache, and what hides behind a dot."""
    return any(part == "__pycache__" or part.startswith(".") for part in name.split("/"))


def slugs(tree: Tree) -> list[str]:
    """The slugs of all labs, by name. A folder with a lab.py is a lab."""
    return sorted(path.parent.name for path in tree.labs.glob("*/lab.py"))


def read(tree: Tree, slug: str) -> Lab:
    """Read one lab. Raises `Unreadable` with every finding."""
    path = tree.labs / slug / "lab.py"
    where = tree.relative(path)
    if not path.is_file():
        known = ", ".join(slugs(tree)) or "none yet"
        raise Unreadable([Finding(where, f"There is no lab {slug!r}.", f"Labs here: {known}.")])
    text = path.read_text(encoding="utf-8")
    findings: list[Finding] = []
    if not _SLUG.match(slug):
        findings.append(
            Finding(where, f"The folder name {slug!r} is no slug.", "Use lower case words joined by hyphens.")
        )
    lines = text.splitlines()
    header, body_start = _header(lines, tree, path, where, findings)
    cells = _cells(lines, body_start, where, findings)
    exercises = _exercises(cells, where, findings)
    _order(cells, exercises, slug, where, findings)
    if header and sum(exercise.minutes for exercise in exercises) > header.minutes:
        line = next(i for i, marked in enumerate(lines, start=1) if marked.startswith("# minutes:"))
        wrong = f"The exercises take more than the {header.minutes} minutes of the whole lab."
        findings.append(Finding(f"{where}:{line}", wrong, "Write the minutes of all of it, the exercises included."))
    if findings or header is None:
        raise Unreadable(findings)
    todos = (*_todos(lines), *_todos_at_home(lines, path.parent / "files", header.takeaway))
    return Lab(slug, path, header, cells, exercises, todos, hashlib.sha256(text.encode()).hexdigest())


def read_all(tree: Tree) -> tuple[list[Lab], list[Finding]]:
    """Every lab that can be read, and the findings of those that cannot."""
    labs: list[Lab] = []
    findings: list[Finding] = []
    for slug in slugs(tree):
        try:
            labs.append(read(tree, slug))
        except Unreadable as error:
            findings += error.findings
    findings += twins(tree, labs)
    return labs, findings


def twins(tree: Tree, labs: list[Lab]) -> list[Finding]:
    """Two folders whose names a file system may fold into one, or two labs with one title."""
    seen: dict[str, Lab] = {}
    found = []
    for lab in labs:
        for key in (lab.slug.lower(), lab.header.title.lower()):
            other = seen.setdefault(key, lab)
            if other is not lab:
                found.append(
                    Finding(
                        tree.relative(lab.path),
                        f"It shares its name {key!r} with {tree.relative(other.path)}.",
                        "Rename one.",
                    )
                )
    return found


def _header(lines: list[str], tree: Tree, path: Path, where: str, findings: list[Finding]) -> tuple[Header | None, int]:
    if not lines or lines[0] != "# ---" or "# ---" not in lines[1:]:
        findings.append(
            Finding(f"{where}:1", "The header is missing.", "Begin with YAML in comments between two lines `# ---`.")
        )
        return None, 0
    end = lines.index("# ---", 1)
    try:
        data = yaml.safe_load("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end]))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        findings.append(
            Finding(
                f"{where}:{line}", "The header is no YAML.", f"Repair the line: {getattr(error, 'problem', error)}."
            )
        )
        return None, end + 1
    before = len(findings)
    if not isinstance(data, dict):
        findings.append(
            Finding(
                f"{where}:2", "The header is no mapping.", "Write `key: value` lines; labs/README.md lists the keys."
            )
        )
        return None, end + 1

    def wrong(key: str, problem: str, repair: str) -> None:
        line = next((i + 1 for i, text in enumerate(lines[:end]) if text.startswith(f"# {key}:")), 1)
        findings.append(Finding(f"{where}:{line}", problem, repair))

    fields = Header.__dataclass_fields__
    for key in data.keys() - fields.keys():
        wrong(str(key), f"The header has an unknown key {key!r}.", f"Remove it; the keys are {', '.join(fields)}.")
    for key in fields.keys() - data.keys():
        wrong(key, f"The header lacks the key {key!r}.", "labs/README.md says what it holds.")
    if len(findings) > before:
        return None, end + 1

    for key in ("title", "summary", "lesson", "takeaway"):
        if not isinstance(data[key], str) or not data[key].strip():
            wrong(key, f"`{key}` is empty or no text.", "Write one sentence or a path.")
    for key, allowed in (("track", TRACKS), ("level", LEVELS), ("needs", NEEDS)):
        if data[key] not in allowed:
            wrong(key, f"`{key}` is {data[key]!r}.", f"Use one of: {', '.join(allowed)}.")
    if not isinstance(data["minutes"], int) or isinstance(data["minutes"], bool) or not 5 <= data["minutes"] <= 120:
        wrong("minutes", f"`minutes` is {data['minutes']!r}.", "Write whole minutes from 5 to 120.")
    if not isinstance(data["browser"], bool):
        wrong("browser", f"`browser` is {data['browser']!r}.", "Write true or false.")
    for key in ("threats", "controls", "versions", "protocols"):
        if not isinstance(data[key], list) or not all(isinstance(item, str) for item in data[key]):
            wrong(key, f"`{key}` is no list of texts.", "Write a list; it may be empty: [].")
    if not isinstance(data["verified"], datetime.date):
        wrong("verified", f"`verified` is {data['verified']!r}.", "Write the day as 2026-11-23.")
    sources: list[Source] = []
    for item in data["sources"] if isinstance(data["sources"], list) else [None]:
        if (
            not isinstance(item, dict)
            or set(item) != {"title", "url", "read"}
            or not str(item["url"]).startswith("https://")
        ):
            wrong(
                "sources",
                "`sources` is no list of {title, url, read}.",
                "Each has a title, an https address and the day you read it.",
            )
            break
        sources.append(Source(str(item["title"]), str(item["url"]), str(item["read"])))
    if len(findings) > before:
        return None, end + 1
    if data["takeaway"].endswith(".md"):
        wrong(
            "takeaway", "`takeaway` is Markdown, which the site would make a page of.", "Name it .txt, or what it is."
        )
    elif not (path.parent / "files" / data["takeaway"]).is_file():
        wrong(
            "takeaway",
            f"The take-home file files/{data['takeaway']} does not exist.",
            "Add it, or name the one that does.",
        )
    if not (tree.docs / data["lesson"]).is_file():
        wrong("lesson", f"The lesson docs/{data['lesson']} does not exist.", "Write it, or correct the path.")
    if len(findings) > before:
        return None, end + 1
    lists = {key: tuple(data[key]) for key in ("threats", "controls", "versions", "protocols")}
    return Header(**{**data, **lists, "sources": tuple(sources), "verified": str(data["verified"])}), end + 1


def _cells(lines: list[str], start: int, where: str, findings: list[Finding]) -> tuple[Cell, ...]:
    marks = [i for i in range(start, len(lines)) if _MARKER.match(lines[i])]
    cells: list[Cell] = []
    taken = {"title", "end"}  # the notebook's own two cells
    for mark, end in zip(marks, [*marks[1:], len(lines)], strict=False):
        attributes = _attributes(lines[mark], f"{where}:{mark + 1}", findings)
        kind: Kind = "markdown" if attributes.pop("kind", None) == "markdown" else "code"
        body = "\n".join(lines[mark + 1 : end]).strip("\n")
        if kind == "markdown":
            body = _prose(body, mark + 1, where, findings)
        else:
            _python(body, mark + 1, where, findings)
        tag = attributes.pop("tag", None)
        own_id = attributes.pop("id", None)
        name = own_id or "-".join(
            filter(None, [tag or ("prose" if kind == "markdown" else "code"), attributes.get("exercise")])
        )
        if own_id in taken:
            findings.append(
                Finding(f"{where}:{mark + 1}", f"The id {own_id!r} is taken.", "Give each cell an id of its own.")
            )
        elif not own_id:
            numbered = (f"{name}-{count}" for count in itertools.count(2))
            name = next(n for n in itertools.chain([name], numbered) if n not in taken)
        taken.add(name)
        cells.append(
            Cell(
                id=name,
                kind=kind,
                tag=tag,
                text=body,
                line=mark + 2,
                exercise=own_id if tag == "exercise" else attributes.get("exercise"),
                title=attributes.get("title"),
                minutes=attributes.get("minutes"),
                catches=attributes.get("catches"),
                named=bool(own_id) and tag != "exercise",
            )
        )
    if not cells:
        findings.append(Finding(where, "There is no cell.", "Open each cell with `# %%`."))
    return tuple(cells)


def _attributes(marker: str, where: str, findings: list[Finding]) -> dict[str, Any]:
    """The parts of a `# %%` line, with `tags` folded into one `tag`."""
    rest = marker.removeprefix("# %%")
    found: dict[str, Any] = {}
    if rest.lstrip().startswith("[markdown]"):
        found["kind"] = "markdown"
        rest = rest.lstrip().removeprefix("[markdown]")
    position = 0
    for match in _ATTRIBUTE.finditer(rest):
        if rest[position : match.start()].strip():
            break
        position = match.end()
        try:
            found[match["key"]] = json.loads(match["value"])
        except ValueError:
            findings.append(
                Finding(where, f"{match[0].strip()} is no JSON value.", 'Write key="text", key=10 or tags=["check"].')
            )
    if rest[position:].strip():
        findings.append(
            Finding(where, f"{rest[position:].strip()!r} cannot be read.", 'Write key="text" pairs after `# %%`.')
        )
    tags = found.pop("tags", [])
    if not isinstance(tags, list) or len(tags) > 1:
        findings.append(Finding(where, "A cell carries one tag at most.", 'Write tags=["check"].'))
        tags = []
    for tag in tags:
        if tag not in TAGS:
            findings.append(Finding(where, f"The tag {tag!r} is unknown.", f"Use one of: {', '.join(TAGS)}."))
        found["tag"] = tag
    role = found.get("tag") or ("prose" if found.get("kind") else "code")
    allowed = ATTRIBUTES.get(role, set())
    given = found.keys() - {"kind", "tag"}
    needed = {key for key in allowed if (role, key) not in OPTIONAL}
    for key in sorted(given - allowed):
        findings.append(
            Finding(
                where,
                f"The attribute {key!r} does not belong here.",
                f"This cell takes: {', '.join(sorted(allowed)) or 'none'}.",
            )
        )
    for key in sorted(needed - given):
        findings.append(Finding(where, f"The {role} cell lacks {key!r}.", f'Add {key}="...".'))
    for key in given & allowed:
        empty = not str(found[key]).strip()
        wrong_type = not isinstance(found[key], int if key == "minutes" else str)
        if empty or wrong_type:
            findings.append(
                Finding(
                    where, f"{key} is {found[key]!r}.", "A hint is never empty." if key == "catches" else "Fill it in."
                )
            )
    for key in ("id", "exercise"):
        if key in found and not _SLUG.match(str(found[key])):
            findings.append(
                Finding(where, f"{key}={found[key]!r} is no slug.", "Use lower case words joined by hyphens.")
            )
    return found


def _prose(body: str, line: int, where: str, findings: list[Finding]) -> str:
    texts = []
    fenced = False
    for number, text in enumerate(body.splitlines(), start=line + 1):
        if text and not text.startswith("#"):
            findings.append(
                Finding(
                    f"{where}:{number}",
                    "A line of prose is no comment.",
                    "Begin every line of a Markdown cell with `# `.",
                )
            )
        texts.append(text.removeprefix("#").removeprefix(" "))
        fenced ^= texts[-1].startswith("```")
        if texts[-1].startswith("# ") and not fenced:
            findings.append(
                Finding(
                    f"{where}:{number}",
                    "The prose has a heading of the first level.",
                    "Use `## `: the title is the header's.",
                )
            )
    return "\n".join(texts)


def _python(body: str, line: int, where: str, findings: list[Finding]) -> None:
    try:
        compile(body, where, "exec", dont_inherit=True)
    except SyntaxError as error:
        at = line + (error.lineno or 1)
        findings.append(
            Finding(f"{where}:{at}", f"The cell is no valid Python: {error.msg}.", "No magics, no top-level await.")
        )
    except (ValueError, RecursionError, MemoryError) as error:
        findings.append(Finding(f"{where}:{line}", f"Python cannot compile the cell: {error!r}.", "Write it plainer."))


def _exercises(cells: tuple[Cell, ...], where: str, findings: list[Finding]) -> tuple[Exercise, ...]:
    found = []
    names = {cell.exercise for cell in cells if cell.tag == "exercise"}
    for cell in cells:
        if cell.tag in ("check", "mistake", "solution") and cell.exercise and cell.exercise not in names:
            findings.append(
                Finding(
                    f"{where}:{cell.line - 1}",
                    f"There is no exercise {cell.exercise!r}.",
                    "Name the id of an exercise above.",
                )
            )
    for cell in cells:
        if cell.tag != "exercise" or cell.exercise is None:
            continue
        at = f"{where}:{cell.line - 1}"
        name, after = cell.exercise, cells[cells.index(cell) + 1 :]
        checks = tuple(c for c in after if c.tag == "check" and c.exercise == name)
        mistakes = tuple(c for c in after if c.tag == "mistake" and c.exercise == name)
        if len(checks) != 1:
            findings.append(
                Finding(
                    at,
                    f"Exercise {name} has {'no check' if not checks else 'more than one check'}.",
                    f'Write one `# %% tags=["check"] exercise="{name}"` cell below it.',
                )
            )
        if len(mistakes) < LEAST_MISTAKES:
            findings.append(
                Finding(
                    at,
                    f"Exercise {name} lists {len(mistakes)} mistakes.",
                    f"List at least {LEAST_MISTAKES}, one of them degenerate.",
                )
            )
        parts = _split_solution(cell, where, findings)
        if parts:
            solution, starter = parts
            whole = tuple(_whole(mistake, solution, where, findings) for mistake in mistakes)
            found.append(Exercise(name, cell.title or name, cell.minutes or 0, cell, solution, starter, checks, whole))
    if not found and not findings:
        findings.append(Finding(where, "The lab has no exercise.", "A lab has two to four."))
    return tuple(found)


def _split_solution(cell: Cell, where: str, findings: list[Finding]) -> tuple[str, str] | None:
    """The exercise with its solution, and as the learner gets it."""
    lines = cell.text.splitlines()
    marks = {mark: [i for i, line in enumerate(lines) if line.strip() == mark] for mark in (_BEGIN, _STUB, _END)}
    begin, stub, end = (marks[mark] for mark in (_BEGIN, _STUB, _END))
    right = len(begin) == 1 and len(end) == 1 and len(stub) <= 1 and begin < end and (not stub or begin < stub < end)
    if not right:
        at = f"{where}:{cell.line}"
        findings.append(
            Finding(
                at,
                f"Exercise {cell.exercise} has no single solution.",
                f"Write one `{_BEGIN}`, at most one `{_STUB}`, one `{_END}`.",
            )
        )
        return None
    indent = lines[begin[0]][: len(lines[begin[0]]) - len(lines[begin[0]].lstrip())]
    stop = stub[0] if stub else end[0]
    given = (
        [line.replace("# ", "", 1) if line.strip() != "#" else "" for line in lines[stub[0] + 1 : end[0]]]
        if stub
        else []
    )
    starter = given or [f'{indent}raise NotImplementedError("{cell.title}")']
    head, tail = lines[: begin[0]], lines[end[0] + 1 :]
    solution_text = "\n".join([*head, *lines[begin[0] + 1 : stop], *tail])
    starter_text = "\n".join([*head, *starter, *tail])
    try:
        ast.parse(starter_text)
    except SyntaxError as error:
        findings.append(
            Finding(
                f"{where}:{cell.line}",
                f"The starter of {cell.exercise} is no valid Python: {error.msg}.",
                "Mend its STUB lines.",
            )
        )
    return solution_text, starter_text


def _whole(mistake: Cell, solution: str, where: str, findings: list[Finding]) -> Cell:
    """The mistake as an answer: one that is written as an edit becomes the solution with that edit made in it."""
    if not edits.is_edit(mistake.text):
        return mistake
    try:
        answer = edits.apply(mistake.text, solution)
    except edits.NoEdit as error:
        findings.append(Finding(f"{where}:{mistake.line + error.line}", error.problem, error.repair))
        return mistake
    try:
        compile(answer, "<the edit made>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        bad = answer.splitlines()[(error.lineno or 1) - 1].strip() if isinstance(error, SyntaxError) else ""
        what = f"{error.msg}, at `{bad}`" if isinstance(error, SyntaxError) else repr(error)
        wrong = f"With the edit made, the answer is no valid Python: {what}."
        findings.append(Finding(f"{where}:{mistake.line}", wrong, "Mend what comes."))
        return mistake
    return replace(mistake, text=answer)


def _order(
    cells: tuple[Cell, ...], exercises: tuple[Exercise, ...], slug: str, where: str, findings: list[Finding]
) -> None:
    code = [c for c in cells if c.kind == "code"]
    setups = [c for c in code if c.tag == "setup"]
    if len(setups) != 1 or code[0] is not setups[0]:
        findings.append(
            Finding(
                where,
                "The first code cell is not the one setup cell.",
                'Begin the code with one `# %% tags=["setup"]`.',
            )
        )
    elif f'begin("{slug}")' not in setups[0].text:
        findings.append(
            Finding(
                f"{where}:{setups[0].line}",
                f'The setup does not call begin("{slug}").',
                "Add `lab = begin(...)` with the folder's name.",
            )
        )
    first_exercise = next((i for i, c in enumerate(cells) if c.tag == "exercise"), len(cells))
    if not any(c.tag == "attack" for c in cells[:first_exercise]):
        findings.append(
            Finding(where, "No attack stands before the first exercise.", 'Show it in a `# %% tags=["attack"]` cell.')
        )
    if not any(c.tag == "instructor" for c in cells):
        findings.append(
            Finding(where, "There are no instructor notes.", 'Add a `# %% [markdown] tags=["instructor"]` cell.')
        )
    for exercise, following in zip(exercises, [*exercises[1:], None], strict=False):
        limit = following.cell.line if following else cells[-1].line
        for part in (*exercise.checks, *exercise.mistakes):
            if part.line > limit:
                findings.append(
                    Finding(
                        f"{where}:{part.line - 1}",
                        f"This belongs to {exercise.id} but follows {following.id if following else ''}.",
                        "Move it up.",
                    )
                )


def _todos(lines: list[str]) -> tuple[Todo, ...]:
    matches: Iterator[tuple[int, re.Match[str] | None]] = (
        (i, TODO.search(line)) for i, line in enumerate(lines, start=1) if "TODO" in line
    )
    return tuple(Todo(line, match[1].strip()) for line, match in matches if match)


def _todos_at_home(lines: list[str], folder: Path, takeaway: str) -> tuple[Todo, ...]:
    """What the take-home file still lacks, at the line of the header that names it."""
    line = next(i for i, text in enumerate(lines, start=1) if text.startswith("# takeaway:"))
    try:
        text = (folder / takeaway).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ()  # No text, no to-do.
    return tuple(Todo(line, f"files/{takeaway}: {todo.text}") for todo in _todos(text.splitlines()))

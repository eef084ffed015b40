"""The learner's copies under work/: made once, kept across updates, reset with a copy kept."""

import hashlib
import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from proving import notebook
from proving.paths import Tree
from proving.runner import Limits, Plan, Runner
from proving.source import Lab

Json = dict[str, Any]


def copy_of(tree: Tree, slug: str) -> Path:
    """Where the learner's copy of a lab lies."""
    return tree.work / f"{slug}.ipynb"


def open_copy(tree: Tree, lab: Lab) -> tuple[Path, str]:
    """The learner's copy, made when there is none, and a sentence on what was found. Raises OSError."""
    path = copy_of(tree, lab.slug)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(notebook.learners(lab), encoding="utf-8", newline="\n")
        return path, f"Made your copy: {tree.relative(path)}"
    if _source_of(path) != lab.digest:
        return path, (
            f"Yours is {tree.relative(path)}; the lab has changed since you began, and your copy was left as it is. "
            f"For the changed lab (a copy of yours is kept): python3 scripts/lab.py {lab.slug} --reset"
        )
    return path, f"Yours, as you left it: {tree.relative(path)}"


def reset(tree: Tree, lab: Lab) -> tuple[Path, Path | None]:
    """Start the learner's copy again. Returns it, and where the old one was kept. Raises OSError."""
    path = copy_of(tree, lab.slug)
    kept = None
    if path.exists():
        folder = tree.work / "kept"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{lab.slug}-{datetime.now():%Y-%m-%d-%H%M%S}"
        kept = folder / f"{stem}.ipynb"
        number = 2
        while kept.exists():
            kept = folder / f"{stem}-{number}.ipynb"
            number += 1
        shutil.copy2(path, kept)
        path.unlink()
    return open_copy(tree, lab)[0], kept


def judge(tree: Tree, lab: Lab, copy: Path) -> tuple[list[Json], str]:
    """Run the learner's answers: [{exercise, status, message}] and why the run ended early, if it did.

    The lab's own cells run as its source has them; from the notebook come the exercise cells and
    any cell the learner has added. After an exercise that is not done the solution takes its
    place, so that each is judged for itself. Raises `ValueError` when the file is no notebook.
    """
    plan = Plan(lab, "learner", learner=tuple(_cells(lab, copy)), limits=Limits(lab_seconds=180))
    with Runner(tree, jobs=1, warm=False) as runner:
        run = runner.run([plan])[0]
    judged = list(run.judged)
    for exercise in lab.exercises[len(judged) :]:
        where = next((c for c in lab.cells if c.id == run.last_cell), None)
        mine = run.death and where and where.exercise == exercise.id
        message = f"The notebook {run.death}, in cell {run.last_cell}." if mine else "Not reached."
        judged.append({"exercise": exercise.id, "status": "wrong" if mine else "not reached", "message": message})
    return judged, f"The run ended early: it {run.death} (cell {run.last_cell})." if run.death else ""


def _cells(lab: Lab, copy: Path) -> list[Json]:
    """The lab's code cells with the learner's answers beside the solutions, and the learner's own cells."""
    written = notebook.cells_of(copy)
    answers = {c["id"]: c["source"] for c in written}
    known = {cell.id for cell in lab.code}
    own: dict[str, list[Json]] = {}
    last = ""
    for cell in written:
        if cell["id"] in known:
            last = cell["id"]
        elif cell["source"].strip():
            own.setdefault(last, []).append(
                {"id": cell["id"], "tag": None, "exercise": None, "code": cell["source"], "learner": ""}
            )
    cells: list[Json] = list(own.get("", []))
    for cell in lab.code:
        exercise = lab.exercise(cell.exercise) if cell.tag == "exercise" and cell.exercise else None
        code = exercise.solution if exercise else cell.text
        learner = answers.get(cell.id, exercise.starter) if exercise else ""
        cells.append({"id": cell.id, "tag": cell.tag, "exercise": cell.exercise, "code": code, "learner": learner})
        cells += own.get(cell.id, [])
    return cells


def fingerprint(path: Path) -> str:
    """A hash of the learner's code cells: output and execution counts do not count."""
    return hashlib.sha256(json.dumps(notebook.cells_of(path)).encode()).hexdigest()


def _source_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["metadata"]["proving_ground"]["source"])
    except (ValueError, KeyError, TypeError):
        return ""

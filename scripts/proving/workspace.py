"""The learner's copies under work/: made once, kept across updates, reset with a copy kept."""

import ast
import hashlib
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from proving import notebook
from proving.paths import Tree
from proving.runner import Limits, Plan, Runner
from proving.source import Lab

Json = dict[str, Any]
_AGAIN = "To begin again (your copy is kept): python3 scripts/lab.py {} --reset"


def copy_of(tree: Tree, slug: str) -> Path:
    """Where the learner's copy of a lab lies."""
    return tree.work / f"{slug}.ipynb"


def open_copy(tree: Tree, lab: Lab) -> tuple[Path, str]:
    """The learner's copy, made when there is none, and a sentence on what was found. Raises OSError."""
    path = copy_of(tree, lab.slug)
    again = f"(your copy is kept): python3 scripts/lab.py {lab.slug} --reset"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        # Whole or not at all: what lies there is never written over, so a half would stay.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(notebook.learners(lab), encoding="utf-8", newline="\n")
        os.replace(draft, path)
        return path, f"Made your copy: {tree.relative(path)}"
    source = _source_of(path)
    if source is None:
        return path, f"Yours is {tree.relative(path)}, but it is no notebook. To begin again {again}"
    if source != lab.digest:
        return path, (
            f"Yours is {tree.relative(path)}; the lab has changed since you began, and your copy was left as it is. "
            f"For the changed lab {again}"
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


def judge(tree: Tree, lab: Lab, copy: Path, seconds: float = 30) -> tuple[list[Json], list[str], bool]:
    """Run the learner's answers: [{exercise, status, message}], sentences about other cells, whether all of the lab ran.

    The lab's own cells run as its source has them; from the notebook come the exercise cells and
    any cell the learner has added. After an exercise that is not done the solution takes its
    place, so that each is judged for itself; when one ends the run (a loop without end, a dead
    process), the lab runs again without it. `seconds` is what one cell may take.
    Raises `ValueError` when the file is no notebook of this lab, OSError when it cannot be read.
    """
    cells, missing = _cells(lab, copy)
    answers = {c["exercise"]: c["learner"] for c in cells if c["tag"] == "exercise"}
    untouched = {e.id for e in lab.exercises if _same_code(answers[e.id], e.starter)}
    limits = Limits(cell_seconds=seconds, lab_seconds=max(180, 2 * seconds))
    fatal: dict[str, str] = {}
    remarks: list[str] = []
    with Runner(tree, jobs=1, warm=False) as runner:
        while True:
            run = runner.run([Plan(lab, "learner", learner=tuple(cells), limits=limits)])[0]
            if not run.death:
                break
            last = next((c for c in cells if c["id"] == run.last_cell), None)
            if last is None:
                remarks.append(f"The run {run.death} before its first cell.")
                break
            if last.get("own"):
                remarks.append(f"{last['own']} {run.death} and was left out.")
                last["code"] = ""
            elif last["exercise"] and last["exercise"] not in fatal:
                fatal[last["exercise"]] = (
                    f"Your code {run.death} (cell {last['id']}); expected: it finishes, and the notebook goes on."
                )
                answer = next(c for c in cells if c["exercise"] == last["exercise"] and c["tag"] == "exercise")
                answer["learner"] = answer["code"]
            else:
                remarks.append(
                    f"The run ended early: the lab's own cell {last['id']} {run.death}. {_AGAIN.format(lab.slug)}"
                )
                break
    results = {result["exercise"]: result for result in run.judged}
    all_done = not fatal and len(results) == len(lab.exercises) and all(r["status"] == "done" for r in results.values())
    whole = all_done
    known = {cell["id"]: cell for cell in cells}
    for ran in run.cells:
        if ran.error:
            said = f"{ran.error['name']}: {ran.error['value']}{ran.error['at']}"
            own = known[ran.id].get("own")
            if own:
                remarks.append(f"{own} raised {said}.")
            elif all_done:
                whole = False
                remarks.append(
                    f"The lab's cell {ran.id} uses your answers and raised {said}. "
                    "So one of them is not right yet, although its check lets it through."
                )
            else:
                remarks.append(f"The lab's own cell {ran.id} raised {said}. {_AGAIN.format(lab.slug)}")
    judged = []
    for exercise in lab.exercises:
        result = results.get(exercise.id, {"exercise": exercise.id, "status": "not reached", "message": ""})
        if exercise.id in fatal:
            result = {"exercise": exercise.id, "status": "wrong", "message": fatal[exercise.id]}
        elif exercise.id in missing and result["status"] != "done":
            message = f"Its cell is gone from your notebook. {_AGAIN.format(lab.slug)}"
            result = {"exercise": exercise.id, "status": "not started", "message": message}
        elif exercise.id in untouched and result["status"] == "wrong":
            # A starter that runs is refused like an answer; whoever has not begun is told so, and gets no hint yet.
            result = {"exercise": exercise.id, "status": "not started", "message": ""}
        judged.append(result)
    return judged, remarks, whole


def _same_code(text: str, other: str) -> bool:
    """Whether two cells are the same but for comments, blank lines and spelling."""
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return text.strip() == other.strip()


def _cells(lab: Lab, copy: Path) -> tuple[list[Json], set[str]]:
    """The cells to run, the learner's answers beside the solutions; and the exercises without a cell."""
    written = notebook.cells_of(copy)
    names = _names(lab, written)
    if not any(names):
        raise ValueError(f"{copy.name} holds no cell of the lab {lab.slug}")
    answers = {name: cell["source"] for name, cell in zip(names, written, strict=True) if name}
    own: dict[str, list[Json]] = {}
    last = ""
    for number, (name, cell) in enumerate(zip(names, written, strict=True), 1):
        last = name or last
        if not name and cell["source"].strip():
            own.setdefault(last, []).append(_own(number, cell["source"]))
    cells: list[Json] = list(own.get("", []))
    for part in lab.code:
        exercise = lab.exercise(part.exercise) if part.tag == "exercise" and part.exercise else None
        code = exercise.solution if exercise else part.text
        learner = answers.get(part.id, exercise.starter) if exercise else ""
        cells.append({"id": part.id, "tag": part.tag, "exercise": part.exercise, "code": code, "learner": learner})
        cells += own.get(part.id, [])
    for exercise in lab.exercises:
        places = [i for i, c in enumerate(cells) if c["exercise"] == exercise.id]
        for between in cells[places[0] : places[-1]]:
            if between.get("own"):
                # What the learner tries out before the check may fail: it is no part of the answer.
                between["code"] = f"get_ipython().run_cell({between['code']!r}, store_history=False);"
    return cells, {exercise.id for exercise in lab.exercises if exercise.cell.id not in answers}


def _own(number: int, source: str) -> Json:
    """A cell the learner has added, with how to speak of it."""
    first = source.strip().splitlines()[0]
    return {
        "id": f"yours-{number}",
        "tag": None,
        "exercise": None,
        "code": source,
        "learner": "",
        "own": f"Your own cell `{first}`",
    }


def _names(lab: Lab, written: list[Json]) -> list[str]:
    """For each of the learner's cells the id of the lab's cell that it is; "" for a cell they added.

    An older notebook format has no ids, and some editors give new ones. What is not known by its id
    is known by its text; an exercise by its tag or first line, between its neighbours.
    """
    ids = [cell.id for cell in lab.code]
    names = [cell["id"] if cell["id"] in ids else "" for cell in written]
    for cell in lab.code:
        text = lab.exercise(cell.exercise).starter if cell.tag == "exercise" and cell.exercise else cell.text
        for place, other in enumerate(written):
            if cell.id not in names and not names[place] and other["source"].strip() == text.strip():
                names[place] = cell.id
    for exercise in lab.exercises:
        if exercise.cell.id in names:
            continue
        position = ids.index(exercise.cell.id)
        start = max((i + 1 for i, name in enumerate(names) if name in ids[:position]), default=0)
        stop = min((i for i, name in enumerate(names) if name in ids[position + 1 :]), default=len(names))
        first = exercise.starter.strip().splitlines()[0]
        mine = [
            i
            for i in range(start, stop)
            if not names[i] and ("exercise" in written[i]["tags"] or written[i]["source"].strip().startswith(first))
        ]
        if mine:
            names[mine[-1]] = exercise.cell.id
    return names


def fingerprint(path: Path) -> str:
    """A hash of the learner's code cells: output and execution counts do not count."""
    return hashlib.sha256(json.dumps(notebook.cells_of(path)).encode()).hexdigest()


def _source_of(path: Path) -> str | None:
    """The hash of the lab that the copy was made from; "" when it does not say, None when it is no notebook."""
    try:
        notebook.cells_of(path)
        return str(json.loads(path.read_text(encoding="utf-8"))["metadata"]["proving_ground"]["source"])
    except ValueError:
        return None
    except (KeyError, TypeError):
        return ""

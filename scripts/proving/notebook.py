"""From a lab to its notebooks: the learner's, and the solved one that measurements run.

The learner's notebook is generated and committed: the same lab gives the same bytes, with cell
ids from the source, no outputs, no solutions.
"""

import json
from pathlib import Path
from typing import Any

from proving.findings import Finding
from proving.paths import Tree
from proving.source import Cell, Lab, slugs

Json = dict[str, Any]


def learners(lab: Lab) -> str:
    """The learner's notebook as text: starters in place of solutions."""
    cells = [_markdown("title", _title(lab))]
    for cell in lab.shown:
        if cell.tag == "exercise" and cell.exercise:
            exercise = lab.exercise(cell.exercise)
            cells.append(
                _markdown(f"turn-{exercise.id}", f"**Your turn: {exercise.title}** ({exercise.minutes} minutes)")
            )
            cells.append(_code(cell, exercise.starter))
        else:
            cells.append(_markdown(cell.id, cell.text) if cell.kind == "markdown" else _code(cell, cell.text))
    cells.append(_markdown("end", _end(lab)))
    return _text(lab, cells)


def solved(lab: Lab) -> str:
    """The notebook with every solution in it, to be executed, never shown."""
    cells = [
        _code(cell, lab.exercise(cell.exercise).solution if cell.tag == "exercise" and cell.exercise else cell.text)
        for cell in lab.code
    ]
    return _text(lab, cells)


def path_of(tree: Tree, slug: str) -> Path:
    """Where the learner's notebook of a lab is committed."""
    return tree.notebooks / f"{slug}.ipynb"


def sync(tree: Tree, labs: list[Lab]) -> list[str]:
    """Write every notebook that differs, delete those without a lab. Returns what was done."""
    tree.notebooks.mkdir(exist_ok=True)
    done = []
    for lab in labs:
        path, text = path_of(tree, lab.slug), learners(lab)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            done.append(f"wrote {tree.relative(path)}")
    for path in _strays(tree):
        path.unlink()
        done.append(f"deleted {tree.relative(path)}: it has no lab")
    return done


def stale(tree: Tree, labs: list[Lab]) -> list[Finding]:
    """What `sync` would change."""
    repair = "Edit the lab, not the notebook, then run: python3 scripts/sync.py"
    findings = []
    for lab in labs:
        path = path_of(tree, lab.slug)
        if not path.exists():
            findings.append(Finding(tree.relative(path), f"The notebook of labs/{lab.slug} is missing.", repair))
        elif path.read_text(encoding="utf-8") != learners(lab):
            findings.append(Finding(tree.relative(path), f"It differs from what labs/{lab.slug}/lab.py gives.", repair))
    findings += [Finding(tree.relative(p), "It has no lab.", repair) for p in _strays(tree)]
    return findings


def cells_of(path: Path) -> list[Json]:
    """The code cells of a learner's notebook as {id, source, tags}.

    Raises `ValueError` with a sentence when the file is no notebook.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cells = [c for c in data["cells"] if c["cell_type"] == "code"]
        return [
            {
                "id": str(c.get("id", "")),
                "source": c["source"] if isinstance(c["source"], str) else "".join(c["source"]),
                "tags": list(c.get("metadata", {}).get("tags", [])),
            }
            for c in cells
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no notebook ({type(error).__name__}: {error})") from None


def _strays(tree: Tree) -> list[Path]:
    """Notebooks without a lab. One whose lab is being mended is none."""
    known = slugs(tree)
    return sorted(p for p in tree.notebooks.glob("*.ipynb") if p.stem not in known)


def _title(lab: Lab) -> str:
    header = lab.header
    needs = "" if header.needs == "any" else " · needs Linux"
    return (
        f"# {header.title}\n\n{header.summary}\n\n"
        f"{header.minutes} minutes · {header.level}{needs} · lesson: `docs/{header.lesson}`\n\n"
        "Run the cells from top to bottom. Where it says *Your turn*, replace the `raise` or the values with your answer, "
        "run the cell, then run the check below it: a check that fails tells you what it saw and what it expected. "
        "Everything stays in a temporary folder on this machine.\n\n"
        f"If the first cell cannot import `labkit`, select the interpreter in `.venv`, or open this lab with "
        f"`python3 scripts/lab.py {lab.slug}`."
    )


def _end(lab: Lab) -> str:
    return (
        f"Check the whole notebook from a terminal: `python3 scripts/check.py {lab.slug}`. What you have done so far: "
        f"`python3 scripts/progress.py`. To take home: `labs/{lab.slug}/files/{lab.header.takeaway}`."
    )


def _markdown(name: str, text: str) -> Json:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(cell: Cell, text: str) -> Json:
    metadata: Json = {"tags": [cell.tag]} if cell.tag else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": cell.id,
        "metadata": metadata,
        "outputs": [],
        "source": text.splitlines(keepends=True),
    }


def _text(lab: Lab, cells: list[Json]) -> str:
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "proving_ground": {"lab": lab.slug, "source": lab.digest},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

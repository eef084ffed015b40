"""Notebooks in the kernel a learner has: what JupyterLab and VS Code run, without their windows."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT, write_small_lab
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError
from proving import notebook, proof
from proving.findings import Unreadable
from proving.paths import Tree
from proving.source import Lab, read, slugs

MAIN = Tree(ROOT)
Json = dict[str, Any]

ASYNC_ERROR = """
import asyncio

async def fails():
    raise ValueError("from inside the group")

async with asyncio.TaskGroup() as group:
    group.create_task(fails())
"""


def execute(tree: Tree, text: str, temporary: Path, seconds: float = 60) -> list[Json]:
    """Run a notebook in a kernel of its own, as JupyterLab opened by lab.py would; return its code cells."""
    opened = nbformat.reads(text, as_version=4)
    for place in (tree.work, temporary):
        place.mkdir(exist_ok=True)
    client = NotebookClient(
        opened, timeout=seconds, allow_errors=True, resources={"metadata": {"path": str(tree.work)}}
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LABKIT_")}
    client.execute(env={**kept, "PYTHONPATH": str(tree.labs), "TMPDIR": str(temporary), "HOME": str(temporary)})
    return [cell for cell in opened.cells if cell.cell_type == "code"]


def cells(*codes: str) -> str:
    """A notebook of these code cells."""
    return str(nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])))


def printed(outputs: list[Json]) -> str:
    """What a reader sees of a cell's outputs, errors of the kernel's own aside."""
    shown = []
    for output in outputs:
        if output["output_type"] == "error":
            shown.append(f"{output['ename']}: {output['evalue']}\n")
        elif output["output_type"] != "stream":
            shown.append(f"{output['data'].get('text/plain', '')}\n")
        elif output["name"] == "stdout":
            shown.append(output["text"])
    return "".join(shown)


def same_as_proved(tree: Tree, lab: Lab, temporary: Path) -> None:
    """The kernel and the worker print the same, cell by cell, and the kernel notes every exercise."""
    (evidence,) = proof.prove(tree, [lab.slug])
    assert evidence.passed, json.dumps(evidence.verdict, indent=1)
    ran = execute(tree, notebook.solved(lab), temporary)
    assert {c["id"]: printed(c["outputs"]) for c in ran} == {c.id: printed(evidence.outputs(c.id)) for c in lab.code}
    noted = json.loads((tree.work / "progress.json").read_text(encoding="utf-8"))
    assert noted[lab.slug].keys() == {exercise.id for exercise in lab.exercises}


# -- the files --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(MAIN.notebooks.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_committed_notebook_is_valid_and_shows_no_solution(path: Path) -> None:
    opened = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(opened)
    assert all(not c.outputs and c.execution_count is None for c in opened.cells if c.cell_type == "code")
    assert "SOLUTION" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(MAIN.notebooks.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_committed_notebook_is_what_its_lab_gives_byte_for_byte(path: Path) -> None:
    assert path.read_bytes() == notebook.learners(read(MAIN, path.stem)).encode(), "run: python3 scripts/sync.py"


def test_the_same_lab_gives_the_same_bytes_whatever_the_hash_seed(tree: Tree) -> None:
    write_small_lab(tree)
    code = (
        "import sys; from pathlib import Path; from proving import notebook; from proving.paths import Tree\n"
        "from proving.source import read\n"
        "sys.stdout.buffer.write(notebook.learners(read(Tree(Path(sys.argv[1])), 'tiny')).encode())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code, str(tree.root)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1 and b'"cells"' in made.pop()


# -- running them -----------------------------------------------------------------------------


def test_a_solved_notebook_prints_in_a_kernel_what_the_worker_prints(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    same_as_proved(tree, read(tree, "tiny"), tmp_path / "temporary")
    assert list((tmp_path / "temporary").glob("tiny-*")) == [], "the lab's folder outlived its kernel"


@pytest.mark.slow
@pytest.mark.parametrize("slug", slugs(MAIN))
def test_a_real_lab_prints_in_a_kernel_what_the_worker_prints(slug: str, tmp_path: Path) -> None:
    """In a checkout of its own, so that nothing is noted as the progress of whoever runs this."""
    tree = Tree(tmp_path / "checkout")
    shutil.copytree(MAIN.labs, tree.labs, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    shutil.copytree(MAIN.docs, tree.docs)
    try:
        lab = read(tree, slug)
    except Unreadable as error:
        pytest.fail(str(error))
    if lab.todos:
        pytest.skip("its author has not finished it")
    if lab.header.needs == "linux" and sys.platform != "linux":
        pytest.skip("it needs Linux")
    same_as_proved(tree, lab, tmp_path / "temporary")


def test_a_wrong_answer_shows_one_sentence_in_a_kernel(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    lab = read(tree, "tiny")
    opened = json.loads(notebook.learners(lab))
    next(c for c in opened["cells"] if c["id"] == "rule")["source"] = "def guard(who):\n    return open_till(who)"
    ran = {c["id"]: c["outputs"] for c in execute(tree, json.dumps(opened), tmp_path / "temporary")}
    (shown,) = ran["check-rule"]
    assert shown["traceback"] == ["✗ Got through: the stranger. Refuse whoever is not on the list of staff."]
    assert not (tree.work / "progress.json").exists()


def test_the_starter_shows_what_is_not_started_in_a_kernel(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    text = notebook.learners(read(tree, "tiny"))
    ran = {c["id"]: c["outputs"] for c in execute(tree, text, tmp_path / "temporary")}
    (shown,) = ran["check-rule"]
    assert shown["traceback"] == ["✗ Not started: rule. Write the rule"]


def test_a_cell_that_needs_an_exercise_says_so_in_one_line(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    stub = "def guard(who):\n    raise NotImplementedError('Write the rule')"
    code = ("from labkit import begin\nlab = begin('tiny')", stub, "guard('ada')", "print('on')")
    ran = execute(tree, cells(*code), tmp_path / "temporary")
    (shown,) = ran[2]["outputs"]
    assert shown["traceback"] == ["✗ This cell needs an exercise that is not done yet: Write the rule"]
    assert printed(ran[3]["outputs"]) == "on\n"


# -- errors in async cells --------------------------------------------------------------------

# A plain cell run before hides the kernel's defect: it sets the attribute that is missing. So the setup awaits too.
AWAITS = "import asyncio\nawait asyncio.sleep(0)\n"


def test_after_begin_an_error_group_in_an_async_cell_ends_the_cell(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    setup = AWAITS + "from labkit import begin\nlab = begin('tiny')"
    ran = execute(tree, cells(setup, ASYNC_ERROR, "print('on')"), tmp_path / "temporary", seconds=20)
    assert "from inside the group" in str(ran[1]["outputs"])
    assert printed(ran[2]["outputs"]) == "on\n"


def test_without_begin_the_kernel_still_hangs_on_it(tree: Tree, tmp_path: Path) -> None:
    """When this fails, ipykernel is mended, and the remedy in labkit/opening.py can go."""
    with pytest.raises(CellTimeoutError):
        execute(tree, cells(AWAITS, ASYNC_ERROR), tmp_path / "temporary", seconds=4)


# -- another editor ---------------------------------------------------------------------------


def test_a_kernel_started_by_an_editor_finds_labkit(tree: Tree, tmp_path: Path) -> None:
    """VS Code knows the interpreter in .venv and the notebook's folder, and nothing of lab.py."""
    python = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not list((ROOT / ".venv").rglob("proving_ground.pth")):
        pytest.skip("this checkout's .venv was not made by the scripts: it lacks proving_ground.pth")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "LABKIT_", "JUPYTER"))}
    tree.work.mkdir()
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    manager.start_kernel(env={**kept, "HOME": str(tmp_path)}, cwd=str(tree.work))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        said: list[str] = []
        code = "import labkit, harbor, os; print(labkit.__file__, os.getcwd(), sep='\\n')"
        reply = client.execute_interactive(
            code, timeout=60, output_hook=lambda m: said.append(str(m["content"].get("text", "")))
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok", reply["content"]
    found, folder = "".join(said).split("\n")[:2]
    assert Path(found) == ROOT / "labs" / "labkit" / "__init__.py"
    assert Path(folder) == tree.work

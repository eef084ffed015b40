"""The learner's side: lab.py, check.py, progress.py and new.py, run as processes on a small checkout."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT, Script, write_small_lab
from proving import notebook, workspace
from proving.commands import check as check_command
from proving.commands import new as new_command
from proving.paths import Tree
from proving.source import read
from sessions import Session, free_port, still_alive

SECOND = """
# %% tags=["exercise"] id="count" title="Count the money" minutes=3
def count(coins: list[int]) -> int:
    ### BEGIN SOLUTION
    guard("ada")
    if min(coins) < 1:
        raise Closed("a false coin")
    return sum(coins)
    ### END SOLUTION


# %% tags=["check"] exercise="count"
with check("count"):
    with refused("a false coin", by=Closed, hint="Look at each coin."):
        count([3, -1])
    with works("three coins", hint="Good coins have to be counted."):
        expect(count([1, 2, 3]) == 6, "Three coins of 1, 2 and 3 have to make 6.")


# %% tags=["mistake"] exercise="count" title="Refuses all" catches="Good coins"
def count(coins: list[int]) -> int:
    raise Closed


# %% tags=["mistake"] exercise="count" title="Accepts all" catches="Look at each coin"
def count(coins: list[int]) -> int:
    return sum(coins)


# %% tags=["mistake"] exercise="count" title="Knows one answer" catches="Look at each coin"
def count(coins: list[int]) -> int:
    return 6


# %%
print("""

RULE = """def guard(who: str) -> str:
    if who not in ("ada", "bo"):
        raise Closed(who)
    return open_till(who)
"""
COUNT = """def count(coins: list[int]) -> int:
    guard("ada")
    if min(coins) < 1:
        raise Closed("a false coin")
    return sum(coins)
"""


@pytest.fixture
def lab(tree: Tree) -> Path:
    """The small lab with a second exercise, and a learner's copy of it; gives the copy."""
    write_small_lab(tree, "tiny", ("\n# %%\nprint(", SECOND))
    return workspace.open_copy(tree, read(tree, "tiny"))[0]


Edit = Callable[[dict[str, Any]], None]


def edit(copy: Path, change: Edit) -> None:
    """Save the copy as JupyterLab would, changed by `change`."""
    data = json.loads(copy.read_text(encoding="utf-8"))
    change(data)
    copy.write_text(json.dumps(data, indent=1), encoding="utf-8")


def answer(copy: Path, **answers: str) -> None:
    """Write answers into the exercise cells, by id."""

    def fill(data: dict[str, Any]) -> None:
        for name, code in answers.items():
            (cell,) = [c for c in data["cells"] if c["id"] == name]
            cell["source"] = code

    edit(copy, fill)


def add(copy: Path, after: str, code: str) -> None:
    """Add a cell of the learner's own, behind the cell `after`."""

    def insert(data: dict[str, Any]) -> None:
        place = [c["id"] for c in data["cells"]].index(after)
        cell = nbformat.v4.new_code_cell(code)
        data["cells"].insert(place + 1, dict(cell))

    edit(copy, insert)


def flat(text: str) -> str:
    """What was printed, without its line breaks and indents."""
    return " ".join(text.split())


# -- lab.py -----------------------------------------------------------------------------------


def test_a_lab_opens_on_a_copy(tree: Tree, script: Script) -> None:
    write_small_lab(tree)
    notebook.sync(tree, [read(tree, "tiny")])
    committed = (tree.notebooks / "tiny.ipynb").read_bytes()
    result = script("lab.py", "tiny", "--no-open")
    assert result.returncode == 0 and "Made your copy: work/tiny.ipynb" in result.stdout
    assert (tree.work / "tiny.ipynb").read_bytes() == committed
    answer(tree.work / "tiny.ipynb", rule=RULE)
    mine = (tree.work / "tiny.ipynb").read_bytes()
    assert "Yours, as you left it: work/tiny.ipynb" in script("lab.py", "tiny", "--no-open").stdout
    assert (tree.work / "tiny.ipynb").read_bytes() == mine
    assert (tree.notebooks / "tiny.ipynb").read_bytes() == committed


def test_a_copy_is_kept_when_the_lab_changes(tree: Tree, script: Script) -> None:
    write_small_lab(tree)
    script("lab.py", "tiny", "--no-open")
    before = (tree.work / "tiny.ipynb").read_bytes()
    write_small_lab(tree, "tiny", ("The till opens for everyone.", "The till opens for anyone."))
    result = script("lab.py", "tiny", "--no-open")
    assert "the lab has changed since you began, and your copy was left as it is" in result.stdout
    assert "python3 scripts/lab.py tiny --reset" in result.stdout
    assert (tree.work / "tiny.ipynb").read_bytes() == before


def test_a_copy_that_is_no_notebook_is_named_and_left(tree: Tree, script: Script) -> None:
    write_small_lab(tree)
    tree.work.mkdir()
    (tree.work / "tiny.ipynb").write_text("{ half")
    assert "but it is no notebook" in script("lab.py", "tiny", "--no-open").stdout
    assert (tree.work / "tiny.ipynb").read_text() == "{ half"


def test_reset_keeps_every_copy_even_twice_within_a_second(tree: Tree, lab: Path) -> None:
    for mine in ("first", "second", "third"):
        answer(lab, rule=f"# {mine}")
        _, kept = workspace.reset(tree, read(tree, "tiny"))
        assert kept is not None and f"# {mine}" in kept.read_text()
    assert len(list((tree.work / "kept").iterdir())) == 3
    assert lab.read_text() == notebook.learners(read(tree, "tiny"))


def test_reset_says_where_the_old_copy_is(tree: Tree, script: Script, lab: Path) -> None:
    answer(lab, rule="# mine")
    result = script("lab.py", "tiny", "--reset", "--no-open")
    (kept,) = (tree.work / "kept").iterdir()
    assert f"Kept your answers as work/kept/{kept.name}" in result.stdout
    assert "# mine" in kept.read_text() and "# mine" not in lab.read_text()


def test_without_a_name_the_first_unfinished_lab_opens(tree: Tree, script: Script) -> None:
    for slug in ("alpha", "beta", "gamma"):
        write_small_lab(tree, slug)
    write_small_lab(tree, "aaa-draft", ("Two minutes.", "TODO: minutes"))
    write_small_lab(tree, "aab-broken", ("# minutes: 10\n", ""))
    (tree.root / "mkdocs.yml").write_text(
        "site_name: Small\nnav: [labs/aaa-draft.md, labs/aab-broken.md, labs/beta.md, labs/alpha.md]\n"
    )
    first = script("lab.py", "--no-open")
    assert "work/beta.ipynb" in first.stdout, first.stderr
    assert "labs/aab-broken/lab.py" in first.stderr
    (tree.work / "progress.json").write_text('{"beta": {"rule": "2026-11-23T10:00:00+00:00"}}')
    assert "work/alpha.ipynb" in script("lab.py", "--no-open").stdout


def test_an_unknown_lab_is_answered_with_those_there_are(tree: Tree, script: Script, lab: Path) -> None:
    for name in ("lab.py", "check.py"):
        result = script(name, "tinny")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == "There is no lab 'tinny'. Labs here: tiny.\n"


def test_a_misspelt_option_opens_nothing(script: Script, lab: Path) -> None:
    result = script("lab.py", "tiny", "--rest")
    assert result.returncode == 2 and "--rest" in result.stderr


def as_an_ordinary_user() -> None:
    """Give up what lets root write where the mode forbids it: three capabilities, before exec."""
    for capability in (1, 2, 3):  # DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER
        if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):
            raise OSError("the capability cannot be dropped")


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    folders = [root, *(p for p in root.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="modes do not forbid writing here")
@pytest.mark.parametrize("damaged", [False, True], ids=["as-cloned", "with-a-broken-record"])
def test_a_read_only_checkout_is_explained(damaged: bool, tree: Tree) -> None:
    if os.geteuid() == 0 and sys.platform != "linux":
        pytest.skip("root may write anywhere here")
    write_small_lab(tree)
    if damaged:
        tree.work.mkdir()
        (tree.work / "progress.json").write_text("{")
    with read_only(tree.root):
        result = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "lab.py")],
            env={**os.environ, "PROVING_GROUND_ROOT": str(tree.root)},
            capture_output=True,
            text=True,
            timeout=60,
            preexec_fn=as_an_ordinary_user if os.geteuid() == 0 else None,
        )
    assert result.returncode == 2, result.stdout
    assert "Traceback" not in result.stderr
    last = "work/ cannot be written (Permission denied). Copy the course to a folder of your own and run it there."
    assert result.stderr.splitlines()[-1] == last
    assert len(result.stderr.splitlines()) == 1 + damaged


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent this way here")
@pytest.mark.parametrize("how", ["as a terminal interrupts", "as a window is closed"])
def test_jupyterlab_serves_the_copy_and_ends_with_all_it_started(
    how: str, tree: Tree, lab: Path, tmp_path: Path
) -> None:
    port = free_port()
    jupyter = ["--no-browser", f"--port={port}", "--IdentityProvider.token=secret", "--LabApp.news_url="]
    with Session(tree, "lab.py", "tiny", "--", *jupyter, HOME=str(tmp_path)) as running:

        def ask(path: str, body: bytes | None = None) -> Any:
            """An API answer; while the server is starting, ask again."""
            deadline = time.monotonic() + 45
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/{path}", body, {"Authorization": "token secret"}
            )
            while True:
                try:
                    return json.load(urllib.request.urlopen(request, timeout=20))
                except urllib.error.HTTPError:
                    raise
                except OSError:
                    assert time.monotonic() < deadline and running.process.poll() is None, running.said
                    time.sleep(0.1)

        opened = ask("contents/work/tiny.ipynb")["content"]
        assert [c["id"] for c in opened["cells"]] == [c["id"] for c in json.loads(lab.read_text())["cells"]]
        assert ask("kernels", b'{"name": "python3"}')["id"]
        family = running.family()
        assert any("ipykernel" in " ".join(p.cmdline()) for p in family)
        if how == "as a terminal interrupts":
            os.killpg(running.process.pid, signal.SIGINT)
        else:
            running.process.send_signal(signal.SIGTERM)
        assert running.end() == 0
        assert still_alive(family) == []
        assert "Stopped. Your copy is as you saved it." in running.said


# -- check.py ---------------------------------------------------------------------------------


def check(script: Script, copy: Path, *arguments: str) -> tuple[int, str]:
    """Check the copy; whatever comes out, the learner's file is as it was."""
    before = copy.read_bytes()
    result = script("check.py", "tiny", *arguments)
    assert copy.read_bytes() == before
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, flat(result.stdout + result.stderr)


def test_a_fresh_copy_is_not_started(script: Script, lab: Path) -> None:
    code, said = check(script, lab)
    assert code == 1
    assert "· not started Write the rule · not started Count the money 0 of 2 exercises done." in said


def test_a_starter_that_runs_is_not_started_and_gives_no_hint(tree: Tree, script: Script, lab: Path) -> None:
    """Such a starter fails its check as a wrong answer would; only an answer that was changed is one."""
    source = tree.labs / "tiny" / "lab.py"
    text = source.read_text(encoding="utf-8")
    runs = text.replace(
        "    return sum(coins)\n    ### END", "    return sum(coins)\n    ### STUB\n    # return 0\n    ### END"
    )
    assert runs != text
    source.write_text(runs, encoding="utf-8")
    lab.unlink()
    workspace.open_copy(tree, read(tree, "tiny"))
    answer(lab, count="def count(coins: list[int]) -> int:\n    # I shall think about it tomorrow.\n    return 0\n")
    code, said = check(script, lab)
    assert code == 1
    assert "· not started Count the money 0 of 2" in said
    answer(lab, count="def count(coins: list[int]) -> int:\n    return 1\n")
    assert "✗ wrong Count the money" in check(script, lab)[1]


def test_all_answers_right(tree: Tree, script: Script, lab: Path) -> None:
    answer(lab, rule=RULE, count=COUNT)
    code, said = check(script, lab)
    assert code == 0, said
    assert "✓ done Write the rule ✓ done Count the money 2 of 2 exercises done. The lab is finished." in said
    assert json.loads((tree.work / "progress.json").read_text())["tiny"].keys() == {"rule", "count"}


WRONG = [
    pytest.param(
        "def guard(who):\n    return open_till(who)",
        "Got through: the stranger. Refuse whoever is not on the list of staff.",
        id="accepts-all",
    ),
    pytest.param(
        RULE.replace("return open_till(who)", "open_till(who)"),
        "The till stayed empty: guard must return what open_till returns.",
        id="forgets-to-return",
    ),
    pytest.param("def guard(who):\n    return )", "SyntaxError: unmatched ')' (line 2: `return )`)", id="syntax"),
    pytest.param("1 / 0", "ZeroDivisionError: division by zero (in <module>, line 1: `1 / 0`)", id="raises"),
    pytest.param(
        "def guard(who):\n    return staff[who]",
        "Your code raised NameError: name 'staff' is not defined (in guard, at `return staff[who]`); expected Closed",
        id="crashes-in-the-check",
    ),
    pytest.param("import sys\nsys.exit(3)", "SystemExit: 3", id="sys-exit"),
    pytest.param(
        "import sys\ndef guard(who):\n    sys.exit('bye')", "Your code raised SystemExit: bye", id="sys-exit-in-check"
    ),
    pytest.param(
        "import os\nos._exit(0)",
        "Your code ended the process (exit code 0) (cell rule); expected: it finishes, and the notebook goes on.",
        id="os-exit",
    ),
    pytest.param(
        "def guard(who):\n    while True:\n        pass",
        "Your code was still in this cell after 2 s (cell check-rule); expected: it finishes",
        id="endless",
    ),
    pytest.param("", "Your code raised NameError: name 'guard' is not defined; expected Closed", id="emptied"),
]


@pytest.mark.parametrize("code, message", WRONG)
def test_a_wrong_answer_is_explained_and_the_next_is_judged_for_itself(
    code: str, message: str, script: Script, lab: Path
) -> None:
    answer(lab, rule=code, count=COUNT)
    status, said = check(script, lab, "--seconds", "2")
    assert status == 1
    assert f"✗ wrong Write the rule {message}" in said, said
    assert "✓ done Count the money" in said
    assert "1 of 2 exercises done." in said


def test_every_exercise_may_hang_by_itself(script: Script, lab: Path) -> None:
    answer(lab, rule="while True: pass", count="import os; os._exit(4)")
    status, said = check(script, lab, "--seconds", "1")
    assert status == 1
    assert "✗ wrong Write the rule Your code was still in this cell after 1 s (cell rule)" in said
    assert "✗ wrong Count the money Your code ended the process (exit code 4) (cell count)" in said


def test_what_was_done_is_noted_beside_what_is_wrong(tree: Tree, script: Script, lab: Path) -> None:
    answer(lab, rule="1 / 0", count=COUNT)
    check(script, lab)
    assert json.loads((tree.work / "progress.json").read_text())["tiny"].keys() == {"count"}


def test_a_cell_of_the_learners_own_is_run_where_it_stands(script: Script, lab: Path) -> None:
    add(lab, "attack", "STAFF = {'ada', 'bo'}")
    answer(lab, rule=RULE.replace('("ada", "bo")', "STAFF"))
    assert "✓ done Write the rule" in check(script, lab)[1]


def test_trying_out_an_answer_before_its_check_does_no_harm(script: Script, lab: Path) -> None:
    answer(lab, rule=RULE, count=COUNT)
    add(lab, "rule", "%time guard('stranger')")
    assert check(script, lab)[0] == 0


def test_an_answer_in_a_cell_of_ones_own_counts(script: Script, lab: Path) -> None:
    answer(lab, count=COUNT)
    add(lab, "rule", RULE)
    assert check(script, lab)[0] == 0


def test_a_cell_of_ones_own_that_fails_or_hangs_is_named_and_stops_nothing(script: Script, lab: Path) -> None:
    answer(lab, rule=RULE, count=COUNT)
    add(lab, "check-rule", "print(nonsense)")
    add(lab, "attack", "while True: pass")
    status, said = check(script, lab, "--seconds", "1")
    assert status == 0, said
    assert "Your own cell `while True: pass` was still in this cell after 1 s and was left out." in said
    assert "Your own cell `print(nonsense)` raised NameError: name 'nonsense' is not defined" in said


def test_a_lab_cell_that_the_learners_cell_breaks_is_named(script: Script, lab: Path) -> None:
    add(lab, "setup", "del open_till")
    said = check(script, lab)[1]
    assert "The lab's own cell attack raised NameError: name 'open_till' is not defined" in said
    assert "python3 scripts/lab.py tiny --reset" in said


def test_an_answer_that_only_a_later_cell_finds_wrong_is_not_finished(tree: Tree, script: Script, lab: Path) -> None:
    source = tree.labs / "tiny" / "lab.py"
    source.write_text(source.read_text(encoding="utf-8") + "\n\n# %%\nassert count([5]) == 5\n", encoding="utf-8")
    lab.unlink()
    workspace.open_copy(tree, read(tree, "tiny"))
    answer(lab, rule=RULE, count=COUNT.replace("sum(coins)", "6 if len(coins) == 3 else 0"))
    status, said = check(script, lab)
    assert status == 1
    assert "uses your answers and raised AssertionError" in said and "--reset" not in said
    assert "2 of 2 exercises done." in said and "finished" not in said


def test_edits_to_the_labs_own_cells_do_not_count(script: Script, lab: Path) -> None:
    answer(lab, **{"check-rule": "with check('rule'): pass", "rule": "def guard(who):\n    return open_till(who)"})
    assert "✗ wrong Write the rule" in check(script, lab)[1]


def test_a_deleted_exercise_is_not_started_and_says_why(script: Script, lab: Path) -> None:
    answer(lab, count=COUNT)
    edit(lab, lambda data: data["cells"].remove(next(c for c in data["cells"] if c["id"] == "rule")))
    said = check(script, lab)[1]
    assert "· not started Write the rule Its cell is gone from your notebook. To begin again" in said
    assert "✓ done Count the money" in said


@pytest.mark.parametrize("tags", [True, False], ids=["with-tags", "without-tags"])
@pytest.mark.parametrize("ids", ["none", "new"])
def test_a_notebook_that_lost_its_ids_is_still_understood(ids: str, tags: bool, script: Script, lab: Path) -> None:
    """As an older format has none, and some editors give new ones."""
    answer(lab, rule=RULE, count="def count(coins: list[int]) -> int:\n    return 6")

    def strip(data: dict[str, Any]) -> None:
        for number, cell in enumerate(data["cells"]):
            del cell["id"]
            if ids == "new":
                cell["id"] = f"new-{number}"
            if not tags:
                cell["metadata"] = {}
        data["nbformat_minor"] = 4 if ids == "none" else 5

    edit(lab, strip)
    said = check(script, lab)[1]
    assert "✓ done Write the rule ✗ wrong Count the money Got through: a false coin. Look at each coin." in said


@pytest.mark.parametrize(
    "text", ["", "no notebook", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}', '{"cells": []}', "\xff"]
)
def test_a_file_that_is_no_notebook_is_said_to_be_none(
    text: str, tree: Tree, lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVING_GROUND_ROOT", str(tree.root))
    lab.write_text(text, encoding="latin-1")
    assert check_command.main(["tiny"]) == 2
    said = capsys.readouterr().err
    assert "tiny.ipynb is no notebook" in said or "holds no cell of the lab tiny" in said
    assert "python3 scripts/lab.py tiny --reset" in said
    assert lab.read_text(encoding="latin-1") == text


def test_a_file_that_is_no_notebook_ends_the_process_with_2(script: Script, lab: Path) -> None:
    lab.write_text("no notebook")
    assert check(script, lab)[0] == 2


def test_without_a_copy_check_says_how_to_make_one(tree: Tree, script: Script) -> None:
    write_small_lab(tree)
    result = script("check.py", "tiny")
    assert result.returncode == 2
    assert result.stderr == "You have no copy of tiny yet. Make one: python3 scripts/lab.py tiny\n"
    assert script("check.py", "tiny", "--seconds", "0").returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent this way here")
def test_watch_checks_at_every_save_and_ends_at_ctrl_c(tree: Tree, lab: Path) -> None:
    with Session(tree, "check.py", "tiny", "--watch") as running:
        assert "0 of 2 exercises done." in running.until("Waiting for the next save")
        whole = lab.read_text()
        for text in (whole[: len(whole) // 2], whole):
            lab.write_text(text)
            time.sleep(1.2)
        answer(lab, rule=RULE)
        heard = running.until("Waiting for the next save")
        assert heard.count("running work/tiny.ipynb") == 1, heard  # not for the half, nor for the whole as it was
        assert "1 of 2 exercises done." in heard
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.end() == 0
        assert "Traceback" not in running.said


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent this way here")
def test_ctrl_c_in_the_middle_of_a_check_leaves_nothing_running(tree: Tree, lab: Path) -> None:
    answer(lab, rule="while True: pass")
    with Session(tree, "check.py", "tiny", "--watch") as running:
        running.until("running work/tiny.ipynb")
        deadline = time.monotonic() + 30
        while not any(p.cpu_times().user > 1 for p in running.family()[1:]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        family = running.family()
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.end() == 0
        assert still_alive(family) == []
        assert "Traceback" not in running.said


# -- progress.py ------------------------------------------------------------------------------


def test_progress_counts_and_names_the_next_lab(tree: Tree, script: Script) -> None:
    for slug in ("alpha", "beta"):
        write_small_lab(tree, slug)
    write_small_lab(tree, "draft", ("Two minutes.", "TODO: minutes"))
    nothing = script("progress.py")
    assert nothing.returncode == 0
    assert re.search(r"alpha +0 of 1 +5 min", nothing.stdout)
    assert "draft" not in nothing.stdout
    assert "Next: python3 scripts/lab.py alpha" in nothing.stdout
    tree.work.mkdir()
    noted = {"alpha": {"rule": "2026-11-23T10:00:00+00:00", "gone": "2027-01-01T10:00:00+00:00"}}
    (tree.work / "progress.json").write_text(json.dumps(noted))
    some = script("progress.py").stdout
    assert re.search(r"alpha +1 of 1 +2026-11-23", some)
    assert "Next: python3 scripts/lab.py beta" in some
    noted["beta"] = {"rule": "2026-11-24T10:00:00+00:00"}
    (tree.work / "progress.json").write_text(json.dumps(noted))
    assert "All exercises are done." in script("progress.py").stdout


def test_a_broken_record_is_set_aside(tree: Tree, script: Script, lab: Path) -> None:
    (tree.work / "progress.json").write_text("{ broken")
    result = script("progress.py")
    assert result.returncode == 0
    assert result.stderr == "work/progress.json could not be read and was kept as work/progress.json.broken.\n"
    assert (tree.work / "progress.json.broken").read_text() == "{ broken"
    answer(lab, rule=RULE)
    check(script, lab)
    assert json.loads((tree.work / "progress.json").read_text())["tiny"].keys() == {"rule"}


# -- new.py -----------------------------------------------------------------------------------


def test_a_new_lab_lists_what_it_lacks_line_by_line(tree: Tree, script: Script) -> None:
    made = script("new.py", "watch-the-till")
    assert made.returncode == 0, made.stderr
    lines = (tree.labs / "watch-the-till" / "lab.py").read_text().splitlines()
    wanted = [number for number, line in enumerate(lines, 1) if "TODO" in line]
    wanted += [number for number, line in enumerate(lines, 1) if line.startswith("# takeaway:")]  # that file lacks all
    assert [int(n) for n in re.findall(r"labs/watch-the-till/lab.py:(\d+)  \S", made.stdout)] == wanted
    judged = script("validate.py", "watch-the-till")
    assert judged.returncode == 1
    said = flat(judged.stdout + judged.stderr)
    for number in wanted:
        assert f"labs/watch-the-till/lab.py:{number}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("slug", ["Tiny", "a b", "../a", "-a", "a_b", "a--b", "", "tiny", "labkit", "harbor", "index"])
def test_a_name_that_cannot_be_used_changes_nothing(
    slug: str, tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROVING_GROUND_ROOT", str(tree.root))
    write_small_lab(tree)
    before = sorted(tree.root.rglob("*"))
    assert new_command.main(["--", slug]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert sorted(tree.root.rglob("*")) == before


def test_a_folder_without_a_lab_is_not_written_into(tree: Tree, script: Script) -> None:
    (tree.labs / "mine").mkdir()
    assert script("new.py", "mine").returncode == 2
    assert list((tree.labs / "mine").iterdir()) == []

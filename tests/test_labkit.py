"""labkit: what a lab says about itself, and the one sentence a learner reads when a check fails."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT, write_small_lab
from proving.paths import Tree
from test_kernel import cells, execute, printed

sys.path.insert(0, str(ROOT / "labs"))

import labkit  # noqa: E402 # labs/ has to be on the path first
from labkit import checks, record  # noqa: E402 # as above

PYTHON_WITH_LABKIT = {**os.environ, "PYTHONPATH": str(ROOT / "labs")}


class Refused(Exception):
    """The error that means refusal in these tests."""


@pytest.fixture(autouse=True)
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Under proof by default: events are written here, and nothing is noted as anyone's progress."""
    path = tmp_path / "events.jsonl"
    monkeypatch.setenv("LABKIT_EVENTS", str(path))
    return path


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No runner is listening: this is a learner's notebook. Gives the place of their record."""
    path = tmp_path / "work" / "progress.json"
    monkeypatch.delenv("LABKIT_EVENTS")
    monkeypatch.setattr(record, "PROGRESS", path)
    record.open_lab("tiny")
    yield path
    monkeypatch.setattr(record, "_slug", None)


def kinds(path: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_of_a_variant_no_event_is_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LABKIT_EVENTS", os.devnull)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("a file was opened"))
    labkit.landed("mail sent to the attacker", ["a secret"])
    assert "ATTACK LANDED" in capsys.readouterr().out


# -- attacks ----------------------------------------------------------------------------------


def test_an_attack_that_landed_leaves_its_evidence(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labkit.landed("mail sent to the attacker", ["a secret"])
    (event,) = [json.loads(line) for line in events.read_text().splitlines()]
    assert event == {
        "kind": "landed",
        "text": "mail sent to the attacker",
        "exercise": None,
        "evidence": "['a secret']",
    }
    assert capsys.readouterr().out == "✗ ATTACK LANDED: mail sent to the attacker\n  evidence: ['a secret']\n"


@pytest.mark.parametrize("nothing", ["", [], {}, None, 0, False])
def test_an_attack_without_evidence_did_not_land(nothing: object, events: Path) -> None:
    with pytest.raises(labkit.LabError, match="did not land: mail sent"):
        labkit.landed("mail sent", nothing)
    assert not events.exists()


# -- checks -----------------------------------------------------------------------------------


def test_a_check_that_passes_says_what_it_saw(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with labkit.check("rule"):
        with labkit.refused("the stranger", by=Refused, hint="Refuse strangers."):
            raise Refused("stranger")
        with labkit.works("Ada", hint="Serve Ada."):
            pass
    assert kinds(events) == ["refused", "works", "done"]
    assert capsys.readouterr().out.splitlines()[-1] == "✓ done: rule (1 refused, 1 working)"


def test_an_attack_that_gets_through_fails_with_the_hint(events: Path) -> None:
    with (
        pytest.raises(labkit.CheckFailed) as failed,
        labkit.check("rule"),
        labkit.refused("the stranger", by=Refused, hint="Refuse strangers."),
    ):
        pass
    assert str(failed.value) == "Got through: the stranger. Refuse strangers."
    assert kinds(events) == ["hint"]


def test_another_error_is_a_crash_and_no_refusal(events: Path) -> None:
    with (
        pytest.raises(labkit.CheckFailed) as failed,
        labkit.check("rule"),
        labkit.refused("the stranger", by=Refused, hint="Refuse strangers."),
    ):
        raise KeyError("staff")
    assert str(failed.value) == "Your code raised KeyError: 'staff'; expected Refused, to refuse this: the stranger."
    assert kinds(events) == ["hint"]


def test_a_refusal_may_be_one_of_several_errors(events: Path) -> None:
    with labkit.check("rule"), labkit.refused("x", by=(Refused, PermissionError), hint="Refuse."):
        raise PermissionError
    assert kinds(events) == ["refused", "done"]


@pytest.mark.parametrize("anything", [Exception, BaseException, (Refused, Exception), ()])
def test_any_error_is_no_refusal(anything: type[Exception]) -> None:
    with (
        pytest.raises(labkit.LabError, match=r"Name the error that means 'refused'"),
        labkit.refused("the stranger", by=anything, hint="Refuse strangers."),
    ):
        raise Refused


def test_a_stub_is_no_refusal_even_where_its_error_would_count(events: Path) -> None:
    """NotImplementedError is a RuntimeError."""
    with (
        pytest.raises(labkit.NotStarted),
        labkit.check("rule"),
        labkit.refused("the stranger", by=RuntimeError, hint="Refuse strangers."),
    ):
        raise NotImplementedError("Write the rule")
    assert kinds(events) == ["not-started"]


def test_honest_use_that_fails_is_named_with_its_error() -> None:
    with (
        pytest.raises(labkit.CheckFailed) as failed,
        labkit.check("rule"),
        labkit.works("Ada opens", hint="Staff has to be served."),
    ):
        raise Refused("ada\n  again")
    assert str(failed.value) == "No longer works: Ada opens (Refused: ada again). Staff has to be served."


def test_an_expectation_fails_with_its_own_sentence() -> None:
    with labkit.check("rule"), labkit.works("Ada", hint="Serve Ada."):
        labkit.expect([1], "Something was expected.")
    with (
        pytest.raises(labkit.CheckFailed, match=r"^Something was expected\.$"),
        labkit.check("rule"),
        labkit.works("Ada", hint="Serve Ada."),
    ):
        labkit.expect([], "Something was expected.")


def test_an_empty_hint_is_the_labs_mistake_whether_or_not_it_is_needed() -> None:
    with pytest.raises(labkit.LabError, match="A hint is empty"):
        labkit.hint(" ")
    with pytest.raises(labkit.LabError, match="A hint is empty"):
        labkit.expect(True, "")
    with pytest.raises(labkit.LabError, match="A hint is empty"), labkit.works("Ada", hint=""):
        pass
    with pytest.raises(labkit.LabError, match="A hint is empty"), labkit.refused("x", by=Refused, hint=""):
        raise Refused


def test_a_stub_means_not_started(events: Path) -> None:
    with (
        pytest.raises(labkit.NotStarted, match=r"^Not started: rule\. Write the rule$"),
        labkit.check("rule"),
        labkit.works("Ada", hint="Serve Ada."),
    ):
        raise NotImplementedError("Write the rule")
    assert kinds(events) == ["not-started"]


@pytest.mark.parametrize("error", [ValueError("no such rule"), SystemExit(3), RecursionError("too deep")])
def test_an_error_in_the_learners_code_is_told_in_one_sentence(error: BaseException) -> None:
    with pytest.raises(labkit.CheckFailed) as failed, labkit.check("rule"):
        raise error
    assert str(failed.value) == f"Your code raised {type(error).__name__}: {error}; the check expected it to finish."
    assert failed.value.__suppress_context__


def test_a_check_that_failed_leaves_none_open() -> None:
    with pytest.raises(labkit.CheckFailed), labkit.check("rule"):
        labkit.hint("No.")
    assert checks._Open.exercise is None


def test_the_stub_of_an_earlier_exercise_is_named_as_that(labs: Path, tmp_path: Path) -> None:
    (labs / "tiny" / "lab.py").write_text(
        '# %% tags=["exercise"] id="guard" title="Write the guard" minutes=5\n'
        '# %% tags=["exercise"] id="rule" title="Write the rule" minutes=5\n'
    )
    code = (
        "from labkit import begin, check, NotStarted; begin('tiny')\n"
        "for stub in ('Write the guard', 'Write the rule'):\n"
        "    try:\n"
        "        with check('rule'): raise NotImplementedError(stub)\n"
        "    except NotStarted as sentence: print(sentence)"
    )
    assert in_process(code, labs, tmp_path / "temporary").splitlines() == [
        'Not started: rule. The exercise "Write the guard" comes first: this check needs what you write there.',
        "Not started: rule. Write the rule",
    ]


def test_ipython_shows_the_sentence_and_nothing_else(tree: Tree) -> None:
    write_small_lab(tree)
    cells = [
        "from labkit import *\nlab = begin('tiny')",
        "def guard(who):\n    return staff[who]",
        "with check('rule'):\n    with works('Ada', hint='Serve Ada.'):\n        expect(False, 'The till stayed empty.')",
        "with check('rule'):\n    guard('ada')",
        "with check('rule'):\n    raise NotImplementedError('Write the rule')",
    ]
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance(colors='nocolor')\n"
        f"for cell in {cells!r}: shell.run_cell(cell)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tree.labs), "LABKIT_EVENTS": os.devnull}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert result.stdout.splitlines() == [
        "✗ The till stayed empty.",
        "✗ Your code raised NameError: name 'staff' is not defined (in guard, at `return staff[who]`); "
        "the check expected it to finish.",
        "✗ Not started: rule. Write the rule",
    ]
    assert "Traceback" not in result.stderr


HELPERS = '\ndef visit(rule, who):\n    return rule(who)\n\n\ndef break_open(who):\n    raise OSError("jammed")\n'
WHOSE_LINE = {
    "the learner's, called by a helper of the lab": (
        "def guard(who):\n    return staff[who]",
        "visit(guard, 'ada')",
        "name 'staff' is not defined (in guard, at `return staff[who]`)",
    ),
    "the learner's, that called a helper of the lab": (
        "def guard(who):\n    return break_open(who)",
        "guard('ada')",
        "OSError: jammed (in guard, at `return break_open(who)`)",
    ),
    "a helper that the learner added": (
        "def listed(who):\n    return staff[who]\n\ndef guard(who):\n    return listed(who)",
        "visit(guard, 'ada')",
        "name 'staff' is not defined (in listed, at `return staff[who]`)",
    ),
    "a method that the learner wrote, in async code": (
        "class guard:\n    async def __call__(self, who):\n        return break_open(who)",
        "run(guard()('ada'))",
        "OSError: jammed (in __call__, at `return break_open(who)`)",
    ),
    "none of the learner's": ("def guard(who):\n    return who", "break_open(guard('ada'))", "OSError: jammed)"),
}


def whose_line_cells() -> list[str]:
    """A setup with helpers of the lab, then an answer and a check for each case."""
    found = [f"from labkit import begin, check, run, works\nlab = begin('tiny')\n{HELPERS}"]
    for answer, call, _ in WHOSE_LINE.values():
        found += [answer, f'with check("rule"), works("Ada opens", hint="Serve staff."):\n    {call}']
    return found


def test_a_hint_names_the_learners_own_line_or_none_in_the_worker(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    (tmp_path / "events").mkdir()
    code = (
        "import io, pathlib; from proving import worker\n"
        f"w = worker._Worker({{}}, pathlib.Path({str(tmp_path)!r}), io.StringIO()); w.shell = worker._shell()\n"
        f"for cell in {whose_line_cells()!r}:\n"
        "    ran = w._run_cell('a', cell)\n"
        "    with w._unwatched(): tried = w._try(w._step('a', cell))\n"
        "    print(ran['error'] and ran['error']['value'], tried, sep='\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(tree.labs)])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    said = [line for line in result.stdout.splitlines() if line != "None"]
    assert len(said) == 2 * len(WHOSE_LINE), result.stdout + result.stderr
    for (name, (_, _, expected)), ran, tried in zip(WHOSE_LINE.items(), said[::2], said[1::2], strict=True):
        assert expected in ran and expected in tried, name


def test_a_hint_names_the_learners_own_line_or_none_in_a_kernel(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    _, *ran = execute(tree, cells(*whose_line_cells()), tmp_path / "temporary")
    for (name, (_, _, expected)), check in zip(WHOSE_LINE.items(), ran[1::2], strict=True):
        assert expected in printed(check["outputs"]), name


# -- the record -------------------------------------------------------------------------------


def test_a_passed_check_is_noted(learner: Path) -> None:
    with labkit.check("rule"):
        pass
    noted = json.loads(learner.read_text())
    assert noted["tiny"].keys() == {"rule"}
    assert datetime.fromisoformat(noted["tiny"]["rule"]).tzinfo is not None


def test_a_failed_check_is_not_noted(learner: Path) -> None:
    with pytest.raises(labkit.CheckFailed), labkit.check("rule"):
        labkit.hint("No.")
    assert not learner.exists()


def test_under_proof_nothing_is_noted(learner: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_EVENTS", str(events))
    with labkit.check("rule"):
        pass
    assert not learner.exists()


def test_the_first_time_stays(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    first, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    for when in (first, later):
        record.save("tiny", "rule", when, path)
    assert record.load(path) == {"tiny": {"rule": first.isoformat()}}


def test_a_record_that_cannot_be_written_costs_no_check(learner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learner.parent.write_text("a file where the folder should be")
    with labkit.check("rule"):
        pass
    out, err = capsys.readouterr()
    assert "✓ done: rule" in out
    assert err.startswith("(Not noted as done: progress.json cannot be written:")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"tiny": []}', '{"tiny": {"rule": "soon"}}', '{"tiny": {"rule": 3}}', "\0"]
)
def test_a_broken_record_is_set_aside_and_never_lost(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "progress.json"
    for name in ("progress.json.broken", "progress.json.broken-2"):
        path.write_text(text)
        assert record.load(path) == {}
        assert (tmp_path / name).read_text() == text
        assert f"was kept as work/{name}" in capsys.readouterr().err
    assert not path.exists()


def test_processes_that_note_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "work" / "progress.json"
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC; from labkit import record\n"
        "for i in range(40): record.save('lab', f'{sys.argv[1]}-{i}', datetime.now(UTC), Path(sys.argv[2]))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, name, str(path)], env=PYTHON_WITH_LABKIT) for name in "abc"
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(record.load(path)["lab"]) == 120


def test_a_lock_that_is_never_given_back_hangs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_PATIENCE_SECONDS", 0.2)
    path = tmp_path / "progress.json"
    with record._alone(path):
        record.save("tiny", "rule", datetime.now(UTC), path)
    assert record.load(path)["tiny"]


# -- opening ----------------------------------------------------------------------------------


def test_a_lab_that_does_not_exist_is_named() -> None:
    with pytest.raises(labkit.LabError, match=r"labs/nope/lab.py does not exist"):
        labkit.begin("nope")


def in_process(code: str, labs: Path, temporary: Path) -> str:
    """Run code beside a small lab `tiny`, in a Python whose temporary folder is `temporary`."""
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(labs), "TMPDIR": str(temporary), "LABKIT_EVENTS": os.devnull}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def labs(tree: Tree, tmp_path: Path) -> Path:
    (tree.labs / "tiny").mkdir()
    (tree.labs / "tiny" / "lab.py").touch()
    return Path(tree.labs)


def test_each_beginning_has_its_own_folder_and_all_are_gone_at_the_end(labs: Path, tmp_path: Path) -> None:
    code = (
        "from labkit import begin; a, b = begin('tiny'), begin('tiny'); (a.dir / 'x').touch()\n"
        "print(a.dir != b.dir, b.dir.is_dir(), a.files.parent.name)"
    )
    assert in_process(code, labs, tmp_path / "temporary").split() == ["True", "True", "tiny"]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_leaves_the_folder_where_it_is(labs: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; from labkit import begin; lab = begin('tiny'); child = os.fork()\n"
        "if not child: sys.exit(0)\n"
        "os.waitpid(child, 0); print(lab.dir.is_dir())"
    )
    assert in_process(code, labs, tmp_path / "temporary").split() == ["True"]
    assert list((tmp_path / "temporary").iterdir()) == []


# -- async code -------------------------------------------------------------------------------


def test_run_gives_the_result() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert labkit.run(answer()) == 42


def test_run_works_while_another_loop_is_running() -> None:
    """As in a notebook, whose kernel runs one."""

    async def outer() -> str:
        return labkit.run(asyncio.sleep(0, "inner"))

    assert asyncio.run(outer()) == "inner"


def test_run_raises_what_the_code_raises() -> None:
    async def fails() -> None:
        raise Refused("no")

    with pytest.raises(Refused, match=r"^no$"):
        labkit.run(fails())


def test_run_unwraps_groups() -> None:
    async def fails() -> None:
        raise Refused("no")

    async def grouped() -> None:
        async with asyncio.TaskGroup() as inner:
            inner.create_task(fails())

    async def twice() -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(grouped())

    with pytest.raises(Refused, match=r"^no$"):
        labkit.run(twice())


def test_run_ends_code_that_waits_for_ever() -> None:
    with pytest.raises(TimeoutError, match=r"did not finish within 0\.2 seconds"):
        labkit.run(asyncio.sleep(60), seconds=0.2)


def test_run_keeps_the_codes_own_timeout() -> None:
    async def impatient() -> None:
        raise TimeoutError("the server was slow")

    with pytest.raises(TimeoutError, match="the server was slow"):
        labkit.run(impatient())


def test_run_gives_up_on_a_loop_that_never_gives_way() -> None:
    release = threading.Event()

    async def blocks() -> None:
        release.wait(5)

    with pytest.raises(TimeoutError, match=r"did not give way within 0\.1 seconds \(a loop without await"):
        labkit.run(blocks(), seconds=0.1)
    release.set()


def test_labkit_imports_the_standard_library_only() -> None:
    code = "import sys; before = set(sys.modules); import labkit; print(*(set(sys.modules) - before))"
    result = subprocess.run(
        [sys.executable, "-c", code], env=PYTHON_WITH_LABKIT, capture_output=True, text=True, check=True
    )
    roots = {name.split(".")[0] for name in result.stdout.split()}
    assert roots - {"labkit"} <= set(sys.stdlib_module_names)

"""The honest side of the proof: each way in which a lab can fall short is made, and must be named.

All broken labs are proved in one run beside one good lab, which has to pass in spite of them.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Script, small_checkout, write_small_lab
from proving import notebook, processes, proof
from proving.commands import validate
from proving.paths import Tree
from proving.runner import WARM_IS_POSSIBLE, Limits
from proving.source import read, read_all

LIMITS = Limits(cell_seconds=4, variant_seconds=3, lab_seconds=15, memory_mb=600)
PRINT = 'print(sorted({"ada", "bo"}))'


@dataclass(frozen=True)
class Broken:
    """A change to the tiny lab, the part of the verdict that must fail, and what it must say."""

    slug: str
    change: tuple[str, str]
    part: str
    says: tuple[str, ...]


BROKEN = [
    Broken(
        "no-landing",
        ('landed("a stranger empties the till", open_till("stranger"))', "pass"),
        "attack_lands",
        ("No attack landed", "(cell attack)"),
    ),
    Broken(
        "empty-evidence",
        ('open_till("stranger"))', "[])"),
        "attack_lands",
        ("The attack did not land", "Repair the attack"),
    ),
    Broken(
        "starter-passes",
        (
            "### END SOLUTION",
            '### STUB\n    # if who != "ada":\n    #     raise Closed(who)\n    # return open_till(who)\n    ### END SOLUTION',
        ),
        "starter_fails",
        ("The starter of rule passes its check", "(cell rule)"),
    ),
    Broken(
        "starter-crashes",
        ("### END SOLUTION", "### STUB\n    # return nobody\n    ### END SOLUTION"),
        "starter_fails",
        (),
    ),
    Broken(
        "refuses-nothing",
        (
            '    with refused("the stranger", by=Closed, hint="Refuse whoever is not on the list of staff."):\n        guard("stranger")\n'
            '    with refused("a near name", by=Closed, hint="Compare the whole name."):\n        guard("adam")\n',
            "",
        ),
        "solution_holds",
        ("The check of rule refuses nothing", "(cell check-rule)"),
    ),
    Broken(
        "no-honest-use",
        (
            '    with works("Ada opens", hint="Staff has to be served."):\n        expect(guard("ada") == "ada has the money", '
            '"The till stayed empty: guard must return what open_till returns.")\n',
            "",
        ),
        "solution_holds",
        ("lets no honest use through", "(cell check-rule)"),
    ),
    Broken(
        "any-error",
        ('by=Closed, hint="Compare', 'by=Exception, hint="Compare'),
        "solution_holds",
        ("accepts any error",),
    ),
    Broken(
        "solution-fails",
        ('("ada", "bo")', '("bo",)'),
        "solution_holds",
        ("this cell fails: CheckFailed", "Staff has to be served", "(cell check-rule)"),
    ),
    Broken(
        "slips-through",
        (
            "def guard(who: str) -> None:\n    if who",
            'def guard(who: str) -> str:\n    if who not in ("ada", "bo"):\n        raise Closed(who)\n    return open_till(who)\n    if who',
        ),
        "mistakes_caught",
        ("The mistake 'Returns nothing' slips through", "(cell mistake-rule-3)"),
    ),
    Broken(
        "other-message",
        ('catches="Compare the whole name"', 'catches="Look in the mirror"'),
        "mistakes_caught",
        ("another message", "Look in the mirror", "Compare the whole name", "(cell mistake-rule-2)"),
    ),
    Broken(
        "mistake-hangs",
        ('    if who == "stranger":\n        raise', "    while True:\n        pass\n    if False:\n        raise"),
        "mistakes_caught",
        ("did not end in time", "(cell mistake-rule-2)"),
    ),
    Broken(
        "mistake-dies",
        (
            '    if who == "stranger":\n        raise',
            "    import os\n    os._exit(3)\n        \n    if False:\n        raise",
        ),
        "mistakes_caught",
        ("exit code 3",),
    ),
    Broken(
        "hangs", (PRINT, "while True:\n    pass"), "solution_holds", ("still in this cell after 4 s", "(cell code)")
    ),
    Broken(
        "eats-memory",
        (PRINT, "held = []\nwhile True:\n    held.append(b'x' * 10_000_000)"),
        "solution_holds",
        ("emory", "(cell code)"),
    ),
    Broken(
        "dies",
        (PRINT, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
        "solution_holds",
        ("signal 9", "(cell code)"),
    ),
    Broken(
        "exits", (PRINT, "import os\nos._exit(0)"), "solution_holds", ("ended the process (exit code 0)", "(cell code)")
    ),
    Broken(
        "leaves-process",
        (PRINT, "import subprocess\np = subprocess.Popen(['sleep', '600'])"),
        "bounds",
        ("leaves a process behind: sleep 600", "(cell code)"),
    ),
    Broken(
        "leaves-daemon",
        (
            PRINT,
            "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        os.execvp('sleep', ['sleep', '601'])\n    os._exit(0)\nos.wait();",
        ),
        "bounds",
        ("leaves a process behind: sleep 601",),
    ),
    Broken(
        "leaves-slow-daemon",
        (
            PRINT,
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(0.3)\n        os.execvp('sleep', ['sleep', '603'])\n    os._exit(0)\nos.wait();",
        ),
        "bounds",
        ("leaves a process behind: sleep 603",),
    ),
    Broken(
        "dies-with-child",
        (PRINT, "import os, subprocess\nsubprocess.Popen(['sleep', '602'], start_new_session=True)\nos._exit(1)"),
        "bounds",
        ("leaves a process behind: sleep 602",),
    ),
    Broken(
        "leaves-port",
        (PRINT, "import socket\ns = socket.create_server(('127.0.0.1', 0))"),
        "bounds",
        ("leaves a port open", "(cell code)", "Close the server"),
    ),
    Broken(
        "leaves-thread",
        (
            PRINT,
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), name='lodger', daemon=True).start()",
        ),
        "bounds",
        ("leaves a thread behind: lodger",),
    ),
    Broken(
        "writes-outside",
        (
            PRINT,
            "from pathlib import Path\ntry:\n    Path(r'OUTSIDE').write_text('x')\nexcept OSError:\n    print('hidden')",
        ),
        "bounds",
        ("writes outside its folder: ", "(cell code)", "Write below lab.dir"),
    ),
    Broken(
        "connects",
        (
            PRINT,
            "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError:\n    print('hidden')",
        ),
        "bounds",
        ("connection to the outside", "192.0.2.1", "(cell code)"),
    ),
    Broken(
        "looks-up",
        (
            PRINT,
            "import socket\ntry:\n    socket.getaddrinfo('harbor.example', 80)\nexcept OSError:\n    print('hidden')",
        ),
        "bounds",
        ("connection to the outside", "harbor.example"),
    ),
    Broken(
        "prints-differently",
        (PRINT, 'print({"ada", "bo", "cy", "di", "ed", "flo", "gus"})'),
        "solution_holds",
        ("Two runs print different lines", "(cell code)", "unordered sets"),
    ),
    Broken(
        "prints-time",
        (PRINT, "import time\nprint(time.perf_counter_ns())"),
        "solution_holds",
        ("Two runs print different lines",),
    ),
]


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, dict[str, proof.Evidence], float]:
    tree = small_checkout(tmp_path_factory.mktemp("broken") / "a checkout")
    write_small_lab(tree, "good")
    for item in BROKEN:
        write_small_lab(
            tree, item.slug, (item.change[0], item.change[1].replace("OUTSIDE", str(tree.root / "outside.txt")))
        )
    started = time.monotonic()
    evidence = proof.prove(tree, jobs=4, limits=LIMITS)
    return tree, {e.slug: e for e in evidence}, time.monotonic() - started


@pytest.mark.parametrize("item", BROKEN, ids=lambda b: b.slug)
def test_a_broken_lab_is_named_with_its_repair(
    item: Broken, proved: tuple[Tree, dict[str, proof.Evidence], float]
) -> None:
    verdict = proved[1][item.slug].verdict
    part = verdict["bounds"] if item.part == "bounds" else verdict["gates"][item.part]
    if item.slug == "starter-crashes":
        # A name that does not exist is the learner's kind of error: the check turns it into a hint.
        assert part["passed"] and verdict["passed"]
        return
    assert not verdict["passed"]
    assert not part["passed"], part
    for text in (*item.says, f"labs/{item.slug}/lab.py:"):
        assert text in part["detail"], part["detail"]


def test_the_good_lab_passes_beside_them(proved: tuple[Tree, dict[str, proof.Evidence], float]) -> None:
    evidence = proved[1]["good"]
    assert evidence.passed, evidence.verdict
    assert evidence.verdict["gates"]["mistakes_caught"]["detail"] == "3 of 3 mistakes caught with their message"
    assert "a stranger empties the till" in evidence.verdict["gates"]["attack_lands"]["detail"]


def test_nothing_hangs_the_run(proved: tuple[Tree, dict[str, proof.Evidence], float]) -> None:
    assert len(proved[1]) == len(BROKEN) + 1
    assert proved[2] < 100


def test_nothing_is_left_behind(proved: tuple[Tree, dict[str, proof.Evidence], float]) -> None:
    import psutil

    left = [
        p.info["cmdline"]
        for p in psutil.process_iter(["cmdline"])
        if p.info["cmdline"]
        and p.info["cmdline"][0] == "sleep"
        and p.info["cmdline"][1:] in (["600"], ["601"], ["602"], ["603"])
    ]
    assert left == []
    assert not (proved[0].root / "outside.txt").exists()


def test_what_was_killed_is_dead_and_not_dying() -> None:
    """Or it would be found a second time, below another process, and held against another lab."""
    for _ in range(50):
        child = subprocess.Popen(["sleep", "604"])
        assert processes.kill_one(child.pid)
        assert child.poll() is not None


def test_passed_evidence_is_cached_and_failed_is_not(proved: tuple[Tree, dict[str, proof.Evidence], float]) -> None:
    tree = proved[0]
    kept = sorted(p.name.split(".")[0] for p in (tree.cache / "evidence").iterdir())
    assert kept == ["good", "starter-crashes"]


def test_two_labs_with_one_name(tree: Tree) -> None:
    write_small_lab(tree, "one")
    write_small_lab(tree, "two", ("closed (two)", "closed (one)"))
    found = {e.slug: e for e in proof.prove(tree, limits=LIMITS)}
    assert found["one"].passed
    assert "shares its name" in found["two"].verdict["bounds"]["detail"]
    assert "labs/one/lab.py" in found["two"].verdict["bounds"]["detail"]


def test_a_damaged_cache_entry_is_named_and_the_lab_runs_again(tree: Tree) -> None:
    write_small_lab(tree)
    said: list[str] = []

    def prove() -> proof.Evidence:
        said.clear()
        return proof.prove(tree, reuse=True, progress=lambda slug, mode, text: said.append(f"{mode}: {text}"))[0]

    first = prove()
    assert prove() == first and said == ["cached: nothing has changed since it was proved"]
    entry = next((tree.cache / "evidence").iterdir())
    for damage in ("{", "{}", entry.read_text().replace("3 of 3", "9 of 9")):
        entry.write_text(damage)
        again = prove()
        assert any("is damaged" in line and ".cache/evidence/" in line for line in said), said
        assert again.verdict["gates"] == first.verdict["gates"]


def test_the_cache_follows_the_content(tree: Tree) -> None:
    path = write_small_lab(tree)
    lab = read(tree, "tiny")
    before = proof.key_of(tree, lab)
    (path.parent / "files" / "rule.txt").write_text("changed")
    with_file = proof.key_of(tree, lab)
    (tree.labs / "labkit" / "events.py").write_text("# changed")
    assert len({before, with_file, proof.key_of(tree, lab)}) == 3


def test_a_notebook_edited_by_hand_is_found(tree: Tree) -> None:
    write_small_lab(tree)
    labs, _ = read_all(tree)
    notebook.sync(tree, labs)
    assert notebook.stale(tree, labs) == []
    path = notebook.path_of(tree, "tiny")
    path.write_text(path.read_text().replace("Write the rule.", "Write a rule."))
    (found,) = notebook.stale(tree, labs)
    assert found.where == "notebooks/tiny.ipynb"
    assert "python3 scripts/sync.py" in found.repair


@pytest.mark.skipif(not WARM_IS_POSSIBLE, reason="this system cannot fork: every run is cold")
def test_a_lab_that_lives_off_a_preloaded_import_fails_cold(tree: Tree) -> None:
    """Warm workers have other labs' packages in sys.modules; a lab must not reach for them there."""
    write_small_lab(tree, "tiny", (PRINT, "import sys\nimport yaml\nprint('joserfc' in sys.modules)"))
    write_small_lab(tree, "other", (PRINT, "import joserfc"))
    warm = {e.slug: e for e in proof.prove(tree, warm=True)}
    cold = {e.slug: e for e in proof.prove(tree, warm=False)}
    assert warm["tiny"].outputs("code") != cold["tiny"].outputs("code")
    assert warm["other"].passed and cold["other"].passed


def test_a_proof_asks_no_model_of_the_reader(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOR_MODEL_URL", "http://127.0.0.1:9/v1")
    write_small_lab(tree, "tiny", (PRINT, "import os\nprint([n for n in os.environ if n.startswith('HARBOR_')])"))
    (output,) = proof.prove(tree)[0].outputs("code")
    assert output["text"] == "[]\n"


def test_what_cannot_be_forked_is_proved_by_fresh_runs(tree: Tree) -> None:
    write_small_lab(
        tree,
        "tiny",
        (
            "# %% [markdown]\n# Write the rule.",
            "# %%\nimport socket\nopen_port = socket.create_server(('127.0.0.1', 0))\n\n# %% [markdown]\n# Write the rule.",
        ),
        (PRINT, "open_port.close()"),
    )
    evidence = proof.prove(tree)[0]
    assert evidence.passed, evidence.verdict
    assert evidence.verdict["snapshots"] == {"rule": "fresh runs: a socket is open"}
    assert {v["how"] for v in evidence.variants} == {"fresh"}
    assert evidence.verdict["gates"]["mistakes_caught"]["detail"].startswith("3 of 3")


def test_a_lab_that_collects_no_garbage_prints_the_same_twice(tree: Tree) -> None:
    """Proving its wrong answers between its cells leaves the collector as the lab had it."""
    write_small_lab(
        tree, "tiny", ("lab = begin", "import gc\n\ngc.disable()\nlab = begin"), (PRINT, "print(gc.isenabled())")
    )
    evidence = proof.prove(tree, ["tiny"], limits=LIMITS)[0]
    assert evidence.passed, evidence.findings


def test_a_variant_cannot_change_the_files_of_the_next(tree: Tree) -> None:
    """Variants share the lab's folder: what one writes there is taken back before the next."""
    write_small_lab(
        tree,
        "tiny",
        ('landed("a stranger', 'till = lab.dir / "till.txt"\ntill.write_text("full")\nlanded("a stranger'),
        (
            'with check("rule"):',
            'with check("rule"):\n    expect(till.read_text() == "full", "The till was emptied before.")\n    till.write_text("empty")',
        ),
    )
    evidence = proof.prove(tree)[0]
    assert evidence.passed, evidence.verdict


def test_the_verdict_says_how_the_network_was_closed(proved: tuple[Tree, dict[str, proof.Evidence], float]) -> None:
    assert "network" in proved[1]["good"].verdict["bounds"]["detail"]


def test_a_program_that_calls_out_is_found_by_the_kernels_counters(tree: Tree) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', \"import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('192.0.2.1', 80))\"])\nNone"
    write_small_lab(tree, "tiny", (PRINT, code))
    verdict = proof.prove(tree)[0].verdict
    if "namespace with loopback" not in verdict["bounds"]["detail"]:
        pytest.skip("this system has no network namespaces for us; the verdict says so")
    assert "sent packets to the outside" in verdict["bounds"]["detail"]


def test_json_has_the_promised_form(tree: Tree, script: Script, tmp_path: Path) -> None:
    write_small_lab(tree)
    result = script("validate.py", "--json", str(tmp_path / "out.json"))
    assert result.returncode == 0, result.stderr
    data = json.loads((tmp_path / "out.json").read_text())
    (lab,) = data["labs"]
    assert {"slug", "passed", "seconds", "exercises", "mistakes", "gates"} <= lab.keys()
    assert set(lab["gates"]) == {"attack_lands", "starter_fails", "solution_holds", "mistakes_caught"}
    assert all({"passed", "detail"} == set(gate) for gate in lab["gates"].values())
    assert data["environment"]["python"]


def test_validate_exit_codes(tree: Tree, script: Script) -> None:
    assert script("validate.py").returncode == 2
    write_small_lab(tree, "tiny", ('catches="Compare the whole name"', 'catches="Look in the mirror"'))
    failed = script("validate.py")
    assert failed.returncode == 1 and "Look in the mirror" in failed.stdout
    unknown = script("validate.py", "nope")
    assert unknown.returncode == 2 and "Labs here: tiny" in unknown.stderr
    assert script("validate.py", "--jobs", "0").returncode == 2


def test_repeat_counts_the_runs_that_failed_and_shows_what_was_printed_differently(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lab sees a number that is another one in each round, prints it, and fails on the second."""
    write_small_lab(tree, "good")
    write_small_lab(
        tree, "moody", (PRINT, "number = (lab.files / 'rule.txt').read_text()\nprint(number)\nassert number != '2'")
    )
    once, rounds = proof.prove, []

    def counted(*arguments: Any, **options: Any) -> list[proof.Evidence]:
        rounds.append("")
        (tree.labs / "moody" / "files" / "rule.txt").write_text(str(len(rounds)))
        return once(*arguments, **options)

    monkeypatch.setattr(proof, "prove", counted)
    monkeypatch.setenv("PROVING_GROUND_ROOT", str(tree.root))
    assert validate.main(["--repeat", "3", "--json", str(tmp_path / "out.json")]) == 1
    said = capsys.readouterr().out
    assert "good: 3 of 3 runs passed, 0 differences printed" in said
    assert "moody: 2 of 3 runs passed, 2 differences printed" in said
    good, moody = json.loads((tmp_path / "out.json").read_text())["repeated"]
    assert good == {"slug": "good", "runs": 3, "passed": 3, "findings": [], "differences": []}
    assert "AssertionError" in moody["findings"][0] and moody["findings"][0].startswith("run 2: labs/moody/lab.py:")
    assert [line.partition(":")[0] for line in moody["differences"]] == ["run 2, cell code", "run 3, cell code"]


def test_repeat_fails_on_a_difference_alone(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_lab(tree, "tiny", (PRINT, "print((lab.files / 'rule.txt').read_text())"))
    once, rounds = proof.prove, []

    def counted(*arguments: Any, **options: Any) -> list[proof.Evidence]:
        rounds.append("")
        (tree.labs / "tiny" / "files" / "rule.txt").write_text("\n" * len(rounds))  # blank lines count as well
        return once(*arguments, **options)

    monkeypatch.setattr(proof, "prove", counted)
    monkeypatch.setenv("PROVING_GROUND_ROOT", str(tree.root))
    assert validate.main(["tiny"]) == 0
    assert validate.main(["tiny", "--repeat", "2"]) == 1
    assert validate.main(["tiny", "--repeat", "0"]) == 2
    assert validate.main(["tiny", "--repeat", "2", "--cached"]) == 2

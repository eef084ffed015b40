"""serve.py, build.py and sync.py, run as processes on a small checkout with a plain theme."""

import os
import re
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Script, write_small_lab
from proving import notebook, redirects, site
from proving.paths import Tree
from proving.source import read, read_all
from sessions import Session, still_alive

MKDOCS = """site_name: Small
theme: {name: mkdocs, highlightjs: false}
plugins: []
markdown_extensions: [attr_list, md_in_html, tables]
nav: [index.md, start/till.md, labs/index.md, labs/tiny.md, status.md]
"""
NO_SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent this way here")


@pytest.fixture
def small(tree: Tree) -> Tree:
    """The small checkout with one lab and a site."""
    (tree.root / "mkdocs.yml").write_text(MKDOCS)
    (tree.docs / "index.md").write_text("# Small\n\n[The till](start/till.md)\n")
    write_small_lab(tree)
    return tree


def fetch(said: str, path: str = "") -> str:
    """A page of the site whose address was printed."""
    match = re.search(r"http://127\.0\.0\.1:\d+/", said)
    assert match, said
    with urllib.request.urlopen(match[0] + path, timeout=10) as answer:
        return str(answer.read().decode())


def interrupt(running: Session) -> int:
    os.killpg(running.process.pid, signal.SIGINT)
    return running.end()


def ran_a_lab(said: str) -> bool:
    return ": started" in said


def is_whole(tree: Tree) -> bool:
    return all((tree.site / page / "index.html").exists() for page in ("", "start/till", "labs", "labs/tiny", "status"))


# -- serve.py ---------------------------------------------------------------------------------


@NO_SIGNALS
def test_the_first_start_builds_and_the_second_takes_what_is_there(small: Tree) -> None:
    with Session(small, "serve.py", "--port", "0") as first:
        said = first.until("Proving Ground is at http://127.0.0.1:")
        assert ran_a_lab(said) and "Built site/." in said
        assert "Small" in fetch(said) and "Write the rule" in fetch(said, "labs/tiny/")
        assert is_whole(small)
        assert interrupt(first) == 0
        assert "Stopped." in first.said and "Traceback" not in first.said
    built = (small.site / "index.html").stat().st_mtime_ns
    with Session(small, "serve.py", "--port", "0") as second:
        said = second.until("Proving Ground is at http://127.0.0.1:")
        assert not ran_a_lab(said), said
        assert "nothing has changed since it was proved" in said
        assert "Nothing has changed: site/ is as it was built before." in said
        assert (small.site / "index.html").stat().st_mtime_ns == built
        assert "Small" in fetch(said)
        assert interrupt(second) == 0


def test_a_port_that_is_taken_is_said_before_any_work(small: Tree, script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = script("serve.py", "--port", str(port))
    assert (result.returncode, result.stdout) == (2, "")
    assert (
        result.stderr
        == f"Port {port} is taken or not yours. Choose another: python3 scripts/serve.py --port {port + 1}\n"
    )
    assert not small.site.exists() and not small.cache.exists()


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_a_port_that_is_none_is_refused(port: str, small: Tree, script: Script) -> None:
    result = script("serve.py", "--port", port)
    assert result.returncode == 2
    assert result.stderr == f"Port {port} cannot be used. Choose another: python3 scripts/serve.py --port 8000\n"


@NO_SIGNALS
def test_a_lab_that_fails_is_named_and_the_site_shows_it(small: Tree) -> None:
    write_small_lab(small, "tiny", ('("ada", "bo")', '("bo",)'))
    with Session(small, "serve.py", "--port", "0") as running:
        said = running.until("Proving Ground is at")
        assert "tiny falls short; see its page, or run: python3 scripts/validate.py tiny" in said
        assert "did not pass" in fetch(said, "labs/tiny/")
        assert "Staff has to be served" in fetch(said, "labs/tiny/")
        assert interrupt(running) == 0


@NO_SIGNALS
def test_while_a_page_is_broken_the_older_site_is_served_and_called_so(small: Tree, script: Script) -> None:
    assert script("build.py").returncode == 0
    (small.docs / "index.md").write_text("# Small\n\n[Nowhere](nowhere.md)\n")
    with Session(small, "serve.py", "--port", "0") as running:
        said = running.until("Proving Ground is at")
        assert "nowhere.md" in said and "What follows is the site as it was built before." in said
        assert "The till" in fetch(said)
        assert interrupt(running) == 0


def test_with_a_broken_page_and_no_older_site_there_is_nothing_to_serve(small: Tree, script: Script) -> None:
    (small.docs / "index.md").write_text("# Small\n\n[Nowhere](nowhere.md)\n")
    result = script("serve.py", "--port", "0", timeout=30)
    assert result.returncode == 1 and "nowhere.md" in result.stderr
    assert "Proving Ground is at" not in result.stdout


# -- build.py ---------------------------------------------------------------------------------


def test_a_broken_page_ends_the_build_with_what_mkdocs_said(small: Tree, script: Script) -> None:
    (small.docs / "index.md").write_text("# Small\n\n[Nowhere](nowhere.md)\n")
    result = script("build.py")
    assert result.returncode == 1
    assert "index.md" in result.stderr and "nowhere.md" in result.stderr
    assert "The site was not built. Repair the page named above." in result.stderr
    assert not small.site.exists()
    (small.docs / "index.md").write_text("# Small\n\nMended.\n")
    again = script("build.py")
    assert again.returncode == 0 and not ran_a_lab(again.stdout)
    assert is_whole(small)


def test_a_failing_lab_is_the_builds_failure_and_the_site_is_whole(small: Tree, script: Script) -> None:
    write_small_lab(small, "tiny", ('("ada", "bo")', '("bo",)'))
    result = script("build.py")
    assert result.returncode == 1
    assert "tiny falls short" in result.stderr
    assert is_whole(small)


def test_a_checkout_with_nothing_but_an_unfinished_lab_builds(tree: Tree, script: Script) -> None:
    (tree.root / "mkdocs.yml").write_text(MKDOCS.replace("labs/tiny.md, ", ""))
    (tree.docs / "index.md").write_text("# Small\n")
    write_small_lab(tree, "tiny", ("Two minutes.", "TODO: minutes"))
    result = script("build.py")
    assert result.returncode == 0, result.stderr
    assert "tiny is not finished (1 to-dos) and stays off the site." in result.stdout


@contextmanager
def proving(tree: Tree) -> Iterator[Session]:
    """A build that is in the middle of proving: the lab tiny waits in its last cell."""
    write_small_lab(tree, "tiny", ('print(sorted({"ada", "bo"}))', "import time\ntime.sleep(20)"))
    with Session(tree, "build.py") as running:
        running.until("tiny  proof: started")
        deadline = time.monotonic() + 15
        while len(running.family()) < 4:  # itself, two warm processes, and a first worker forked from one of them
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield running


@NO_SIGNALS
@pytest.mark.parametrize(
    "how, older",
    [("SIGINT", True), ("SIGKILL", True), ("SIGTERM", False), ("SIGKILL", False)],
    ids=["ctrl-c", "killed", "ended-at-first-build", "killed-at-first-build"],
)
def test_an_interrupted_build_leaves_no_process_and_the_next_a_whole_site(
    how: str, older: bool, small: Tree, script: Script
) -> None:
    if older:
        assert script("build.py").returncode == 0
    with proving(small) as running:
        family = running.family()
        if how == "SIGINT":
            assert interrupt(running) == 130
            assert "Go on with: python3 scripts/build.py" in running.said and "Traceback" not in running.said
        else:
            running.process.send_signal(signal.Signals[how])
            running.end()
        assert still_alive(family) == []
    assert is_whole(small) == older
    write_small_lab(small)
    assert script("build.py").returncode == 0
    assert is_whole(small)


@NO_SIGNALS
def test_what_was_proved_before_the_interruption_is_not_proved_again(small: Tree, script: Script) -> None:
    write_small_lab(small, "quick")
    with proving(small):
        deadline = time.monotonic() + 4
        while not list((small.cache / "evidence").glob("quick.*.json")):
            assert time.monotonic() < deadline, "the other lab is long through, and nothing was kept"
            time.sleep(0.1)
    write_small_lab(small)
    again = script("build.py").stdout
    assert "quick  cached: nothing has changed since it was proved" in again


def test_a_draft_that_an_interrupted_build_left_is_no_harm(small: Tree) -> None:
    labs, _ = read_all(small)
    (small.cache / "site.draft" / "old").mkdir(parents=True)
    (small.root / "mkdocs.yml").write_text(MKDOCS.replace("labs/index.md, labs/tiny.md, status.md", ""))
    assert labs and site.build(small)
    assert not (small.site / "old").exists() and (small.site / "index.html").exists()


# -- sync.py ----------------------------------------------------------------------------------


def test_sync_writes_what_its_check_then_accepts(small: Tree, script: Script) -> None:
    wrote = script("sync.py")
    assert wrote.returncode == 0 and "wrote notebooks/tiny.ipynb" in wrote.stdout
    fine = script("sync.py", "--check")
    assert (fine.returncode, fine.stderr) == (0, "")


@pytest.mark.parametrize("fault", ["missing", "stale", "stray"])
def test_sync_check_names_what_differs_and_touches_nothing(fault: str, small: Tree, script: Script) -> None:
    path = notebook.path_of(small, "tiny")
    notebook.sync(small, [read(small, "tiny")])
    redirects.sync(small)
    if fault == "missing":
        path.unlink()
    elif fault == "stale":
        path.write_text(path.read_text().replace("Write the rule.", "Write a rule."))
    else:
        path = path.with_name("gone.ipynb")
        path.write_text("{}")
    before = {p: p.read_bytes() for p in small.notebooks.iterdir()}
    result = script("sync.py", "--check")
    assert result.returncode == 1
    said = {
        "missing": "notebooks/tiny.ipynb: The notebook of labs/tiny is missing.",
        "stale": "notebooks/tiny.ipynb: It differs from what labs/tiny/lab.py gives.",
        "stray": "notebooks/gone.ipynb: It has no lab.",
    }[fault]
    assert result.stderr == f"{said} Edit the lab, not the notebook, then run: python3 scripts/sync.py\n"
    assert {p: p.read_bytes() for p in small.notebooks.iterdir()} == before
    assert script("sync.py").returncode == 0
    assert script("sync.py", "--check").returncode == 0


def test_the_notebook_of_a_lab_that_cannot_be_read_is_no_stray(small: Tree, script: Script) -> None:
    notebook.sync(small, [read(small, "tiny")])
    write_small_lab(small, "tiny", ("# minutes: 10\n", ""))
    for arguments in (["--check"], []):
        result = script("sync.py", *arguments)
        assert result.returncode == 1
        assert "labs/tiny/lab.py" in result.stderr and "has no lab" not in result.stderr
    assert notebook.path_of(small, "tiny").exists()

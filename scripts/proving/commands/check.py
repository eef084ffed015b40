"""check.py: the learner's copy, run headless and judged exercise by exercise."""

import argparse
import shutil
import textwrap
import time
from pathlib import Path

from proving import workspace
from proving.commands.choose import choose, note
from proving.display import complain, say
from proving.paths import Tree, checkout
from proving.source import Lab

MARKS = {"done": "✓ done", "wrong": "✗ wrong", "not started": "· not started", "not reached": "· not reached"}
INDENT = " " * 17


def main(arguments: list[str]) -> int:
    """Judge the copy once, or at every save with --watch. Exit code 0 when all is done, else 1."""
    parser = argparse.ArgumentParser(
        prog="check.py", description="Check a learner's copy of a lab, exercise by exercise."
    )
    parser.add_argument("slug", nargs="?", help="the lab; without it, the first that you have not finished")
    parser.add_argument("--watch", action="store_true", help="check again at every save, until interrupted")
    parser.add_argument("--seconds", type=float, default=30, metavar="N", help="what one cell may take (default 30)")
    options = parser.parse_args(arguments)
    if not 0 < options.seconds < 3600:
        complain("--seconds takes a number above 0 and below 3600.")
        return 2
    tree = checkout()
    lab = choose(tree, options.slug)
    if lab is None:
        return 2
    copy = workspace.copy_of(tree, lab.slug)
    if not copy.exists():
        complain(f"You have no copy of {lab.slug} yet. Make one: python3 scripts/lab.py {lab.slug}")
        return 2
    try:
        return _watch(tree, lab, copy, options.seconds) if options.watch else _check(tree, lab, copy, options.seconds)
    except KeyboardInterrupt:
        say("")
        return 0 if options.watch else 130


def _watch(tree: Tree, lab: Lab, copy: Path, seconds: float) -> int:
    """Check at every save, until interrupted."""
    seen: str | None = None
    say(f"Watching {tree.relative(copy)} (stop with Ctrl-C)")
    while True:
        try:
            now: str | None = workspace.fingerprint(copy)
        except (ValueError, OSError):
            now = seen  # An editor is in the middle of saving.
        if now != seen:
            seen = now
            _check(tree, lab, copy, seconds)
            say("Waiting for the next save (stop with Ctrl-C)")
        time.sleep(0.5)


def _check(tree: Tree, lab: Lab, copy: Path, seconds: float) -> int:
    say(f"{lab.header.title}: running {tree.relative(copy)}")
    begin_again = f"python3 scripts/lab.py {lab.slug} --reset (your file is kept under work/kept/)"
    try:
        judged, remarks, whole = workspace.judge(tree, lab, copy, seconds)
    except ValueError as error:
        complain(f"{error}. Begin again with: {begin_again}")
        return 2
    except OSError as error:
        complain(f"{tree.relative(copy)} cannot be read ({error.strerror}). Begin again with: {begin_again}")
        return 2
    for result in judged:
        exercise = lab.exercise(result["exercise"])
        say(f"  {MARKS[result['status']]:<14} {exercise.title}")
        if result["message"] and (result["status"] != "not started" or not result["message"].startswith("Not started")):
            say(_wrapped(result["message"], INDENT))
        if result["status"] == "done":
            try:
                note(tree, lab.slug, exercise.id)
            except OSError as error:
                complain(f"(Not noted in work/progress.json: {error.strerror}.)")
    for remark in remarks:
        say(_wrapped(remark, "  "))
    done = sum(r["status"] == "done" for r in judged)
    say(f"{done} of {len(judged)} exercises done." + (" The lab is finished." if whole else ""))
    return 0 if whole else 1


def _wrapped(text: str, indent: str) -> str:
    width = max(60, min(110, shutil.get_terminal_size().columns))
    return textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )

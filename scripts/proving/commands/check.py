"""check.py: the learner's copy, run headless and judged exercise by exercise."""

import argparse
import textwrap
import time
from pathlib import Path

from proving import workspace
from proving.commands.choose import choose, note
from proving.display import complain, console, say
from proving.paths import Tree, checkout
from proving.source import Lab

MARKS = {"done": "✓ done", "wrong": "✗ wrong", "not started": "· not started", "not reached": "· not reached"}


def main(arguments: list[str]) -> int:
    """Judge the copy once, or at every save with --watch. Exit code 0 when all is done, else 1."""
    parser = argparse.ArgumentParser(
        prog="check.py", description="Check a learner's copy of a lab, exercise by exercise."
    )
    parser.add_argument("slug", nargs="?", help="the lab; without it, the first that you have not finished")
    parser.add_argument("--watch", action="store_true", help="check again at every save, until interrupted")
    options = parser.parse_args(arguments)
    tree = checkout()
    lab = choose(tree, options.slug)
    if lab is None:
        return 2
    copy = workspace.copy_of(tree, lab.slug)
    if not copy.exists():
        complain(f"You have no copy of {lab.slug} yet. Make one: python3 scripts/lab.py {lab.slug}")
        return 2
    if not options.watch:
        return _check(tree, lab, copy)
    seen = ""
    try:
        while True:
            try:
                now = workspace.fingerprint(copy)
            except (ValueError, OSError):
                now = seen  # An editor is in the middle of saving.
            if now != seen:
                seen = now
                _check(tree, lab, copy)
                say("Waiting for the next save (stop with Ctrl-C)")
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("")
        return 0


def _check(tree: Tree, lab: Lab, copy: Path) -> int:
    say(f"{lab.header.title}: running {tree.relative(copy)}")
    try:
        judged, ended = workspace.judge(tree, lab, copy)
    except ValueError as error:
        complain(
            f"{error}. Begin again with: python3 scripts/lab.py {lab.slug} --reset (your file is kept under work/kept/)"
        )
        return 2
    for result in judged:
        exercise = lab.exercise(result["exercise"])
        console.print(f"  {MARKS[result['status']]:<14} {exercise.title}", markup=False)
        if result["status"] in ("wrong", "not reached") and result["message"]:
            console.print(textwrap.indent(textwrap.fill(result["message"], 92), " " * 17), markup=False)
        if result["status"] == "done":
            try:
                note(tree, lab.slug, exercise.id)
            except OSError as error:
                complain(f"(Not noted in work/progress.json: {error.strerror}.)")
    if ended:
        complain(ended)
    done = sum(r["status"] == "done" for r in judged)
    say(f"{done} of {len(judged)} exercises done." + (" The lab is finished." if done == len(judged) else ""))
    return 0 if done == len(judged) else 1

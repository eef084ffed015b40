"""Each exercise has been tried by somebody who had not seen its solution, and the numbers are shown."""

from pathlib import Path

from conftest import ROOT, write_small_lab
from proving import pages, trials
from proving.paths import Tree
from proving.source import read_all


def problems(tree: Tree) -> str:
    return "\n".join(map(str, trials.read(tree, read_all(tree)[0])[1]))


def test_every_exercise_of_every_lab_was_tried() -> None:
    assert problems(Tree(ROOT)) == ""


def test_what_was_not_tried_is_named(tree: Tree) -> None:
    write_small_lab(tree)
    entry = "- {lab: LAB, tried: 2026-11-25, by: a clerk, tries: {NAME: 3}}\n"
    path: Path = tree.labs / trials.FILE
    path.write_text(entry.replace("LAB", "tiny").replace("NAME", "rule"))
    assert problems(tree) == ""
    path.write_text(entry.replace("LAB", "tiny").replace("NAME", "role"))
    assert "has tried tiny#rule. Let somebody try it" in problems(tree)
    path.write_text(entry.replace("LAB", "huge").replace("NAME", "rule"))
    assert "There is no lab 'huge'" in problems(tree) and "has tried tiny#rule" in problems(tree)


def test_the_latest_trial_counts_and_is_shown(tree: Tree) -> None:
    write_small_lab(tree)
    entry = "- {lab: tiny, tried: DAY, by: a clerk, tries: {rule: N}}\n"
    days = (("2026-11-25", "3"), ("2026-11-20", "7"))
    (tree.labs / trials.FILE).write_text("".join(entry.replace("DAY", day).replace("N", n) for day, n in days))
    labs = read_all(tree)[0]
    found, _ = trials.read(tree, labs)
    assert found["tiny"].tries == {"rule": 3}
    shown = "\n".join(pages._tried(labs, found))
    assert "Write the rule: 3 | 2026-11-25 |" in shown and "by a clerk" in shown

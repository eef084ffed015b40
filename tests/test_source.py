"""A lab that breaks its format: every finding names the file, the line and the repair."""

from dataclasses import dataclass
from pathlib import Path

import jupytext
import pytest
from conftest import ROOT, write_small_lab
from proving.findings import Unreadable
from proving.notebook import learners
from proving.paths import Tree, checkout
from proving.source import read, read_all, slugs

MISTAKE = '# %% tags=["mistake"] exercise="rule" title="Returns nothing" catches="guard must return"'

WHOLE = (
    MISTAKE
    + """
def guard(who: str) -> None:
    if who not in ("ada", "bo"):
        raise Closed(who)
"""
)


def edited(*lines: str) -> tuple[str, str]:
    """The change to the tiny lab that writes its last mistake as this edit."""
    return WHOLE, "\n".join([MISTAKE, *("#" if line == "#" else f"# {line}" for line in lines), ""])


@dataclass(frozen=True)
class Wrong:
    """A change to the tiny lab, where the finding must point, and what it must say."""

    name: str
    change: tuple[str, str]
    where: str
    says: tuple[str, ...]


WRONG = [
    Wrong("no header", ("# ---\n# title", "# title"), "lab.py:1", ("header is missing", "Begin with YAML")),
    Wrong("no YAML", ("# track: start", "# track: [start"), "lab.py:", ("no YAML",)),
    Wrong(
        "unknown key",
        ("# level: first", "# colour: blue\n# level: first"),
        "lab.py:7",
        ("unknown key 'colour'", "Remove it"),
    ),
    Wrong("missing key", ("# minutes: 10\n", ""), "lab.py", ("lacks the key 'minutes'", "labs/README.md")),
    Wrong("bad track", ("# track: start", "# track: moon"), "lab.py:4", ("'moon'", "Use one of: start, host")),
    Wrong("bad minutes", ("# minutes: 10", "# minutes: soon"), "lab.py:6", ("whole minutes",)),
    Wrong("bad day", ("# verified: 2026-11-23", "# verified: lately"), "lab.py:", ("Write the day",)),
    Wrong(
        "source without https",
        ("https://harbor.example/till", "http://harbor.example/till"),
        "lab.py:",
        ("https address",),
    ),
    Wrong("no take-home file", ("rule.txt", "other.txt"), "lab.py:14", ("files/other.txt does not exist", "Add it")),
    Wrong(
        "no lesson", ("start/till.md", "start/safe.md"), "lab.py:5", ("docs/start/safe.md does not exist", "Write it")
    ),
    Wrong(
        "unknown tag",
        ('tags=["attack"]', 'tags=["assault"]'),
        "lab.py:37",
        ("The tag 'assault' is unknown", "Use one of: setup, attack"),
    ),
    Wrong("two tags", ('tags=["attack"]', 'tags=["attack", "check"]'), "lab.py:37", ("one tag at most",)),
    Wrong(
        "unknown attribute",
        ('tags=["attack"]', 'tags=["attack"] speed=3'),
        "lab.py:37",
        ("'speed' does not belong here",),
    ),
    Wrong(
        "id of a prose cell",
        ('[markdown] tags=["instructor"]', '[markdown] id="notes"'),
        "lab.py:",
        ("'id' does not belong here",),
    ),
    Wrong("id of a check", ('tags=["check"]', 'tags=["check"] id="seen"'), "lab.py:", ("'id' does not belong here",)),
    Wrong("id that is no slug", ('tags=["attack"]', 'tags=["attack"] id="No 1"'), "lab.py:37", ("is no slug",)),
    Wrong("empty id", ('tags=["attack"]', 'tags=["attack"] id=""'), "lab.py:37", ("Fill it in",)),
    Wrong("id of an exercise", ('tags=["attack"]', 'tags=["attack"] id="rule"'), "lab.py:", ("'rule' is taken",)),
    Wrong("id of another cell", ('tags=["attack"]', 'tags=["attack"] id="setup"'), "lab.py:37", ("'setup' is taken",)),
    Wrong("id of the title", ('tags=["attack"]', 'tags=["attack"] id="title"'), "lab.py:37", ("'title' is taken",)),
    Wrong("garbled marker", ('tags=["attack"]', "tags=[attack"), "lab.py:37", ("cannot be read",)),
    Wrong("mistake missing", (MISTAKE, "# %%"), "lab.py:44", ("lists 2 mistakes", "at least 3")),
    Wrong("empty hint", ('catches="guard must return"', 'catches=" "'), "lab.py:", ("A hint is never empty",)),
    Wrong("mistake without hint", (' catches="guard must return"', ""), "lab.py:", ("lacks 'catches'",)),
    Wrong("mistake of no exercise", (MISTAKE, MISTAKE.replace('"rule"', '"role"')), "lab.py:", ("no exercise 'role'",)),
    Wrong("no check", ('tags=["check"] exercise="rule"', ""), "lab.py:", ("has no check",)),
    Wrong(
        "no exercise", ('tags=["exercise"] id="rule" title="Write the rule" minutes=5', ""), "lab.py", ("no exercise",)
    ),
    Wrong("no solution mark", ("    ### END SOLUTION\n", ""), "lab.py:45", ("no single solution", "BEGIN SOLUTION")),
    Wrong(
        "broken starter",
        ("### END SOLUTION", "### STUB\n    # if\n    ### END SOLUTION"),
        "lab.py:45",
        ("starter of rule is no valid Python",),
    ),
    Wrong("no setup", (' tags=["setup"]', ""), "lab.py", ("one setup cell",)),
    Wrong("another lab's setup", ('begin("tiny")', 'begin("huge")'), "lab.py:", ('does not call begin("tiny")',)),
    Wrong("no attack first", ('tags=["attack"]', ""), "lab.py", ("No attack stands before",)),
    Wrong("no instructor notes", ('[markdown] tags=["instructor"]', "[markdown]"), "lab.py", ("no instructor notes",)),
    Wrong(
        "no Python", ('print(sorted({"ada", "bo"}))', "await x"), "lab.py:", ("no valid Python", "no top-level await")
    ),
    Wrong("a magic", ('print(sorted({"ada", "bo"}))', "%pip install x"), "lab.py:", ("no valid Python",)),
    Wrong("take-home page", ("rule.txt", "rule.md"), "lab.py:14", ("would make a page of", "Name it .txt")),
    Wrong("too few minutes", ('rule" minutes=5', 'rule" minutes=50'), "lab.py:6", ("more than the 10 minutes",)),
    Wrong(
        "edit of other lines",
        edited("-     return None", "+"),
        "lab.py:77",
        ("no line `    return None`", "Copy the lines"),
    ),
    Wrong(
        "edit of lines in another order",
        edited("-         raise Closed(who)", '-     if who not in ("ada", "bo"):'),
        "lab.py:77",
        ("not with the others that go",),
    ),
    Wrong(
        "edit that only comes", edited("+     return None"), "lab.py:77", ("Nothing goes", "Name the line beside it")
    ),
    Wrong(
        "edit and a remark", edited("too short", "-     return open_till(who)"), "lab.py:77", ("neither with `# - `",)
    ),
    Wrong(
        "edit that changes nothing",
        edited("-     return open_till(who)", "+     return open_till(who)"),
        "lab.py:77",
        ("changes nothing",),
    ),
    Wrong("edit set in", (WHOLE, f"{MISTAKE}\n    # -     return open_till(who)\n"), "lab.py:77", ("neither with",)),
    Wrong(
        "edit and Python",
        (WHOLE, f"{MISTAKE}\n# -     return open_till(who)\nwho = 1\n"),
        "lab.py:78",
        ("neither with",),
    ),
    Wrong("edit of a mark", edited("-     ### END SOLUTION"), "lab.py:77", ("no line `    ### END", "without its ###")),
    Wrong(
        "two edits of one line",
        edited(
            "-         raise Closed(who)",
            "-     return open_till(who)",
            "#",
            "-     return open_till(who)",
            "+     return None",
        ),
        "lab.py:80",
        ("Two edits take the same line",),
    ),
    Wrong(
        "edit to no Python",
        edited("-         raise Closed(who)"),
        "lab.py:77",
        ("With the edit made, the answer is no valid Python", "at `return open_till(who)`", "Mend what comes"),
    ),
    Wrong("prose as code", ("# The till opens", "The till opens"), "lab.py:21", ("no comment",)),
    Wrong("a second title", ("# The till opens", "# # The till opens"), "lab.py:21", ("heading of the first level",)),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.name)
def test_a_broken_format_is_named_with_file_line_and_repair(wrong: Wrong, tree: Tree) -> None:
    write_small_lab(tree, "tiny", wrong.change)
    with pytest.raises(Unreadable) as error:
        read(tree, "tiny")
    text = str(error.value)
    assert f"labs/tiny/{wrong.where}" in text
    for part in wrong.says:
        assert part in text, text
    assert all(f.problem and f.repair for f in error.value.findings)


def test_the_tiny_lab_itself_is_right(tree: Tree) -> None:
    write_small_lab(tree)
    lab = read(tree, "tiny")
    (exercise,) = lab.exercises
    assert [m.title for m in exercise.mistakes] == ["Refuses everyone", "Refuses one name", "Returns nothing"]
    assert 'raise NotImplementedError("Write the rule")' in exercise.starter
    assert "SOLUTION" not in exercise.starter + exercise.solution


def test_what_the_take_home_file_lacks_is_still_to_do(tree: Tree) -> None:
    path = write_small_lab(tree)
    assert read(tree, "tiny").todos == ()
    (path.parent / "files" / "rule.txt").write_text("Staff only.\nTODO: and the night shift\n")
    assert [(todo.line, todo.text) for todo in read(tree, "tiny").todos] == [
        (14, "files/rule.txt: and the night shift")
    ]


def test_an_edit_is_the_solution_with_that_one_thing_changed(tree: Tree) -> None:
    back, ask = "    return open_till(who)", '    if who not in ("ada", "bo"):'
    write_small_lab(
        tree,
        "tiny",
        edited(
            f"- {back}",
            "+     open_till(who)",
            "+",
            "+     return None",
            "#",  # the order of the edits is the author's
            "#",
            f"- {ask}",
            "+     who = who.strip()",
            "+     if not who:",
        ),
    )
    (exercise,) = read(tree, "tiny").exercises
    changed = exercise.solution.replace(ask, "    who = who.strip()\n    if not who:")
    assert exercise.mistakes[-1].text == changed.replace(back, "    open_till(who)\n\n    return None")


def test_what_an_edit_takes_away_must_be_the_only_one(tree: Tree) -> None:
    twice = (
        "        raise Closed(who)\n    return",
        "        raise Closed(who)\n    who = who\n    who = who\n    return",
    )
    write_small_lab(tree, "tiny", twice, edited("-     who = who"))
    with pytest.raises(Unreadable, match="stands 2 times in the solution"):
        read(tree, "tiny")


def test_plain_and_attack_cells_may_have_an_id(tree: Tree) -> None:
    write_small_lab(
        tree,
        "tiny",
        ('tags=["attack"]', 'tags=["attack"] id="stranger"'),
        ("# %%\nprint", '# %% id="code-2"\nprint("staff")\n\n# %%\nprint()\n\n# %%\nprint'),
    )
    lab = read(tree, "tiny")
    assert [c.id for c in lab.cells if c.named] == ["stranger", "code-2"]
    assert [c.id for c in lab.cells if c.kind == "code" and c.tag is None] == ["code-2", "code", "code-3"]
    assert not lab.exercises[0].cell.named


def test_every_finding_is_told_at_once(tree: Tree) -> None:
    write_small_lab(
        tree, "tiny", ('tags=["attack"]', 'tags=["assault"]'), ('catches="guard must return"', 'catches=""')
    )
    with pytest.raises(Unreadable) as error:
        read(tree, "tiny")
    assert len(error.value.findings) >= 3


def test_one_broken_lab_hides_no_other(tree: Tree) -> None:
    write_small_lab(tree, "good")
    write_small_lab(tree, "bad", ("# track: start", "# track: moon"))
    labs, findings = read_all(tree)
    assert [lab.slug for lab in labs] == ["good"]
    assert len(findings) == 1


def test_no_solution_mistake_or_note_reaches_the_learner() -> None:
    tree = checkout()
    labs, findings = read_all(tree)
    assert labs and findings == []
    for lab in labs:
        text = learners(lab)
        hidden = [c for c in lab.cells if c.tag in ("mistake", "solution", "instructor")]
        assert hidden
        for cell in hidden:
            longest = max(cell.text.splitlines(), key=len)
            assert cell.tag == "mistake" or longest not in text, f"{lab.slug}: {longest}"
        for exercise in lab.exercises:
            # What stands in the solution and not in the starter must stand nowhere in the notebook.
            own = set(exercise.solution.splitlines()) - set(exercise.starter.splitlines())
            telling = [line for line in own if len(line.strip()) > 40]
            shown = [
                line for line in telling if line.strip() in "\n".join(c.text for c in lab.shown if c != exercise.cell)
            ]
            leaked = [line for line in telling if line.strip() in text and line not in shown]
            assert leaked == [], f"{lab.slug} {exercise.id}: {leaked}"


@pytest.mark.parametrize("slug", slugs(checkout()))
def test_jupytext_reads_the_same_cells(slug: str) -> None:
    """The percent format is no dialect of ours: the tool people have reads it as we do."""
    lab = read(checkout(), slug)
    text = (ROOT / "labs" / slug / "lab.py").read_text(encoding="utf-8")
    cells = [c for c in jupytext.reads(text, fmt="py:percent").cells if c.cell_type != "raw"]
    assert [c.cell_type for c in cells] == [c.kind for c in lab.cells]
    assert [c.source.strip() for c in cells] == [c.text.strip() for c in lab.cells]
    assert [c.metadata.get("tags", [None])[0] for c in cells] == [c.tag for c in lab.cells]


def test_the_same_lab_gives_the_same_bytes_anywhere(tree: Tree, tmp_path: Path) -> None:
    write_small_lab(tree)
    first = learners(read(tree, "tiny"))
    moved = Tree(tree.root.rename(tmp_path / "moved"))
    assert learners(read(moved, "tiny")) == first
    assert str(tmp_path) not in first

"""The ways through the course: their minutes are added up, and what they promise exists."""

from pathlib import Path

import pytest
import yaml
from conftest import ROOT, write_small_lab
from proving import learning_paths, reading
from proving.learning_paths import Step, Way
from proving.paths import Tree
from proving.source import read_all

PATHS = """
- id: short
  title: Short
  for: everyone
  summary: A till in no time.
  target: 20
  before: [start/till.md]
  steps:
    - {lab: tiny}
    - {lab: other, exercises: []}
- id: all
  title: All
  for: clerks
  summary: All of it.
  tracks: [start, agents]
- id: read
  title: Read
  for: owners
  summary: No labs.
  labs: false
  tracks: [start]
"""


@pytest.fixture
def shop(tree: Tree) -> Tree:
    """Two labs of 10 minutes, each with one exercise of 5, and a lesson of 8."""
    write_small_lab(tree)
    write_small_lab(tree, "other")
    front = "---\ntitle: The till\nkind: lesson\ntrack: start\nminutes: 8\n---\n# The till\n"
    (tree.docs / "start" / "till.md").write_text(front)
    (tree.docs / "assets").mkdir()
    (tree.docs / learning_paths.DATA).write_text(PATHS)
    (tree.labs / "planned.yml").write_text("- {slug: later, track: agents}\n- {slug: elsewhere, track: host}\n")
    return tree


def ways(tree: Tree) -> tuple[dict[str, Way], str]:
    found, findings = learning_paths.read(tree, reading.lessons(tree), read_all(tree)[0])
    return {way.id: way for way in found}, "\n".join(map(str, findings))


def test_minutes_are_added_up_and_a_part_of_a_lab_takes_less(shop: Tree) -> None:
    found, problems = ways(shop)
    assert problems == ""
    assert [step.minutes for step in found["short"].steps] == [10, 5]
    assert found["short"].minutes == 15
    assert [step.source for step in found["all"].steps] == ["start/till.md", "labs/other.md", "labs/tiny.md"]
    assert found["all"].minutes == 28
    assert found["all"].later == ("later",)
    assert found["read"].steps == (Step("start/till.md", "The till", 8),)
    assert found["read"].later == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("target: 20", "target: 14", "short takes 15 minutes, 1 more than its 14. Leave an exercise out"),
        ("{lab: tiny}", "{lab: huge}", "there is no lab 'huge'"),
        ("exercises: []", "exercises: [role]", "the lab 'other' has no exercise 'role'"),
        ("before: [start/till.md]", "before: [start/tills.md]", "there is no lesson 'start/tills.md'"),
        ("summary: No labs.", "summary: No labs.\n  color: blue", "the key 'color' is unknown"),
    ],
)
def test_what_is_wrong_is_named(shop: Tree, old: str, new: str, says: str) -> None:
    path = shop.docs / learning_paths.DATA
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    problems = ways(shop)[1]
    assert says in problems and problems.startswith("docs/assets/paths.yml")


def test_the_page_shows_clock_sum_and_what_is_planned(shop: Tree) -> None:
    made = learning_paths.includes(shop, reading.lessons(shop), read_all(shop)[0])
    page = made["learn/paths.md"]
    assert "| 0 | Lab: [Keep the till closed (tiny)](../labs/tiny.md) | 10 |" in page
    assert "| 10 | Lab: [Keep the till closed (other)](../labs/other.md) | 5 |" in page
    assert "| 15 | end | **15** |" in page
    assert "Planned, and not yet in the sum: `later`." in page
    assert "| [All](../learn/paths.md#all) | clerks | 28 min in 3 steps | 1 lab |" in made["start/paths.md"]
    begins = "Begin with [The till](start/till.md). The whole path: [28 min in 3 steps](learn/paths.md#all)."
    assert f"- **All**, for clerks\n\n    {begins}" in made["paths.md"]


def test_first_hour_is_two_labs_within_sixty_minutes() -> None:
    found, problems = ways(Tree(ROOT))
    assert problems == ""
    first = found["first-hour"]
    assert [step.source for step in first.steps] == [
        "labs/assume-the-model-is-compromised.md",
        "labs/bind-tokens-to-their-audience.md",
    ]
    assert 0 < first.minutes <= first.target == 60


def test_every_track_is_on_some_path_with_labs() -> None:
    data = yaml.safe_load((Path(ROOT) / "docs" / learning_paths.DATA).read_text(encoding="utf-8"))
    with_labs = {track for way in data if way.get("labs", True) for track in way.get("tracks", [])}
    assert with_labs == set(reading.TRACK_SAYS) - {"start"}

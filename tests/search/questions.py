"""The questions of queries.yml (to tune on) and fresh.yml (to report), with the pages that answer each."""

from dataclasses import dataclass
from pathlib import Path

import yaml

FILES = {"tune": "queries.yml", "report": "fresh.yml"}
# The folders of docs/knowledge/ stand in queries.yml without that name.
FOLDERS = ("threats", "controls", "incidents", "protocols", "platforms", "how-to", "errors", "guides", "checklists")


@dataclass(frozen=True)
class Question:
    """`answers`: pages by their path below docs/, without .md. `use`: `tune` or `report`."""

    kind: str
    text: str
    answers: frozenset[str]
    use: str = "tune"


def questions() -> list[Question]:
    """All of them, in the order of the files."""
    found = []
    for use, name in FILES.items():
        data = yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))
        found += [
            Question(kind, item["q"], frozenset(_path(page) for page in item["pages"]), use)
            for kind, items in data.items()
            for item in items
        ]
    return found


def _path(page: str) -> str:
    return f"knowledge/{page}" if page.split("/")[0] in FOLDERS else page


@dataclass(frozen=True)
class Score:
    """How well one search does on some questions."""

    questions: int
    first: float
    first_three: float
    empty: int
    mrr: float


def score(asked: list[Question], found: list[list[str]]) -> Score:
    """`found`: for each question the pages that came up, best first, as Question.answers names them."""
    places = [
        next((place for place, page in enumerate(pages, start=1) if page in question.answers), 0)
        for question, pages in zip(asked, found, strict=True)
    ]
    number = len(asked)
    return Score(
        questions=number,
        first=sum(place == 1 for place in places) / number,
        first_three=sum(1 <= place <= 3 for place in places) / number,
        empty=sum(not pages for pages in found),
        mrr=sum(1 / place for place in places if place) / number,
    )

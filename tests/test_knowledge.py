"""The knowledge base: broken data is named, links are turned round, gaps are shown, proofs are held to."""

import datetime
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import write_small_lab
from proving import knowledge, knowledge_pages, proof
from proving.knowledge import Knowledge
from proving.paths import Tree, checkout
from proving.source import read_all

TODAY = datetime.date(2026, 11, 23)
CONTROL = """---
title: Closed till
description: A till that opens for the people on a list and for nobody else, whoever asks.
kind: control
verified: 2026-11-23
aliases: [cash box]
sources:
  - {title: The till, url: "https://harbor.example/till", read: 2026-11-23}
track: start
cost: an hour
proved_by: ["tiny#rule"]
lab: tiny
takeaway: tiny/files/rule.txt
---

# Closed till

Say who may.

--8<-- "foot/controls/closed-till.md"
"""
THREAT = """---
title: Emptied till
description: A stranger asks for the money and gets it, because nobody said who may ask for it.
kind: threat
verified: 2026-11-23
aliases: []
sources:
  - {title: The till, url: "https://harbor.example/till", read: 2026-11-23}
ids: ["ASI03:2026", "LLM06:2025"]
controls: [closed-till]
labs: [tiny]
---

# Emptied till

It is empty.

--8<-- "foot/threats/emptied-till.md"
"""


@pytest.fixture
def shop(tree: Tree) -> Tree:
    """A small checkout with one lab, one control it proves, and one threat."""
    write_small_lab(tree, "tiny", ("# threats: []", '# threats: ["ASI03:2026"]'))
    for folder, name, text in (("controls", "closed-till", CONTROL), ("threats", "emptied-till", THREAT)):
        (tree.docs / "knowledge" / folder).mkdir(parents=True)
        (tree.docs / "knowledge" / folder / f"{name}.md").write_text(text)
    return tree


def problems(tree: Tree) -> str:
    return "\n".join(map(str, knowledge.read(tree, read_all(tree)[0])[1]))


def written(tree: Tree, *, passed: bool = True, landed: bool = True, today: datetime.date = TODAY) -> dict[str, str]:
    """The generated pages by their path below the checkout."""
    labs, _ = read_all(tree)
    known, findings = knowledge.read(tree, labs)
    assert findings == []
    verdict = {"passed": passed, "gates": {"attack_lands": {"passed": landed}}}
    evidence = [proof.Evidence("tiny", verdict, [], [], {})]
    made = knowledge_pages.pages(tree, known, labs, evidence, today)
    return {tree.relative(path): text for path, text in made.items()}


@dataclass(frozen=True)
class Wrong:
    name: str
    page: str
    change: tuple[str, str]
    says: tuple[str, ...]


WRONG = [
    Wrong("no front matter", "controls/closed-till", ("---\ntitle", "title"), ("front matter is missing",)),
    Wrong("no YAML", "controls/closed-till", ("track: start", "track: [start"), ("no YAML",)),
    Wrong(
        "unknown key",
        "controls/closed-till",
        ("track: start", "track: start\ncolor: blue"),
        ("'color' is unknown", "Keys: title"),
    ),
    Wrong("missing key", "controls/closed-till", ("cost: an hour\n", ""), ("'cost' is missing",)),
    Wrong(
        "wrong kind", "controls/closed-till", ("kind: control", "kind: threat"), ("in the folder of kind 'control'",)
    ),
    Wrong(
        "wrong track",
        "controls/closed-till",
        ("track: start", "track: moon"),
        ("`track` is 'moon'", "Use one of: start"),
    ),
    Wrong(
        "short description",
        "threats/emptied-till",
        ("A stranger asks for the money and gets it, because nobody said who may ask for it.", "Short."),
        ("60 to 170",),
    ),
    Wrong(
        "quoted description", "threats/emptied-till", ("A stranger asks", 'A "stranger" asks'), ("no double quotes",)
    ),
    Wrong("http source", "threats/emptied-till", ("https://", "http://"), ("https address",)),
    Wrong(
        "no such control", "threats/emptied-till", ("[closed-till]", "[open-till]"), ("'open-till', which has no page",)
    ),
    Wrong(
        "no such lab", "threats/emptied-till", ("labs: [tiny]", "labs: [huge]"), ("no lab 'huge'", "labs/planned.yml")
    ),
    Wrong(
        "no such exercise",
        "controls/closed-till",
        ("tiny#rule", "tiny#role"),
        ("claims tiny#role, which does not exist",),
    ),
    Wrong(
        "no such file",
        "controls/closed-till",
        ("files/rule.txt", "files/role.txt"),
        ("labs/tiny/files/role.txt does not exist",),
    ),
    Wrong(
        "no foot",
        "controls/closed-till",
        ('--8<-- "foot/controls/closed-till.md"', ""),
        ("Let its last line be: --8<--",),
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: w.name)
def test_broken_data_is_named_with_file_key_and_repair(wrong: Wrong, shop: Tree) -> None:
    path = shop.docs / "knowledge" / f"{wrong.page}.md"
    text = path.read_text()
    assert wrong.change[0] in text
    path.write_text(text.replace(*wrong.change))
    said = problems(shop)
    assert f"docs/knowledge/{wrong.page}.md" in said
    for part in wrong.says:
        assert part in said, said


def test_right_data_has_no_findings(shop: Tree) -> None:
    assert problems(shop) == ""


def test_a_proof_that_did_not_pass_is_a_finding(shop: Tree) -> None:
    labs, _ = read_all(shop)
    known, _ = knowledge.read(shop, labs)
    failed = [proof.Evidence("tiny", {"passed": False}, [], [], {})]
    (found,) = knowledge.unproved(shop, known, failed)
    assert "tiny#rule, which did not pass" in found.problem
    assert knowledge.unproved(shop, known, [proof.Evidence("tiny", {"passed": True}, [], [], {})]) == []


def test_a_planned_lab_that_is_built_is_a_finding(shop: Tree) -> None:
    (shop.labs / "planned.yml").write_text("- {slug: tiny, track: start}\n")
    assert "tiny is built. Take its line away." in problems(shop)


def test_links_are_turned_round(shop: Tree) -> None:
    made = written(shop)
    control, threat = (
        made[f".cache/includes/foot/{name}.md"] for name in ("controls/closed-till", "threats/emptied-till")
    )
    assert "[Emptied till](../threats/emptied-till.md)" in control
    assert (
        "proved in this build by [Keep the till closed (tiny): Write the rule](../../labs/tiny.md#exercise-rule)"
        in control
    )
    assert "[Closed till](../controls/closed-till.md): proved in this build" in threat


def test_a_threat_leads_to_the_lab_that_attacks(shop: Tree) -> None:
    """The lab names the id in its header; the page need not name the lab."""
    page = shop.docs / "knowledge" / "threats" / "emptied-till.md"
    page.write_text(page.read_text().replace("labs: [tiny]", "labs: []"))
    assert (
        "- **Attack, executed:** [Keep the till closed (tiny)](../../labs/tiny.md)"
        in written(shop)[".cache/includes/foot/threats/emptied-till.md"]
    )


def row_of(name: str, pages: dict[str, str]) -> list[str]:
    """The cells of one row of the coverage matrix."""
    coverage = pages["docs/knowledge/coverage.md"].splitlines()
    return [cell.strip() for cell in next(line for line in coverage if line.startswith(f"| {name}")).split("|")[1:-1]]


def test_an_attack_counts_when_it_landed(shop: Tree) -> None:
    assert row_of("ASI03:2026", written(shop))[2] == "[Keep the till closed (tiny)](../labs/tiny.md)"
    assert row_of("ASI03:2026", written(shop, landed=False))[2] == "none yet"


def test_a_risk_without_an_attack_says_why(shop: Tree) -> None:
    page = shop.docs / "knowledge" / "threats" / "emptied-till.md"
    text = page.read_text().replace("ASI03:2026", "ASI08:2026")
    page.write_text(text.replace("labs: [tiny]", "labs: [later]\nnot_executed: it takes two tills"))
    (shop.labs / "planned.yml").write_text("- {slug: later, track: start}\n")
    assert row_of("ASI08:2026", written(shop))[2] == "it takes two tills; planned: `later`"
    page.write_text(text.replace("labs: [tiny]", "labs: [tiny]\nnot_executed: it takes two tills"))
    assert "says why no attack is executed, and names a lab that is built" in problems(shop)


def test_a_gap_is_shown(shop: Tree) -> None:
    coverage = written(shop, passed=False)["docs/knowledge/coverage.md"]
    row = next(line for line in coverage.splitlines() if line.startswith("| ASI03:2026"))
    assert "1, of which 0 proved" in row and "none yet" in row
    row = next(
        line for line in written(shop)["docs/knowledge/coverage.md"].splitlines() if line.startswith("| ASI03:2026")
    )
    assert "1, of which 1 proved" in row


def test_a_page_past_its_review_date_says_so(shop: Tree) -> None:
    late = written(shop, today=TODAY + datetime.timedelta(days=181))
    assert "Past its review date" in late[".cache/includes/foot/controls/closed-till.md"]
    assert "2 of 2 pages" in late["docs/knowledge/review.md"]
    assert "Past its review date" not in written(shop)[".cache/includes/foot/controls/closed-till.md"]


def test_glossary_entries_are_checked_and_shown(shop: Tree) -> None:
    path = shop.docs / "knowledge" / "glossary.yml"
    path.write_text('- {term: MCP server, abbreviations: [MCPS], text: "Offers tools to an agent."}\n')
    assert knowledge_pages.glossary_findings(shop) == []
    made = written(shop)
    assert "*[MCPS]: Offers tools to an agent." in made[".cache/includes/terms.md"]
    assert "**MCP server**" in made["docs/knowledge/glossary.md"]
    path.write_text(f'- {{term: A, text: "{"long " * 50}"}}\n- {{term: a, text: x, page: nowhere.md}}\n- {{term: B}}\n')
    said = "\n".join(map(str, knowledge_pages.glossary_findings(shop)))
    for part in ("characters", "stands twice", "docs/knowledge/nowhere.md does not exist", "It has the keys"):
        assert part in said


# -- the real knowledge base --------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Knowledge:
    tree = checkout()
    known, findings = knowledge.read(tree, read_all(tree)[0])
    assert findings == []
    return known


def test_every_kind_has_what_was_promised(real: Knowledge) -> None:
    least = {
        "threat": 30,
        "control": 40,
        "incident": 25,
        "protocol": 12,
        "platform": 15,
        "how-to": 30,
        "error": 50,
        "guide": 4,
        "checklist": 4,
    }
    assert {k: len(real.of(k)) for k, n in least.items() if len(real.of(k)) < n} == {}


def test_the_owasp_lists_are_whole(real: Knowledge) -> None:
    ids = {i for page in real.of("threat") for i in page.list_of("ids")}
    for family in ("ASI", "LLM"):
        missing = [f"{family}{n:02}:2026" for n in range(1, 11) if f"{family}{n:02}:2026" not in ids]
        assert missing == []


def test_every_exercise_of_every_lab_proves_a_control_or_leads_to_one(real: Knowledge) -> None:
    claimed = {claim.split("#")[0] for page in real.controls.values() for claim in page.list_of("proved_by")}
    labs = {lab.slug for lab in read_all(checkout())[0]}
    repair = "Name each of them in `proved_by` of a control it proves, under docs/knowledge/controls/."
    assert labs - claimed == set(), repair
    assert claimed - labs == set(), "No such lab: correct `proved_by` under docs/knowledge/controls/."


def test_every_control_is_named_by_a_threat(real: Knowledge) -> None:
    lonely = [slug for slug in real.controls if not any(p.kind == "threat" for p in real.naming(slug))]
    assert lonely == []


def test_descriptions_are_no_copies(real: Knowledge) -> None:
    seen: dict[str, Path] = {}
    for page in real.pages:
        assert page.data["description"] not in seen, f"{page.path} and {seen[page.data['description']]}"
        seen[page.data["description"]] = page.path

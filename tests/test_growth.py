"""Growth: copies that link among themselves, a build and a search at two scales, and what breaks first."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from proving import growth, pages, printing, search_index, site, staging
from proving.commands import bench
from proving.growth import Row
from proving.knowledge import FOLDERS
from proving.paths import Tree
from proving.plain import front_matter


@pytest.fixture
def small(tree: Tree) -> Tree:
    """A checkout with this course's settings, and a knowledge base of a control, a threat and an error."""
    shutil.rmtree(tree.docs)
    shutil.copytree(
        ROOT / "docs" / "assets",
        tree.docs / "assets",
        ignore=shutil.ignore_patterns("pages.js", "assessment.yml", "paths.yml"),
    )
    kept = {"controls": "rule-of-two", "threats": "egress-by-dns", "errors": "uv-hash-mismatch"}
    for kind, slug in kept.items():
        (tree.docs / "knowledge" / kind).mkdir(parents=True)
        text = (ROOT / "docs" / "knowledge" / kind / f"{slug}.md").read_text(encoding="utf-8")
        data, _ = front_matter(text)
        for key, value in (("controls", ["rule-of-two"]), ("proved_by", []), ("labs", []), ("lab", None)):
            data.update({key: value} if key in data else {})
        data.pop("lesson", None)
        data.update({"takeaway": None} if kind == "controls" else {})
        body = "\n# A page\n\nIt has [its control](../controls/rule-of-two.md#how) and [a list](index.md). Zyzzyva.\n\n## How {#how}\n\nSo."
        foot = f'\n\n--8<-- "foot/{kind}/{slug}.md"\n'
        dumped = yaml.safe_dump(data, sort_keys=False)
        (tree.docs / "knowledge" / kind / f"{slug}.md").write_text(f"---\n{dumped}---\n{body}{foot}", encoding="utf-8")
    (tree.docs / "knowledge" / "glossary.yml").write_text("- {term: Token, text: What is shown at the door.}\n")
    (tree.docs / "index.md").write_text("---\ntitle: Start\ndescription: A page to begin with.\n---\n# Start\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[0]
    folders = [f"knowledge/{name}/index.md" for name in sorted(set(FOLDERS.values()))]
    nav = ["index.md", "knowledge/index.md", *folders, "knowledge/coverage.md", "knowledge/timeline.md"]
    nav += ["knowledge/glossary.md", "knowledge/review.md", "labs/index.md", "status.md"]
    (tree.root / "mkdocs.yml").write_text(f"{settings}\nnav:\n" + "".join(f"  - {page}\n" for page in nav))
    return tree


def test_a_copy_links_to_pages_of_the_same_copy(small: Tree, tmp_path: Path) -> None:
    grown = growth.grow(small, tmp_path / "grown", 3)
    threats = grown.docs / "knowledge" / "threats"
    assert sorted(p.name for p in threats.glob("*.md")) == [
        "egress-by-dns-copy-1.md",
        "egress-by-dns-copy-2.md",
        "egress-by-dns.md",
    ]
    data, body = front_matter((threats / "egress-by-dns-copy-2.md").read_text(encoding="utf-8"))
    assert data["controls"] == ["rule-of-two-copy-2"]
    assert data["title"].endswith(" (2)")
    assert "(../controls/rule-of-two-copy-2.md#how)" in body
    assert "(index.md)" in body
    assert '"foot/threats/egress-by-dns-copy-2.md"' in body
    assert staging.stage(grown, [], []) == [], "the copies break the schema"
    assert not list(small.root.rglob("*-copy-*")), "the checkout was changed"


def test_the_site_is_built_and_searched_at_each_scale(small: Tree) -> None:
    rows = [growth.measure(small, [], [], scale) for scale in (1, 3)]
    one, three = rows
    assert three.pages - one.pages == 2 * 3
    assert three.index_bytes > one.index_bytes
    assert min(row.build_seconds for row in rows) > 0
    if printing.find_chromium():
        assert all(row.ready_ms is not None and row.search_ms is not None for row in rows)


def test_a_page_that_breaks_the_build_is_said(small: Tree) -> None:
    path = small.docs / "knowledge" / "errors" / "uv-hash-mismatch.md"
    path.write_text(path.read_text().replace("(index.md)", "(gone.md)"))
    with pytest.raises(site.BuildFailed, match="gone"):
        growth.measure(small, [], [], 1)


def test_copies_get_words_of_their_own_and_keep_the_common_ones() -> None:
    entries = [{"at": "a", "title": "Common zyzzyva"}, {"at": "b", "title": "Common quixotic"}]
    entries += [{"at": "a-copy-1", "title": "Common zyzzyva"}, {"at": "a-copy-2", "title": "Common zyzzyva"}]
    growth.with_new_words(entries)
    first, second = entries[2]["title"], entries[3]["title"]
    assert first.startswith("Common ") and second.startswith("Common ")
    assert len({first, second, "Common zyzzyva"}) == 3
    assert sorted(first) == sorted("Common zyzzyva")
    assert entries[0]["title"] == "Common zyzzyva"
    assert growth.questions([{"title": "Bind tokens"}]) == ["Bind toekns"]


def test_what_breaks_first_comes_first() -> None:
    flat = [Row(1, 100, 1.0, 100_000, 1, 1, 1), Row(4, 400, 4.0, 300_000, 1, 1, 50.0), Row(16, 1600, 15.0, 900_000, 1, 1, 150.0)]  # fmt: skip
    missed, breaks = growth.verdict(flat)
    assert missed == []
    assert [line.partition(" pages")[0] for line in breaks] == ["At about 600", "At about 1000"]
    assert "index" in breaks[0] and "search in twenty" in breaks[1]
    slower = [flat[0], Row(4, 400, 4.5, 100_000)]
    missed, breaks = growth.verdict(slower)
    assert missed == ["4.0 times the pages take 4.5 times as long to build"]
    assert breaks == ["Nothing breaks up to 400 pages."]


def test_the_status_page_shows_what_was_written(small: Tree) -> None:
    bench._write(small, {"rows": [], "rounds": 1, "cores": 2, "python": "3.11", "date": "2026-11-25"})
    rows = [asdict(Row(1, 100, 2.0, 100_000, 5.0, 0.5, None))]
    bench._write(small, {"growth": {"date": "2026-11-25", "missed": ["a bar"], "breaks": ["At 9"], "rows": rows}})
    figures = pages.measured(small)
    assert figures["cores"] == 2, "the other figures are gone"
    text = pages.status([], {}, figures, {}, {})
    assert "| 1x | 100 | 2.0 s | 20 ms | 100 KB | 5.0 ms | 0.5 ms | not measured |" in text
    assert "Missed: a bar. At 9" in text


def test_scales_that_say_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for scales in (["4", "16"], ["1", "1"], ["1", "16", "4"]):
        assert bench.main(["--scales", *scales]) == 2
        assert "begin with 1" in capsys.readouterr().err


def test_an_index_is_read_as_it_was_written(small: Tree) -> None:
    assert search_index.stage(small) == []
    data = search_index.read(small.docs / search_index.PAGES)
    assert {"knowledge/errors/uv-hash-mismatch", "index"} <= {page["at"] for page in data["pages"]}

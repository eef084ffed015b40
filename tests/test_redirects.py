"""Addresses that were published once, the redirects that keep them, and the copies for assistants."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, Script
from proving import assistants, nav, plain, redirects, site
from proving.findings import Finding
from proving.paths import Tree

PAGE = "---\ntitle: {0}\ndescription: What {0} is about.\n---\n# {0}\n\nSee [the till](../start/till.md).\n"


def write_page(tree: Tree, source: str) -> None:
    path = tree.docs / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.format(path.stem))


def write_nav(tree: Tree, *sources: str) -> None:
    (tree.root / "mkdocs.yml").write_text(yaml.safe_dump({"site_name": "Small", "nav": list(sources)}))


def move(tree: Tree, **pairs: str) -> None:
    redirects.redirects_file(tree).write_text(yaml.safe_dump({k.replace("__", "/"): v for k, v in pairs.items()}))


def listed(tree: Tree, *addresses: str) -> None:
    redirects.pages_file(tree).write_text("# a remark\n" + "".join(f"{address}\n" for address in addresses))


@pytest.fixture
def moved(tree: Tree) -> Tree:
    """A page that was published as start/drawer/ and now is start/till/; learn/keys/ stays where it was."""
    write_page(tree, "learn/keys.md")
    write_nav(tree, "start/till.md", "learn/keys.md")
    listed(tree, "learn/keys/", "start/drawer/", "start/till/")
    return tree


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("index.md", ""),
        ("labs/index.md", "labs/"),
        ("labs/till.md", "labs/till/"),
        ("start/my-index.md", "start/my-index/"),
    ],
)
def test_an_address_is_where_the_site_shows_the_page(source: str, address: str) -> None:
    assert nav.address(source) == address
    assert nav.file(source) == f"{address}index.html"


def test_pages_that_nav_leaves_out_hang_off_their_index(tree: Tree) -> None:
    for source in ("learn/how-to/b.md", "learn/how-to/a.md", "learn/c.md"):
        write_page(tree, source)
    (tree.root / "mkdocs.yml").write_text(
        "nav:\n  - start/till.md\n  - Learn:\n    - Named: learn/c.md\n    - learn/how-to/index.md\n    - https://elsewhere.example/\n"
        "extra: !ENV [NAME, none]\n"
    )
    assert nav.entries(tree) == [
        nav.Entry((), "start/till.md", ""),
        nav.Entry(("Learn",), "learn/c.md", "Named"),
        nav.Entry(("Learn", "How to"), "learn/how-to/index.md", ""),
        nav.Entry(("Learn", "How to"), "learn/how-to/a.md", ""),
        nav.Entry(("Learn", "How to"), "learn/how-to/b.md", ""),
    ]


def test_a_page_that_is_gone_without_a_redirect_is_found_and_the_repair_named(moved: Tree) -> None:
    (found,) = redirects.findings(moved)
    assert found.where == "docs/pages.txt"
    assert "start/drawer/ is gone" in found.problem
    assert "`start/drawer/: <new address>`" in found.repair and "docs/redirects.yml" in found.repair


def test_a_redirect_settles_it(moved: Tree) -> None:
    move(moved, start__drawer__="start/till/")
    assert redirects.findings(moved) == []
    move(moved, start__drawer__="start/till/#key")
    assert redirects.findings(moved) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("start/drawer/", "start/tell/", "which is no page"),
        ("start/till/", "learn/keys/", "is a page"),
        ("/start/drawer/", "start/till/", "is no address"),
        ("../drawer/", "start/till/", "is no address"),
        ("start/drawer", "start/till/", "is no address"),
        ("start//drawer/", "start/till/", "is no address"),
    ],
)
def test_a_redirect_that_cannot_be_right_is_found(moved: Tree, old: str, new: str, problem: str) -> None:
    listed(moved, "learn/keys/", "start/till/")
    redirects.redirects_file(moved).write_text(yaml.safe_dump({old: new}))
    (found,) = redirects.findings(moved)
    assert found.where == "docs/redirects.yml"
    assert problem in found.problem


def test_redirects_do_not_chain(moved: Tree) -> None:
    move(moved, start__drawer__="start/box/", start__box__="start/till/")
    (found,) = redirects.findings(moved)
    assert found.repair == "Write `start/drawer/: start/till/`."


@pytest.mark.parametrize("text", ["- a\n- b\n", "old/: [new/]\n", "old/: 3\n", "{", "a: b: c"])
def test_a_file_that_is_no_mapping_is_a_finding(moved: Tree, text: str) -> None:
    redirects.redirects_file(moved).write_text(text)
    (found,) = redirects.findings(moved)
    assert found.where == "docs/redirects.yml"
    assert "old/: new/" in found.repair


def test_a_broken_mkdocs_yml_is_a_finding(moved: Tree) -> None:
    for text in ("nav: [", "- a list\n"):
        (moved.root / "mkdocs.yml").write_text(text)
        assert any("mkdocs.yml is no" in str(found) for found in redirects.findings(moved))


def test_the_build_fails_and_leaves_the_site_as_it_was(moved: Tree) -> None:
    moved.site.mkdir()
    (moved.site / "index.html").write_text("as it was")
    with pytest.raises(site.BuildFailed, match=r"start/drawer/ is gone.*docs/redirects\.yml"):
        site.build(moved)
    assert (moved.site / "index.html").read_text() == "as it was"


def test_the_built_site_leads_on_from_the_old_address(moved: Tree) -> None:
    (moved.docs / "index.md").write_text("# Small\n")
    write_nav(moved, "index.md", "start/till.md", "learn/keys.md")
    move(moved, start__drawer__="start/till/", old__deep__drawer__="learn/keys/#door", home__="/")
    site.build(moved)
    seen = {}
    for old in ("start/drawer", "old/deep/drawer", "home"):
        text = (moved.site / old / "index.html").read_text()
        refresh, link = re.search(r'content="0; url=([^"]*)"', text), re.search(r'<a href="([^"]*)"', text)
        assert refresh and link and refresh[1] == link[1]
        target = (moved.site / old / link[1].partition("#")[0]).resolve()
        assert (target / "index.html").is_file(), f"{old} leads to {link[1]}"
        seen[old] = link[1]
    assert seen == {"start/drawer": "../till/", "old/deep/drawer": "../../../learn/keys/#door", "home": "../"}


def test_sync_lists_new_pages_and_check_tells_both(tree: Tree, script: Script) -> None:
    result = script("sync.py", "--check")
    assert result.returncode == 1
    assert "the page start/till/ is not listed. Run `python3 scripts/sync.py`." in result.stderr
    assert script("sync.py").returncode == 0
    assert redirects.published(tree) == {"start/till/"}
    assert script("sync.py", "--check").returncode == 0
    write_page(tree, "start/box.md")
    write_nav(tree, "start/box.md")
    for arguments in (("--check",), ()):
        result = script("sync.py", *arguments)
        assert result.returncode == 1
        assert "the page start/till/ is gone, and no redirect leads on from it." in result.stderr
    assert "start/till/" in redirects.published(tree), "sync must not forget what was published"
    move(tree, start__till__="start/box/")
    assert script("sync.py").returncode == 0
    assert script("sync.py", "--check").returncode == 0


def test_this_checkout_keeps_every_address() -> None:
    tree = Tree(ROOT)
    wrong: list[Finding] = redirects.findings(tree) + redirects.unlisted(tree)
    assert wrong == []
    assert len(redirects.published(tree)) >= 12


# -- the copies for assistants ---------------------------------------------------------------------

MARKDOWN = """\
--8<-- "line.md"
--8<-- "../outside.md"

<dl class="pg-facts" data-search-exclude><div><dt>Time</dt><dd>45 &lt; 60</dd></div></dl>

<p id="none" hidden>Not shown.</p>

[Down](x.md){ download }
{ .pg-doors }

??? success "Solution"

    ``` { .python .pg-attack title="Attack" }
    <p>kept & kept</p>
    --8<-- "line.md"
    ```

    !!! note "Inside"

        Deep.

<div class="pg-output no-copy"><p class="pg-output-name">Output</p><pre><code><span class="pg-line">✓ 1 &lt; 2
</span>&#96;&#96;&#96;
</code></pre></div>

<svg role="img"><title>Two doors</title><path d="M0"/></svg>
"""


def test_a_page_becomes_plain_markdown(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "line.md").write_text("Included.\n")
    (tmp_path / "outside.md").write_text("SECRET\n")
    assert plain.plain(MARKDOWN, tmp_path / "in") == (
        "Included.\n\n- Time: 45 < 60\n\n[Down](x.md)\n\n**Solution**\n\n**Attack**\n\n"
        '```python\n<p>kept & kept</p>\n--8<-- "line.md"\n```\n\n**Inside**\n\nDeep.\n\n'
        "**Output**\n\n````text\n✓ 1 < 2\n```\n````\n\nFigure: Two doors\n"
    )


def test_a_copy_of_each_page_and_the_list_of_them(moved: Tree) -> None:
    write_page(moved, "start/till.md")
    move(moved, start__drawer__="start/till/")
    site.build(moved)
    contents = (moved.site / "llms.txt").read_text()
    assert contents.startswith("# Small\n\n> ")
    linked = re.findall(r"^- \[(.*)\]\((.*)\): (.*)$", contents, re.MULTILINE)
    assert linked == [
        ("till", "start/till.md", "What till is about."),
        ("keys", "learn/keys.md", "What keys is about."),
    ]
    for _, source, _ in linked:
        copy = (moved.site / source).read_text()
        assert plain.front_matter(copy)[0]["description"]
        for link in re.findall(r"\]\(([^)#]+)\)", copy):
            assert ((moved.site / source).parent / link).resolve().is_file(), f"{source}: {link}"


def test_every_page_of_this_checkout_becomes_plain() -> None:
    tree = Tree(ROOT)
    sources = [entry.source for entry in nav.entries(tree) if (tree.docs / entry.source).exists()]
    assert len(sources) >= 6
    for source in sources:
        document = plain.document(tree, source)
        assert document.title and document.description, source
        assert document.text.startswith("# "), source
        prose = re.sub(r"^ *(`{3,}).*?^ *\1 *$|`[^`\n]+`", "", document.text, flags=re.DOTALL | re.MULTILINE)
        assert not re.search(r"<(div|span|p|svg|dl|form)\b|^ *(\?\?\?|!!!|-+8<)", prose, re.MULTILINE), source
        assert "title:" in assistants.copy(document)

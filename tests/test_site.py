"""The built site, as files and in a browser; and the same pages built by the other engine."""

import gzip
import importlib.util
import itertools
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import nbformat
import pytest
import yaml
from browser import CONTRAST, STICKS_OUT, Browser
from built import Built, Page
from conftest import ROOT, write_small_lab
from proving import proof, staging
from proving.paths import Tree
from proving.source import read_all
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

# One worker does them all: the site is built and the browser opened once.
pytestmark = pytest.mark.xdist_group("site")

TOKENS = "labs/bind-tokens-to-their-audience/"
SAMPLES = ("", "labs/", TOKENS, "learn/protocols/authorization-for-tools/", "status/")
WEIGHT = 400_000
CONTRAST_AA = 4.5


# -- the files ------------------------------------------------------------------------------------


def test_the_nav_names_every_page_and_nothing_else(built: Built) -> None:
    """The pages of the knowledge base are too many for the nav: each hangs off the index of its kind."""
    entry = re.compile(r"knowledge/[a-z-]+/[a-z0-9-]+/")
    assert {page for page in built.all_pages if not entry.fullmatch(page)} == set(built.pages)
    for page in filter(entry.fullmatch, built.all_pages):
        folder, name = page.rstrip("/").rsplit("/", 1)
        assert f"{name}/" in Page(built.html(f"{folder}/")).links, page
    shown = {p.removeprefix("labs/").removesuffix(".md") for p in built.sources if p.startswith("labs/")} - {"index"}
    assert shown == set(built.labs)


def test_a_page_that_nav_leaves_out_leads_back_to_its_lists(built: Built) -> None:
    hanging = set(built.all_pages) - set(built.pages)
    assert len(hanging) > 300
    for page in built.all_pages:
        text = built.html(page).read_text(encoding="utf-8")
        trail = re.search(r'<nav class="pg-trail"[^>]*>(.*?)</nav><h1', text)
        assert bool(trail) == (page in hanging), page
        if trail:
            kind = page.split("/")[1]
            title = Page(built.html(f"knowledge/{kind}/")).headings[0][1]
            assert trail[1] == f'<a href="../../">Knowledge base</a> › <a href="../">{title}</a>', page


def test_every_page_has_a_title_a_description_of_its_own_and_one_h1(built: Built) -> None:
    config = yaml.safe_load((built.tree.root / "mkdocs.yml").read_text(encoding="utf-8"))
    seen: dict[str, str] = {}
    for page in built.all_pages:
        read = Page(built.html(page))
        assert read.title.strip(), page
        assert [level for level, _ in read.headings].count("h1") == 1, page
        assert read.headings[0][0] == "h1", f"{page}: something stands above the h1"
        assert 20 < len(read.description) <= 200, f"{page}: {read.description!r}"
        assert read.description != config["site_description"], f"{page} has no description of its own"
        assert read.description not in seen, f"{page} and {seen.get(read.description)} have the same description"
        seen[read.description] = page


def test_no_diagram_loses_its_words(built: Built) -> None:
    """A term of the glossary becomes an <abbr>, which does not show inside <svg>: a bare <svg> needs a <div> around it."""
    drawn = 0
    for page in built.all_pages:
        for drawing in re.findall(r"<svg.*?</svg>", built.html(page).read_text(encoding="utf-8"), re.DOTALL):
            drawn += "<text" in drawing
            assert "<abbr" not in drawing, f"{page}: put <div> and </div> around the diagram"
    assert drawn > 5


def test_no_heading_skips_a_level(built: Built) -> None:
    for page in built.all_pages:
        levels = [int(level[1]) for level, _ in Page(built.html(page)).headings]
        jumps = [pair for pair in itertools.pairwise(levels) if pair[1] > pair[0] + 1]
        assert jumps == [], page


def test_internal_links_and_anchors_resolve(built: Built) -> None:
    read = {path: Page(path) for path in built.tree.site.rglob("*.html")}
    broken, checked = [], 0
    for path, page in read.items():
        here = "/" + path.relative_to(built.tree.site).as_posix()
        for link in page.links:
            address, anchor = urldefrag(urljoin(here, link))
            if urlsplit(address).scheme:
                continue
            target = built.tree.site / unquote(urlsplit(address).path).lstrip("/")
            target = target / "index.html" if target.is_dir() else target
            checked += 1
            if not target.is_file() or (anchor and target in read and unquote(anchor) not in read[target].ids):
                broken.append(f"{here}: {link}")
    assert broken == []
    assert checked > 100


def test_no_id_is_given_twice(built: Built) -> None:
    for page in built.all_pages:
        ids = Page(built.html(page)).ids
        assert [name for name in set(ids) if ids.count(name) > 1] == [], page


def test_no_page_names_a_registry_host_or_a_path_of_this_machine(built: Built) -> None:
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    hosts += [".".join(parts) for parts in (("crates", "io"), ("rubygems", "org"), ("nuget", "org"), ("docker", "io"))]
    home = [Path.home()] if len(Path.home().parts) > 2 else []  # /root stands in commands for containers
    places = [f"{p}/" for p in (ROOT, built.tree.root, *home)]
    kinds = (".html", ".json", ".ipynb", ".xml", ".txt", ".py", ".toml", ".yml", ".yaml")
    for path in built.tree.site.rglob("*"):
        if path.suffix in kinds:
            text = path.read_text(encoding="utf-8")
            assert [h for h in (*hosts, *places) if h in text] == [], path.relative_to(built.tree.site)


def test_status_lists_each_lab_and_what_was_seen(built: Built) -> None:
    status = Page(built.html("status/"))
    for lab in built.labs.values():
        assert lab.header.title in status.text
        assert f"../labs/{lab.slug}/" in status.links
        assert f"{built.evidence[lab.slug].verdict['seconds']:.1f}" in status.text
    assert status.text.count("✓\N{NO-BREAK SPACE}passed") == 5 * len(built.labs)


def test_each_lab_page_carries_the_stamp_of_its_run(built: Built) -> None:
    for slug, evidence in built.evidence.items():
        text = Page(built.html(f"labs/{slug}/")).text
        stamp = text[text.index("Gates passed") : text.index("Run it again")]
        for fact in (
            "4 of 4",
            evidence.stamp["date"][:10],
            evidence.stamp["python"],
            f"{evidence.stamp['seconds']:.1f} s",
        ):
            assert fact in stamp, f"{slug}: {fact}"
        for name, version in evidence.stamp["versions"].items():
            assert f"{name} {version}" in stamp, slug


def test_the_landing_page_shows_the_run(built: Built) -> None:
    text = Page(built.html("")).text
    mistakes = sum(e.verdict["mistakes"] for e in built.evidence.values())
    assert f"{len(built.labs)} of {len(built.labs)} labs proved on 20" in text
    assert f"{mistakes} wrong answers caught" in text
    assert "✗ ATTACK LANDED" in text
    assert "✓ refused" in text


# -- what the generated pages say when things are otherwise ----------------------------------------


def test_a_lab_that_falls_short_is_shown_as_such(tree: Tree) -> None:
    landed = 'landed("a stranger empties the till", open_till("stranger"))'
    write_small_lab(tree, "tiny", (landed, 'print("<b>nothing</b> ``` lands")'))
    (tree.root / "mkdocs.yml").write_text("nav: [labs/index.md, labs/tiny.md]\n")
    labs, findings = read_all(tree)
    assert findings == []
    staging.stage(tree, labs, proof.prove(tree))
    page = (tree.docs / "labs" / "tiny.md").read_text(encoding="utf-8")
    assert "✗ did not pass" in page
    assert "**✗\N{NO-BREAK SPACE}failed**" in page
    assert "&lt;b&gt;nothing&lt;/b&gt; &#96;&#96;&#96; lands" in page
    assert "✗ not proved" in (tree.docs / "labs" / "index.md").read_text(encoding="utf-8")
    assert "0 of 1 labs proved" in (tree.cache / "includes" / "proved.md").read_text(encoding="utf-8")
    assert "No lab was proved" in (tree.cache / "includes" / "excerpt.md").read_text(encoding="utf-8")


NAMED = ("# %%\nprint", '# %% id="staff"\nprint')


def test_a_page_shows_what_a_cell_printed(tree: Tree) -> None:
    write_small_lab(tree, "tiny", NAMED)
    (tree.root / "mkdocs.yml").write_text("nav: [labs/index.md, labs/tiny.md]\n")
    (tree.docs / "start" / "till.md").write_text('# The till\n\n--8<-- "runs/tiny/staff.md"\n')
    labs, _ = read_all(tree)
    evidence = proof.prove(tree)
    assert staging.stage(tree, labs, evidence) == []
    include = tree.cache / "includes" / "runs" / "tiny" / "staff.md"
    assert "['ada', 'bo']" in include.read_text(encoding="utf-8")
    assert "Recorded in this build, in the lab Keep the till closed" in include.read_text(encoding="utf-8")

    # Where the lab does not pass, the page says so and the site is built.
    assert staging.stage(tree, labs, []) == []
    assert "did not get here" in include.read_text(encoding="utf-8")

    # A cell without an id leaves no include behind.
    write_small_lab(tree, "tiny")
    (finding,) = staging.stage(tree, read_all(tree)[0], evidence)
    assert not include.exists()
    assert "docs/start/till.md:3" in str(finding) and "id staff" in str(finding)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("runs/tiny/staf.md", "Cells there that do: staff. Correct the line"),
        ("runs/tiny/silent.md", "Cells there that do: staff."),
        (
            "runs/tin/staff.md",
            "No cell of the lab tin has the id staff and prints something. Cells there that do: none.",
        ),
    ],
)
def test_an_include_of_no_cell_is_named_with_its_repair(tree: Tree, line: str, says: str) -> None:
    write_small_lab(tree, "tiny", (NAMED[0], '# %% id="silent"\nnothing = None\n\n' + NAMED[1]))
    (tree.docs / "start" / "till.md").write_text(f'# The till\n\n--8<-- "{line}"\n')
    (finding,) = staging.stage(tree, read_all(tree)[0], proof.prove(tree))
    assert finding.where == "docs/start/till.md:3"
    assert says in str(finding)


def test_staging_takes_away_what_an_earlier_run_left(built: Built, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "again")
    for name in ("docs", "labs"):
        shutil.copytree(built.tree.root / name, tree.root / name)
    shutil.copyfile(built.tree.root / "mkdocs.yml", tree.root / "mkdocs.yml")
    stale = tree.docs / "labs" / "files" / "gone" / "gone.ipynb"
    stale.parent.mkdir()
    stale.write_text("{}")
    labs = [replace(lab, path=tree.labs / lab.slug / "lab.py") for lab in built.labs.values()]
    staging.stage(tree, labs, list(built.evidence.values()))
    assert not stale.exists()
    assert (tree.docs / "labs" / "index.md").read_text() == (built.tree.docs / "labs" / "index.md").read_text()


# -- the other engine -----------------------------------------------------------------------------


def test_zensical_builds_the_same_pages(built: Built, tmp_path: Path) -> None:
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("Zensical is not installed here (see requirements-test.txt)")
    shutil.copytree(built.tree.docs, tmp_path / "docs")
    shutil.copytree(built.tree.cache / "includes", tmp_path / ".cache" / "includes")
    shutil.copyfile(built.tree.root / "mkdocs.yml", tmp_path / "mkdocs.yml")
    result = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    ours = {p.relative_to(built.tree.site) for p in built.tree.site.rglob("*.html")}
    assert {p.relative_to(tmp_path / "site") for p in (tmp_path / "site").rglob("*.html")} == ours
    for page in built.pages:
        one, other = Page(built.html(page)), Page(tmp_path / "site" / page / "index.html")
        assert other.headings == one.headings, page
        assert other.blocks == one.blocks, page
        assert sorted(other.classes) == sorted(one.classes), page
        assert other.description == one.description, page


# -- the browser ----------------------------------------------------------------------------------


def test_pages_load_without_complaint_and_ask_no_other_host(built: Built, browser: Browser) -> None:
    for page in built.pages:
        visit = browser.visit(page)
        browser.until(lambda: browser.run("return document.readyState") == "complete", f"{page} is complete")
        late = browser.log()
        assert visit.complaints + late.complaints == [], page
        asked = visit.requests + late.requests
        assert asked, "the performance log is empty: this test sees nothing"
        assert [url for url in asked if not url.startswith(browser.base)] == [], page


def test_a_first_visit_is_light(built: Built, browser: Browser) -> None:
    browser.tell("Network.clearBrowserCache")
    weights = {}
    for url in browser.visit("").requests:
        path = built.tree.site / urlsplit(url).path.lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        if "search" not in path.as_posix().removeprefix(built.tree.site.as_posix()):
            weights[path.name] = len(gzip.compress(path.read_bytes()))
    print("first visit, gzip bytes:", sum(weights.values()), weights)
    assert {"index.html", "site.css", "catalogue.js"} <= set(weights)
    assert sum(weights.values()) < WEIGHT


def test_the_keyboard_goes_through_the_frame(browser: Browser) -> None:
    browser.forget()
    browser.visit("")
    way = browser.tab_until(lambda at: at == "labs/")
    assert way[0].startswith("#"), "the first stop is not the link that skips to the content"
    assert any(at.startswith("__palette") for at in way)
    assert "pg-search" in way, "Tab does not reach the search"
    assert browser.run("return !!document.activeElement.closest('.md-tabs')"), "Tab passes the tabs by"
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.driver.current_url.endswith("/labs/"), "Enter on the tab opens the labs")


def test_the_keyboard_reaches_everything_on_a_lab_page(browser: Browser) -> None:
    browser.visit(TOKENS)
    browser.until(lambda: browser.all("article .md-code__button"), "copy buttons")
    way = browser.tab_until(lambda at: not at)
    links = browser.run(
        "return [...document.querySelectorAll('article a:not(.headerlink)')].map(a => a.getAttribute('href'))"
    )
    assert [link for link in links if link not in way] == []
    folded = browser.run("return [...document.querySelectorAll('article summary')].map(s => s.innerText.trim())")
    assert len(folded) > 4
    assert [title for title in folded if f"SUMMARY {title[:60]}" not in way] == []


def test_what_scrolls_sideways_takes_the_focus(browser: Browser) -> None:
    stuck = (
        "return [...document.querySelectorAll('article pre > code, article .md-typeset__scrollwrap')]"
        ".filter(e => e.scrollWidth > e.clientWidth && e.tabIndex !== 0).length"
    )
    wide = "return [...document.querySelectorAll('article pre > code')].some(e => e.scrollWidth > e.clientWidth)"
    for page in (TOKENS, "status/"):
        browser.visit(page, width=360, height=740)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        browser.until(lambda: browser.run(stuck) == 0, f"every block of {page} that scrolls can be reached")
        assert page == "status/" or browser.run(wide)


def test_the_scheme_follows_the_system_and_the_choice_is_kept(browser: Browser) -> None:
    def scheme() -> object:
        return browser.run("return document.body.dataset.mdColorScheme")

    browser.forget()
    browser.visit("", scheme="dark")
    assert scheme() == "slate"
    browser.visit("", scheme="light")
    assert scheme() == "default", "the first visit pinned what the system said then"
    switch = "label.md-header__button[for^=__palette]:not([hidden])"
    browser.one(switch).click()
    browser.until(lambda: browser.one(switch).get_attribute("for") == "__palette_2", "the button pins the light scheme")
    browser.one(switch).click()
    browser.until(lambda: scheme() == "slate", "the button switches to dark")
    browser.visit("labs/", scheme="light")
    assert scheme() == "slate", "the choice is lost on the next page"
    browser.tab_until(lambda at: at.startswith("__palette"))
    browser.press(Keys.ENTER)
    browser.until(lambda: scheme() == "default", "the keyboard gives the choice back to the system")
    browser.visit("labs/", scheme="dark")
    assert scheme() == "slate", "the system is not followed again"
    browser.forget()


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_sticks_out(built: Built, browser: Browser, width: int) -> None:
    for page in built.pages:
        browser.visit(page, width=width, height=740)
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run(STICKS_OUT) == [], f"{page} at {width} pixels"


def test_the_menu_opens_on_a_phone(browser: Browser) -> None:
    def shown() -> object:
        return browser.run(
            "const bar = document.querySelector('.md-sidebar--primary'), box = bar.getBoundingClientRect();"
            "return box.left >= 0 && bar.checkVisibility({visibilityProperty: true})"
        )

    browser.visit("status/", width=360, height=740)
    assert not shown()
    way = browser.tab_until(lambda at: "primary" in at or at == "__drawer" or at.startswith("BUTTON"), most=5)
    assert way[-1].startswith("BUTTON"), f"Tab does not reach the menu button: {way}"
    browser.press(Keys.ENTER)
    browser.until(shown, "Enter opens the menu")
    browser.press(Keys.ESCAPE)
    browser.until(lambda: not shown(), "Escape closes the menu")
    browser.one(".md-header label[for=__drawer]").click()
    browser.until(shown, "a touch opens the menu")
    assert browser.one(".md-sidebar--primary a[href='../labs/'], .md-sidebar--primary label").is_displayed()


def cards(browser: Browser) -> list[str]:
    """The titles of the cards that can be seen, in order."""
    return [card.text for card in browser.all(".pg-card .pg-card-title") if card.is_displayed()]


def test_the_catalogue_filters_and_the_address_remembers(built: Built, browser: Browser) -> None:
    labs, many = built.labs, len(built.labs)
    browser.visit("labs/")
    browser.until(lambda: browser.one("#lab-filters").is_displayed(), "the filters")
    assert len(cards(browser)) == many
    assert browser.text("#labs-count") == f"{many} of {many} labs"
    assert browser.one("#labs-count").get_attribute("aria-live") == "polite"
    for field in browser.all("#lab-filters :is(input, select)"):
        assert browser.run("return arguments[0].labels[0].innerText.trim()", field), field.get_attribute("name")

    hosts = [lab.header.title for lab in labs.values() if lab.header.track == "host"]
    Select(browser.one("[name=track]")).select_by_value("host")
    assert sorted(cards(browser)) == sorted(hosts)
    assert browser.text("#labs-count") == f"{len(hosts)} of {many} labs"
    assert browser.driver.current_url.endswith("labs/?track=host")

    easy = next(lab.header.title for lab in labs.values() if lab.header.level == "first steps")
    word = max(easy.split(), key=len)
    browser.visit(f"labs/?find={word}&level=first+steps")
    assert easy in cards(browser) and len(cards(browser)) < many
    assert browser.one("[name=find]").get_attribute("value") == word
    browser.visit("labs/?track=no-such-track")
    assert len(cards(browser)) == many, "a value that the form does not offer must not hide labs"
    browser.visit("labs/?find=nothing+has+this+word")
    assert cards(browser) == []
    assert browser.one("#labs-none").is_displayed()
    linux = [lab.header.title for lab in labs.values() if lab.header.needs == "linux"]
    browser.visit("labs/?needs=linux")
    assert sorted(cards(browser)) == sorted(linux)


def test_the_catalogue_is_sorted_by_minutes(browser: Browser) -> None:
    browser.visit("labs/")
    course = cards(browser)
    browser.run("document.querySelectorAll('.pg-card').forEach((card, i) => card.dataset.minutes = 100 - i)")
    order = Select(browser.one("[name=sort]"))
    order.select_by_value("minutes")
    assert cards(browser) == course[::-1]
    assert "sort=minutes" in browser.driver.current_url
    order.select_by_value("")
    assert cards(browser) == course


def test_the_catalogue_by_keyboard(built: Built, browser: Browser) -> None:
    browser.visit("labs/")
    browser.tab_until(lambda at: at == "find")
    browser.press(*"audience")
    assert cards(browser) == ["Bind tokens to their audience"]
    assert [browser.tab_until(lambda at: True)[0] for _ in range(4)] == ["track", "level", "needs", "sort"]
    browser.press(Keys.TAB, Keys.ENTER)
    browser.until(lambda: len(cards(browser)) == len(built.labs), "Clear shows all labs again")
    assert "?" not in browser.driver.current_url
    way = browser.tab_until(lambda at: not at)
    assert len([at for at in way if any(at == f"{slug}/" for slug in built.labs)]) >= len(built.labs)


def test_without_scripts_every_lab_is_shown(built: Built, browser: Browser) -> None:
    with browser.without_scripts():
        browser.visit("labs/?track=host")
        assert len([card for card in browser.all(".pg-card") if card.is_displayed()]) == len(built.labs)
        assert not browser.one("#lab-filters").is_displayed()


def test_a_lab_page_shows_the_attack_and_folds_the_solution(built: Built, browser: Browser) -> None:
    for slug in built.labs:
        browser.visit(f"labs/{slug}/")
        assert "✗ ATTACK LANDED" in browser.text(".pg-landed")
        assert browser.text(".pg-attack .filename") == "Attack"
        assert browser.text(".pg-check .filename") == "Check"
        assert browser.text(".pg-turn").startswith("Your turn")
        assert "✓ refused" in browser.text(".pg-check + .pg-output")
        turns = [turn.get_attribute("id") for turn in browser.all(".pg-turn")]
        assert turns == [f"exercise-{exercise.id}" for exercise in built.labs[slug].exercises]
    solution = browser.one(".pg-exercise + details.success")
    code = solution.find_element("css selector", "pre")
    assert not code.is_displayed()
    browser.run("arguments[0].querySelector('summary').focus()", solution)
    browser.press(Keys.ENTER)
    browser.until(code.is_displayed, "Enter on the summary opens the solution")


def test_a_command_is_copied_without_its_prompt(browser: Browser) -> None:
    browser.visit("")
    browser.until(lambda: browser.all(".language-console .md-code__button"), "a copy button on the command")
    browser.run("document.addEventListener('copy', () => window.copied = document.activeElement.value)")
    browser.one(".language-console .md-code__button").click()
    browser.until(lambda: browser.run("return window.copied"), "something is copied")
    assert browser.run("return window.copied") == "python3 scripts/serve.py"
    browser.visit(TOKENS)
    browser.until(lambda: browser.all(".pg-exercise .md-code__button"), "a copy button on the starter")
    assert browser.all(".pg-output .md-code__button") == []


def test_downloads_are_there_and_the_notebook_opens(built: Built, browser: Browser) -> None:
    for slug, lab in built.labs.items():
        browser.visit(f"labs/{slug}/")
        downloads = {a.get_attribute("href") for a in browser.all("article a[download]")}
        given = {urlsplit(url).path.partition(f"/files/{slug}/")[2]: url for url in downloads}
        assert given.keys() == {f"{slug}.ipynb", *(name for name in lab.take_home if not name.endswith(".md"))}
        for name, url in given.items():
            with urllib.request.urlopen(url) as answer:
                content = answer.read().decode()
            if url.endswith(".ipynb"):
                notebook = nbformat.from_dict(json.loads(content))
                nbformat.validate(notebook)
                assert "BEGIN SOLUTION" not in content
                assert all(not cell.get("outputs") for cell in notebook.cells)
            else:
                assert content == (lab.path.parent / "files" / name).read_text(encoding="utf-8")


def test_a_wrong_answer_shows_what_it_changes(built: Built, browser: Browser) -> None:
    lab = built.labs["speak-mcp"]
    browser.visit("labs/speak-mcp/")
    shown = browser.run(
        "return [...document.querySelectorAll('details.failure > ul')].map(list => [...list.children].map("
        "item => [item.querySelector('strong').textContent, item.querySelector('.language-diff code')?.textContent]))"
    )
    assert len(shown) == len(lab.exercises)
    for exercise, answers in zip(lab.exercises, shown, strict=True):
        assert [title.removesuffix(".") for title, _ in answers] == [m.title for m in exercise.mistakes]
        for mistake, (_, difference) in zip(exercise.mistakes, answers, strict=True):
            for sign, side in (("-", exercise.solution), ("+", mistake.text)):
                lines = [line[2:] for line in (difference or "").splitlines() if line.startswith(sign)]
                assert all(line in side for line in lines), difference
    assert sum(difference is not None for answers in shown for _, difference in answers) > 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser: Browser, scheme: str) -> None:
    browser.forget()
    for page in SAMPLES:
        browser.visit(page, scheme=scheme)
        assert (
            browser.run("return document.body.dataset.mdColorScheme") == {"light": "default", "dark": "slate"}[scheme]
        )
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = browser.run(CONTRAST)
        assert len(found) > 10, f"{page}: hardly any text was looked at"
        weak = [f"{f['ratio']:.2f} {f['name']}: {f['text']}" for f in found if f["ratio"] < CONTRAST_AA]
        assert weak == [], f"{page} in {scheme}"
    # It can fail: the same text, made pale.
    browser.run("document.querySelector('article p').style.color = getComputedStyle(document.body).backgroundColor")
    assert any(f["ratio"] < CONTRAST_AA for f in browser.run(CONTRAST))


def test_paper_shows_what_is_folded(browser: Browser) -> None:
    seen = "return [...document.querySelectorAll('article details > :not(summary)')].map(e => e.checkVisibility() && e.offsetHeight > 0)"
    # Without scripts: the theme's own script opens what is folded, and the sheet has to do it alone.
    with browser.without_scripts():
        browser.visit(TOKENS)
        assert not any(browser.run(seen))
        browser.visit(TOKENS, kind="print")
        folded = browser.run(seen)
    assert len(folded) > 4
    assert all(folded)


def test_less_motion_where_less_is_wanted(browser: Browser) -> None:
    moving = (
        "return [...document.querySelectorAll('body *')].map(e => getComputedStyle(e))"
        ".filter(s => [s.transitionDuration, s.animationDuration].join().split(',').some(d => parseFloat(d) > 0)).length"
    )
    browser.visit("")
    assert browser.run(moving) > 0
    browser.visit("", prefers_reduced_motion="reduce")
    assert browser.run(moving) == 0

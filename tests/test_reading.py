"""Reading: quizzes, the way through the course, the self-assessment; the policy, axe, weight and calm of every page."""

import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from browser import CONTRAST, SCROLLS, Browser
from built import Built, Page
from conftest import Script
from proving import policy, reading
from proving.paths import Tree
from selenium.webdriver.common.keys import Keys

ROOT = Path(__file__).resolve().parents[1]
LESSON = "learn/host/immutable-hosts/"
LAB = "labs/verify-every-block/"
FIRM = "start/where-does-our-firm-stand/"
ENTRIES = (
    "errors/uv-hash-mismatch",
    "threats/prompt-injection",
    "checklists/go-live-for-an-agent",
    "coverage",
    "glossary",
)
KINDS = [
    "",
    LESSON,
    LAB,
    FIRM,
    "labs/",
    "learn/",
    "status/",
    "knowledge/",
    *(f"knowledge/{e}/" for e in ENTRIES),
    "404.html",
]
COURSE = [
    path for path in sorted((ROOT / "docs").rglob("*.md")) if "\nkind: lesson\n" in path.read_text("utf-8")[:4000]
]
CONTRAST_AA = 4.5
EFFORTS = ["an hour", "a day", "a week", "a month"]

# Counts what the page moves after it was shown, and what the policy refused. Runs before the page's own scripts.
WATCH = """
window.moved = 0; window.what = []; window.refused = [];
new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) {
  window.moved += e.value;
  const place = r => [r.x, r.y, r.width, r.height].map(Math.round).join(' ');
  for (const s of e.sources || []) window.what.push(`${Math.round(e.startTime)} ms: ${s.node && (s.node.className || s.node.nodeName)}`
    + ` from ${place(s.previousRect)} to ${place(s.currentRect)}, window ${innerWidth}`);
} }).observe({type: 'layout-shift', buffered: true});
document.addEventListener('securitypolicyviolation', e => window.refused.push(e.violatedDirective + ' ' + e.blockedURI));
"""
# axe's rules of WCAG 2.2 AA and its best practices, or one rule alone. What it found, without the long explanations.
# The colored words in code are thousands and of a dozen colors: CONTRAST looks at those, in a hundredth of the time.
AXE = """
const [rules, done] = arguments;
const all = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
axe.run({exclude: ['.highlight code span']}, rules
    ? {runOnly: {type: 'rule', values: rules}, resultTypes: ['violations']}
    : {runOnly: all, rules: {'target-size': {enabled: true}}, resultTypes: ['violations']})
  .then(r => done({looked: r.passes.length, found: r.violations.map(v =>
    [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 120)])}), e => done({error: String(e)}));
"""
# Scroll as a wheel does, a step a frame.
SCROLL = """
const done = arguments[0];
let steps = 8;
const step = () => { scrollBy(0, 100); requestAnimationFrame(steps-- ? step : done); };
requestAnimationFrame(step);
"""


@pytest.fixture
def watched(browser: Browser) -> Iterator[Browser]:
    browser.forget()
    script = browser.tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)["identifier"]
    yield browser
    browser.tell("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    browser.forget()


# -- what the lessons hold ------------------------------------------------------------------------


def questions(text: str) -> list[tuple[str, list[str], str]]:
    """Each question of a lesson's source: its heading, the letters of its options, its answer."""
    section = re.split(r"^## ", text.split("\n## Check yourself", 1)[1], flags=re.MULTILINE)[0]
    found = []
    for part in re.split(r"^### ", section, flags=re.MULTILINE)[1:]:
        letters = re.findall(r"^- ([A-Za-z])\. ", part, re.MULTILINE)
        answer = part.partition('??? success "Answer"')[2]
        found.append((part.splitlines()[0], letters, answer))
    return found


def faults(text: str) -> list[str]:
    """What keeps the questions of a lesson from being a quiz."""
    asked = questions(text)
    found = [] if 3 <= len(asked) <= 5 else [f"has {len(asked)} questions under Check yourself, not 3 to 5"]
    for heading, letters, answer in asked:
        right = re.match(r"\s*\*\*([A-Za-z])\b", answer)
        if len(letters) < 2 or letters != sorted(set(letters)):
            found.append(f"{heading}: write the options as '- a. ...', '- b. ...', in order; found {letters}")
        elif not right or right[1] not in letters:
            found.append(f"{heading}: begin the answer with the right letter, as in **{letters[0]}.**")
        else:
            explained = set(re.findall(r"\*+([A-Za-z])\*+", answer)) | {right[1]}
            found += [f"{heading}: the answer says nothing on *{x}*" for x in letters if x not in explained]
    return found


@pytest.mark.parametrize("path", COURSE, ids=lambda p: p.stem)
def test_every_lesson_ends_with_questions_and_explains_each_option(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


def test_a_poor_quiz_is_found() -> None:
    good = "\n".join(
        f'### Q{n}\n\n- a. x\n- b. y\n\n??? success "Answer"\n    **b.** Yes. *a* is no.\n' for n in range(3)
    )
    good = "\n## Check yourself\n\n" + good
    assert faults(good) == []
    assert "nothing on *a*" in faults(good.replace("*a* is no.", "", 1))[0]
    assert "begin the answer" in faults(good.replace("**b.**", "It is **c**.", 1))[0]
    assert "write the options" in faults(good.replace("- b. y", "- b) y", 1))[0]
    assert "has 4 questions" not in faults(good + good.split("yourself\n\n")[1])
    assert "has 6 questions" in faults(good + good.split("yourself\n\n")[1])[0]


@pytest.mark.parametrize("path", COURSE, ids=lambda p: p.stem)
def test_every_lesson_says_where_it_stands_and_what_comes_next(path: Path) -> None:
    stem = path.relative_to(ROOT / "docs").as_posix().removesuffix(".md")
    text = path.read_text(encoding="utf-8")
    for line, where in (
        (f'--8<-- "{stem}.head.md"', "below the title"),
        (f'--8<-- "{stem}.next.md"', "before ## Sources"),
    ):
        assert f"\n{line}\n" in text, f"put this line {where}: {line}"


def test_sync_gives_a_new_lesson_its_lines_once(tree: Tree, script: Script) -> None:
    path = tree.docs / "start" / "till.md"
    bare = "---\ntitle: The till\nkind: lesson\ntrack: start\nminutes: 9\n---\n\n# The till\n\nText.\n\n## Sources\n\n- One.\n"
    path.write_text(bare, encoding="utf-8")
    assert reading.sync(tree, write=False) == ["start/till.md"]
    checked = script("sync.py", "--check")
    assert checked.returncode == 1 and "docs/start/till.md: it does not say where it stands" in checked.stderr
    assert path.read_text(encoding="utf-8") == bare
    assert script("sync.py").returncode == 0
    text = path.read_text(encoding="utf-8")
    assert '\n# The till\n\n--8<-- "start/till.head.md"\n\nText.' in text
    assert '\n\n--8<-- "start/till.next.md"\n\n## Sources\n' in text
    assert reading.led(text, "start/till.md") == text
    assert reading.sync(tree, write=False) == []


def test_a_lesson_shows_its_track_its_time_and_the_next_step(built: Built) -> None:
    course = reading.lessons(built.tree)
    assert len(course) == len(COURSE)
    for lesson, following in [*pairwise(course), (course[-1], None)]:
        address = lesson.source.removesuffix(".md") + "/"
        page = Page(built.html(address))
        above = page.text.split("Table of contents")[-1]
        assert f"{lesson.minutes} minutes" in above
        assert reading.track_name(lesson.track) in above
        assert "pg-next" in page.classes
        assert f"pg-track-{lesson.track}" in page.classes
        onwards = above.rpartition("What next")[2]
        for lab in built.labs.values():
            if lab.header.lesson == lesson.source:
                assert f"Do the lab: {lab.header.title}, {lab.header.minutes} minutes" in onwards
        if following:
            assert f"Read on: {following.title}, {following.minutes} minutes" in onwards


def test_every_track_has_its_sign(built: Built) -> None:
    sheet = (ROOT / "docs" / "assets" / "site.css").read_text(encoding="utf-8")
    for track in reading.TRACK_SAYS:
        assert f"--pg-icon-{track}: url(" in sheet
        assert f".pg-track-{track} {{" in sheet


# -- the quiz -------------------------------------------------------------------------------------


def test_a_quiz_answers_to_the_mouse(browser: Browser) -> None:
    browser.visit(LESSON)
    count = len(questions((ROOT / "docs/learn/host/immutable-hosts.md").read_text(encoding="utf-8")))
    assert len(browser.all("fieldset.pg-quiz > legend h3")) == count
    first = browser.one("fieldset.pg-quiz")
    folded, status = first.find_element("css selector", "details"), first.find_element("css selector", "[role=status]")
    options = first.find_elements("css selector", "label")
    assert not folded.get_attribute("open")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", first)
    options[0].click()
    assert folded.get_attribute("open")
    assert status.text.startswith("✗ Not this one")
    assert len(browser.all(".pg-wrong")) == 1
    options[1].click()
    assert status.text.startswith("✓ Right")
    assert len(browser.all(".pg-right")) == 1
    assert browser.all(".pg-wrong") == []
    name = browser.run("return document.getElementById(arguments[0].getAttribute('aria-labelledby')).innerText", first)
    assert name.startswith("An attacker can write")
    assert "¶" not in name


def test_a_quiz_answers_to_the_keyboard(browser: Browser) -> None:
    browser.visit(LESSON)
    group = browser.one("fieldset.pg-quiz input").get_attribute("name")
    browser.tab_until(lambda at: at == group)
    status = "fieldset.pg-quiz [role=status]"
    browser.press(Keys.ARROW_DOWN)
    assert browser.text(status) == "Press Enter to answer."
    assert not browser.one("fieldset.pg-quiz details").get_attribute("open"), "an arrow key gives the answer away"
    browser.press(Keys.ARROW_DOWN)
    browser.press(Keys.ENTER)
    assert browser.text(status).startswith("✗")
    browser.press(Keys.ARROW_UP)
    browser.press(Keys.SPACE)
    assert browser.text(status).startswith("✓")
    assert browser.one("fieldset.pg-quiz details").get_attribute("open")


def test_every_question_of_every_lesson_becomes_a_quiz(built: Built, browser: Browser) -> None:
    for lesson in reading.lessons(built.tree):
        browser.visit(lesson.source.removesuffix(".md") + "/")
        asked = questions((built.tree.docs / lesson.source).read_text(encoding="utf-8"))
        seen = browser.run(
            "return [...document.querySelectorAll('.pg-quiz')].map(q => [...q.querySelectorAll('input')].map(i => i.value))"
        )
        assert seen == [[letter.lower() for letter in letters] for _, letters, _ in asked], lesson.source


def test_without_scripts_questions_read_as_written_and_no_note_is_offered(browser: Browser) -> None:
    with browser.without_scripts():
        browser.visit(LESSON)
        assert browser.all("fieldset, input[type=radio][name^=an-attacker], .pg-mark") == []
        assert browser.one("article details.success summary").is_displayed()
        browser.visit("")
        assert not browser.one(".pg-progress").is_displayed()
        browser.visit(FIRM)
        steps = browser.all(".pg-firm .pg-step")
        assert len(steps) >= 18
        assert all(step.is_displayed() for step in steps)


# -- what is read ---------------------------------------------------------------------------------


def test_what_is_read_is_noted_shown_and_forgotten(built: Built, watched: Browser) -> None:
    lessons = len(reading.lessons(built.tree))
    watched.visit("")
    assert not watched.one(".pg-progress").is_displayed()
    for page, words in ((LESSON, "Mark as read"), (LAB, "Mark this lab as done")):
        watched.visit(page)
        assert watched.text(".pg-mark") == words
        watched.run("document.querySelector('.pg-mark').focus()")
        watched.press(Keys.ENTER)
        assert watched.one(".pg-mark").get_attribute("aria-pressed") == "true"
        assert watched.text(".pg-mark-line [role=status]") == "Noted, in this browser only."
    watched.visit("")
    line = watched.text(".pg-progress")
    assert f"Read: 1 of {lessons} lessons. Done: 1 of {len(built.labs)} labs." in line
    assert "Go on with From cloud-native to AI-native" in line
    watched.visit("labs/")
    assert watched.all(".pg-card-title .pg-tick[aria-label=done]")
    watched.visit("learn/")
    assert len(watched.all(".pg-card-title .pg-tick[aria-label=read]")) == 1
    asked = watched.visit(LESSON).requests
    assert watched.text(".pg-mark").startswith("Read on 20")
    assert [url for url in asked if "proving-ground" in url] == []
    watched.visit("")
    watched.one(".pg-progress button").click()
    assert "Forgotten" in watched.text(".pg-progress")
    assert watched.run("return Object.keys(localStorage).filter(k => k.startsWith('proving-ground'))") == []
    watched.visit("learn/")
    assert watched.all(".pg-tick") == []


# -- the self-assessment --------------------------------------------------------------------------


def asked() -> list[dict[str, object]]:
    data = yaml.safe_load((ROOT / "docs" / reading.ASSESSMENT).read_text(encoding="utf-8"))
    return [question for area in data["areas"] for question in area["questions"]]


def test_the_assessment_is_whole(built: Built) -> None:
    shown = set(built.sources)
    assert 18 <= len(asked()) <= 22
    assert len({q["id"] for q in asked()}) == len(asked())
    for question in asked():
        assert set(question) == {"id", "ask", "options", "do", "why", "harm", "effort", "links", "how_to"}, question[
            "id"
        ]
        options, links = question["options"], question["links"]
        assert isinstance(options, list) and isinstance(links, list)
        assert 2 <= len(options) <= 4
        assert question["harm"] in (1, 2, 3)
        assert question["effort"] in EFFORTS
        assert shown & set(links), f"{question['id']}: none of its lessons and labs is on the site"


def test_the_plan_is_ordered_and_links_to_the_course(built: Built, watched: Browser) -> None:
    watched.visit(FIRM)
    fields = watched.all(".pg-firm fieldset")
    gaps = [number % 3 for number in range(len(fields))]
    watched.run(
        "arguments[0].forEach((gap, i) => document.querySelectorAll('.pg-firm fieldset')[i].querySelectorAll('input')[gap].click())",
        gaps,
    )
    assert watched.text(".pg-firm-status") == f"{len(fields)} of {len(fields)} answered."
    watched.run("document.querySelector('.pg-firm .md-button--primary').click()")
    assert watched.run("return document.activeElement.id") == "plan"
    steps = watched.run("return [...document.querySelectorAll('#firm-plan li strong')].map(e => e.innerText)")
    order = sorted(
        (-int(str(q["harm"])) * gap, EFFORTS.index(str(q["effort"])), number, q["do"])
        for number, (q, gap) in enumerate(zip(asked(), gaps, strict=True))
        if gap
    )
    assert steps == [step for *_, step in order]
    assert watched.run(
        "return [...document.querySelectorAll('#firm-plan li')].every(li => li.querySelector('a[href]'))"
    )
    assert watched.log().requests == []
    watched.visit(FIRM)
    assert len(watched.all("#firm-plan li")) == len(steps), "the answers are gone after a reload"
    watched.visit(FIRM, kind="print")
    assert watched.one("#firm-plan li").is_displayed()
    assert not watched.one(".pg-firm").is_displayed()
    watched.visit(FIRM)
    watched.run("[...document.querySelectorAll('.pg-firm button')].at(-1).click()")
    assert watched.all("#firm-plan li, .pg-firm :checked") == []


# -- every page -----------------------------------------------------------------------------------


def test_the_policy_lets_the_site_work_and_nothing_else(built: Built, watched: Browser) -> None:
    def refused() -> list[str]:
        complaints = [c for c in watched.log().complaints if "Content Security Policy" in c or "violates" in c]
        return complaints + list(watched.run("return window.refused"))

    for page in [*built.all_pages, "404.html"]:
        text = built.html(page).read_text(encoding="utf-8")
        rules = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', text)
        assert len(rules) == 1, page
        assert text.index("Content-Security-Policy") < text.index("<script"), page
        assert "unsafe-inline" not in rules[0] and "unsafe-eval" not in rules[0] and "http:" not in rules[0]
    watched.visit("")
    watched.press("/")
    watched.until(lambda: watched.run("return document.activeElement.name") == "query", "the search")
    watched.press(*"dm-verity")
    watched.until(lambda: watched.all("#pg-search-list > [role=option]"), "results")
    assert refused() == []
    watched.visit(LESSON)
    watched.one("label.md-header__button[for^=__palette]:not([hidden])").click()
    watched.run(
        "document.querySelectorAll('.pg-quiz label').forEach(l => l.click()); document.querySelector('.pg-mark').click()"
    )
    assert refused() == []
    watched.visit("labs/?track=host")
    watched.until(lambda: len([c for c in watched.all(".pg-card") if c.is_displayed()]) == 1, "the filter works")
    assert refused() == []
    watched.visit(LAB)
    watched.until(lambda: watched.all(".pg-exercise .md-code__button"), "a copy button")
    watched.run("document.querySelector('.pg-exercise .md-code__button').click()")
    assert refused() == []
    watched.visit(FIRM)
    watched.run("document.querySelector('.pg-firm input').click(); document.querySelector('.pg-firm button').click()")
    assert refused() == []
    # It holds: a script, a style and a picture that a page was not built with.
    watched.run(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\" onclick=\"1\">x</p>');"
        "new Image().src = 'http://127.0.0.2:9/x.png';"
    )
    watched.until(lambda: len(watched.run("return window.refused")) >= 3, "the policy refuses what was slipped in")
    assert not watched.run("return window.ran")


def test_the_policy_names_every_inline_script_and_style() -> None:
    page = '<head><meta charset="utf-8"><style>a{}</style><script>one()</script><script type="application/json">{}</script></head>'
    rules = policy.policy(page + '<p style="color:red">&amp;</p><script src="x.js"></script>')
    assert rules.count("sha256-") == 3
    assert "'unsafe-hashes'" in rules
    assert policy.policy("<p>x</p>").count("sha256-") == 0
    assert policy.with_policy(page).index("Content-Security") < page.index("<style>") + 40
    with pytest.raises(ValueError):
        policy.with_policy("<p>no head</p>")


def test_axe_finds_nothing_serious_in_light_and_dark(built: Built, browser: Browser) -> None:
    """One page of each kind, with all of axe's rules in both schemes. test_every_page.py looks at all of them."""

    def serious(page: str, rules: list[str] | None = None) -> list[object]:
        result = browser.driver.execute_async_script(AXE, rules)
        assert result.get("looked", 0) >= (1 if rules else 30), f"{page}: {result.get('error')}"
        return [(page, *what) for what in result["found"] if what[0] in ("serious", "critical")]

    def weak(page: str) -> list[object]:
        return [f"{page}: {f['name']}" for f in browser.run(CONTRAST) if f["ratio"] < CONTRAST_AA]

    axe = files("selenium_axe_python").joinpath("axe-core", "axe.min.js").read_text(encoding="utf-8")
    browser.forget()
    browser.driver.set_script_timeout(60)
    found: list[object] = []
    for page in KINDS:
        browser.visit(page)
        browser.run("document.querySelectorAll('article details').forEach(d => d.open = true)")
        browser.until(lambda: browser.run(SCROLLS) == 0, "what scrolls sideways takes the focus")
        browser.run(axe)
        found += serious(page) + weak(page)
        browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        browser.until(lambda: browser.run("return document.body.dataset.mdColorScheme") == "slate", "the dark scheme")
        found += serious(page, ["color-contrast"]) + weak(page)
    assert found == []
    # It can fail.
    browser.run("document.querySelector('article').insertAdjacentHTML('beforeend', '<button></button>')")
    assert "button-name" in str(serious("404.html"))


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_once_it_is_shown(built: Built, watched: Browser, width: int) -> None:
    for page in [*built.pages, "404.html"]:
        watched.visit(page, width=width, height=844)
        watched.driver.execute_async_script(SCROLL)
        assert watched.run("return window.moved") < 0.02, f"{page} at {width}: {watched.run('return window.what')}"
    # It can fail: the whole text, pushed down.
    watched.visit(LESSON, width=width, height=844)
    watched.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    watched.run("document.querySelector('article').insertAdjacentHTML('afterbegin', '<p>x</p>'.repeat(9))")
    watched.until(lambda: watched.run("return window.moved") > 0.02, "a page that moves is seen to move")
    assert f"window {width}" in watched.run("return window.what[0]")


def test_what_lighthouse_looks_at(built: Built, browser: Browser) -> None:
    small = """
      const inline = e => e.closest('p, li, td, dd, h1, h2, h3, summary') && getComputedStyle(e).display.startsWith('inline');
      return [...document.querySelectorAll('a[href], button, input, select, summary, label.md-header__button')]
        .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && !inline(e) && !e.closest('label'))
        .map(e => [e.outerHTML.slice(0, 90), e.getBoundingClientRect()]).filter(([, b]) => b.width && (b.width < 24 || b.height < 20))
        .map(([html]) => html);
    """
    for page in [*built.pages, "404.html"]:
        browser.visit(page, width=390, height=844)
        assert browser.run("return document.documentElement.lang") == "en"
        assert browser.run("return !!document.querySelector('meta[name=viewport]')")
        assert browser.run("return !!document.querySelector('meta[name=description]')?.content"), page
        assert browser.run(small) == [], page


def test_a_printed_lab_shows_what_is_folded(browser: Browser) -> None:
    browser.visit(LAB)
    before = browser.run("return document.querySelectorAll('article details[open]').length")
    assert before == 0
    browser.visit(LAB, kind="print")
    shown = "return [...document.querySelectorAll('article details > :not(summary)')].every(e => e.offsetHeight > 0)"
    assert browser.run(shown)
    assert browser.run("return [...document.querySelectorAll('.pg-next, .pg-mark')].every(e => !e.checkVisibility())")

"""Every page of the site in Chromium, hundreds of them: axe, contrast in light and dark, width, policy, requests."""

from importlib.resources import files

import pytest
from browser import CONTRAST, SCROLLS, STICKS_OUT, Browser
from built import Built

CONTRAST_AA = 4.5
# Contrast is looked at by CONTRAST, in a hundredth of the time, in both schemes.
AXE = """
const done = arguments[0];
axe.run({exclude: ['.highlight code span']}, {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  rules: {'target-size': {enabled: true}, 'color-contrast': {enabled: false}}, resultTypes: ['violations'],
}).then(r => done([r.passes.length, r.violations.map(v => [v.impact, v.id, v.nodes[0].html.slice(0, 120)])]));
"""


@pytest.mark.slow
def test_every_page_is_accessible_fits_a_phone_and_keeps_to_itself(built: Built, browser: Browser) -> None:
    axe = files("selenium_axe_python").joinpath("axe-core", "axe.min.js").read_text(encoding="utf-8")
    browser.driver.set_script_timeout(120)
    pages = [*built.all_pages, "404.html"]
    assert len(pages) > 300
    wrong: list[str] = []
    for page in pages:
        wrong += faults(browser, page, axe)
    assert wrong == []


def test_each_fault_is_seen(built: Built, browser: Browser) -> None:
    axe = files("selenium_axe_python").joinpath("axe-core", "axe.min.js").read_text(encoding="utf-8")
    page = built.html("knowledge/review/")
    whole = page.read_text(encoding="utf-8")
    faulty = (
        ("<button></button>", "button-name"),
        ('<p style="color: #999">pale</p>', "pale"),
        ('<p class="pg-wide">x</p>', "sticks out"),
        ("<script>document.title</script>", "Content Security Policy"),
        ('<img alt="" src="http://127.0.0.2:9/x.png">', "Content Security Policy"),
    )
    for number, (fault, said) in enumerate(faulty):
        css = "<style>.pg-wide { width: 3000px }</style>" if "pg-wide" in fault else ""
        # What is slipped in has to be seen; where the policy would stop it from working, the policy goes.
        bare = whole.replace('http-equiv="Content-Security-Policy"', 'name="none"') if "style" in fault + css else whole
        page.write_text(bare.replace("</article>", f"{css}{fault}</article>", 1), encoding="utf-8")
        try:
            # An address of its own each time, so that the browser does not show what it kept.
            assert said in str(faults(browser, f"knowledge/review/?{number}", axe)), fault
        finally:
            page.write_text(whole, encoding="utf-8")
    assert faults(browser, "knowledge/review/", axe) == []


def faults(browser: Browser, page: str, axe: str) -> list[str]:
    """What is wrong with a page: serious findings of axe, weak contrast, what does not fit, what it asked for."""
    visit = browser.visit(page)
    found = list(visit.complaints)
    found += [f"asked {url}" for url in visit.requests if not url.startswith(browser.base)]
    browser.run("document.querySelectorAll('article details').forEach(d => d.open = true)")
    browser.until(lambda: browser.run(SCROLLS) == 0, f"{page}: what scrolls sideways takes the focus")
    browser.run(axe)
    looked, violations = browser.driver.execute_async_script(AXE)
    assert looked >= 20, f"{page}: axe looked at {looked} rules"
    found += [f"{rule}: {html}" for impact, rule, html in violations if impact in ("serious", "critical")]
    found += _pale(browser)
    browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.until(lambda: browser.run("return document.body.dataset.mdColorScheme") == "slate", "the dark scheme")
    found += [f"dark: {text}" for text in _pale(browser)]
    browser.tell("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=False)
    found += [f"sticks out: {what}" for what in browser.run(STICKS_OUT)]
    return [f"{page}: {what}" for what in found]


def _pale(browser: Browser) -> list[str]:
    return [f"{f['name']} {f['ratio']:.1f} {f['text']}" for f in browser.run(CONTRAST) if f["ratio"] < CONTRAST_AA]

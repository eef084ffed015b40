"""A site on loopback, and one headless Chromium that looks at it."""

import functools
import http.server
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 10.0

# The smallest contrast of each run of visible text on the page, with where it stands. Colors go
# through a canvas, so that every notation a stylesheet may use ends up as red, green, blue, alpha.
CONTRAST = """
const pen = Object.assign(document.createElement('canvas'), {width: 1, height: 1})
  .getContext('2d', {willReadFrequently: true});
const known = new Map();
function rgba(color) {
  if (!known.has(color)) {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = color; pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    known.set(color, [r, g, b, a / 255]);
  }
  return known.get(color);
}
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
function background(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const color = rgba(getComputedStyle(e).backgroundColor);
    layers.push(color);
    if (color[3] === 1) break;
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
}
function luminance(color) {
  const [r, g, b] = color.map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function opacity(element) {
  let product = 1;
  for (let e = element; e; e = e.parentElement) product *= Number(getComputedStyle(e).opacity);
  return product;
}
const found = new Map();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || element.closest('svg, script, style, noscript, option')) continue;
  if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
  const box = element.getBoundingClientRect();
  if (box.width < 2 || box.height < 2) continue;
  const below = background(element);
  const ink = [...rgba(getComputedStyle(element).color)];
  ink[3] *= opacity(element);
  const [light, dark] = [luminance(over(ink, below)), luminance(below)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const name = element.tagName.toLowerCase() + [...element.classList].map(c => '.' + c).join('')
    + ' in ' + (element.closest('[class*="pg-"], .highlight, .md-nav, article')?.className ?? '');
  if (!(found.get(name)?.ratio < ratio)) found.set(name, {name, ratio, text: walker.currentNode.textContent.trim().slice(0, 40)});
}
return [...found.values()];
"""

# Whatever reaches past the right edge of the window and does not scroll inside something.
STICKS_OUT = """
const scrolls = e => {
  for (e = e.parentElement; e && e !== document.body; e = e.parentElement)
    if (getComputedStyle(e).overflowX !== 'visible') return true;
  return false;
};
const wide = [...document.querySelectorAll('main *, footer *, header *')].filter(e =>
  e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e));
const page = document.documentElement.scrollWidth > innerWidth ? ['the page: ' + document.documentElement.scrollWidth] : [];
return [...page, ...wide.map(e => e.tagName + '.' + e.className)];
"""

# How many blocks scroll sideways and do not take the focus.
SCROLLS = """
return [...document.querySelectorAll('article pre > code, article .md-typeset__scrollwrap')]
  .filter(e => e.scrollWidth > e.clientWidth && e.tabIndex !== 0).length;
"""

# Where the focus is, said in a way that a test can compare.
FOCUS = """
const e = document.activeElement;
if (!e || e === document.body) return '';
return e.id || e.name || e.getAttribute('href') || (e.tagName + ' ' + e.innerText.trim().slice(0, 60));
"""


@dataclass(frozen=True)
class Visit:
    """What the browser did to show one page."""

    requests: list[str]
    complaints: list[str]


class Browser:
    """One Chromium for all tests. Every visit begins with a clean slate but for storage."""

    def __init__(self, driver: Any, base: str) -> None:
        self.driver = driver
        self.base = base

    def visit(self, page: str, *, width: int = 1280, height: int = 900, scheme: str = "light", **media: str) -> Visit:
        """Open `page` (an address below the site's root) and say what was asked for and complained about."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        features += [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items() if name != "kind"
        ]
        self.tell("Emulation.setEmulatedMedia", media=media.get("kind", ""), features=features)
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.log()
        self.driver.get(self.base + page)
        return self.log()

    def log(self) -> Visit:
        """Requests and errors since the last call."""
        requests = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                requests.append(message["params"]["request"]["url"])
        complaints = [e["message"] for e in self.driver.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
        return Visit([url for url in requests if not url.startswith(("data:", "blob:"))], complaints)

    def forget(self) -> None:
        """Empty the site's storage, as on a first visit. From outside, so that no page writes it again."""
        self.driver.get("about:blank")
        self.tell("Storage.clearDataForOrigin", origin=self.base, storageTypes="local_storage")

    @contextmanager
    def without_scripts(self) -> Iterator[None]:
        """The scripts of the pages opened meanwhile do not run."""
        self.tell("Emulation.setScriptExecutionDisabled", value=True)
        try:
            yield
        finally:
            self.tell("Emulation.setScriptExecutionDisabled", value=False)

    def tell(self, command: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def one(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of the first match, also where the browser has not laid it out yet."""
        return str(self.run("return document.querySelector(arguments[0]).textContent.trim()", selector))

    def press(self, *keys: str) -> None:
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def tab_until(self, wanted: Callable[[str], bool], most: int = 400) -> list[str]:
        """Press Tab until the focus fits `wanted` or leaves the page; return the way there."""
        way: list[str] = []
        for _ in range(most):
            self.press(Keys.TAB)
            way.append(str(self.run(FOCUS)))
            if not way[-1] or wanted(way[-1]):
                return way
        return way

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`; fail with `what` when it does not come."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited {PATIENCE:.0f} s for this: {what}")
            time.sleep(0.05)


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a built site from a thread, on a free port of loopback."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def opened(base: str) -> Iterator[Browser]:
    """A headless Chromium with a fresh profile. Where there is none, the tests skip; in CI they fail."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        reason = "Chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = chromium
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        session = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield Browser(session, base)
        finally:
            session.quit()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return

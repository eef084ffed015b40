"""Compare this site's search with others, on the same questions and pages, in one Chromium. Not run in CI.

    python3 scripts/build.py && .venv/bin/python tests/search/compare.py --write

It installs the others into a temporary folder with npm and uv, and writes docs/assets/search/compared.json with --write.
Material's search is asked through its own box, on a build of these pages with the theme's plugin. Pagefind indexes the
built site. The libraries get the texts and field weights of our own index, and fuzzy matching and prefixes as their
documentation recommends; none gets our synonyms, stop words or boosts by kind, which are data they have no place for.
"""

import argparse
import gzip
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from browser import Browser, opened, served  # noqa: E402 # the path above has to be set first

from search.questions import Question, questions, score  # noqa: E402 # the path above has to be set first

OUT = ROOT / "docs" / "assets" / "search" / "compared.json"
NPM = {"minisearch": "7.2.0", "fuse.js": "7.5.0", "flexsearch": "0.8.212", "@orama/orama": "3.1.18"}
PAGEFIND = "1.5.2"
# The others come as modules only, or fetch their index: a browser does neither from a disk.
FROM_DISK = ("MiniSearch", "FlexSearch")

# What each library is asked to do: an index of `pages` with `weights`, and a function from a text to places.
OTHERS = {
    "MiniSearch": """
        const {default: MiniSearch} = await import('/others/node_modules/minisearch/dist/es/index.js');
        const index = new MiniSearch({fields: names, idField: 'id',
          searchOptions: {boost: weights, fuzzy: 0.2, prefix: true}});
        index.addAll(documents);
        return text => index.search(text).map(hit => hit.id);""",
    "Orama": """
        const orama = await import('/others/node_modules/@orama/orama/dist/browser/index.js');
        const schema = Object.fromEntries(names.map(name => [name, 'string']));
        const index = orama.create({schema, components: {tokenizer: {stemming: false}}});
        for (const page of documents) await orama.insert(index, {...page, id: String(page.id)});
        return async text => (await orama.search(index, {term: text, boost: weights, tolerance: 1, threshold: 1, limit: 10}))
          .hits.map(hit => Number(hit.id));""",
    "FlexSearch": """
        const {default: {Document}} = await import('/others/node_modules/flexsearch/dist/flexsearch.bundle.module.min.mjs');
        const index = new Document({tokenize: 'forward', encoder: 'LatinBalance',
          document: {id: 'id', index: names}});
        documents.forEach(page => index.add(page));
        return text => {
          const scores = new Map();
          for (const {field, result} of index.search(text, {limit: 50, suggest: true}))
            result.forEach((id, at) => scores.set(id, (scores.get(id) || 0) + weights[field] / (at + 1)));
          return [...scores].sort((one, other) => other[1] - one[1]).map(pair => pair[0]);
        };""",
    "Fuse.js": """
        const {default: Fuse} = await import('/others/node_modules/fuse.js/dist/fuse.min.mjs');
        const index = new Fuse(documents, {includeScore: true, ignoreLocation: true, threshold: 0.4,
          keys: names.map(name => ({name, weight: weights[name]}))});
        return text => index.search(text.slice(0, 32), {limit: 10}).map(hit => hit.item.id);""",
}
PREPARE = """
const done = arguments[arguments.length - 1];
(async () => {
  let data;
  window.provingSearch = {load: given => data = given};
  await new Promise(then => {
    document.head.append(Object.assign(document.createElement('script'), {src: '/assets/search/pages.js', onload: then}));
  });
  const weights = data.fields, names = Object.keys(weights);
  const documents = data.pages.map((page, id) => ({...Object.fromEntries(names.map(n => [n, page[n] || ''])), id}));
  window.places = data.pages.map(page => page.at);
  const begun = performance.now();
  window.ask = await (async () => { %s })();
  done(performance.now() - begun);
})().catch(error => done(String(error && error.stack)));
"""
ASK = """
const [text, done] = arguments;
(async () => {
  const begun = performance.now();
  const found = await window.ask(text);
  done([performance.now() - begun, found.slice(0, 10).map(id => typeof id === 'number' ? window.places[id] : id)]);
})().catch(error => done(String(error && error.stack)));
"""
OURS = """
const done = arguments[arguments.length - 1];
const script = (src, then) => document.head.append(Object.assign(document.createElement('script'), {src, onload: then}));
const begun = performance.now();
script('/assets/search/engine.js', () => script('/assets/search/pages.js', () => {
  window.ask = text => window.provingSearch.find(text, 10).map(hit => hit.page.at);
  done(performance.now() - begun);
}));
"""
WITH_PAGEFIND = """
const done = arguments[arguments.length - 1];
(async () => {
  const begun = performance.now();
  const pagefind = await import('/pagefind/pagefind.js');
  await pagefind.init();
  window.ask = async text => {
    const {results} = await pagefind.search(text);
    return Promise.all(results.slice(0, 10).map(async hit => (await hit.data()).url));
  };
  done(performance.now() - begun);
})().catch(error => done(String(error && error.stack)));
"""
# Type into Material's box; answer when its list has come and rests.
MATERIAL = """
const [text, done] = arguments;
const box = document.querySelector('.md-search__input'), meta = document.querySelector('.md-search-result__meta');
const list = document.querySelector('.md-search-result__list');
let begun, rest, took;
const seen = new MutationObserver(() => { took = performance.now() - begun; clearTimeout(rest); rest = setTimeout(finish, 250); });
const type = text => { box.focus(); box.value = text; box.dispatchEvent(new Event('keyup', {bubbles: true})); };
function finish() {
  seen.disconnect();
  done([took || 0, [...list.querySelectorAll('.md-search-result__item > a')].slice(0, 10).map(a => a.href)]);
}
type('');
setTimeout(() => {
  begun = performance.now();
  seen.observe(meta, {childList: true, subtree: true, characterData: true});
  seen.observe(list, {childList: true});
  type(text);
  rest = setTimeout(finish, 2500);
}, 150);
"""


@dataclass(frozen=True)
class Row:
    """One search on the questions that are reported. KB: gzip; `index` may be fetched in part (Pagefind)."""

    name: str
    version: str
    license: str
    first: float
    first_three: float
    empty: int
    mrr: float
    ms: float
    ready_ms: float
    index_kb: int
    code_kb: int
    from_disk: bool


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare this site's search with others on tests/search/fresh.yml.")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    asked = [question for question in questions() if question.use == "report"]
    with tempfile.TemporaryDirectory() as name:
        site = Path(name) / "site"
        shutil.copytree(ROOT / "site", site)
        _install(Path(name), site)
        plain = _with_the_themes_search(Path(name))
        rows = []
        with served(site) as base, opened(base) as browser:
            browser.driver.set_script_timeout(120)
            ours = [site / "assets/search/pages.js"]
            code = [site / "assets/search/engine.js", site / "assets/search.js"]
            rows.append(_row("This site's", "", "Apache-2.0", asked, browser, OURS, ours, code, disk=True))
            folder = site / "pagefind"
            parts = [p for p in folder.rglob("*") if p.suffix.startswith(".pf_")]
            scripts = [folder / "pagefind.js", *folder.glob("wasm.en.*"), *folder.glob("pagefind-worker.js")]
            rows.append(_row("Pagefind", PAGEFIND, "MIT", asked, browser, WITH_PAGEFIND, parts, scripts, disk=False))
            for library, code_of in OTHERS.items():
                package = {"Orama": "@orama/orama", "Fuse.js": "fuse.js"}.get(library, library.lower())
                home = site / "others" / "node_modules" / package
                path = re.search(r"/others/(\S+?)'", code_of)
                assert path
                main_file = site / "others" / path[1]
                files = list(main_file.parent.rglob("*.js")) if library == "Orama" else [main_file]
                licensed = json.loads((home / "package.json").read_text())["license"]
                script = PREPARE % code_of
                disk = library in FROM_DISK
                rows.append(_row(library, NPM[package], licensed, asked, browser, script, ours, files, disk=disk))
        with served(plain) as base, opened(base) as browser:
            browser.driver.set_script_timeout(30)
            rows.append(_material(asked, browser, plain))
    for row in rows:
        print(json.dumps(asdict(row)))
    if options.write:
        data = {
            "date": datetime.now(UTC).date().isoformat(),
            "questions": len(asked),
            "pages": len(list((ROOT / "site").rglob("index.html"))),
            "machine": f"{platform.system()} {platform.machine()}",
            "rows": [asdict(row) for row in rows],
        }
        OUT.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def _install(folder: Path, site: Path) -> None:
    """The libraries below site/others/, and Pagefind's index in site/pagefind/."""
    others = site / "others"
    others.mkdir()
    (others / "package.json").write_text("{}")
    wanted = [f"{name}@{version}" for name, version in NPM.items()]
    subprocess.run(["npm", "install", "--ignore-scripts", "--silent", *wanted], cwd=others, check=True)
    tools = folder / "tools"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", str(tools)]
    subprocess.run([*install, f"pagefind[bin]=={PAGEFIND}"], check=True)
    subprocess.run(
        [sys.executable, "-m", "pagefind", "--site", str(site), "--glob", "{index,*/**/index}.html"],
        env={"PYTHONPATH": str(tools), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )


def _with_the_themes_search(folder: Path) -> Path:
    """These pages built with the theme's search, and with nothing of ours."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    settings = settings.replace("plugins: []", "plugins: [search]").replace("  - assets/search.js\n", "")
    assert "plugins: [search]" in settings
    tree = folder / "tree"
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copytree(ROOT / ".cache" / "includes", tree / ".cache" / "includes")
    (tree / "mkdocs.yml").write_text(settings, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet"], cwd=tree, check=True)
    return tree / "site"


def _row(
    name: str, version: str, license: str, asked: list[Question], browser: Browser, script: str,
    index: list[Path], code: list[Path], *, disk: bool
) -> Row:  # fmt: skip
    browser.visit("404.html")
    ready = browser.driver.execute_async_script(script)
    assert isinstance(ready, int | float), f"{name}: {ready}"
    times, found = _ask(asked, lambda text: browser.driver.execute_async_script(ASK, text))
    return _made(name, version, license, asked, times, found, ready, index, code, disk=disk)


def _material(asked: list[Question], browser: Browser, site: Path) -> Row:
    browser.visit("")
    browser.press("/")
    browser.until(lambda: browser.run("return document.querySelector('.md-search-result__meta').innerText"), "the box")
    times, found = _ask(asked, lambda text: browser.driver.execute_async_script(MATERIAL, text))
    version = subprocess.run(
        [sys.executable, "-c", "import importlib.metadata as m; print(m.version('mkdocs-material'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    index = [site / "search" / "search_index.json"]
    code = list((site / "assets" / "javascripts" / "workers").glob("search.*.js"))
    return _made(
        "Material's (lunr)", version, "MIT", asked, times, found, 0, index, code, disk=True
    )  # with its plugin `offline`


def _ask(asked: list[Question], ask: Callable[[str], Any]) -> tuple[list[float], list[list[str]]]:
    times, found = [], []
    for question in asked:
        answer = ask(question.text)
        assert isinstance(answer, list), answer
        times.append(answer[0])
        found.append(list(dict.fromkeys(_place(page) for page in answer[1])))
    return times, found


def _place(page: str) -> str:
    """An address or a path as the questions name it."""
    path = urlsplit(page).path.removesuffix("index.html").strip("/")
    return path if path and (ROOT / "docs" / f"{path}.md").exists() else f"{path}/index".lstrip("/")


def _made(
    name: str, version: str, license: str, asked: list[Question], times: list[float], found: list[list[str]],
    ready: float, index: list[Path], code: list[Path], *, disk: bool
) -> Row:  # fmt: skip
    result = score(asked, found)
    sizes = [sum(len(gzip.compress(p.read_bytes())) for p in files) // 1000 for files in (index, code)]
    return Row(
        name, version, license, round(result.first, 3), round(result.first_three, 3), result.empty,
        round(result.mrr, 3), round(statistics.median(times), 1), round(ready), sizes[0], sizes[1], disk,
    )  # fmt: skip


if __name__ == "__main__":
    main()

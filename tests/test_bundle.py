"""The archive, the site as files, the handbook: made, opened, damaged."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from browser import Browser, opened
from built import Built, Page
from conftest import ROOT, Script, write_small_lab
from proving import bundle, handbook, nav, offline, pdf, plain, printing
from proving.paths import Tree


@pytest.fixture(scope="session")
def flat(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this checkout as files, in a folder whose name needs quoting in an address."""
    target = tmp_path_factory.mktemp("flat") / "a site #1"
    offline.make(built.tree, target)
    return target


@pytest.fixture(scope="session")
def browser(flat: Path) -> Iterator[Browser]:
    with opened(flat.as_uri() + "/") as session:
        yield session


# -- the site as files ------------------------------------------------------------------------------


def test_the_search_works_from_the_file_system(built: Built, browser: Browser, flat: Path) -> None:
    browser.visit("index.html")
    browser.press("/")
    browser.press(*"tokns for my audeince")
    browser.until(lambda: browser.all("#pg-search-list > [role=option]"), "results")
    found = [str(item.get_attribute("href")) for item in browser.all("#pg-search-list > [role=option]")][:3]
    assert any("audience-bound-tokens/index.html" in address for address in found), found
    assert all(Path(unquote(urlsplit(address).path)).is_file() for address in found), found
    browser.driver.get(found[0])
    browser.until(lambda: browser.all("article h1"), "the page that was found opens")
    assert urlsplit(browser.driver.current_url).scheme == "file"


def test_every_page_opens_as_a_file_and_asks_no_host(built: Built, browser: Browser) -> None:
    for source in built.sources:
        visit = browser.visit(nav.file(source))
        browser.until(lambda: browser.run("return document.readyState") == "complete", f"{source} is complete")
        late = browser.log()
        assert visit.complaints + late.complaints == [], source
        assert visit.requests, "the performance log is empty: this test sees nothing"
        asked = visit.requests + late.requests
        assert [url for url in asked if not url.startswith(browser.base)] == [], source


def test_the_catalogue_filters_from_the_file_system(built: Built, browser: Browser) -> None:
    browser.visit("labs/index.html?find=no+lab+has+this+word")
    assert [card for card in browser.all(".pg-card") if card.is_displayed()] == []


def test_every_link_leads_to_a_file(flat: Path) -> None:
    read = {path: Page(path) for path in flat.rglob("*.html")}
    broken, checked = [], 0
    for path, page in read.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            checked += 1
            if not target.is_file() or (anchor and target in read and unquote(anchor) not in read[target].ids):
                broken.append(f"{path.relative_to(flat)}: {link}")
    assert broken == []
    assert checked > 100


@pytest.mark.parametrize(
    ("link", "file"),
    [
        (".", "index.html"),
        ("./", "index.html"),
        ("..", "../index.html"),
        ("../../", "../../index.html"),
        ("../labs/?track=host#top", "../labs/index.html?track=host#top"),
        ("labs/x/#proof", "labs/x/index.html#proof"),
        ("assets/site.css", "assets/site.css"),
        ("#top", "#top"),
        ("https://docs.example/a/", "https://docs.example/a/"),
        ("mailto:a@b.example", "mailto:a@b.example"),
    ],
)
def test_a_link_to_a_folder_names_its_page(link: str, file: str) -> None:
    assert offline.named(link) == file


# -- the archive ------------------------------------------------------------------------------------


@pytest.fixture
def course(tree: Tree) -> Tree:
    """A small checkout with one lab and the theme of the course."""
    write_small_lab(tree)
    (tree.root / "mkdocs.yml").write_text(
        "site_name: Small\nsite_description: One till.\nstrict: true\ntheme: {name: material, font: false}\n"
        "plugins: []\nmarkdown_extensions: [attr_list, md_in_html, pymdownx.details, pymdownx.superfences]\n"
        "exclude_docs: |\n  /pages.txt\nnav:\n  - index.md\n  - start/till.md\n  - Labs: [labs/index.md, labs/tiny.md]\n  - status.md\n"
    )
    (tree.docs / "index.md").write_text(
        "---\ntitle: Small\ndescription: One till.\n---\n# Small\n\n[The till](start/till.md)\n"
    )
    (tree.root / ".gitignore").write_text("site/\ndist/\n.cache/\n__pycache__/\ndocs/labs/\ndocs/status.md\n")
    return tree


@pytest.fixture
def archive(tree: Tree, tmp_path: Path) -> Path:
    """A small archive, of a site of two files."""
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "index.html").write_text("<h1>Small</h1>")
    (tmp_path / "flat" / "page.html").write_text("<h1>Page</h1>")
    target = tmp_path / "out" / bundle.NAME
    bundle.pack(tree, tmp_path / "flat", target)
    return target


def test_the_script_makes_an_archive_that_checks_and_opens(course: Tree, script: Script, tmp_path: Path) -> None:
    made = script("bundle.py")
    assert made.returncode == 0, made.stderr
    archive = course.root / "dist" / bundle.NAME
    assert f"SHA-256 {hashlib.sha256(archive.read_bytes()).hexdigest()}" in made.stdout
    checked = script("bundle.py", "--check", str(archive))
    assert checked.returncode == 0, checked.stderr
    assert "each as SHA256SUMS lists it" in checked.stdout
    with zipfile.ZipFile(archive) as opened_archive:
        opened_archive.extractall(tmp_path / "unpacked")
    top = tmp_path / "unpacked" / bundle.TOP
    for name in (
        "START-HERE.txt",
        "requirements.txt",
        "mkdocs.yml",
        "site/index.html",
        "site/labs/tiny/index.html",
        "site/llms.txt",
    ):
        assert (top / name).is_file(), name
    assert (top / "labs" / "tiny" / "files" / "rule.txt").read_text() == "staff only\n"
    assert not list(top.rglob("__pycache__")) and not (top / ".cache").exists() and not (top / "dist").exists()
    # A notebook finds its lab in what was unpacked.
    begin = (
        f"import sys; sys.path.insert(0, {str(top / 'labs')!r}); from labkit import begin; print(begin('tiny').files)"
    )
    assert (
        subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True)
        .stdout.strip()
        .startswith(str(top))
    )


def test_a_lab_that_falls_short_makes_no_archive(course: Tree, script: Script) -> None:
    write_small_lab(course, "tiny", ('landed("a stranger empties the till", open_till("stranger"))', "pass"))
    made = script("bundle.py")
    assert made.returncode == 1
    assert "No archive was made" in made.stderr
    assert not (course.root / "dist").exists()


def test_the_same_files_give_the_same_bytes(tree: Tree, archive: Path, tmp_path: Path) -> None:
    first = archive.read_bytes()
    again = tmp_path / "again"
    for name in ("page.html", "index.html"):
        again.mkdir(exist_ok=True)
        shutil.copyfile(tmp_path / "flat" / name, again / name)
        os.utime(again / name, (10**9, 10**9))
        (again / name).chmod(0o700)
    bundle.pack(tree, again, archive)
    assert archive.read_bytes() == first
    (again / "page.html").write_text("<h1>Pages</h1>")
    bundle.pack(tree, again, archive)
    assert archive.read_bytes() != first


def test_only_what_git_tracks_goes_along(tree: Tree) -> None:
    (tree.root / "password.txt").write_text("hunter2")
    (tree.root / ".gitignore").write_text("site/\n/secret.txt\n")
    (tree.root / "secret.txt").write_text("hunter2")
    (tree.root / "link").symlink_to("/etc/hosts")
    assert {"password.txt", "mkdocs.yml", ".gitignore"} <= set(bundle.sources(tree)), (
        "without git, all but what is ignored"
    )
    assert not {"secret.txt", "link"} & set(bundle.sources(tree))
    for command in (["init", "-q"], ["add", "mkdocs.yml", "requirements.txt", "link"]):
        subprocess.run(["git", *command], cwd=tree.root, check=True, capture_output=True)
    assert bundle.sources(tree) == ["mkdocs.yml", "requirements.txt"]
    assert "password.txt" in bundle.untracked(tree)


def test_a_whole_archive_has_no_findings(archive: Path) -> None:
    count, findings = bundle.check(archive)
    assert findings == []
    assert count == len(zipfile.ZipFile(archive).namelist())


Change = Callable[[dict[str, bytes]], object]
TOP = bundle.TOP


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda files: files.update({f"{TOP}/site/index.html": b"<h1>Smell</h1>"}), "site/index.html is not the file"),
        (lambda files: files.pop(f"{TOP}/site/index.html"), "site/index.html is listed and missing"),
        (lambda files: files.update({f"{TOP}/labs/more.py": b"pass"}), "labs/more.py is not listed"),
        (lambda files: files.pop(f"{TOP}/SHA256SUMS"), "SHA256SUMS is missing"),
        (lambda files: files.update({f"{TOP}/SHA256SUMS": b"nonsense\n"}), "line 1"),
        (lambda files: files.update({f"{TOP}/../../etc/cron.d/x": b""}), "is no file below"),
        (lambda files: files.update({"/etc/cron.d/x": b""}), "is no file below"),
        (lambda files: files.update({f"{TOP}/a\\..\\b": b""}), "is no file below"),
        (lambda files: files.update({f"{TOP}/SITE/index.html": b""}), "is in it twice"),
        (lambda files: files.update({"other/x": b""}), "is no file below"),
    ],
)
def test_an_archive_that_was_changed_is_refused(archive: Path, tmp_path: Path, change: Change, problem: str) -> None:
    with zipfile.ZipFile(archive) as whole:
        files = {info.filename: whole.read(info) for info in whole.infolist()}
    change(files)
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as changed:
        for name, content in files.items():
            changed.writestr(zipfile.ZipInfo(name), content)
    _, findings = bundle.check(tmp_path / "changed.zip")
    assert any(problem in str(finding) for finding in findings), findings
    assert all("Do not use it" in finding.repair for finding in findings)


def test_a_link_in_an_archive_is_refused(archive: Path) -> None:
    link = zipfile.ZipInfo(f"{TOP}/site/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "a") as changed:
        changed.writestr(link, "/etc/passwd")
    assert "is no plain file" in str(bundle.check(archive)[1][0])


def test_damage_and_lies_are_found(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    at = whole.index(b"site/index.html") + 18
    damaged = {
        "cut.zip": whole[:-100],
        "flipped.zip": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        "no-deflate.zip": whole[: at - 3] + b"\x07" + whole[at - 2 :],
        "empty.zip": b"",
        "text.zip": b"no archive",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        assert bundle.check(tmp_path / name)[1], name
    info = zipfile.ZipFile(archive).getinfo(f"{TOP}/site/index.html")
    central = whole.rindex(b"PK\1\2", 0, whole.rindex(f"{TOP}/site/index.html".encode()))
    assert info.file_size == int.from_bytes(whole[central + 24 : central + 28], "little")
    for size in (2_000_000_000, 3):
        lie = bytearray(whole)
        lie[central + 24 : central + 28] = size.to_bytes(4, "little")
        (tmp_path / "lie.zip").write_bytes(lie)
        assert bundle.check(tmp_path / "lie.zip")[1], f"a size of {size} is believed"


def test_the_script_says_what_is_wrong_with_an_archive(archive: Path, script: Script, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(archive.read_bytes()[:-1000])
    result = script("bundle.py", "--check", str(tmp_path / "x.zip"))
    assert result.returncode == 1 and "x.zip: it is no whole zip archive" in result.stderr
    for missing in (tmp_path / "none.zip", tmp_path):
        result = script("bundle.py", "--check", str(missing))
        assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr


# -- the handbook -----------------------------------------------------------------------------------


def chromium() -> str:
    found = printing.find_chromium()
    if not found:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.slow
def test_the_handbook_has_contents_with_true_page_numbers(built: Built, flat: Path, tmp_path: Path) -> None:
    target = tmp_path / "handbook.pdf"
    # Without the knowledge base, whose hundreds of pages print for a minute and show nothing more.
    tree = Tree(tmp_path / "some")
    shutil.copytree(built.tree.docs, tree.docs, ignore=lambda folder, names: {"knowledge"} & set(names))
    shutil.copyfile(built.tree.root / "mkdocs.yml", tree.root / "mkdocs.yml")
    config = (tree.root / "mkdocs.yml").read_text(encoding="utf-8")
    (tree.root / "mkdocs.yml").write_text(re.sub(r"^ +- knowledge/.*\n", "", config, flags=re.MULTILINE))
    sources = [entry.source for entry in nav.entries(tree)]
    pages = handbook.make(tree, flat, chromium(), target)
    printed = pdf.read(target.read_bytes())
    text = (flat / handbook.PAGE).read_text(encoding="utf-8")
    said = re.findall(r'<a href="#p(\d+)"><span>([^<]*)</span><span class="hb-number">(\d+)</span>', text)
    assert len(said) == len(sources) >= 12
    assert [(int(at), int(number)) for at, _, number in said] == [
        (at, printed.destinations[f"p{at}"]) for at in range(len(said))
    ]
    numbers = [int(number) for _, _, number in said]
    assert numbers == sorted(set(numbers)) and numbers[0] > 2 and numbers[-1] <= pages == printed.pages
    assert [plain.document(tree, source).title for source in sources] == [
        title.replace("&amp;", "&") for _, title, _ in said
    ]
    data = target.read_bytes()
    assert b"/Outlines" in data and b"/StructTreeRoot" in data, "no bookmarks, or no tags for a screen reader"
    assert b"D:20000101" in data and b"D:2026" not in data


def test_the_document_of_the_handbook_is_whole(built: Built, flat: Path) -> None:
    entries = nav.entries(built.tree)
    bodies = handbook.chapters(flat, [entry.source for entry in entries])
    titles = [entry.source for entry in entries]
    text = handbook.document(nav.settings(built.tree), flat, entries, titles, bodies, [0] * len(entries), "")
    assert "<script" not in text
    assert 'data-md-color-scheme="default"' in text
    folded = re.findall(r"<details[^>]*>", text)
    assert len(folded) > 20 and all(" open" in tag for tag in folded)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert [name for name in set(ids) if ids.count(name) > 1] == []
    inside = re.findall(r'<a\b[^>]*href="#([^"]+)"', text)
    assert len(inside) > 50 and [link for link in inside if unquote(link) not in ids] == []
    asked = re.findall(r'<(?:link|img|iframe|object)\b[^>]*(?:href|src)="([^"]+)"', text)
    assert asked and [url for url in asked if not (flat / url).is_file()] == []


def fake_chromium(folder: Path, script: str) -> Path:
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_without_chromium_one_sentence_and_exit_code_two(course: Tree, script: Script, tmp_path: Path) -> None:
    result = script("bundle.py", "--handbook", PATH=str(tmp_path))
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1 and "apt-get install chromium" in result.stderr
    assert not (course.root / "dist").exists()
    old = fake_chromium(tmp_path, "echo Chromium 109.0.5414.119")
    result = script("bundle.py", "--chromium", str(old))
    assert result.returncode == 2 and "is Chromium 109; page numbers need Chromium 131" in result.stderr
    broken = fake_chromium(
        tmp_path, 'test "$1" = --version && echo Chromium 156.0.1.2 && exit; echo no display >&2; exit 7'
    )
    result = script("bundle.py", "--chromium", str(broken))
    assert result.returncode == 2 and "printed nothing (exit code 7). It said: no display" in result.stderr
    assert (course.root / "dist" / bundle.NAME).exists(), "the archive needs no Chromium"
    assert not (course.root / "dist" / "proving-ground-handbook.pdf").exists()
    foreign = fake_chromium(
        tmp_path,
        'test "$1" = --version && echo Chromium 156.0.1.2 && exit; for a; do case $a in --print-to-pdf=*) echo x > "${a#*=}";; esac; done',
    )
    result = script("bundle.py", "--chromium", str(foreign))
    assert result.returncode == 2 and "does not say where each page begins" in result.stderr


PDF_OBJECTS = (
    b"<</Type /Catalog\n/Pages 2 0 R\n/Dests 5 0 R>>",
    b"<</Type /Pages\n/Count 2\n/Kids [3 0 R 4 0 R]>>",
    b"<</Type /Page\n/Parent 2 0 R>>",
    b"<</Type /Page\n/Parent 2 0 R>>",
    b"<</p0 [3 0 R /XYZ 0 0 0]\n/p1 [4 0 R /XYZ 0 0 0]>>",
)


def small_pdf(*changes: tuple[bytes, bytes]) -> bytes:
    data, offsets = b"%PDF-1.4\n", [0]
    for number, body in enumerate(PDF_OBJECTS, 1):
        offsets.append(len(data))
        for old, new in changes:
            body = body.replace(old, new)
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 %b \n" % (offset, b"n" if offset else b"f") for offset in offsets)
    size = len(offsets)
    return data + b"xref\n0 %d\n%btrailer\n<</Size %d\n/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(data),
    )


def test_the_page_of_a_place_is_read() -> None:
    assert pdf.read(small_pdf()) == pdf.Printed(2, {"p0": 1, "p1": 2})
    assert pdf.read(small_pdf((b"[3 0 R 4 0 R]", b"[4 0 R 3 0 R]"))).destinations == {"p0": 2, "p1": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"/Dests 5 0 R", b""),
        (b"/Kids", b"/Kits"),
        (b"/Pages 2 0 R", b"/Pages 99 0 R"),
        (b"[3 0 R 4 0 R]", b"[3 0 R 2 0 R]"),
        (b"/p1 [4 0 R", b"/p1 [1 0 R"),
    ],
)
def test_a_pdf_built_otherwise_is_said_so(old: bytes, new: bytes) -> None:
    with pytest.raises(pdf.Unreadable):
        pdf.read(small_pdf((old, new)))
    with pytest.raises(pdf.Unreadable):
        pdf.read(b"%PDF-1.4\nstartxref\n3\n%%EOF")


def test_the_sheet_and_the_lists_of_the_archive_are_there() -> None:
    assert "counter(page)" in (ROOT / "scripts" / "proving" / "handbook.css").read_text()
    assert "dist/" in (ROOT / ".gitignore").read_text().splitlines()

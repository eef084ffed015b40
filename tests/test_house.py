"""The house rules that a machine can see."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

STDLIB = set(sys.stdlib_module_names)
OURS = {"labkit", "harbor", "fixtures", "proving"}


def imports(path: Path) -> set[str]:
    """The top-level names that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def files(*patterns: str) -> list[Path]:
    return sorted(p for pattern in patterns for p in ROOT.glob(pattern) if "__pycache__" not in p.parts)


def tracked() -> list[Path]:
    """The files of the repository: as git has them, or without git whatever is no product of a run."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    left_out = {".venv", ".cache", "site", "work", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not left_out & set(p.relative_to(ROOT).parts)]


@pytest.mark.parametrize("path", files("labs/labkit/*.py"), ids=lambda p: p.name)
def test_labkit_knows_the_standard_library_alone(path: Path) -> None:
    assert imports(path) <= STDLIB | {"labkit"}


@pytest.mark.parametrize("path", files("labs/harbor/**/*.py", "labs/fixtures/**/*.py"), ids=lambda p: p.name)
def test_shared_parts_know_no_lab_and_no_script(path: Path) -> None:
    assert not imports(path) & {"proving", "IPython", "nbformat", "mkdocs"}


@pytest.mark.parametrize("path", files("labs/*/lab.py"), ids=lambda p: p.parent.name)
def test_labs_know_no_script(path: Path) -> None:
    assert not imports(path) & {"proving", "IPython", "nbformat"}


@pytest.mark.parametrize("path", files("scripts/proving/*.py"), ids=lambda p: p.name)
def test_the_library_imports_no_lab_and_no_command(path: Path) -> None:
    assert not imports(path) & {"harbor", "fixtures"}
    assert "proving.commands" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", files("scripts/*.py"), ids=lambda p: p.name)
def test_every_script_answers_to_help(path: Path) -> None:
    result = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage:")


@pytest.mark.parametrize("path", files("scripts/*.py"), ids=lambda p: p.name)
def test_bad_use_ends_with_two_and_no_traceback(path: Path) -> None:
    result = subprocess.run([sys.executable, str(path), "--no-such-option"], capture_output=True, text=True, timeout=60)
    if path.name == "lab.py":
        return  # It passes options on to JupyterLab.
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    # Split, so that this file does not name them either.
    hosts = ["py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "deb.deb" + "ian.org"]
    pattern = re.compile("|".join(map(re.escape, hosts)) + r"|(?<![A-Za-z0-9_.])/(?:work|home|root)/[a-z]")
    wrong = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert wrong == []


def test_no_file_holds_a_private_key() -> None:
    """The header alone may stand in a page that tells what to search for; a key has a body."""
    key = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE " + rb"KEY-----\s+[A-Za-z0-9+/=]{20,}")
    assert [p for p in tracked() if key.search(p.read_bytes())] == []


def test_the_lock_holds_what_is_wanted() -> None:
    for name in ("requirements", "requirements-test"):
        lock = (ROOT / f"{name}.txt").read_text()
        for line in (ROOT / f"{name}.in").read_text().splitlines():
            wanted = re.match(r"^([A-Za-z0-9._-]+)(==\S+)?", line) if not line.startswith(("#", "-")) else None
            if wanted:
                assert f"\n{wanted[1].lower()}{wanted[2] or '=='}" in lock, f"{name}.txt lacks {line}: compile it again"
        blocks = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9#]|\Z)", lock, re.MULTILINE | re.DOTALL)
        assert blocks and all("--hash=sha256:" in block for block in blocks)


def test_words_that_the_style_forbids() -> None:
    """No filler on any page or in any lab: design and style are in the contributor's guide."""
    pattern = re.compile(
        r"\b(simply|obviously|seamless(?:ly)?|leverag(?:e|es|ing)|robust|cutting-edge|game-changing)\b", re.IGNORECASE
    )
    wrong = []
    for path in [
        *files("docs/**/*.md", "labs/*/lab.py", "labs/README.md"),
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
    ]:
        if path.is_relative_to(ROOT / "docs" / "labs"):
            continue
        wrong += [f"{path.relative_to(ROOT)}: {m[0]}" for m in pattern.finditer(path.read_text(encoding="utf-8"))]
    assert wrong == []


LESSONS = [p for p in files("docs/learn/**/*.md", "docs/start/*.md") if "\nkind: lesson\n" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_a_lesson_has_its_parts(path: Path) -> None:
    import yaml

    text = path.read_text(encoding="utf-8")
    data = yaml.safe_load(text.split("---")[1])
    assert {"title", "description", "summary", "kind", "track", "minutes", "verified", "sources"} <= data.keys()
    assert 60 <= len(data["description"]) <= 170
    assert all({"title", "url", "read"} == set(s) and s["url"].startswith("https://") for s in data["sources"])
    body = re.sub(r"<svg.*?</svg>|```.*?```|^---.*?^---|^\?\?\?.*?(?=^\S)", "", text, flags=re.DOTALL | re.MULTILINE)
    body = body.split("## Check yourself")[0]
    assert 450 <= len(body.split()) <= 1300, len(body.split())
    assert "## Check yourself" in text and len(re.findall(r"^\?\?\? success", text, re.MULTILINE)) >= 3


def test_the_locks_leave_out_what_we_say_they_do() -> None:
    """A lock made without pyproject.toml beside it would bring these packages back, and a second to each lab."""
    left_out = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "override-dependencies"
    ]
    names = [entry.split()[0] for entry in left_out]
    locks = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("requirements.txt", "requirements-test.txt"))
    assert len(names) >= 5 and "\njsonschema==" in locks
    assert [name for name in names if f"\n{name}==" in locks] == []


EXEMPTION = re.compile(r"#\s*(?:noqa\b(?::\s*[A-Z0-9, ]+)?|type:\s*ignore\b(?:\[[^\]]*\])?)(?P<why>.*)$")


def test_whatever_a_checker_is_told_to_pass_over_says_why() -> None:
    """A rule, the code it has, and a reason in words behind it: a bare one may hide a check that cannot fail."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files("labs/**/*.py", "scripts/**/*.py", "tests/**/*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (exemption := EXEMPTION.search(line)) and not re.match(r"\s*#\s*\S+ \S+", exemption["why"])
    ]
    assert found == []

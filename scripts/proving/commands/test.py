"""test.py: everything CI checks, one step after the other, with one line of counts at the end."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proving.display import complain, say
from proving.paths import checkout

SCRIPTS = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")


@dataclass
class Count:
    """How many checks passed, failed and were skipped so far."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


def main(arguments: list[str]) -> int:
    """Run every step, also after a failed one; print the counts. Exit code 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="test.py", description="Everything CI checks.")
    parser.add_argument(
        "--every-python", action="store_true", help=f"prove the labs on each of {', '.join(PYTHONS)} found here"
    )
    parser.add_argument("--quick", action="store_true", help="leave out what is marked slow, and the cold proof")
    options = parser.parse_args(arguments)
    root = checkout().root
    python = [sys.executable]
    steps: list[tuple[str, Callable[[Count], None]]] = [
        ("Lint", _command(root, *python, "-m", "ruff", "check", ".")),
        ("Format", _command(root, *python, "-m", "ruff", "format", "--check", ".")),
        ("Types", _command(root, *python, "-m", "mypy")),
        ("Generated files", _command(root, *python, str(SCRIPTS / "sync.py"), "--check")),
        ("Labs, warm", _command(root, *python, str(SCRIPTS / "validate.py"))),
    ]
    if not options.quick:
        steps.append(("Labs, cold", _command(root, *python, str(SCRIPTS / "validate.py"), "--cold")))
    if options.every_python:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        steps += [(f"Labs on Python {v}", _other_python(root, v)) for v in PYTHONS if v != here]
    steps.append(("Tests", _pytest(root, quick=options.quick)))
    count = Count()
    for name, step in steps:
        started = time.monotonic()
        say(f"\n== {name}")
        failed = count.failed
        step(count)
        verdict = "failed" if count.failed > failed else "passed"
        say(f"== {name}: {verdict} in {time.monotonic() - started:.0f} s")
    say("")
    skipped = f", {count.skipped} skipped" if count.skipped else ""
    say(f"{count.passed} passed, {count.failed} failed{skipped}")
    return 1 if count.failed else 0


def _command(root: Path, *command: str) -> Callable[[Count], None]:
    """A step that is one check: the command's exit code."""

    def run(count: Count) -> None:
        if subprocess.run(command, cwd=root).returncode:
            count.failed += 1
        else:
            count.passed += 1

    return run


def _other_python(root: Path, version: str) -> Callable[[Count], None]:
    """Prove the labs on another Python, in an environment of its own under .cache/."""

    def run(count: Count) -> None:
        found = _find_python(version)
        if not found:
            complain(f"Python {version} is not installed here; the labs were not proved on it.")
            count.skipped += 1
            return
        home = root / ".cache" / f"python-{version}"
        program = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        made = program.exists() or not subprocess.run([uv, "venv", "--quiet", "--python", found, str(home)]).returncode
        install = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(program),
            "--require-hashes",
            "-r",
            "requirements.txt",
        ]
        prove = "import sys; from proving.commands import validate; sys.exit(validate.main([]))"
        environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
        good = (
            made
            and not subprocess.run(install, cwd=root).returncode
            and not subprocess.run([str(program), "-c", prove], cwd=root, env=environment).returncode
        )
        count.passed += good
        count.failed += not good

    return run


def _find_python(version: str) -> str:
    """A Python of this version: on the PATH, or where pyenv keeps them."""
    on_path = shutil.which(f"python{version}")
    candidates = [on_path] if on_path else []
    candidates += [str(p) for p in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))]
    for candidate in candidates:
        # A pyenv shim answers for versions that are not switched on, by failing.
        asked = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.returncode == 0 and asked.stdout.strip() == str(tuple(map(int, version.split(".")))):
            return candidate
    return ""


def _pytest(root: Path, *, quick: bool) -> Callable[[Count], None]:
    """The test files; each test counts."""

    def run(count: Count) -> None:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", f"--junitxml={report}"]
            code = subprocess.run([*command, *(["-m", "not slow"] if quick else [])], cwd=root).returncode
            try:
                suite = ElementTree.parse(report).getroot()[0]
                wrong = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
                skipped = int(suite.get("skipped", 0))
                count.passed += int(suite.get("tests", 0)) - wrong - skipped
                count.skipped += skipped
            except (OSError, ElementTree.ParseError, IndexError):
                wrong = 0
            count.failed += max(wrong, 1 if code else 0)

    return run

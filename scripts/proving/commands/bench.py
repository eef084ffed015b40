"""bench.py: ours against the plain way, interleaved in one run on this machine, medians and ratios; and how the site grows."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from proving import growth, notebook, pages, proof, site
from proving.commands.build import build
from proving.display import complain, console, say, table
from proving.paths import Tree, checkout
from proving.runner import Plan, Runner, usual_jobs, variants_of
from proving.source import Lab, read_all

SCRIPTS = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """One comparison: what is measured, the two ways' names, and the bar for ours divided by plain."""

    what: str
    ours: str
    plain: str
    bar: float | None

    def met(self, seconds: dict[str, float]) -> bool:
        """Whether our median is within the bar; true where there is none."""
        return self.bar is None or seconds[self.ours] / seconds[self.plain] <= self.bar


ROWS = (
    Row("Execute all labs once, against pytest --nbmake -n 2", "execute", "nbmake", 0.4),
    Row("Execute all labs once, against nbconvert --execute, one by one", "execute", "nbconvert", 0.2),
    Row("Execute all labs cold, against pytest --nbmake -n 2", "execute cold", "nbmake", None),
    Row("All four gates, against our own single execution", "gates", "execute", 2.0),
    Row(
        "All four gates and a second run that must print the same, against a single execution",
        "validate",
        "execute",
        None,
    ),
    Row("All variants from snapshots, against each from the start", "gates", "variants from the start", None),
    Row("Cold start of the site, labs proved, against mkdocs build", "serve cold", "mkdocs build", None),
    Row("Warm start of the site, against mkdocs build", "serve warm", "mkdocs build", None),
)
WARM_START_SECONDS = 10.0
ONCE = {"variants from the start"}  # minutes, and no bar hangs on it: the first round alone


def main(arguments: list[str]) -> int:
    """Measure, print, and write the figures for the status page. Exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        prog="bench.py", description="Measure against the plain way, in one run on this machine."
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default 5)")
    parser.add_argument("--no-write", action="store_true", help="leave the figures of the status page as they are")
    parser.add_argument("--only", choices=("speed", "growth"), help="measure one of the two parts (default both)")
    parser.add_argument(
        "--scales",
        type=int,
        nargs="+",
        default=list(growth.SCALES),
        help="how often each page is there in the growth part",
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        complain("--rounds takes a whole number from 1.")
        return 2
    if min(options.scales) != 1 or options.scales != sorted(set(options.scales)):
        complain("--scales takes rising whole numbers that begin with 1, such as 1 4 16.")
        return 2
    tree = checkout()
    labs, findings = read_all(tree)
    if findings:
        complain(str(findings[0]))
        return 2
    if build(tree, reuse=True):
        complain("The site does not build; repair that first.")
        return 2
    missed: list[str] = []
    if options.only != "growth":
        missed += _speed(tree, labs, options.rounds, write=not options.no_write)
    if options.only != "speed":
        missed += _growth(tree, labs, list(options.scales), write=not options.no_write)
    for what in missed:
        complain(f"Missed its bar: {what}")
    return 1 if missed else 0


def _speed(tree: Tree, labs: list[Lab], rounds: int, *, write: bool) -> list[str]:
    """Measure each way so many times; return the bars that were missed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ways = _ways(tree, labs, Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, way in ways.items():
                if name in ONCE and number:
                    continue
                console.print(f"round {number + 1} of {rounds}: {name} ", end="")
                started = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - started)
                say(f"{seconds[name][-1]:.2f} s")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    missed = [row.what for row in ROWS if not row.met(medians)]
    if medians["serve warm"] > WARM_START_SECONDS:
        missed.append(f"warm start under {WARM_START_SECONDS:g} s")
    _print(medians)
    if write:
        _write(tree, _figures(medians, rounds))
    return missed


def _growth(tree: Tree, labs: list[Lab], scales: list[int], *, write: bool) -> list[str]:
    """Measure the site at each scale; return the bars that were missed."""
    complete = [lab for lab in labs if not lab.todos]
    evidence = proof.prove(tree, [lab.slug for lab in complete], reuse=True)
    rows = []
    for scale in scales:
        console.print(f"growth, {scale} times: ", end="")
        rows.append(growth.measure(tree, complete, evidence, scale))
        say(f"{rows[-1].pages} pages in {rows[-1].build_seconds:.1f} s")
    missed, breaks = growth.verdict(rows)
    lines = []
    for row in rows:
        line = [f"{row.scale}x", f"{row.pages}", f"{row.build_seconds:.1f}"]
        line += [f"{row.build_seconds / row.pages * 1000:.1f}", f"{row.index_bytes // 1000}"]
        lines.append(line + ["-" if ms is None else f"{ms:.1f}" for ms in (row.search_ms, row.late_ms)])
    heads = ["scale", "pages", "build s", "ms a page", "index KB", "search ms", "19 of 20 within"]
    table("\nGrowth", heads, lines)
    say("\n".join(breaks))
    if write:
        about = {"date": date.today().isoformat(), "missed": missed, "breaks": breaks}
        _write(tree, {"growth": {**about, "rows": [asdict(row) for row in rows]}})
    return missed


def _ways(tree: Tree, labs: list[Lab], folder: Path) -> dict[str, Callable[[], None]]:
    """Each way by its name, in the order in which a round takes them.

    What a bar compares runs close together: a machine that slows down in the course of a round slows both.
    """
    for lab in labs:
        (folder / f"{lab.slug}.ipynb").write_text(notebook.solved(lab), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tree.labs), "NO_MKDOCS_2_WARNING": "true"}
    notebooks = [str(folder / f"{lab.slug}.ipynb") for lab in labs]

    def run(*command: str) -> None:
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[1:5])} failed:\n{(done.stdout + done.stderr)[-3000:]}")

    def ours(code: str) -> None:
        _python(f"from proving import proof, paths; {code}")

    def nbconvert() -> None:
        for path in notebooks:
            run(
                sys.executable,
                "-m",
                "jupyter",
                "nbconvert",
                "--to",
                "notebook",
                "--execute",
                "--output-dir",
                str(folder / "out"),
                path,
            )

    return {
        "nbconvert": nbconvert,
        "nbmake": lambda: run(
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbmake", "-n", "2", *notebooks
        ),
        "execute": lambda: ours("assert not proof.execute(paths.checkout())"),
        "gates": lambda: ours("assert all(e.passed for e in proof.prove(paths.checkout(), repeat=False))"),
        "validate": lambda: ours("assert all(e.passed for e in proof.prove(paths.checkout()))"),
        "variants from the start": lambda: _from_the_start(tree, labs),
        "execute cold": lambda: ours("assert not proof.execute(paths.checkout(), warm=False)"),
        "mkdocs build": lambda: site.run_mkdocs(tree, folder / "site"),
        "serve cold": lambda: _serve(tree, cold=True),
        "serve warm": lambda: _serve(tree, cold=False),
    }


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SCRIPTS)}, check=True)


def _from_the_start(tree: Tree, labs: list[Lab]) -> None:
    """Every variant by a run of its own from the first cell, warm, as many at once as ours."""
    with Runner(tree, jobs=usual_jobs(), warm=True) as runner:
        for lab in labs:
            plans = [Plan(lab, "prove", 2, upto=e.id, only=name) for e in lab.exercises for name, _ in variants_of(e)]
            runner.alone(plans)


def _serve(tree: Tree, *, cold: bool) -> None:
    """Start serve.py and stop it when it has printed its address."""
    if cold:
        shutil.rmtree(tree.cache, ignore_errors=True)
        shutil.rmtree(tree.site, ignore_errors=True)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "serve.py"), "--port", "0"], stdout=subprocess.PIPE, text=True, cwd=tree.root
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "http://127.0.0.1:" in line:
            break
    process.terminate()
    process.wait()
    if not lines or "http://" not in lines[-1]:
        raise RuntimeError(f"serve.py did not come up: {''.join(lines[-3:])}")


def _print(medians: dict[str, float]) -> None:
    table("Medians", ["way", "seconds"], [[name, f"{value:.2f}"] for name, value in medians.items()])
    rows = []
    for row in ROWS:
        ratio = medians[row.ours] / medians[row.plain]
        rows.append([row.what, f"{ratio:.2f}", _bar(row)])
    table("\nRatios", ["what, against what", "ratio", "bar"], rows)


def _bar(row: Row) -> str:
    return f"at most {row.bar:g}" if row.bar else ""


def _figures(medians: dict[str, float], rounds: int) -> dict[str, Any]:
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "rounds": rounds,
        "once": [row.what for row in ROWS if ONCE & {row.ours, row.plain}],
        "rows": [
            {
                "what": row.what,
                "ours": round(medians[row.ours], 2),
                "plain": round(medians[row.plain], 2),
                "ratio": round(medians[row.ours] / medians[row.plain], 3),
                "bar": _bar(row),
            }
            for row in ROWS
        ],
    }


def _write(tree: Tree, figures: dict[str, Any]) -> None:
    """Put these figures in the place of older ones of their kind."""
    path = tree.docs / pages.MEASURED
    figures = {**pages.measured(tree), **figures}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    say(f"\nWritten to {tree.relative(path)}; the status page shows it after the next build.")

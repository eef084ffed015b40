"""Run plans: several at once, each bounded in time and memory, none able to hang the others.

    Plan     what a worker runs: the lab's cells, its variants, its limits
    Runner   keeps warm processes, starts workers, watches them, kills what outlives its time
    Run      what came back: cells with outputs and events, variants, violations, figures

Warm runs are forked from a process that has the labs' packages imported (zygote.py). Cold runs
start a Python of their own each; they are the only kind where there is no fork.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from proving.paths import Tree
from proving.processes import kill_tree, memory_mb
from proving.source import Exercise, Lab

Json = dict[str, Any]
Mode = Literal["execute", "prove", "learner"]
WARM_IS_POSSIBLE = hasattr(os, "fork")
_TICK = 0.02
_MEASURE_EVERY = 0.2


@dataclass(frozen=True)
class Limits:
    """Bounds of one run: seconds for a cell, a variant, the whole lab; mebibytes of memory."""

    cell_seconds: float = 30
    variant_seconds: float = 20
    lab_seconds: float = 120
    memory_mb: int = 1500


@dataclass(frozen=True)
class Plan:
    """One run of one lab. `seed` differs between the two executions that must print the same."""

    lab: Lab
    mode: Mode
    seed: int = 1
    limits: Limits = Limits()
    upto: str | None = None
    only: str | None = None
    learner: tuple[Json, ...] | None = None

    @property
    def name(self) -> str:
        return f"{self.lab.slug}/{self.only}" if self.only else self.lab.slug


@dataclass(frozen=True)
class CellRun:
    id: str
    outputs: list[Json]
    events: list[Json]
    seconds: float
    error: Json | None


@dataclass(frozen=True)
class VariantRun:
    """A variant's end. `outcome`: passed, failed, not started, crashed or died; `how`: fork or fresh."""

    exercise: str
    name: str
    outcome: str
    message: str
    at: str
    seconds: float
    how: str


@dataclass(frozen=True)
class Run:
    plan: Plan
    cells: list[CellRun]
    variants: list[VariantRun]
    fresh: dict[str, str]
    judged: list[Json]
    violations: list[Json]
    confinement: Json
    death: str
    last_cell: str
    seconds: float
    peak_mb: float

    def cell(self, name: str) -> CellRun | None:
        return next((c for c in self.cells if c.id == name), None)


@dataclass
class _Running:
    plan: Plan
    folder: Path
    zygote: "_Zygote"
    started: float
    pid: int = 0
    measured: float = 0
    peak_mb: float = 0
    death: str = ""
    left: str = ""
    read: int = 0
    cell: str = ""
    cell_since: float = field(default_factory=time.monotonic)


def usual_jobs() -> int:
    """One more than there are cores: a lab that waits, or is the last to end, leaves none of them idle."""
    return (os.cpu_count() or 2) + 1


class Runner:
    """Runs plans with `jobs` at once. Use as a context manager: leaving it ends every process."""

    def __init__(
        self, tree: Tree, *, jobs: int, warm: bool, progress: Callable[[Plan, str], None] | None = None
    ) -> None:
        self._tree, self._jobs = tree, jobs
        self._warm = warm and WARM_IS_POSSIBLE
        self._progress = progress or (lambda plan, text: None)
        self._zygotes: dict[int, _Zygote] = {}
        self._modules: dict[str, list[str]] = {}
        self._base = Path(tempfile.mkdtemp(prefix="proving-"))

    def __enter__(self) -> "Runner":
        if self._warm:
            self._zygote(1)  # It starts while its user still reads the labs.
        return self

    def __exit__(self, *_: object) -> None:
        for zygote in self._zygotes.values():
            zygote.close()
        shutil.rmtree(self._base, ignore_errors=True)

    def run(self, plans: Iterable[Plan], lab_done: Callable[[list[Run]], None] = lambda runs: None) -> list[Run]:
        """Run `plans` and return the runs in the same order.

        `lab_done` gets the runs of one lab as soon as its last has ended. An exercise whose state
        could not be forked is proved by fresh runs, one a variant, which are merged into its run.
        """
        wanted = list(plans)
        if self._warm:
            # Both hash seeds at once: the second starts while the first runs.
            for seed in sorted({plan.seed for plan in wanted}):
                self._zygote(seed)
        results: dict[int, Run] = {}
        extra: dict[str, list[Run]] = {}
        outstanding = Counter(plan.lab.slug for plan in wanted)

        def of(plan: Plan) -> Run:
            return self._merged(results[id(plan)], extra.get(plan.lab.slug, []) if plan.mode == "prove" else [])

        def finished(run: Run) -> list[Plan]:
            slug = run.plan.lab.slug
            if run.plan.only:
                extra.setdefault(slug, []).append(run)
            else:
                results[id(run.plan)] = run
            further = [] if run.plan.only else _fresh_plans(run)
            outstanding[slug] += len(further) - 1
            if not outstanding[slug]:
                lab_done([of(plan) for plan in wanted if plan.lab.slug == slug])
            return further

        self._work(wanted, finished)
        return [of(plan) for plan in wanted]

    def alone(self, plans: list[Plan]) -> None:
        """Run variants each from the first cell, as `run` does where nothing can be forked."""
        self._work(plans, lambda run: [])

    def _work(self, plans: list[Plan], finished: Callable[[Run], list[Plan]]) -> None:
        """Run `plans` and what `finished` adds after each, `jobs` at once."""
        queue = self._lean_first(plans)
        running: list[_Running] = []
        announced: Plan | None = None
        try:
            while queue or running:
                while queue and len(running) < self._jobs:
                    running.append(self._start(queue.pop(0)))
                if self._warm and queue and queue[0] is not announced:
                    # What the next lab needs is loaded while others run; what later ones need is not: each package in the
                    # warm process makes every fork from it dearer, and a lab is forked dozens of times.
                    announced = queue[0]
                    self._zygote(announced.seed).send("", self._needs(announced.lab))
                time.sleep(_TICK)
                for item in list(running):
                    self._watch(item)
                    if item.zygote.ended(item.folder):
                        running.remove(item)
                        run = self._collect(item)
                        if item.zygote not in self._zygotes.values():
                            item.zygote.close()
                        shutil.rmtree(item.folder, ignore_errors=True)
                        queue += finished(run)
        finally:
            for item in running:
                kill_tree(item.pid)

    # -- starting -----------------------------------------------------------------------------

    def _needs(self, lab: Lab) -> list[str]:
        """The modules to load for `lab`; read from its source once."""
        if lab.digest not in self._modules:
            self._modules[lab.digest] = outside_imports(self._tree, lab)
        return self._modules[lab.digest]

    def _lean_first(self, plans: list[Plan]) -> list[Plan]:
        """The plans in an order in which each needs as few packages as possible that those before it did not."""
        left, queue, loaded = sorted(plans, key=lambda plan: plan.seed), list[Plan](), set[str]()
        packages = {
            plan.lab.digest: {name.split(".")[0] for name in self._needs(plan.lab)} - sys.stdlib_module_names
            for plan in plans
        }
        while left:
            seed = left[0].seed
            same = [plan for plan in left if plan.seed == seed]
            following = min(same, key=lambda plan: (len(packages[plan.lab.digest] - loaded), plan.name))
            loaded |= packages[following.lab.digest]
            left.remove(following)
            queue.append(following)
        return queue

    def _zygote(self, seed: int) -> "_Zygote":
        if self._warm:
            if seed not in self._zygotes or self._zygotes[seed].is_dead():
                self._zygotes[seed] = _Zygote(self._tree, seed)
            return self._zygotes[seed]
        return _Zygote(self._tree, seed) if WARM_IS_POSSIBLE else _Spawner(self._tree, seed)

    def _start(self, plan: Plan) -> _Running:
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self._base))
        path = folder / "plan.json"
        path.write_text(json.dumps(_written(plan, self._tree)), encoding="utf-8")
        (folder / "report.jsonl").touch()
        zygote = self._zygote(plan.seed)
        zygote.send(str(path), self._needs(plan.lab) if self._warm else [])
        self._progress(plan, "started")
        return _Running(plan, folder, zygote, time.monotonic())

    # -- watching -----------------------------------------------------------------------------

    def _watch(self, item: _Running) -> None:
        item.zygote.listen()
        item.pid = item.pid or item.zygote.pid(item.folder)
        item.left = item.left or item.zygote.left(item.folder)
        now = time.monotonic()
        self._follow(item, now)
        limits = item.plan.limits
        if item.death or not item.pid:
            if now - item.started > limits.lab_seconds + 60:
                raise RuntimeError(f"The worker of {item.plan.name} never started.")
            return
        if now - item.measured > _MEASURE_EVERY:
            item.measured = now
            item.peak_mb = max(item.peak_mb, memory_mb(item.pid))
        if item.peak_mb > limits.memory_mb:
            item.death = f"used more than {limits.memory_mb} MB of memory"
        elif now - item.cell_since > limits.cell_seconds and item.cell:
            item.death = f"was still in this cell after {limits.cell_seconds:g} s"
        elif now - item.started > limits.lab_seconds:
            item.death = f"was not through after {limits.lab_seconds:g} s"
        if item.death:
            kill_tree(item.pid)

    def _follow(self, item: _Running, now: float) -> None:
        """Read what the worker has reported since the last look."""
        with (item.folder / "report.jsonl").open("rb") as report:
            report.seek(item.read)
            for line in report:
                if not line.endswith(b"\n"):
                    break
                item.read += len(line)
                entry = json.loads(line)
                if entry["type"] in ("start-cell", "start-variant", "variant", "cell"):
                    item.cell_since = now
                if entry["type"] == "start-cell":
                    item.cell = entry["id"]
                    self._progress(item.plan, entry["id"])

    # -- collecting ---------------------------------------------------------------------------

    def _collect(self, item: _Running) -> Run:
        entries = []
        for line in (item.folder / "report.jsonl").read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue  # The worker died while it wrote this line.

        def of(kind: str) -> list[Json]:
            return [{k: v for k, v in e.items() if k != "type"} for e in entries if e["type"] == kind]

        end = of("end")
        violations = [
            *of("violation"),
            *([{"kind": "process", "text": item.left, "cell": item.cell}] if item.left else []),
        ]
        death = item.death
        if not end and not death:
            death = f"ended the process ({item.zygote.exit_text(item.folder)})"
            log = (
                (item.folder / "log.txt").read_text(errors="replace").strip().splitlines()
                if (item.folder / "log.txt").exists()
                else []
            )
            death += f"; last words: {log[-1]}" if log else ""
        how = "fresh" if item.plan.only else "fork"
        variants = [VariantRun(**{**v, "how": how}) for v in of("variant")]
        if death and item.plan.only and not variants:
            variants = [VariantRun(item.plan.upto or "", item.plan.only, "died", death, item.cell, 0, "fresh")]
        return Run(
            plan=item.plan,
            cells=[CellRun(**c) for c in of("cell")],
            variants=variants,
            fresh={f["exercise"]: f["reason"] for f in of("fresh")},
            judged=of("exercise"),
            violations=violations,
            confinement=next(iter(of("confined")), {"network": "unknown", "files": "unknown"}),
            death=death,
            last_cell=item.cell,
            seconds=time.monotonic() - item.started,
            peak_mb=round(max(item.peak_mb, *(e["peak_mb"] for e in end), 0), 1),
        )

    @staticmethod
    def _merged(run: Run, fresh_runs: list[Run]) -> Run:
        variants = [*run.variants, *(v for r in fresh_runs for v in r.variants)]
        violations = [*run.violations, *(v for r in fresh_runs for v in r.violations)]
        return replace(run, variants=variants, violations=violations)


class _Zygote:
    """The parent's end of zygote.py."""

    def __init__(self, tree: Tree, seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proving.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=clean_environment(tree, seed),
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._pending = b""
        self._said: dict[tuple[str, str], str] = {}

    def is_dead(self) -> bool:
        """Whether it can take no more plans. Those it had are reported as died; the next get another."""
        return self._process.poll() is not None

    def send(self, plan: str, modules: list[str]) -> None:
        """Have `plan` run, with `modules` imported first; an empty plan only imports them."""
        try:
            self._input.write("\t".join([plan, *modules]).encode() + b"\n")
            self._input.flush()
        except BrokenPipeError:
            return  # It has died this moment: ended() says so, and the lab is reported.

    def listen(self) -> None:
        received = self._output.read() or b""
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            kind, _, rest = line.decode(errors="replace").partition(" ")
            plan, _, value = rest.partition("\t")
            self._said[kind, str(Path(plan).parent)] = value

    def pid(self, folder: Path) -> int:
        return int(self._said.get(("started", str(folder)), "0"))

    def left(self, folder: Path) -> str:
        return self._said.get(("left", str(folder)), "")

    def ended(self, folder: Path) -> bool:
        if self._process.poll() is not None and ("ended", str(folder)) not in self._said:
            self._said["ended", str(folder)] = "256"
        return ("ended", str(folder)) in self._said

    def exit_text(self, folder: Path) -> str:
        status = int(self._said["ended", str(folder)])
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"

    def close(self) -> None:
        try:
            self._input.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            kill_tree(self._process.pid)
            self._process.wait()
        self._output.close()


class _Spawner(_Zygote):
    """The same without fork (Windows): a Python of its own for each plan."""

    def __init__(self, tree: Tree, seed: int) -> None:
        self._environment = clean_environment(tree, seed)

    def send(self, plan: str, modules: list[str]) -> None:
        with (Path(plan).parent / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "proving.worker", plan],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )

    def listen(self) -> None:
        return

    def pid(self, folder: Path) -> int:
        return self._process.pid

    def left(self, folder: Path) -> str:
        return ""

    def ended(self, folder: Path) -> bool:
        return self._process.poll() is not None

    def exit_text(self, folder: Path) -> str:
        return f"exit code {self._process.returncode}"

    def close(self) -> None:
        return


def _fresh_plans(run: Run) -> list[Plan]:
    """A plan a variant for each exercise whose state could not be forked."""
    exercises = [run.plan.lab.exercise(name) for name in run.fresh]
    return [replace(run.plan, upto=e.id, only=variant) for e in exercises for variant, _ in variants_of(e)]


def variants_of(exercise: Exercise) -> list[tuple[str, str]]:
    """The variants of an exercise as (name, code): its starter, then its mistakes by cell id."""
    return [(f"starter-{exercise.id}", exercise.starter), *((m.id, m.text) for m in exercise.mistakes)]


def clean_environment(tree: Tree, seed: int) -> dict[str, str]:
    """The environment of a lab: no settings of the user's tools, no model of theirs, a known hash seed, our modules."""
    tools = ("PIP_", "UV_", "PYTHON", "JUPYTER", "IPYTHON", "XDG_", "VIRTUAL_ENV", "COLUMNS", "LINES")
    dropped = (*tools, "LABKIT_", "HARBOR_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped) and "proxy" not in k.lower()}
    return {
        **kept,
        "PYTHONHASHSEED": str(seed),
        "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "PYTHONUTF8": "1",
    }


def outside_imports(tree: Tree, lab: Lab) -> list[str]:
    """The modules that `lab` imports, itself or through our shared ones; ours are left out."""
    texts = [cell.text for cell in lab.code]
    found: set[str] = set()
    seen: set[str] = set()
    while texts:
        for name in _imports(texts.pop()):
            top = name.split(".")[0]
            if top in ("harbor", "fixtures") and name not in seen:
                seen.add(name)
                path = tree.labs.joinpath(*name.split("."))
                files = [path.with_suffix(".py"), path / "__init__.py"]
                texts += [file.read_text(encoding="utf-8") for file in files if file.is_file()]
            elif top not in ("labkit", "harbor", "fixtures", "__future__"):
                found.add(name)
    return sorted(found)


@cache  # The shared modules are read for each lab that imports them.
def _imports(text: str) -> set[str]:
    """The full names of the modules that `text` imports; of `from package import name`, both readings."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            if node.module in ("harbor", "fixtures"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _written(plan: Plan, tree: Tree) -> Json:
    """The plan as the worker reads it."""
    lab = plan.lab
    cells: list[Json] = []
    for cell in plan.learner or lab.code:
        if isinstance(cell, dict):
            cells.append(cell)
            continue
        code = lab.exercise(cell.exercise).solution if cell.tag == "exercise" and cell.exercise else cell.text
        cells.append({"id": cell.id, "tag": cell.tag, "exercise": cell.exercise, "code": code})
    variants: list[Json] = []
    if plan.mode == "prove":
        for exercise in lab.exercises:
            start = next(i for i, c in enumerate(cells) if c["id"] == exercise.cell.id)
            last = max(i for i, c in enumerate(cells) if c["tag"] == "check" and c["exercise"] == exercise.id)
            for name, code in variants_of(exercise):
                variants.append(
                    {
                        "exercise": exercise.id,
                        "cell": exercise.cell.id,
                        "name": name,
                        "code": code,
                        "following": cells[start + 1 : last + 1],
                    }
                )
    if plan.only:
        variant = next(v for v in variants if v["name"] == plan.only)
        position = next(i for i, c in enumerate(cells) if c["id"] == variant["cell"])
        cells, variants = cells[:position], [variant]
    return {
        "mode": "variant" if plan.only else plan.mode,
        "cells": cells,
        "variants": variants,
        "limits": {"memory_mb": plan.limits.memory_mb, "variant_seconds": plan.limits.variant_seconds},
        "path": [str(tree.labs)],
        "environment": {"TZ": "UTC" if plan.seed == 1 else "Pacific/Auckland"},
    }

"""The four gates: from a lab's runs to its verdict.

The run that the page shows is also the run whose state the variants branch from, so one execution
proves all four gates. A second one, with another hash seed, has to print the same. Everything the
verdict says is read off their events.
"""

import difflib
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from proving.findings import Finding
from proving.paths import Tree
from proving.runner import CellRun, Run, VariantRun, variants_of
from proving.source import Cell, Exercise, Lab

Json = dict[str, Any]
GATES = ("attack_lands", "starter_fails", "solution_holds", "mistakes_caught")


@dataclass(frozen=True)
class Gate:
    """One gate: whether it passed, one line that says on what grounds, and the findings if not."""

    passed: bool
    detail: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What was proved of one lab, in one run on one machine."""

    slug: str
    passed: bool
    seconds: float
    proof_seconds: float
    peak_mb: float
    exercises: int
    mistakes: int
    gates: dict[str, Gate]
    bounds: Gate
    snapshots: dict[str, str]
    confinement: dict[str, str]

    @property
    def findings(self) -> list[Finding]:
        return [f for gate in (*self.gates.values(), self.bounds) for f in gate.findings]

    def as_json(self) -> Json:
        """The verdict as validate.py --json writes it."""

        def gate(g: Gate) -> Json:
            return {"passed": g.passed, "detail": "\n".join([g.detail, *map(str, g.findings)])}

        return {
            "slug": self.slug,
            "passed": self.passed,
            "seconds": round(self.seconds, 2),
            "exercises": self.exercises,
            "mistakes": self.mistakes,
            "gates": {name: gate(g) for name, g in self.gates.items()},
            "bounds": gate(self.bounds),
            "proof_seconds": round(self.proof_seconds, 2),
            "peak_mb": self.peak_mb,
            "snapshots": self.snapshots,
            "confinement": self.confinement,
        }


def judge(tree: Tree, lab: Lab, run: Run, again: Run | None) -> Verdict:
    """The verdict on `lab` from its proving run, and from a second execution if there was one."""
    gates = {
        "attack_lands": _attack_lands(tree, lab, run),
        "starter_fails": _starter_fails(tree, lab, run),
        "solution_holds": _solution_holds(tree, lab, run, again),
        "mistakes_caught": _mistakes_caught(tree, lab, run),
    }
    bounds = _bounds(tree, lab, *([run, again] if again else [run]))
    how = {e.id: f"fresh runs: {run.fresh[e.id]}" if e.id in run.fresh else "fork" for e in lab.exercises}
    return Verdict(
        slug=lab.slug,
        passed=all(g.passed for g in gates.values()) and bounds.passed,
        seconds=again.seconds if again else sum(c.seconds for c in run.cells),
        proof_seconds=run.seconds,
        peak_mb=(again or run).peak_mb,
        exercises=len(lab.exercises),
        mistakes=sum(len(e.mistakes) for e in lab.exercises),
        gates=gates,
        bounds=bounds,
        snapshots=how,
        confinement=run.confinement,
    )


def incomplete(tree: Tree, lab: Lab) -> Verdict:
    """The verdict on a lab whose author has left to-dos: nothing was run."""
    findings = tuple(
        Finding(
            f"{tree.relative(lab.path)}:{todo.line}", f"To do: {todo.text or 'fill this in'}.", "Then remove the TODO."
        )
        for todo in lab.todos
    )
    gate = Gate(False, f"incomplete: {len(findings)} to-dos left")
    return Verdict(
        lab.slug,
        False,
        0,
        0,
        0,
        len(lab.exercises),
        sum(len(e.mistakes) for e in lab.exercises),
        dict.fromkeys(GATES, gate),
        Gate(False, gate.detail, findings),
        {},
        {},
    )


def unreadable(slug: str, findings: list[Finding]) -> Verdict:
    """The verdict on a lab that breaks its format: nothing was run."""
    gate = Gate(False, "the lab cannot be read")
    return Verdict(
        slug, False, 0, 0, 0, 0, 0, dict.fromkeys(GATES, gate), Gate(False, gate.detail, tuple(findings)), {}, {}
    )


def environment() -> Json:
    """The machine that the runs ran on, with no name and no path of it."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
    }


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed versions of the packages that a lab names."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


# -- the gates ------------------------------------------------------------------------------------


def _attack_lands(tree: Tree, lab: Lab, run: Run) -> Gate:
    ids = [cell.id for cell in lab.code]
    first_exercise = ids.index(lab.exercises[0].cell.id)
    seen = [e["text"] for c in run.cells if ids.index(c.id) < first_exercise for e in c.events if e["kind"] == "landed"]
    if seen:
        return Gate(True, f"{len(seen)} landed: {'; '.join(seen)}")
    attack = next(c for c in lab.cells if c.tag == "attack")
    broken = _broken(tree, lab, run)
    finding = Finding(
        _at(tree, lab, attack),
        "No attack landed before the first exercise.",
        "Call landed(what, evidence) where the attacker has won.",
    )
    return Gate(False, "no attack landed", tuple(broken or [finding]))


def _starter_fails(tree: Tree, lab: Lab, run: Run) -> Gate:
    findings, caught = [], 0
    for exercise in lab.exercises:
        name = f"starter-{exercise.id}"
        found = _variant(run, exercise, name)
        where = _at(tree, lab, exercise.cell)
        if found is None:
            findings.append(_unproved(tree, lab, run, exercise, "starter"))
        elif found.outcome == "passed":
            findings.append(
                Finding(
                    where,
                    f"The starter of {exercise.id} passes its check.",
                    "The check must see what the solution adds.",
                )
            )
        elif found.outcome in ("crashed", "died"):
            findings.append(
                Finding(
                    where,
                    f"The starter of {exercise.id} {_ended(found)}.",
                    "A starter fails its check with a hint, or raises NotImplementedError.",
                )
            )
        else:
            caught += 1
    return Gate(not findings, f"{caught} of {len(lab.exercises)} starters fail their checks", tuple(findings))


def _solution_holds(tree: Tree, lab: Lab, run: Run, again: Run | None) -> Gate:
    findings = _broken(tree, lab, run) or (_broken(tree, lab, again) if again else [])
    refused = works = 0
    for exercise in lab.exercises:
        events = [e for c in exercise.checks for e in (_events(run.cell(c.id)))]
        if not any(e["kind"] == "done" for e in events):
            if not findings:
                findings.append(
                    Finding(
                        _at(tree, lab, exercise.checks[0]),
                        f"No check of {exercise.id} was done.",
                        f'Open it: with check("{exercise.id}").',
                    )
                )
            continue
        for kind, repair in (
            ("refused", "Try an attack inside `with refused(...)`."),
            ("works", "Do honest work inside `with works(...)`."),
        ):
            count = sum(e["kind"] == kind for e in events)
            refused, works = refused + count * (kind == "refused"), works + count * (kind == "works")
            if not count:
                saw = "refuses nothing" if kind == "refused" else "lets no honest use through"
                findings.append(
                    Finding(_at(tree, lab, exercise.checks[0]), f"The check of {exercise.id} {saw}.", repair)
                )
    findings += _different(tree, lab, run, again) if again else []
    printed = "two runs print the same" if again else "run once"
    return Gate(
        not findings,
        f"{refused} attacks refused, {works} honest uses working, {printed}",
        tuple(findings),
    )


def _mistakes_caught(tree: Tree, lab: Lab, run: Run) -> Gate:
    findings, caught, total = [], 0, 0
    for exercise in lab.exercises:
        for mistake in exercise.mistakes:
            total += 1
            found = _variant(run, exercise, mistake.id)
            where = _at(tree, lab, mistake)
            if found is None:
                findings.append(_unproved(tree, lab, run, exercise, f"mistake {mistake.title!r}"))
            elif found.outcome == "passed":
                findings.append(
                    Finding(
                        where,
                        f"The mistake {mistake.title!r} slips through.",
                        "Strengthen the check until it sees this one; or is the answer right?",
                    )
                )
            elif found.outcome in ("crashed", "died"):
                findings.append(
                    Finding(
                        where, f"The mistake {mistake.title!r} {_ended(found)}.", "The check must fail with a hint."
                    )
                )
            elif not (mistake.catches or "") or (mistake.catches or "") not in found.message:
                findings.append(
                    Finding(
                        where,
                        f"The mistake {mistake.title!r} is caught with another message. Named: {mistake.catches!r}. Seen: {found.message!r}.",
                        "Correct `catches`, or make the check say it.",
                    )
                )
            else:
                caught += 1
    return Gate(not findings, f"{caught} of {total} mistakes caught with their message", tuple(findings))


def _bounds(tree: Tree, lab: Lab, *runs: Run) -> Gate:
    """Nothing left, nothing written outside, no connection to the outside."""
    repairs = {
        "thread": "End it in the cell that starts it, for instance with a `with` block.",
        "process": "End it in the cell that starts it, for instance with a `with` block.",
        "port": "Close the server in the cell that opens it.",
        "files": "Write below lab.dir.",
        "network": "Use loopback only.",
    }
    says = {
        "thread": "The lab leaves a thread behind",
        "process": "The lab leaves a process behind",
        "port": "The lab leaves a port open",
        "files": "The lab writes outside its folder",
        "network": "The lab opens a connection to the outside",
    }
    findings: list[Finding] = []
    for run in runs:
        for violation in run.violations:
            kind = violation["kind"]
            finding = Finding(
                _at_id(tree, lab, violation["cell"]), f"{says[kind]}: {violation['text']}.", repairs[kind]
            )
            if finding not in findings:
                findings.append(finding)
    network = runs[0].confinement["network"]
    return Gate(
        not findings, f"nothing left behind; network: {network}; files: {runs[0].confinement['files']}", tuple(findings)
    )


# -- parts ----------------------------------------------------------------------------------------


def _broken(tree: Tree, lab: Lab, run: Run) -> list[Finding]:
    """Why the lab did not run to its end, if so."""
    if run.death:
        where = _at_id(tree, lab, run.last_cell)
        return [
            Finding(
                where,
                f"The lab {run.death}.",
                "Bound what this cell does in time and memory, and never end the process.",
            )
        ]
    for cell in run.cells:
        if cell.error:
            error = f"{cell.error['name']}: {cell.error['value']}{cell.error['at']}"
            return [
                Finding(
                    _at_id(tree, lab, cell.id),
                    f"With the solutions in place this cell fails: {error}.",
                    "Repair the cell or the solution above it.",
                )
            ]
    return []


def _different(tree: Tree, lab: Lab, first: Run, second: Run) -> list[Finding]:
    for cell in first.cells:
        other = second.cell(cell.id)
        line = first_difference(cell.outputs, other.outputs) if other else None
        if line is not None:
            problem = f"Two runs print different lines; one of them: {line!r}."
            return [
                Finding(
                    _at_id(tree, lab, cell.id),
                    problem,
                    "Print no times, paths, ports or unordered sets; seed what is random.",
                )
            ]
    return []


def first_difference(one: list[Json], other: list[Json]) -> str | None:
    """The first line that a reader sees in only one of two outputs of a cell; None when there is none."""
    lines = difflib.ndiff(_shown(one), _shown(other)) if _shown(one) != _shown(other) else ()
    return next((line[2:].strip() for line in lines if line[:2] in ("- ", "+ ")), None)


def _shown(outputs: list[Json]) -> list[str]:
    """What a reader sees of a cell, as lines."""
    lines: list[str] = []
    for output in outputs:
        if output["output_type"] == "stream":
            lines += f"[{output['name']}] {output['text']}".splitlines()
        else:
            lines += [f"{kind}: {text}" for kind, text in sorted(output["data"].items())]
    return lines


def _events(cell: CellRun | None) -> list[Json]:
    return cell.events if cell else []


def _variant(run: Run, exercise: Exercise, name: str) -> VariantRun | None:
    return next((v for v in run.variants if v.exercise == exercise.id and v.name == name), None)


def _unproved(tree: Tree, lab: Lab, run: Run, exercise: Exercise, what: str) -> Finding:
    broken = _broken(tree, lab, run)
    reason = broken[0].problem if broken else "its run gave no result."
    return Finding(
        _at(tree, lab, exercise.cell), f"The {what} of {exercise.id} was not proved: {reason}", "Repair that first."
    )


def _ended(variant: VariantRun) -> str:
    where = f" in {variant.at}" if variant.at else ""
    return f"{'crashes' if variant.outcome == 'crashed' else 'dies'}{where}: {variant.message}"


def _at(tree: Tree, lab: Lab, cell: Cell) -> str:
    return f"{tree.relative(lab.path)}:{cell.line} (cell {cell.id})"


def _at_id(tree: Tree, lab: Lab, cell_id: str) -> str:
    cell = next((c for c in lab.cells if c.id == cell_id), None)
    return _at(tree, lab, cell) if cell else f"{tree.relative(lab.path)} (cell {cell_id or 'before the first'})"


def all_variants(lab: Lab) -> int:
    """How many variants gates two and four prove."""
    return sum(len(variants_of(e)) for e in lab.exercises)


def to_plain(run: Run) -> Json:
    """The parts of a run that the page and the cache need."""
    return {"cells": [asdict(c) for c in run.cells], "seconds": run.seconds, "peak_mb": run.peak_mb}

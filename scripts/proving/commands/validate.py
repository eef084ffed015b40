"""validate.py: the four gates, for one lab or all."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from proving import gates, proof
from proving.display import Progress, complain, console, say, table
from proving.paths import checkout
from proving.runner import WARM_IS_POSSIBLE
from proving.source import slugs

Json = dict[str, Any]
MARKS = {True: "pass", False: "FAIL"}


def main(arguments: list[str]) -> int:
    """Prove the labs named; print a table and every finding. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="validate.py", description="Prove labs through the four gates.")
    parser.add_argument("slug", nargs="*", help="labs to prove (default: all)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the verdicts to FILE")
    parser.add_argument("--jobs", type=int, metavar="N", help="how many runs at once (default: one more than cores)")
    parser.add_argument(
        "--cold", action="store_true", help="start a Python of its own for every run, nothing preloaded"
    )
    parser.add_argument("--cached", action="store_true", help="take what was proved before and has not changed")
    parser.add_argument("--repeat", type=int, metavar="N", help="prove each N times and compare the runs")
    options = parser.parse_args(arguments)
    tree = checkout()
    unknown = sorted(set(options.slug) - set(slugs(tree)))
    if unknown:
        complain(f"There is no lab {unknown[0]!r}. Labs here: {', '.join(slugs(tree)) or 'none yet'}.")
        return 2
    if options.jobs is not None and options.jobs < 1:
        complain("--jobs takes a whole number from 1.")
        return 2
    if options.repeat is not None and (options.repeat < 1 or options.cached):
        complain("--repeat takes a whole number from 1, and never what was proved before: leave out --cached.")
        return 2
    started = time.monotonic()
    tries = []
    with Progress("Proving labs") as progress:
        for _ in range(options.repeat or 1):
            evidence = proof.prove(
                tree,
                options.slug or None,
                jobs=options.jobs,
                warm=not options.cold,
                reuse=options.cached,
                progress=progress,
            )
            tries.append(evidence)
    if not evidence:
        complain("There is no lab to prove. Make one: python3 scripts/new.py SLUG")
        return 2
    _print(evidence, time.monotonic() - started)
    repeated = [_repeated(list(runs)) for runs in zip(*tries, strict=True)] if options.repeat else []
    for lab in repeated:
        _print_repeated(lab)
    if options.json:
        verdicts: Json = {
            "labs": [e.verdict for e in evidence],
            "environment": {**gates.environment(), "fork": WARM_IS_POSSIBLE},
            **({"repeated": repeated} if repeated else {}),
        }
        try:
            options.json.write_text(json.dumps(verdicts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            complain(
                f"{options.json} cannot be written ({error.strerror}). Name a file in a folder that exists and is yours."
            )
            return 2
    steady = all(lab["passed"] == lab["runs"] and not lab["differences"] for lab in repeated)
    return 0 if steady and all(e.passed for e in evidence) else 1


def _repeated(runs: list[proof.Evidence]) -> Json:
    """How many of a lab's `runs` passed, what the others found, and what was not printed as in the first."""
    findings = [f"run {number}: {line}" for number, run in enumerate(runs, 1) for line in run.findings]
    differences = []
    for number, run in enumerate(runs[1:], 2):
        for cell in sorted({c["id"] for e in (runs[0], run) for c in e.cells}):
            line = gates.first_difference(runs[0].outputs(cell), run.outputs(cell))
            if line is not None:
                differences.append(f"run {number}, cell {cell}: {line!r} in one of runs 1 and {number} only")
    return {
        "slug": runs[0].slug,
        "runs": len(runs),
        "passed": sum(run.passed for run in runs),
        "findings": findings,
        "differences": differences,
    }


def _print_repeated(lab: Json) -> None:
    say(f"{lab['slug']}: {lab['passed']} of {lab['runs']} runs passed, {len(lab['differences'])} differences printed")
    for line in (*lab["findings"], *lab["differences"]):
        say(f"  {line}")


def _print(evidence: list[proof.Evidence], seconds: float) -> None:
    heads = ["lab", "attack", "starter", "solution", "mistakes", "bounds", "seconds", "proof", "MB"]
    rows = []
    for item in evidence:
        verdict = item.verdict
        marks = [MARKS[verdict["gates"][gate]["passed"]] for gate in gates.GATES]
        rows.append(
            [
                item.slug,
                *marks,
                MARKS[verdict["bounds"]["passed"]],
                f"{verdict['seconds']:.1f}",
                f"{verdict['proof_seconds']:.1f}",
                f"{verdict['peak_mb']:.0f}",
            ]
        )
    table("", heads, rows)
    for item in evidence:
        if item.passed:
            continue
        console.print(f"\n{item.slug} falls short:", style="bold")
        parts = {**item.verdict["gates"], "bounds": item.verdict["bounds"]}
        for name, part in parts.items():
            for line in part["detail"].splitlines()[1:]:
                say(f"  {name.replace('_', ' ')}: {line}")
    good = sum(e.passed for e in evidence)
    variants = sum(e.verdict["exercises"] + e.verdict["mistakes"] for e in evidence)
    say(f"\n{good} of {len(evidence)} labs proved, {variants} variants, in {seconds:.1f} s")

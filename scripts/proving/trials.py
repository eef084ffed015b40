"""How newcomers fared: labs/tries.yml, and what is missing from it.

read(tree, labs)    the trials by lab, and a finding for each exercise that nobody has tried
"""

from dataclasses import dataclass
from typing import Any

import yaml

from proving.findings import Finding
from proving.paths import Tree
from proving.source import Lab

FILE = "tries.yml"


@dataclass(frozen=True)
class Trial:
    """One lab tried by somebody who had not seen its solutions: the runs of check.py that each exercise took."""

    lab: str
    tried: str
    by: str
    tries: dict[str, int]


def read(tree: Tree, labs: list[Lab]) -> tuple[dict[str, Trial], list[Finding]]:
    """The latest trial of each lab, and what does not fit the labs as they are."""
    path = tree.labs / FILE
    if not path.exists():
        return {}, []
    where = tree.relative(path)
    found: dict[str, Trial] = {}
    entries: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    for entry in entries:
        trial = Trial(entry["lab"], str(entry["tried"]), entry["by"], dict(entry["tries"]))
        if trial.lab not in found or found[trial.lab].tried <= trial.tried:
            found[trial.lab] = trial
    findings = []
    for lab in labs:
        tried = set(found[lab.slug].tries) if lab.slug in found else set()
        for name in sorted({exercise.id for exercise in lab.exercises} - tried):
            problem = f"Nobody who had not seen the solution has tried {lab.slug}#{name}."
            findings.append(
                Finding(where, problem, "Let somebody try it, with the notebook and check.py alone, and note it.")
            )
    for slug in sorted(set(found) - {lab.slug for lab in labs}):
        findings.append(Finding(where, f"There is no lab {slug!r}.", "Take its entry away."))
    return found, findings

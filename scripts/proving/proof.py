"""Prove labs and keep the evidence: one JSON file a lab under .cache/, named by its content.

The evidence holds the verdict and the outputs of the execution it was reached in, so that the
page a reader sees is the run that was proved. Its key covers everything that can change a run.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from proving import gates
from proving.findings import Finding, Unreadable
from proving.paths import Tree
from proving.runner import Limits, Plan, Run, Runner, usual_jobs
from proving.source import Lab, read, read_all, twins
from proving.source import slugs as all_slugs

Json = dict[str, Any]
FORMAT = 2
_ENGINE = (
    "confine.py",
    "processes.py",
    "snapshot.py",
    "gates.py",
    "proof.py",
    "runner.py",
    "source.py",
    "worker.py",
    "zygote.py",
)


@dataclass(frozen=True)
class Evidence:
    """What a run showed: the verdict as plain data, the executed cells, the stamp of the run."""

    slug: str
    verdict: Json
    cells: list[Json]
    variants: list[Json]
    stamp: Json

    @property
    def passed(self) -> bool:
        return bool(self.verdict["passed"])

    @property
    def findings(self) -> list[str]:
        """What the verdict holds against the lab, one line each."""
        parts = [*self.verdict["gates"].values(), self.verdict["bounds"]]
        return [line for part in parts for line in part["detail"].splitlines()[1:]]

    def outputs(self, cell: str) -> list[Json]:
        """The notebook outputs of one cell; empty when it did not run."""
        return next((list(c["outputs"]) for c in self.cells if c["id"] == cell), [])


def prove(
    tree: Tree,
    slugs: list[str] | None = None,
    *,
    jobs: int | None = None,
    warm: bool = True,
    reuse: bool = False,
    repeat: bool = True,
    limits: Limits | None = None,
    progress: Callable[[str, str, str], None] | None = None,
) -> list[Evidence]:
    """Prove the labs named (all by default) and return their evidence, in the order of the slugs.

    `reuse` takes evidence from the cache where nothing has changed. `repeat` runs each lab a second
    time, to see that it prints the same; evidence without that is not kept. `progress(slug, mode, cell)`
    is told of every step; mode is "cached", "proof", "again", "fresh" or "verdict".
    """
    tell = progress or (lambda slug, mode, text: None)
    modes = {"prove": "proof", "execute": "again"}
    evidence: dict[str, Evidence] = {}

    def lab_done(runs: list[Run]) -> None:
        """Judge a lab at once: an interruption later on loses nothing of it."""
        run, again = runs[0], runs[1] if len(runs) > 1 else None
        lab = run.plan.lab
        verdict = gates.judge(tree, lab, run, again)
        cells, variants = [asdict(c) for c in run.cells], [asdict(v) for v in run.variants]
        found = Evidence(lab.slug, verdict.as_json(), cells, variants, _stamp(lab, verdict, warm))
        evidence[lab.slug] = found
        tell(lab.slug, "verdict", "passed" if verdict.passed else "FAILED")
        if verdict.passed and again:
            save(tree, lab, found)

    with ExitStack() as running:

        def start() -> Runner:
            def said(plan: Plan, text: str) -> None:
                tell(plan.lab.slug, "fresh" if plan.only else modes[plan.mode], text)

            return running.enter_context(Runner(tree, jobs=jobs or usual_jobs(), warm=warm, progress=said))

        runner = None if reuse else start()  # Its first process starts while the labs are read.
        labs, broken = _readable(tree, slugs)
        evidence |= {slug: _failed(gates.unreadable(slug, found)) for slug, found in broken.items()}
        wanted = []
        for lab in labs:
            if lab.todos:
                evidence[lab.slug] = _failed(gates.incomplete(tree, lab))
            elif reuse and (kept := load(tree, lab, note=partial(tell, lab.slug, "cached"))):
                evidence[lab.slug] = kept
                tell(lab.slug, "cached", "nothing has changed since it was proved")
            else:
                wanted.append(lab)
        bounds = limits or Limits()
        plans = [Plan(lab, "prove", 1, bounds) for lab in wanted]
        plans += [Plan(lab, "execute", 2, bounds) for lab in wanted if repeat]
        if plans:
            (runner or start()).run(plans, lab_done)
    return [evidence[slug] for slug in sorted(evidence)]


def execute(tree: Tree, *, jobs: int | None = None, warm: bool = True) -> list[str]:
    """Run every lab once, as the page shows it, and return what failed. For measuring."""
    with Runner(tree, jobs=jobs or usual_jobs(), warm=warm) as runner:
        labs, _ = read_all(tree)
        runs = runner.run([Plan(lab, "execute") for lab in labs if not lab.todos])
    return [run.plan.name for run in runs if run.death or any(c.error for c in run.cells)]


def key_of(tree: Tree, lab: Lab) -> str:
    """A hash over all that a run of `lab` depends on."""
    digest = hashlib.sha256(f"{FORMAT} {platform.python_version()} {platform.system()} {platform.machine()}".encode())
    engine = Path(__file__).resolve().parent
    folders = [lab.path.parent, *(tree.labs / name for name in ("harbor", "fixtures", "labkit"))]
    files = [p for folder in folders for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    for path in [*files, tree.root / "requirements.txt", *(engine / name for name in _ENGINE)]:
        if path.is_file():
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def load(tree: Tree, lab: Lab, note: Callable[[str], None] = lambda text: None) -> Evidence | None:
    """The cached evidence for exactly this content, or None. A damaged entry is removed and named."""
    path = _entry(tree, lab)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        content = entry["content"]
        if entry["sha256"] != _checksum(content):
            raise ValueError("its checksum does not fit")
        return Evidence(**content)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        path.unlink(missing_ok=True)
        note(f"{tree.relative(path)} is damaged ({error}); removed it, the lab runs again")
        return None


def save(tree: Tree, lab: Lab, evidence: Evidence) -> None:
    """Keep `evidence`, in place of older evidence for the same lab."""
    path = _entry(tree, lab)
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{lab.slug}.*.json"):
        old.unlink(missing_ok=True)
    content = asdict(evidence)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(
        json.dumps({"sha256": _checksum(content), "content": content}, ensure_ascii=False), encoding="utf-8"
    )
    os.replace(draft, path)


def _entry(tree: Tree, lab: Lab) -> Path:
    return tree.cache / "evidence" / f"{lab.slug}.{key_of(tree, lab)}.json"


def _checksum(content: Json) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _readable(tree: Tree, slugs: list[str] | None) -> tuple[list[Lab], dict[str, list[Finding]]]:
    """The labs wanted that can be read, and the findings of the others. All are read: two may share a name."""
    every = all_slugs(tree)
    wanted = slugs or every
    labs: dict[str, Lab] = {}
    broken: dict[str, list[Finding]] = {}
    for slug in dict.fromkeys([*wanted, *every]):
        try:
            labs[slug] = read(tree, slug)
        except Unreadable as error:
            broken[slug] = error.findings
    of_path = {tree.relative(lab.path): slug for slug, lab in labs.items()}
    for finding in twins(tree, [labs[slug] for slug in sorted(labs)]):
        broken[of_path[finding.where]] = [finding]
    return (
        [labs[slug] for slug in wanted if slug not in broken],
        {slug: broken[slug] for slug in wanted if slug in broken},
    )


def _failed(verdict: gates.Verdict) -> Evidence:
    return Evidence(verdict.slug, verdict.as_json(), [], [], {})


def _stamp(lab: Lab, verdict: gates.Verdict, warm: bool) -> Json:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(verdict.seconds, 2),
        "versions": gates.versions(lab.header.versions),
        "start": "warm" if warm else "cold",
        **gates.environment(),
    }

"""build.py: labs proved, pages staged, site built."""

import argparse
from typing import NamedTuple

from proving import proof, site, staging
from proving.display import Progress, complain, say
from proving.paths import Tree, checkout
from proving.source import read_all


def main(arguments: list[str]) -> int:
    """Build the site once. Returns the exit code: 1 when a lab falls short or a page is wrong."""
    parser = argparse.ArgumentParser(prog="build.py", description="Run and prove the labs, build the site into site/.")
    parser.add_argument("--fresh", action="store_true", help="prove every lab again, whatever the cache holds")
    options = parser.parse_args(arguments)
    try:
        return build(checkout(), reuse=not options.fresh)
    except KeyboardInterrupt:
        return interrupted("build.py")


class Outcome(NamedTuple):
    """`code`: the exit code. `current`: whether site/ is what the pages on disk give."""

    code: int
    current: bool


def interrupted(script: str) -> int:
    """Say how to go on after Ctrl-C. Returns the exit code."""
    complain(f"Interrupted; site/ is as it was. Go on with: python3 scripts/{script}")
    return 130


def build(tree: Tree, *, reuse: bool) -> int:
    """Prove, stage and build; print each step. Returns the exit code."""
    return attempt(tree, reuse=reuse).code


def attempt(tree: Tree, *, reuse: bool) -> Outcome:
    """Prove, stage and build; print each step. Raises KeyboardInterrupt."""
    labs, findings = read_all(tree)
    for finding in findings:
        complain(str(finding))
    complete = [lab for lab in labs if not lab.todos]
    for lab in labs:
        if lab.todos:
            say(f"{lab.slug} is not finished ({len(lab.todos)} to-dos) and stays off the site.")
    with Progress(f"Running and proving {len(complete)} labs") as progress:
        wanted = [lab.slug for lab in complete]
        evidence = proof.prove(tree, wanted, reuse=reuse, progress=progress) if wanted else []
    for item in evidence:
        if not item.passed:
            complain(f"{item.slug} falls short; see its page, or run: python3 scripts/validate.py {item.slug}")
            for line in item.findings:
                complain(f"  {line}")
    wrong = staging.stage(tree, complete, evidence)
    for finding in wrong:
        complain(str(finding))
    findings += wrong
    say("Building the site")
    try:
        built = site.build(tree)
    except site.BuildFailed as error:
        complain(f"{error}\nThe site was not built. Repair the page named above.")
        return Outcome(1, current=False)
    say("Built site/." if built else "Nothing has changed: site/ is as it was built before.")
    return Outcome(1 if findings or not all(e.passed for e in evidence) else 0, current=True)

"""sync.py: notebooks from labs, the list of published pages, and the lines that lessons take in."""

import argparse

from proving import notebook, reading, redirects
from proving.display import complain, say
from proving.findings import Finding
from proving.paths import checkout
from proving.source import read_all


def main(arguments: list[str]) -> int:
    """Write what differs, or with --check name it. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="sync.py", description="Write the notebooks from the labs, and list new pages."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something differs")
    options = parser.parse_args(arguments)
    tree = checkout()
    labs, findings = read_all(tree)
    complete = [lab for lab in labs if not lab.todos]
    findings += redirects.findings(tree)
    if options.check:
        findings += notebook.stale(tree, complete) + redirects.unlisted(tree)
        findings += [
            Finding(
                f"docs/{source}",
                "it does not say where it stands and what comes next.",
                "Run `python3 scripts/sync.py`.",
            )
            for source in reading.sync(tree, write=False)
        ]
    elif not findings:
        try:
            for line in notebook.sync(tree, complete) + redirects.sync(tree):
                say(line)
            for source in reading.sync(tree, write=True):
                say(f"wrote docs/{source}: where it stands, and what comes next")
        except OSError as error:
            complain(f"notebooks/ or docs/ cannot be written ({error.strerror}). Run it in a checkout of your own.")
            return 2
    for finding in findings:
        complain(str(finding))
    if not findings:
        say(f"{len(complete)} notebooks are what their labs give, and every published page leads somewhere.")
    return 1 if findings else 0

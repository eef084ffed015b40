"""sync.py: notebooks from labs, and the list of published pages."""

import argparse

from proving import notebook, redirects
from proving.display import complain, say
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
    elif not findings:
        try:
            for line in notebook.sync(tree, complete) + redirects.sync(tree):
                say(line)
        except OSError as error:
            complain(
                f"notebooks/ or docs/pages.txt cannot be written ({error.strerror}). Run it in a checkout of your own."
            )
            return 2
    for finding in findings:
        complain(str(finding))
    if not findings:
        say(f"{len(complete)} notebooks are what their labs give, and every published page leads somewhere.")
    return 1 if findings else 0

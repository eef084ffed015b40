"""progress.py: what the learner has done."""

import argparse

from proving.commands.choose import ordered, record
from proving.display import complain, say, table
from proving.findings import Unreadable
from proving.paths import checkout
from proving.source import read


def main(arguments: list[str]) -> int:
    """Print a line a lab and what comes next. Returns 0."""
    argparse.ArgumentParser(prog="progress.py", description="Show what is done.").parse_args(arguments)
    tree = checkout()
    done = record(tree)
    rows, following = [], ""
    for slug in ordered(tree):
        try:
            lab = read(tree, slug)
        except Unreadable as error:
            complain(str(error.findings[0]))
            continue
        finished = [e.id for e in lab.exercises if e.id in done.get(slug, {})]
        days = sorted(done.get(slug, {}).values())
        left = sum(e.minutes for e in lab.exercises if e.id not in finished)
        rows.append(
            [
                slug,
                f"{len(finished)} of {len(lab.exercises)}",
                f"{left} min" if left else "",
                days[-1][:10] if days else "",
            ]
        )
        if not following and len(finished) < len(lab.exercises):
            following = slug
    table("", ["lab", "exercises done", "left", "last"], rows)
    say(f"\nNext: python3 scripts/lab.py {following}" if following else "\nAll exercises are done.")
    say("This is kept in work/progress.json; nothing leaves this machine.")
    return 0

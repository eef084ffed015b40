"""progress.py: what the learner has done."""

import argparse

from proving.commands.choose import finishable, record
from proving.display import say, table
from proving.paths import checkout


def main(arguments: list[str]) -> int:
    """Print a line a lab and what comes next. Returns 0."""
    argparse.ArgumentParser(prog="progress.py", description="Show what is done.").parse_args(arguments)
    tree = checkout()
    done = record(tree)
    rows, following = [], ""
    for lab in finishable(tree):
        noted = done.get(lab.slug, {})
        finished = [e.id for e in lab.exercises if e.id in noted]
        days = sorted(noted[name] for name in finished)
        left = sum(e.minutes for e in lab.exercises if e.id not in noted)
        count = f"{len(finished)} of {len(lab.exercises)}"
        rows.append([lab.slug, count, f"{left} min" if left else "", days[-1][:10] if days else ""])
        if not following and len(finished) < len(lab.exercises):
            following = lab.slug
    if not rows:
        say("There is no lab yet.")
        return 0
    table("", ["lab", "exercises done", "left", "last"], rows)
    say(f"\nNext: python3 scripts/lab.py {following}" if following else "\nAll exercises are done.")
    say("This is kept in work/progress.json; nothing leaves this machine.")
    return 0

"""Which lab a command is about, and what the learner has done."""

import sys

import yaml

from proving import pages
from proving.display import complain
from proving.findings import Unreadable
from proving.paths import Tree
from proving.source import Lab, read, slugs


def ordered(tree: Tree) -> list[str]:
    """All slugs: those of the nav in its order, then the rest by name."""
    try:
        order = pages.lab_order(tree)
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        order = []  # The build says what is wrong with mkdocs.yml; a learner can do without it.
    known = slugs(tree)
    return [s for s in order if s in known] + [s for s in known if s not in order]


def choose(tree: Tree, slug: str | None) -> Lab | None:
    """The lab named, or the first that is not finished; None after saying what is wrong."""
    known = ordered(tree)
    if slug is not None and slug not in known:
        complain(f"There is no lab {slug!r}. Labs here: {', '.join(known) or 'none yet'}.")
        return None
    if slug is not None:
        try:
            return read(tree, slug)
        except Unreadable as error:
            complain(str(error))
            return None
    labs = finishable(tree)
    if not labs:
        complain("There is no lab to open yet. Make one: python3 scripts/new.py SLUG")
        return None
    done = record(tree)
    return next((lab for lab in labs if any(e.id not in done.get(lab.slug, {}) for e in lab.exercises)), labs[0])


def finishable(tree: Tree) -> list[Lab]:
    """The labs a learner can do, in order: what its author has not finished is named or passed over."""
    labs = []
    for slug in ordered(tree):
        try:
            lab = read(tree, slug)
        except Unreadable as error:
            complain(str(error.findings[0]))
            continue
        if not lab.todos:
            labs.append(lab)
    return labs


def record(tree: Tree) -> dict[str, dict[str, str]]:
    """What work/progress.json says is done: {slug: {exercise: time}}."""
    module = _labkit_record(tree)
    try:
        return dict(module.load(tree.work / "progress.json"))
    except OSError as error:
        complain(f"work/progress.json cannot be read ({error.strerror}); going on as if nothing were done.")
        return {}


def note(tree: Tree, slug: str, exercise: str) -> None:
    """Note an exercise as done. Raises OSError."""
    from datetime import UTC, datetime

    _labkit_record(tree).save(slug, exercise, datetime.now(UTC), tree.work / "progress.json")


def _labkit_record(tree: Tree):  # type: ignore[no-untyped-def] # labkit lies outside this library
    """labkit's own reader and writer: the file has one format, kept in one place."""
    if str(tree.labs) not in sys.path:
        sys.path.append(str(tree.labs))
    from labkit import record

    return record

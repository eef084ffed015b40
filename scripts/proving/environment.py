"""The environment every script runs in: <root>/.venv, made from the hash-locked requirements.

    environment.enter()         go on inside .venv, which is made or completed first when it is not ready
    environment.enter("test")   the same, with requirements-test.txt
    environment.fail("...")     one sentence on stderr, exit code 2

Every script imports this file first, with whatever Python there is. So it must parse on an old one (hence type comments
and no f-strings; Python 2.7 still reads it), and it must cost a few milliseconds when all is ready (hence no subprocess
and few imports). The work is in preparing.py, which is imported only when there is some.
"""

import hashlib
import os
import sys

MYPY = False
if MYPY:  # the typing module is younger than the oldest Python this must start on
    from typing import NoReturn  # noqa: F401 # named in type comments

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "proving-ground.stamp")

OLDEST = (3, 11)
NEWEST = (3, 13)  # newest with a proof; a newer one gets a warning, from preparing.py

# Set while this process hands over to .venv. Seen again by code that still has to prepare, it would mean an endless loop.
HANDED_OVER = "PROVING_GROUND_HANDED_OVER"


def fail(sentence):
    # type: (str) -> NoReturn
    """Print one sentence, which names the repair, and leave with exit code 2."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
    sys.exit(2)


def enter(*extras):
    # type: (*str) -> None
    """Return at once in a ready environment; otherwise make it ready and start this script again inside it."""
    _refuse_old_python()
    locks = ["requirements.txt"] + ["requirements-" + extra + ".txt" for extra in extras]
    if os.path.realpath(sys.prefix) == os.path.realpath(VENV) and is_ready(locks):
        os.environ.pop(HANDED_OVER, None)
        return
    from proving import preparing

    preparing.enter(locks)


def is_ready(locks):
    # type: (list[str]) -> bool
    """Was .venv made for this Python in this place, and is each lock file installed as it stands now?"""
    return set(identity() + installed(locks)) <= set(read_stamp())


def identity():
    # type: () -> list[str]
    """The stamp's lines that say whose environment it is. One that says otherwise has to be made anew."""
    return ["python " + str(sys.implementation.cache_tag) + getattr(sys, "abiflags", ""), "root " + ROOT]


def installed(locks):
    # type: (list[str]) -> list[str]
    """The stamp's lines that say what is in it: each lock file with the hash of its content."""
    return ["lock " + name + " " + _hash(os.path.join(ROOT, name)) for name in locks]


def read_stamp():
    # type: () -> list[str]
    """The lines of the stamp; none when there is no stamp or it cannot be read."""
    try:
        with open(STAMP, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _hash(path):
    # type: (str) -> str
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        fail(path + " cannot be read: this copy of Proving Ground is incomplete, get it anew.")


def _refuse_old_python():
    # type: () -> None
    if sys.version_info[:2] < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        fail(
            "This is Python " + found + ", and Proving Ground needs Python 3.11, 3.12 or 3.13: install one of them and "
            "run, for example, `python3.13 " + sys.argv[0] + "`."
        )

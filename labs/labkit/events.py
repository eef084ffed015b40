"""Events: one JSON object a line, in the file named by LABKIT_EVENTS.

The runner reads the events and never the prose. Without that variable (a learner's notebook)
nothing is written; what the learner sees is printed either way.
"""

import json
import os
import sys
from pathlib import Path

EVENTS_VARIABLE = "LABKIT_EVENTS"


class LabError(Exception):
    """The lab itself is wrong: not the learner's mistake, and never counted as a refusal."""


def under_proof() -> bool:
    """Whether the runner is listening, so that nothing is noted as a learner's progress."""
    return EVENTS_VARIABLE in os.environ


def emit(kind: str, text: str, *, exercise: str | None = None, evidence: str | None = None) -> None:
    """Append one event to the runner's file, when there is one."""
    target = os.environ.get(EVENTS_VARIABLE, os.devnull)
    if target == os.devnull:  # The runner reads nothing of a variant, which is judged by how it ends.
        return
    event = {"kind": kind, "text": text, "exercise": exercise, "evidence": evidence}
    with Path(target).open("a", encoding="utf-8") as file:
        file.write(json.dumps(event, ensure_ascii=False) + "\n")


def say(mark: str, text: str) -> None:
    """Print one line of the lab's running account, at once."""
    print(f"{mark} {text}")
    sys.stdout.flush()


def landed(what: str, evidence: object) -> None:
    """Say that an attack reached its goal.

    `evidence` is what the attacker gained (a row, a file's text, a token's claim). Empty
    evidence raises `LabError`: an attack that did not land must not look as if it had.
    """
    if not evidence:
        raise LabError(
            f"The attack did not land: {what}. Its evidence is {evidence!r}. "
            "Repair the attack: the undefended system has to fall to it."
        )
    emit("landed", what, evidence=str(evidence))
    say("✗ ATTACK LANDED:", what)
    say("  evidence:", str(evidence))

"""What a lab says about itself, in events.

    begin("slug")                 the lab starts: its own temporary folder, its files
    landed(what, evidence)        an attack reached its goal, and this is the proof
    check("exercise-id")          a check opens; inside it stand
        refused(what, by=Error)   the attack must be stopped by this error
        works(what)               honest use must still go through
        expect(condition, hint)   anything else that must hold
    run(coroutine)                run async code from a cell, bounded in time

A check that fails raises `CheckFailed` with one sentence: what was seen, what was expected,
which control is missing. That sentence is the learner's hint, and the mistake that triggers
it is its test. labkit knows the standard library and nothing else.
"""

from labkit.checks import CheckFailed, NotStarted, check, expect, hint, refused, works
from labkit.events import LabError, landed
from labkit.opening import Lab, begin
from labkit.waiting import run

__all__ = [
    "CheckFailed",
    "Lab",
    "LabError",
    "NotStarted",
    "begin",
    "check",
    "expect",
    "hint",
    "landed",
    "refused",
    "run",
    "works",
]

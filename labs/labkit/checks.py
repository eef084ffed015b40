"""Checks: what must be refused, what must still work, and the one sentence when it is not so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from labkit import record
from labkit.events import LabError, emit, say
from labkit.whose import is_of_another_exercise, learners_line


class CheckFailed(Exception):
    """A check saw something else than it expected. Its text is the learner's hint."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback: the hint and nothing else."""
        return [f"✗ {self}"]


class NotStarted(CheckFailed):
    """The exercise still holds its stub."""


class _Open:
    """The check that is open now, if any, and what it has seen."""

    exercise: str | None = None
    refused: int = 0
    works: int = 0


def hint(sentence: str) -> NoReturn:
    """Fail the open check with `sentence`: what was seen, what was expected, what is missing."""
    _needs_words(sentence)
    emit("hint", sentence, exercise=_Open.exercise)
    raise CheckFailed(sentence)


def expect(condition: object, sentence: str) -> None:
    """Fail the open check with `sentence` unless `condition` is true."""
    _needs_words(sentence)
    if not condition:
        hint(sentence)


@contextmanager
def refused(what: str, *, by: type[Exception] | tuple[type[Exception], ...], hint: str) -> Iterator[None]:
    """The body tries an attack; it has to end in an error of type `by`.

    Raises `CheckFailed` with `hint` when nothing is refused. Another error than `by` is a
    crash, not a refusal, and fails the check as well; so does a stub, whatever `by` is. `by` may
    not be `Exception` itself: then any typing error would count as a defence.
    """
    _needs_words(hint)
    kinds = by if isinstance(by, tuple) else (by,)
    if not kinds or Exception in kinds or BaseException in kinds:
        raise LabError(f"refused({what!r}) accepts any error. Name the error that means 'refused'.")
    try:
        yield
    except (CheckFailed, NotImplementedError, LabError):
        raise
    except kinds as error:
        _Open.refused += 1
        emit("refused", what, exercise=_Open.exercise, evidence=_one_line(error))
        say("✓ refused:", what)
        return
    except Exception as error:
        expected = " or ".join(kind.__name__ for kind in kinds)
        _fail(
            f"Your code raised {_one_line(error)}{learners_line(error, _Open.exercise)}; expected {expected}, to refuse this: {what}."
        )
    _fail(f"Got through: {what}. {hint}")


@contextmanager
def works(what: str, *, hint: str) -> Iterator[None]:
    """The body is honest use; any error in it fails the check with `hint`."""
    _needs_words(hint)
    try:
        yield
    except (CheckFailed, NotImplementedError, LabError):
        raise
    except Exception as error:
        _fail(f"No longer works: {what} ({_one_line(error)}{learners_line(error, _Open.exercise)}). {hint}")
    _Open.works += 1
    emit("works", what, exercise=_Open.exercise)
    say("✓ works:", what)


@contextmanager
def check(exercise: str) -> Iterator[None]:
    """Open the check of `exercise` (its id); close it as done, failed or not started."""
    _Open.exercise, _Open.refused, _Open.works = exercise, 0, 0
    try:
        yield
        emit("done", exercise, exercise=exercise)
        record.note(exercise)
        say("✓ done:", f"{exercise} ({_Open.refused} refused, {_Open.works} working)")
    except (CheckFailed, LabError):
        raise
    except NotImplementedError as error:
        sentence = f"Not started: {exercise}. {error}".strip()
        if is_of_another_exercise(str(error), exercise):
            sentence = (
                f'Not started: {exercise}. The exercise "{error}" comes first: this check needs what you write there.'
            )
        emit("not-started", sentence, exercise=exercise)
        raise NotStarted(sentence) from None
    except (Exception, SystemExit) as error:
        _fail(
            f"Your code raised {_one_line(error)}{learners_line(error, _Open.exercise)}; the check expected it to finish."
        )
    finally:
        _Open.exercise = None


def _needs_words(sentence: str) -> None:
    """At once, and not only when the check fails: an author never sees that happen."""
    if not sentence.strip():
        raise LabError("A hint is empty. Say what was seen, what was expected, what is missing.")


def _fail(sentence: str) -> NoReturn:
    """Fail without the chain of errors that led here: the sentence says what matters."""
    try:
        hint(sentence)
    except CheckFailed as failed:
        raise failed from None


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

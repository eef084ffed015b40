"""What the learner has done, in work/progress.json. Nothing leaves the machine."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from labkit.events import under_proof

PROGRESS = Path(__file__).resolve().parents[2] / "work" / "progress.json"
_PATIENCE_SECONDS = 5
_slug: str | None = None


def open_lab(slug: str) -> None:
    """Remember which lab the checks that follow belong to."""
    global _slug
    _slug = slug


def open_slug() -> str | None:
    """The lab that is open, None before the first `begin`."""
    return _slug


def note(exercise: str) -> None:
    """Note `exercise` of the open lab as done, now. Under proof nothing is noted."""
    if _slug is None or under_proof():
        return
    try:
        save(_slug, exercise, datetime.now(UTC), PROGRESS)
    except OSError as error:
        print(f"(Not noted as done: {PROGRESS.name} cannot be written: {error.strerror}.)", file=sys.stderr)


def load(path: Path = PROGRESS) -> dict[str, dict[str, str]]:
    """Return {lab slug: {exercise id: ISO 8601 time in UTC}}; empty when nothing is noted.

    A file that is not such a record is set aside as progress.json.broken, never overwritten.
    Raises OSError when the file cannot be read.
    """
    try:
        return _read(path)
    except ValueError:
        with _alone(path):
            return _read_or_set_aside(path)


def save(slug: str, exercise: str, when: datetime, path: Path = PROGRESS) -> None:
    """Note one exercise. The first time it was done stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path):
        record = _read_or_set_aside(path)
        record.setdefault(slug, {}).setdefault(exercise, when.isoformat(timespec="seconds"))
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(draft, path)


def _read(path: Path) -> dict[str, dict[str, str]]:
    """Raises ValueError when the file is no record."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        for done in record.values():
            for when in done.values():
                datetime.fromisoformat(when)
        return dict(record)
    except FileNotFoundError:
        return {}
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{path.name} is no record") from error


def _read_or_set_aside(path: Path) -> dict[str, dict[str, str]]:
    try:
        return _read(path)
    except ValueError:
        kept, number = path.with_name(f"{path.name}.broken"), 2
        while kept.exists():
            kept, number = path.with_name(f"{path.name}.broken-{number}"), number + 1
        os.replace(path, kept)
        print(f"work/{path.name} could not be read and was kept as work/{kept.name}.", file=sys.stderr)
        return {}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out while the record is read and written again.

    A lock that its owner does not give back within seconds, or that this file system does not
    know, is done without: noting an exercise must never hang a notebook.
    """
    with path.with_name(f"{path.name}.lock").open("a") as file:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _locked(file.fileno()) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield


def _locked(file: int) -> bool:
    """Try to lock an open file; closing it gives the lock back."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError):
        return True
    return True

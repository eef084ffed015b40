"""What the learner has done, in work/progress.json. Nothing leaves the machine."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from labkit.events import under_proof

PROGRESS = Path(__file__).resolve().parents[2] / "work" / "progress.json"
_slug: str | None = None


def open_lab(slug: str) -> None:
    """Remember which lab the checks that follow belong to."""
    global _slug
    _slug = slug


def note(exercise: str) -> None:
    """Note `exercise` of the open lab as done, now. Under proof nothing is noted."""
    if _slug is None or under_proof():
        return
    try:
        save(_slug, exercise, datetime.now(UTC))
    except OSError as error:
        print(f"(Not noted as done: {PROGRESS.name} cannot be written: {error.strerror}.)", file=sys.stderr)


def load(path: Path = PROGRESS) -> dict[str, dict[str, str]]:
    """Return {lab slug: {exercise id: ISO 8601 time in UTC}}; empty when nothing is noted.

    A file that is not such a record is set aside as progress.json.broken, never overwritten.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        for done in record.values():
            for when in done.values():
                datetime.fromisoformat(when)
        return dict(record)
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError):
        kept = path.with_name(path.name + ".broken")
        os.replace(path, kept)
        print(f"work/{path.name} could not be read and was kept as work/{kept.name}.", file=sys.stderr)
        return {}


def save(slug: str, exercise: str, when: datetime, path: Path = PROGRESS) -> None:
    """Note one exercise. The first time it was done stays. Raises OSError."""
    record = load(path)
    record.setdefault(slug, {}).setdefault(exercise, when.isoformat(timespec="seconds"))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(draft, path)

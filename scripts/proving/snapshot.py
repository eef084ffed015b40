"""A folder as it was: kept once, brought back after each change, touching only what differs."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

State = dict[str, tuple[int, ...]]


class Snapshot:
    """The state of `folder` at the last `take`, with copies of its files in `store`."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._folder, self._store = folder, store
        self._copied: State = {}
        self._taken: State = {}

    def take(self) -> None:
        """Remember the folder as it is now. What has not changed since the last time is not copied again."""
        self._taken = _state(self._folder)
        for name in self._copied.keys() - self._taken.keys():
            _remove(self._store / name)
        for name in sorted(self._taken):
            if self._copied.get(name) != self._taken[name]:
                _copy(self._folder / name, self._store / name)
        self._copied = dict(self._taken)

    def restore(self) -> None:
        """Bring the folder back to what it was at the last `take`."""
        now = _state(self._folder)
        if now == self._taken:
            return
        for name in sorted(now.keys() - self._taken.keys(), reverse=True):
            _remove(self._folder / name)
        for name in sorted(self._taken):
            if now.get(name) != self._taken[name]:
                _copy(self._store / name, self._folder / name)
                self._taken[name] = _of(self._folder / name)


def _state(folder: Path) -> State:
    """Every path below `folder` with what tells one content from another: of a folder, that it is one."""
    found: State = {}
    below = [""]
    while below:
        start = below.pop()
        try:
            with os.scandir(folder / start) as listing:
                entries = list(listing)
        except OSError:
            continue  # A folder that may not be read, or is gone by now: what is in it cannot be told.
        for entry in entries:
            name = os.path.join(start, entry.name)
            with suppress(FileNotFoundError):  # It is gone since the folder was listed.
                found[name] = _told(entry.stat(follow_symlinks=False))
            if entry.is_dir(follow_symlinks=False):
                below.append(name)
    return found


def _of(path: Path) -> tuple[int, ...]:
    return _told(os.lstat(path))


def _told(seen: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(seen.st_mode):
        return (seen.st_mode,)
    return (seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ino)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        if target.is_symlink() or target.is_file():
            target.unlink()
        target.mkdir(parents=True, exist_ok=True)
        shutil.copymode(source, target)
        return
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

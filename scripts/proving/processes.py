"""The processes below a process, without reading the whole process table where Linux knows better."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

# A kernel built without CONFIG_PROC_CHILDREN has no such file, and no other system has.
_LISTS_CHILDREN = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists()
_PATIENCE_SECONDS = 1.0


def descendants(pid: int) -> list[psutil.Process]:
    """All living processes below `pid`, zombies left out, children before their own children."""
    if not _LISTS_CHILDREN:
        try:
            found = psutil.Process(pid).children(recursive=True)
        except psutil.Error:
            return []
    else:
        found = [p for child in _children(pid) if (p := _process(child)) is not None]
    return [p for p in found if _lives(p)]


def children(pid: int) -> list[int]:
    """The living processes that `pid` has started, or adopted."""
    if not _LISTS_CHILDREN:
        try:
            found = psutil.Process(pid).children()
        except psutil.Error:
            return []
        return [p.pid for p in found if _lives(p)]
    direct = [p for child in _children(pid, deep=False) if (p := _process(child)) is not None]
    return [p.pid for p in direct if _lives(p)]


def open_targets() -> list[str]:
    """What this process's descriptors lead to: paths, and `socket:` for sockets."""
    if sys.platform == "linux":
        targets = []
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                targets.append(os.readlink(f"/proc/self/fd/{name}"))
        return targets
    me = psutil.Process()
    return [f.path for f in me.open_files()] + ["socket:" for _ in me.net_connections(kind="all")]


def kill_below(pid: int) -> list[str]:
    """Kill every process below `pid` and return what they were, as command lines."""
    return [name for process in descendants(pid) for name in _named_and_killed(process)]


def kill_one(pid: int) -> list[str]:
    """Kill `pid` alone and return what it was; nothing when it is gone."""
    process = _process(pid)
    return _named_and_killed(process) if process else []


def kill_tree(pid: int) -> None:
    """Kill `pid` and every process below it; 0 stands for a process that never started."""
    if not pid:
        return
    top = _process(pid)
    for process in [*descendants(pid), *([top] if top else [])]:
        _kill(process)


def _named_and_killed(process: psutil.Process) -> list[str]:
    try:
        name = _name(process)
    except psutil.Error:
        return []  # It has ended while we looked.
    _kill(process)
    return [name]


def _name(process: psutil.Process) -> str:
    """The command line, once there is one: a fork bears ours until it has become its program, and none meanwhile."""
    ours = psutil.Process().cmdline()
    patience = time.monotonic() + _PATIENCE_SECONDS
    while (words := process.cmdline()) in ([], ours) and time.monotonic() < patience:
        time.sleep(0.005)
    return " ".join(words[:4]) or process.name()


def _kill(process: psutil.Process) -> None:
    """Kill it and see it dead: one that still dies when its parent ends would pass for left behind a second time."""
    with contextlib.suppress(psutil.Error):
        process.kill()
        patience = time.monotonic() + _PATIENCE_SECONDS
        while _lives(process) and time.monotonic() < patience:
            time.sleep(0.001)


def memory_mb(pid: int) -> float:
    """Resident memory of `pid` and all below it, in mebibytes; pages of shared files count once."""
    process = _process(pid)
    if process is None:
        return 0
    total = 0
    with contextlib.suppress(psutil.Error):
        total = process.memory_info().rss
    for child in descendants(pid):
        with contextlib.suppress(psutil.Error):
            memory = child.memory_info()
            total += max(0, memory.rss - getattr(memory, "shared", 0))
    return total / 1024 / 1024


def _children(pid: int, *, deep: bool = True) -> Iterator[int]:
    """proc(5): /proc/<pid>/task/<tid>/children, a list of the processes that this thread has started."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return  # It has ended while we looked.
    for thread in threads:
        try:
            listed = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, listed):
            yield child
            if deep:
                yield from _children(child)


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False

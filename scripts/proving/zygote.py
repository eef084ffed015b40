"""A warm process that forks one worker for each plan it is told of.

It has IPython imported, stays at one thread, and reads one line a plan from standard input: the
plan's path, then the modules its lab imports (a line without a path is for later). It imports those of them it has not yet, so that a
lab that needs little starts while another's packages are still loading, and the next lab finds
them there. Then it forks a worker in a session of its own and writes
`started <plan> <pid>` and later `ended <plan> <status>`; `left <plan> <names>` comes first when
the worker's death leaves processes behind. All of it ends when standard input closes.
"""

import importlib
import os
import select
import signal
import sys
from pathlib import Path

from proving import confine, processes
from proving.worker import run_plan


def main() -> None:
    """Serve plans until standard input closes."""
    confine.adopt_orphans()
    running: dict[int, str] = {}
    pending = b""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
        if 0 in ready:
            received = os.read(0, 65536)
            if not received:
                break
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                plan, *modules = line.decode().split("\t")
                preload(modules)
                if not plan:
                    continue  # A word in advance: what a later plan will need.
                pid = _fork(Path(plan), wake_write)
                running[pid] = plan
                print(f"started {plan}\t{pid}", flush=True)
        _reap(running)
    for pid in running:
        processes.kill_tree(pid)
    os._exit(0)  # Taking a hundred modules down in order would cost more than some labs.


def preload(modules: list[str]) -> None:
    """Import what the labs import; a module that is not installed shows up in the lab itself."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"not preloaded: {name}: {error}", file=sys.stderr)


def _fork(plan: Path, wake: int) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(wake)
        os.setsid()
        _redirect(plan.parent / "log.txt")
        run_plan(plan)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect(log: Path) -> None:
    """Standard input from nothing; what programs print past Python goes to the log."""
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for target, source in ((0, null), (1, file), (2, file)):
        os.dup2(source, target)
    os.close(null)
    os.close(file)


def _reap(running: dict[int, str]) -> None:
    """Collect dead children. What a worker leaves behind becomes our child: name it and kill it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        plan = running.pop(pid, None)
        if plan is None:
            continue
        left = [child for child in processes.children(os.getpid()) if child not in running]
        names = []
        for orphan in left:
            names += [*processes.kill_below(orphan), *processes.kill_one(orphan)]
        if names:
            print(f"left {plan}\t{'; '.join(names)}", flush=True)
        print(f"ended {plan}\t{status}", flush=True)


if __name__ == "__main__":
    main()

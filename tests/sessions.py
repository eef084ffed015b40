"""Scripts that keep running while a test looks at them, and what they leave behind."""

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from types import TracebackType

import psutil
from conftest import ROOT
from proving.paths import Tree


class Session:
    """A script on a small checkout, in a session of its own. Leaving the block ends it and its children."""

    def __init__(self, tree: Tree, *command: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / command[0]), *command[1:]],
            env={**os.environ, "PROVING_GROUND_ROOT": str(tree.root), "COLUMNS": "160", **environment},
            cwd=tree.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            for process in reversed(self.family()):
                process.kill()
            self.process.wait()

    def until(self, text: str, seconds: float = 60) -> str:
        """Wait for `text` to be printed; return what was printed since the last wait."""
        heard, deadline = "", time.monotonic() + seconds
        while text not in heard:
            try:
                heard += self._lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{text!r} was not printed, but: {self.said + heard}") from None
        self.said += heard
        return heard

    def end(self, seconds: float = 30) -> int:
        """Wait for the exit code; `said` then holds all that was printed."""
        code = self.process.wait(seconds)
        self._reader.join(5)
        self.said += "".join(self._lines.get() for _ in range(self._lines.qsize()))
        return code

    def family(self) -> list[psutil.Process]:
        """The script's process and all its descendants."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)


def still_alive(family: list[psutil.Process]) -> list[str]:
    """Those of `family` that live on, each given a moment to end."""
    _, alive = psutil.wait_procs(family, timeout=5)
    return [" ".join(p.cmdline()) for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])

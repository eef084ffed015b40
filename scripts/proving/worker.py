"""Run one lab's cells in this process, and branch variants off the state before an exercise.

The plan comes as JSON and the report goes out as JSON lines, so that whoever watches can tell
which cell a lab was in when it hung or died. The cells run in IPython's shell, without a
kernel's protocol: the same displays and tracebacks, no sockets, and a state that can be forked.
A state is forked only where that is sound; `unsound_to_fork` is the rule.
"""

import gc
import io
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

import psutil
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from proving import processes
from proving.confine import adopt_orphans, confine, packets_without_route
from proving.snapshot import Snapshot

EVENTS_VARIABLE = "LABKIT_EVENTS"
Json = dict[str, Any]


def run_plan(plan_path: Path) -> None:
    """Run the plan at `plan_path`; the report is written beside it. Never returns with an open report."""
    plan: Json = json.loads(plan_path.read_text(encoding="utf-8"))
    folder = plan_path.parent
    with (folder / "report.jsonl").open("a", encoding="utf-8", buffering=1) as report:
        _Worker(plan, folder, report).run()


@dataclass(frozen=True)
class _Step:
    """A cell of a variant: what the report says when it starts, and its code or why that does not compile."""

    cell: str
    announcement: str
    code: CodeType | Exception


@dataclass
class _Worker:
    plan: Json
    folder: Path
    report: io.TextIOBase | Any
    violations: list[Json] = field(default_factory=list)
    codes: dict[str, CodeType | Exception] = field(default_factory=dict)
    cell: str = ""

    def run(self) -> None:
        self._enter_folder()
        confined = confine(self.folder, self.plan["limits"]["memory_mb"], self._violate)
        self._say("confined", network=confined.network, files=confined.files)
        adopt_orphans()
        self.shell = _shell()
        self.snapshot = Snapshot(self.folder / "tmp", self.folder / "kept")
        mode = self.plan["mode"]
        if mode == "learner":
            self._learn()
        elif mode == "variant":
            self._execute(prove=False)
            variant = self.plan["variants"][0]
            with self._unwatched():
                self._run_variant(variant, self._steps(variant))
        else:
            self._execute(prove=mode == "prove")
        if mode != "variant":
            # A variant ends after its checks: the lab had no chance to clean up.
            self._look_for_leftovers()
        self._say("end", peak_mb=_peak_mb())

    # -- modes ------------------------------------------------------------------------------

    def _execute(self, *, prove: bool) -> None:
        """Run all cells; with `prove`, branch the variants of each exercise before its cell."""
        variants: list[Json] = self.plan["variants"] if prove else []
        for cell in self.plan["cells"]:
            if cell["tag"] == "exercise":
                self._branch([v for v in variants if v["exercise"] == cell["exercise"]])
            result = self._run_cell(cell["id"], cell["code"])
            self._say("cell", **result)
            if result["error"]:
                return

    def _learn(self) -> None:
        """Run the learner's exercises one after the other, each judged as if all others were solved.

        After an exercise that is not done its reference solution takes its place, silently.
        """
        cells: list[Json] = self.plan["cells"]
        position = 0
        while position < len(cells):
            cell = cells[position]
            if cell["tag"] != "exercise":
                result = self._run_cell(cell["id"], cell["code"])
                self._say("cell", **result)
                position += 1
                continue
            checks = [c for c in cells[position + 1 :] if c["exercise"] == cell["exercise"]]
            last = cells.index(checks[-1]) if checks else position
            between = cells[position + 1 : last + 1]
            status, message = self._judge(cell, cell["learner"], between)
            if status != "done":
                self._judge(cell, cell["code"], between)
            self._say("exercise", exercise=cell["exercise"], status=status, message=message)
            position = last + 1

    def _judge(self, cell: Json, code: str, following: list[Json]) -> tuple[str, str]:
        for name, text in [(cell["id"], code), *((c["id"], c["code"]) for c in following)]:
            error = self._run_cell(name, text)["error"]
            if error:
                if error["name"] in ("NotStarted", "NotImplementedError"):
                    return "not started", error["value"]
                if error["name"] == "CheckFailed":
                    return "wrong", error["value"]
                return "wrong", f"{error['name']}: {error['value']}{error['at']}"
        return "done", ""

    # -- variants ---------------------------------------------------------------------------

    def _branch(self, variants: list[Json]) -> None:
        if not variants:
            return
        unsound = unsound_to_fork(self.folder)
        if unsound:
            self._say("fresh", exercise=variants[0]["exercise"], reason=unsound)
            return
        self.snapshot.take()
        with self._unwatched():
            # What needs no answer is done here, once, and not in each child: what a child touches, it has to copy first.
            prepared = [(variant, self._steps(variant)) for variant in variants]
            for variant, steps in prepared:
                self._fork(variant, steps)
                self.snapshot.restore()

    def _fork(self, variant: Json, steps: list[_Step]) -> None:
        """Run one variant in a forked child, killed with all its children when its time is up."""
        self._say("start-variant", name=variant["name"], exercise=variant["exercise"])
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setpgid(0, 0)
                gc.disable()  # A collection would touch, and so copy, every page shared with the parent.
                self._run_variant(variant, steps)
                status = 0
            finally:
                self.report.flush()
                os._exit(status)
        status = _wait(child, self.plan["limits"]["variant_seconds"])
        _kill_group(child, wait=status == -1)
        if status:
            died = "did not end in time" if status == -1 else f"died ({_exit_text(status)})"
            self._say(
                "variant",
                name=variant["name"],
                exercise=variant["exercise"],
                outcome="died",
                message=died,
                at=self._last_cell(),
                seconds=time.monotonic() - started,
            )

    def _steps(self, variant: Json) -> list[_Step]:
        """The variant's exercise cell and its checks, compiled."""
        cells = [{"id": variant["cell"], "code": variant["code"]}, *variant["following"]]
        return [self._step(cell["id"], cell["code"]) for cell in cells]

    def _step(self, cell: str, code: str) -> _Step:
        return _Step(cell, _line("start-cell", id=cell), self._compiled(code))

    def _run_variant(self, variant: Json, steps: list[_Step]) -> None:
        """Run the variant's exercise cell and its checks, up to the first that fails."""
        started = time.monotonic()
        outcome, message, at = "passed", "", ""
        for step in steps:
            error = self._try(step)
            if error:
                known = {"CheckFailed": "failed", "NotStarted": "not started", "NotImplementedError": "not started"}
                name, at = type(error).__name__, step.cell
                outcome = known.get(name, "crashed")
                message = _text(error) if name == "CheckFailed" else f"{name}: {_text(error)}"
                break
        self._say(
            "variant",
            name=variant["name"],
            exercise=variant["exercise"],
            outcome=outcome,
            message=message,
            at=at,
            seconds=time.monotonic() - started,
        )

    def _try(self, step: _Step) -> BaseException | None:
        """Run a cell for how it ends."""
        self.cell = step.cell
        self.report.write(step.announcement)
        if isinstance(step.code, Exception):
            return step.code
        try:
            exec(step.code, self.shell.user_global_ns)
        except BaseException as error:
            return error
        return None

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        """What runs inside shows nothing and notes no events: nobody sees what a variant shows, so IPython has no part in it."""
        os.environ[EVENTS_VARIABLE] = os.devnull
        with self.shell.builtin_trap, redirect_stdout(_Nowhere()), redirect_stderr(_Nowhere()):
            yield

    def _compiled(self, code: str) -> CodeType | Exception:
        """The cell as IPython would compile it, under the name by which tracebacks find its lines; or the error of that."""
        if code not in self.codes:
            compiler = self.shell.compile
            try:
                self.codes[code] = compile(code, compiler.cache(code), "exec", compiler.flags, dont_inherit=True)
            except Exception as error:
                self.codes[code] = error
        return self.codes[code]

    # -- one cell ---------------------------------------------------------------------------

    def _run_cell(self, name: str, code: str) -> Json:
        self.cell = name
        self._say("start-cell", id=name)
        events = self.folder / "events" / f"{os.getpid()}.jsonl"
        events.unlink(missing_ok=True)
        os.environ[EVENTS_VARIABLE] = str(events)
        outputs: list[Json] = []
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream("stdout", outputs), _Stream("stderr", outputs)
        self.shell.displayhook = _DisplayHook(shell=self.shell, outputs=_Displays("execute_result", outputs))
        self.shell.display_pub = CapturingDisplayPublisher()
        self.shell.display_pub.outputs = _Displays("display_data", outputs)
        started = time.monotonic()
        try:
            result = self.shell.run_cell(code, store_history=False)
        finally:
            sys.stdout, sys.stderr = streams
        seconds = time.monotonic() - started
        error = result.error_before_exec or result.error_in_exec
        seen = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()] if events.exists() else []
        return {
            "id": name,
            "outputs": outputs,
            "events": seen,
            "seconds": seconds,
            "error": _describe(error),
        }

    # -- the edges --------------------------------------------------------------------------

    def _enter_folder(self) -> None:
        for name in ("tmp/home", "events"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        os.chdir(self.folder / "tmp")
        home = "tmp/home"
        places = {"TMPDIR": "tmp", "TEMP": "tmp", "TMP": "tmp", "HOME": home, "USERPROFILE": home, "IPYTHONDIR": home}
        os.environ.update({name: str(self.folder / place) for name, place in places.items()})
        os.environ.update(self.plan["environment"])
        for name in [n for n in os.environ if n.startswith("XDG_")]:
            del os.environ[name]
        if hasattr(time, "tzset"):
            time.tzset()
        sys.path[:0] = [p for p in self.plan["path"] if p not in sys.path]
        sys.dont_write_bytecode = True
        import tempfile

        tempfile.tempdir = None

    def _look_for_leftovers(self) -> None:
        """Note the threads, processes and ports that the lab has not ended."""
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and thread.is_alive():
                self._violate("thread", thread.name)
        for name in processes.kill_below(os.getpid()):
            self._violate("process", name)
        me = psutil.Process()
        try:
            for connection in me.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    self._violate("port", f"port {connection.laddr.port}")
        except psutil.Error:
            pass
        if not any(v["kind"] == "network" for v in self.violations) and packets_without_route():
            self._violate("network", "a program the lab started sent packets to the outside")

    def _violate(self, kind: str, text: str) -> None:
        violation = {"kind": kind, "text": text, "cell": self.cell}
        if violation not in self.violations:
            self.violations.append(violation)
            self._say("violation", **violation)

    def _last_cell(self) -> str:
        """The cell a child was in: the last start-cell line of the shared report."""
        for line in reversed((self.folder / "report.jsonl").read_text(encoding="utf-8").splitlines()):
            entry = json.loads(line)
            if entry["type"] == "start-cell":
                return str(entry["id"])
        return ""

    def _say(self, kind: str, /, **content: Any) -> None:
        self.report.write(_line(kind, **content))


def _line(kind: str, /, **content: Any) -> str:
    return json.dumps({"type": kind, **content}, ensure_ascii=False) + "\n"


def unsound_to_fork(folder: Path) -> str:
    """Why the state of this process may not be forked here, or "" when it may.

    A fork copies one thread, shares the processes, sockets and open files of its parent, and
    does not exist on Windows. So: one thread, no child, no socket, no file open below `folder`.
    A thread pool that is winding down gets a second, so that luck has no say.
    """
    if not hasattr(os, "fork"):
        return f"{sys.platform} cannot fork"
    me = psutil.Process()
    patience = time.monotonic() + 1
    while me.num_threads() > 1 and time.monotonic() < patience:
        time.sleep(0.005)
    if me.num_threads() > 1:
        return f"{me.num_threads()} threads are running"
    if processes.descendants(me.pid):
        return "a child process is running"
    targets = processes.open_targets()
    if any(target.startswith("socket:") for target in targets):
        return "a socket is open"
    opened = [target for target in targets if Path(target).is_relative_to(folder / "tmp")]
    return f"{Path(opened[0]).name} is open" if opened else ""


class _Nowhere(io.TextIOBase):
    """A standard stream that keeps nothing."""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


class _Stream(_Nowhere):
    """A standard stream that collects text in notebook outputs."""

    def __init__(self, name: str, outputs: list[Json]) -> None:
        self.name, self._outputs = name, outputs

    def write(self, text: str) -> int:
        last = self._outputs[-1] if self._outputs else None
        if last and last["output_type"] == "stream" and last["name"] == self.name:
            last["text"] += text
        elif text:
            self._outputs.append({"output_type": "stream", "name": self.name, "text": text})
        return len(text)


class _DisplayHook(CapturingDisplayHook):  # type: ignore[misc] # IPython's types are not read
    """IPython's capturing hook lacks attributes that its own shell reads (seen in 9.18)."""

    is_active = False
    do_full_cache = False


class _Displays(list[Json]):
    """Takes what IPython's capturing hooks append and keeps it, in order, as notebook outputs."""

    def __init__(self, kind: str, outputs: list[Json]) -> None:
        super().__init__()
        self._kind, self._outputs = kind, outputs

    def append(self, item: Json) -> None:
        output = {"output_type": self._kind, "data": item["data"], "metadata": item.get("metadata") or {}}
        if self._kind == "execute_result":
            output["execution_count"] = None
        self._outputs.append(output)


def _shell() -> InteractiveShell:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.history_load_length = 0
    shell = InteractiveShell.instance(config=config)
    shell._showtraceback = lambda *_: None  # The error comes back with the result.
    gc.freeze()
    return shell


def _describe(error: BaseException | None) -> Json | None:
    if error is None:
        return None
    import traceback

    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ipython-input" in f.filename]
    at = f" (in {frames[-1].name}, line {frames[-1].lineno}: `{frames[-1].line}`)" if frames else ""
    if isinstance(error, SyntaxError) and error.lineno:
        at = f" (line {error.lineno}: `{(error.text or '').strip()}`)"
    return {"name": type(error).__name__, "value": _text(error), "at": at}


def _text(error: BaseException) -> str:
    return str(error.msg if isinstance(error, SyntaxError) else error)


def _peak_mb() -> float:
    """The most memory this process has held, and the largest of its children beside it."""
    try:
        import resource
    except ImportError:
        return float(getattr(psutil.Process().memory_info(), "peak_wset", 0)) / 1024 / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(kind).ru_maxrss * unit for kind in kinds) / 1024 / 1024


def _wait(child: int, seconds: float) -> int:
    """The exit status of `child`, or -1 when it has not ended after `seconds`."""
    deadline = time.monotonic() + seconds
    if hasattr(os, "pidfd_open"):
        handle = os.pidfd_open(child)
        ended, _, _ = select.select([handle], [], [], seconds)
        os.close(handle)
        return os.waitpid(child, 0)[1] if ended else -1
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.002)
    return -1


def _kill_group(child: int, *, wait: bool) -> None:
    """End a variant's process and whatever it started; `wait` when it still has to be collected."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    if wait:
        os.waitpid(child, 0)
    # What the variant has left behind has become ours. Mostly there is nothing, and this is one call.
    while True:
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        processes.kill_below(os.getpid())
        time.sleep(0.001)


def _exit_text(status: int) -> str:
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    run_plan(Path(sys.argv[1]))

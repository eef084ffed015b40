"""Make, complete or remake <root>/.venv, then start the script again inside it. environment.py decides when.

    lock (one process at a time)
      -> usable?  a Python that starts, for this Python and this place; otherwise remove .venv and make it
      -> drop     what an interrupted installer left incomplete
      -> install  each lock file, hashes checked: uv if there, else uv from the lock, else pip
      -> .pth     so that notebooks in any editor find labs/
      -> stamp    last: an environment without it is completed by the next run

Standard library only. Progress goes to stderr, because stdout belongs to the script (`--json > file`).
"""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from proving import environment, pip_settings

ROOT = Path(environment.ROOT)
VENV = Path(environment.VENV)
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CACHE = ROOT / ".cache"

# MB, measured on Linux with the locks of 2026-11: wheels as downloaded, and .venv as pip leaves it.
SIZES = {"requirements.txt": (140, 520), "requirements-test.txt": (60, 210)}  # the second beyond the first

AGAIN = "run the same command again"


@dataclass
class Outcome:
    """What an installer did."""

    code: int
    text: str

    @property
    def cause(self) -> str:
        """Why it failed, as far as its words tell; "" when it did not fail or nothing is recognized."""
        if self.code == 0:
            return ""
        return next((cause for cause, words in CAUSES if re.search(words, self.text, re.IGNORECASE)), "")


NETWORK = (
    r"error sending request|dns error|tcp connect error|connection (refused|reset|aborted)|could not connect"
    r"|failed to establish a new connection|NewConnectionError|max retries exceeded|connect ?timeout|timed out"
    r"|name resolution|name or service not known|getaddrinfo failed|network is unreachable|no route to host"
    r"|proxy ?error|cannot connect to proxy|tunnel (error|connection failed)|failed to fetch|network connectivity"
)

# In this order: a full disk or a wrong hash is sometimes reported among complaints about the network.
CAUSES = (
    ("hash", r"hash mismatch|do not match the hashes"),
    (
        "disk",
        r"no space left|not enough space on the disk|disk quota exceeded|os error (28|112|122)\b|Errno (28|122)\b",
    ),
    ("certificate", r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer"),
    ("network", NETWORK),
    ("absent", r"\(from versions: none\)|no matching distribution|not found in the package registry"),
    ("permission", r"permission denied|operation not permitted|access is denied|read-only file system"),
)


def enter(locks: list[str]) -> NoReturn:
    """Make .venv ready for these lock files and go on inside it."""
    if os.environ.pop(environment.HANDED_OVER, None):
        environment.fail(f"The environment {VENV} does not start as it should: remove that folder and {AGAIN}.")
    try:
        if not _is_ready(locks):
            _help(locks)
            with _alone() as lock:
                if not _is_ready(locks):  # another process may have done it while this one waited
                    Preparation(locks, lock).run()
        _hand_over(str(PYTHON))
    except KeyboardInterrupt:
        sys.stderr.write(f"\nStopped: {AGAIN} and it goes on from here.\n")
        sys.exit(130)
    except OSError as error:
        environment.fail(_explain(error))


def _help(locks: list[str]) -> None:
    """Answer --help without the environment: nobody should fetch packages to read what a script is for."""
    ours = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    if not {"-h", "--help"} & set(ours):
        return
    fetched = sum(SIZES.get(name, (0, 0))[0] for name in locks)
    print(f"{Path(sys.argv[0]).name}: {(sys.modules['__main__'].__doc__ or '').strip()}\n")
    print(
        f"Its options are shown once its environment is there. The first run makes that, in .venv: up to {fetched} MB."
    )
    sys.exit(0)


def _is_ready(locks: list[str]) -> bool:
    return environment.is_ready(locks) and os.access(PYTHON, os.X_OK)


def _base_python() -> str:
    """The Python below any virtual environment: one made from another environment would break with it."""
    return getattr(sys, "_base_executable", None) or sys.executable


def _hand_over(python: str) -> NoReturn:
    os.environ[environment.HANDED_OVER] = "1"
    _replace_process(python)


def _replace_process(python: str) -> NoReturn:
    """Run this script with its arguments, and the interpreter's own options, in another Python."""
    command = [python, *sys.orig_argv[1:]]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(python, command)
    # On Windows exec returns to the shell before the new process ends.
    child = subprocess.Popen(command)
    while True:
        try:
            sys.exit(child.wait())
        except KeyboardInterrupt:  # the child got it too, and decides
            continue


# --- one process at a time -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _alone() -> Iterator[int]:
    """Hold the lock on the environment; the system releases it when its holder dies, so it is never stale.

    Installers inherit it: when this process is killed, the next run waits until its orphaned installer has ended.
    """
    _refuse_read_only()
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / "environment.lock", "a+b") as file:
        told = 0.0
        while not _try_lock(file.fileno()):
            if time.monotonic() - told > 15:
                told = time.monotonic()
                file.seek(0)
                holder = file.read(20).decode("ascii", "replace").strip() or "unknown"
                sys.stderr.write(f"another process is preparing the environment (process {holder}); waiting for it\n")
            time.sleep(0.1)
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            yield file.fileno()
        finally:
            _unlock(file.fileno())


if sys.platform == "win32":
    import msvcrt

    FAR = 1 << 30  # Windows locks bytes against reading too, and the process number must stay readable

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: better unprotected than unusable
            return True
        return True

    def _unlock(descriptor: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _refuse_read_only() -> None:
    """Before anything is touched."""
    closed = [path for path in (ROOT, CACHE, VENV) if path.exists() and not os.access(path, os.W_OK)]
    if closed:
        environment.fail(_no_writing(closed[0]))


# --- the work --------------------------------------------------------------------------------------------------------


class Preparation:
    """One run through the steps in the module's docstring."""

    def __init__(self, locks: list[str], lock: int) -> None:
        self.locks = locks
        self.steps = Steps()
        self.lock = lock
        self.uv: str | None = None

    def run(self) -> None:
        self.uv = _working_uv(shutil.which("uv"))
        packages = _probe()
        if packages is None or _belongs_elsewhere():
            self._refuse_missing_venv()
            self._announce()
            packages = self._make()
        else:
            self._announce()
            _write_stamp([])  # whose it is stays written, what is in it does not, until all is
        _drop_incomplete(packages)
        self.steps.watch(packages)
        self.uv = self.uv or _working_uv(str(BIN / "uv")) or self._uv_from_lock()
        for name in self.locks:
            self._install(name)
        _compile_pip(packages)
        _write_pth(packages)
        _write_stamp(self.locks)
        self.steps.say(f"The environment is ready after {self.steps.seconds():.0f} s.")

    def _announce(self) -> None:
        total = sum(_count(name) for name in self.locks)
        fetched, unpacked = (sum(SIZES.get(name, (0, 0))[part] for name in self.locks) for part in (0, 1))
        self.steps.say(
            f"Preparing the environment, once: about {total} packages, up to {fetched} MB to fetch, {unpacked} MB on disk."
        )
        self.steps.say(f"It is made in {VENV}; outside this folder only the installer's download cache grows,")
        self.steps.say("and nothing is sent anywhere. It can be stopped and started again at any time.")
        if sys.version_info[:2] > environment.NEWEST:
            version = ".".join(str(part) for part in sys.version_info[:2])
            self.steps.say(f"Warning: Python {version} is newer than 3.13, the newest that the labs are proved on.")

    def _refuse_missing_venv(self) -> None:
        """uv makes environments by itself; without it, Debian's bare Python cannot."""
        if self.uv is None and not _has_venv():
            environment.fail(
                f"This Python ({_base_python()}) lacks its venv or ensurepip module: install it (on Debian and Ubuntu "
                f"`sudo apt install python3-venv`) or install uv, and {AGAIN}."
            )

    def _make(self) -> Path:
        if VENV.exists() or VENV.is_symlink():
            if os.name == "nt" and Path(sys.prefix).resolve() == VENV.resolve():
                environment.fail(f"Windows cannot remake {VENV} while its Python runs: {AGAIN} with `py -3.13`.")
            self.steps.say("Removing .venv: it does not work, or was made for another Python or another folder.")
            _remove_venv()
        version = ".".join(str(part) for part in sys.version_info[:3])
        self.steps.say(f"Making .venv for Python {version}.")
        outcome = Outcome(1, "")
        if self.uv:
            outcome = self._call([self.uv, "venv", "--no-cache", "--python", _base_python(), str(VENV)])
        if outcome.code and _has_venv():
            outcome = self._call([_base_python(), "-I", "-m", "venv", str(VENV)])
        packages = _probe()
        if packages is None:
            self._refuse(outcome, "the environment")
        _write_stamp([])
        return packages

    def _uv_from_lock(self) -> str | None:
        """uv itself is in the lock, and with it the rest takes seconds instead of minutes. None when pip cannot get it."""
        entry = _entry("uv", (ROOT / "requirements.txt").read_text("utf-8"))
        if not entry or not self._has_pip():
            return None
        self.steps.say("Fetching uv, the installer, as requirements.txt locks it.")
        with tempfile.TemporaryDirectory(prefix="proving-ground-") as folder:
            only_uv = Path(folder) / "uv.txt"
            only_uv.write_text(entry, "utf-8")
            outcome = self._call([*PIP_INSTALL, str(only_uv)])
        if outcome.cause not in ("", "absent"):
            self._refuse(outcome, "requirements.txt")
        return _working_uv(str(BIN / "uv"))

    def _install(self, name: str) -> None:
        self.steps.say(f"Installing {name} with {'uv' if self.uv else 'pip'}, every file checked against its hash.")
        self.steps.total = _count(name)
        outcome = Outcome(1, "")
        if self.uv:
            outcome = self._install_with_uv(self.uv, str(ROOT / name))
        if outcome.code and outcome.cause in ("", "absent") and self._has_pip():
            if self.uv:
                self.steps.say("uv could not; pip tries.")
            outcome = self._call([*PIP_INSTALL, str(ROOT / name)])
        if outcome.code:
            self._refuse(outcome, name)

    def _install_with_uv(self, uv: str, file: str) -> Outcome:
        settings, options = pip_settings.for_uv()
        command = [uv, "pip", "install", "--python", str(PYTHON), *options, "--require-hashes", "--no-deps", "-r", file]
        outcome = self._call(command, settings)
        # Without a network its cache may hold everything; and some users have no home that could hold a cache.
        other = {"network": "--offline", "permission": "--no-cache"}.get(outcome.cause)
        if other:
            again = self._call([*command, other], settings)
            outcome = outcome if again.code else again
        return outcome

    def _has_pip(self) -> bool:
        """Environments made by uv have no pip, interrupted ones perhaps half of one."""
        if _quiet([str(PYTHON), "-I", "-m", "pip", "--version"]) is not None:
            return True
        return self._call([str(PYTHON), "-I", "-m", "ensurepip", "--default-pip"]).code == 0

    def _call(self, command: list[str], settings: dict[str, str] | None = None) -> Outcome:
        """Run an installer, show its lines as progress and keep them."""
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            pass_fds=() if os.name == "nt" else (self.lock,),
        )
        kept = [" ".join(command)]
        try:
            for line in _lines(child):
                if line:
                    kept.append(line)
                self.steps.tick(line)
            return Outcome(child.wait(), "\n".join(kept))
        finally:
            self.steps.settle()
            _end(child)

    def _refuse(self, outcome: Outcome, what: str) -> NoReturn:
        """One sentence for why this was not installed."""
        if outcome.cause == "disk":
            environment.fail(_disk_full())
        log = _keep(outcome.text)
        if outcome.cause == "hash":
            package = re.search(
                r"hash mismatch for `?([\w.-]+)|^ *([\w.-]+)[^\n]* from [^\n]*\n +Expected",
                outcome.text,
                re.IGNORECASE | re.MULTILINE,
            )
            name = next((group for group in package.groups() if group), "") if package else ""
            environment.fail(
                f"The package {name or '(see the log)'} differs from the one that {what} locks, so nothing of {what} was "
                f"installed: find out who changed the file or the package index, put it right and {AGAIN}{log}."
            )
        if outcome.cause == "certificate":
            environment.fail(
                "The certificate of the package index or proxy is not trusted here: name your organization's certificate "
                f"file in SSL_CERT_FILE and PIP_CERT and {AGAIN}{log}."
            )
        if outcome.cause in ("network", "absent"):
            environment.fail(
                "The package index could not be reached, or lacks a package: check the network, the proxy (HTTPS_PROXY) and the index "
                f"setting (PIP_INDEX_URL or UV_INDEX_URL), then {AGAIN} and it goes on from here{log}."
            )
        if outcome.cause == "permission":
            environment.fail(
                f"The installer may not write {what}: remove {VENV} or copy the whole folder, and {AGAIN}{log}."
            )
        last = outcome.text.splitlines()[-1].strip(" .") if outcome.text else "no installer works here"
        environment.fail(f"Installing {what} failed ({last}): repair that, or remove {VENV}, and {AGAIN}{log}.")


PIP_INSTALL = [
    *(str(PYTHON), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
    # A user's `user = true` is an error inside an environment; and the lock holds every dependency that is wanted.
    *("--no-user", "--require-hashes", "--no-deps", "-r"),
]


class Steps:
    """Progress on stderr: a line a step; below it, what the installer does, rewritten in place on a terminal."""

    EVERY = 10.0  # seconds between two such lines where they cannot be rewritten

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.shown = self.begin
        self.live = sys.stderr.isatty()
        self.total = 0
        self.doing = ""
        self._installed: Callable[[], int] = lambda: 0

    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def watch(self, packages: Path) -> None:
        """Count what arrives in this folder."""
        self._installed = lambda: sum(1 for name in os.listdir(packages) if name.endswith(".dist-info"))

    def say(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
        self.shown = time.monotonic()

    def tick(self, line: str) -> None:
        """The installer said this, or nothing for a while."""
        self.doing = line.strip() or self.doing
        if time.monotonic() - self.shown < (0.2 if self.live else self.EVERY):
            return
        self.shown = time.monotonic()
        count = f", {self._installed()} of about {self.total} packages in place" if self.total else ""
        text = f"  {self.seconds():3.0f} s{count}: {self.doing or 'at work'}"
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r" + text[:width].ljust(width) if self.live else text[:160] + "\n")
        sys.stderr.flush()

    def settle(self) -> None:
        """Wipe the line that was rewritten in place."""
        self.doing = ""
        if self.live:
            sys.stderr.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")


def _lines(child: subprocess.Popen[str]) -> Iterator[str]:
    """The child's lines as they come, and an empty one for each second of silence."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert child.stdout
        for line in child.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            yield ""
            continue
        if line is None:
            return
        yield line


def _end(child: subprocess.Popen[str]) -> None:
    """After Ctrl-C: no installer may go on behind the user's back."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _quiet(command: list[str]) -> str | None:
    """What a command prints, or None when it cannot be run or fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


# --- the environment on disk -----------------------------------------------------------------------------------------


def _probe() -> Path | None:
    """The site-packages of .venv; None when its Python does not start, or is not one for this Python in this place."""
    code = "import json, sys, sysconfig as s; print(json.dumps([sys.prefix, sys.implementation.cache_tag, s.get_path('purelib')]))"
    try:
        prefix, tag, packages = json.loads(_quiet([str(PYTHON), "-I", "-c", code]) or "[]")
    except ValueError:
        return None
    if Path(prefix).resolve() != VENV.resolve() or tag != sys.implementation.cache_tag:
        return None
    return Path(packages)


def _belongs_elsewhere() -> bool:
    """By its stamp. One that was made by hand has none and is taken as it is."""
    stamp = environment.read_stamp()
    return bool(stamp) and not set(environment.identity()) <= set(stamp)


def _remove_venv() -> None:
    """Without pyvenv.cfg it is no environment; so one half removed cannot be taken for a whole one."""
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
        return
    (VENV / "pyvenv.cfg").unlink(missing_ok=True)
    shutil.rmtree(VENV)


def _drop_incomplete(packages: Path) -> None:
    """Make the installer forget packages whose files are not all there: it would take them for installed.

    Every package lists its files with their sizes. An installer killed half-way leaves a list that does not hold.
    """
    for left in packages.glob("~*"):  # pip's own waste basket
        shutil.rmtree(left, ignore_errors=True)
    for info in packages.glob("*.dist-info"):
        if not _is_complete(packages, info):
            shutil.rmtree(info)


def _is_complete(packages: Path, info: Path) -> bool:
    try:
        with open(info / "RECORD", encoding="utf-8", newline="") as file:
            for name, _, size in csv.reader(file):
                if not name.endswith(".pyc") and not _has_size(os.path.join(packages, name), size):
                    return False
        return True
    except (OSError, ValueError, csv.Error):
        return False


def _has_size(path: str, size: str) -> bool:
    """Cut off is incomplete; longer is not: organizations append their certificate to the list in certifi."""
    try:
        return os.stat(path).st_size >= int(size or 0)
    except OSError:
        return False


def _compile_pip(packages: Path) -> None:
    """Labs start pip where nothing outside their folder can be written: without this it would compile itself each time."""
    if (packages / "pip").is_dir():
        _quiet([str(PYTHON), "-m", "compileall", "-q", str(packages / "pip")])


def _write_pth(packages: Path) -> None:
    """Python reads .pth files in the encoding of the day, so a path that is not ASCII is written as code that is."""
    labs = str(ROOT / "labs")
    line = labs if labs.isascii() else f"import sys; sys.path.append({labs!a})"
    _write(packages / "proving_ground.pth", line + "\n")


def _write_stamp(locks: list[str]) -> None:
    _write(Path(environment.STAMP), "\n".join(environment.identity() + environment.installed(locks)) + "\n")


def _write(path: Path, text: str) -> None:
    """All or nothing, also on a full disk."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, "utf-8", "surrogateescape")
    new.replace(path)


def _has_venv() -> bool:
    try:
        import ensurepip  # noqa: F401 # asked only whether it is there
        import venv  # noqa: F401 # asked only whether it is there
    except ImportError:
        return False
    return True


def _working_uv(path: str | None) -> str | None:
    """This uv, when it starts: a version manager's stand-in may not, and one in .venv goes when .venv is remade."""
    if path is None or _quiet([path, "--version"]) is None:
        return None
    return path


# --- the lock file -----------------------------------------------------------------------------------------------------


def _count(name: str) -> int:
    """How many packages a lock file names; the few that are for other systems are counted too."""
    return len(re.findall(r"^[\w.-]+==", (ROOT / name).read_text("utf-8"), re.MULTILINE))


def _entry(name: str, lock: str) -> str:
    """One package's lines of a lock file."""
    match = re.search(rf"^{re.escape(name)}==(?:.*\\\n)*.*", lock, re.MULTILINE)
    return match[0] + "\n" if match else ""


# --- what went wrong -------------------------------------------------------------------------------------------------


def _explain(error: OSError) -> str:
    """A sentence for an error of the file system in any step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return _no_writing(error.filename or VENV)
    return f"The environment could not be prepared ({error}): repair that, or remove {VENV}, and {AGAIN}."


def _disk_full() -> str:
    needed = sum(sum(sizes) for sizes in SIZES.values())
    return f"The disk is full: free about {needed} MB where {ROOT} and the temporary files lie, and {AGAIN}."


def _no_writing(path: object) -> str:
    return f"{path} cannot be written by this user: copy the folder {ROOT} to a place of your own and run it there."


def _keep(text: str) -> str:
    """Keep the installer's log where it outlives the environment; the words that name it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="proving-ground-", suffix=".log")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError:  # a full disk must not hide the reason
        return ""
    return f" (the installer's log is {name})"

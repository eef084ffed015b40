"""The environment of a fresh machine: made, completed, remade or refused, by real processes in copied trees.

The trees lock one tiny package, which lies as a wheel in a folder, so nothing here needs a network.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
BASE = str(getattr(sys, "_base_executable", sys.executable))
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
WINDOWS = os.name == "nt"
BIN, PYTHON = ("Scripts", "python.exe") if WINDOWS else ("bin", "python")

needs_uv = pytest.mark.skipif(UV is None, reason="uv is not installed")
needs_posix = pytest.mark.skipif(WINDOWS, reason="needs POSIX signals and permissions")

SCRIPT = """\
'Say hello.'
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).resolve().parent))
from proving import environment
environment.enter(*(argument for argument in sys.argv[1:] if argument == "test"))
print("in", sys.prefix)
print("subprocess" in sys.modules)
import tiny
print(tiny.NAME, sys.argv[1:])
sys.exit(7 if "seven" in sys.argv else 0)
"""


class Tree:
    """A copy of what the environment consists of, and a way to run its script as a user with few settings."""

    def __init__(self, root: Path, aside: Path, wheels: Path) -> None:
        self.root, self.aside, self.wheels = root, aside, wheels
        (root / "scripts" / "proving").mkdir(parents=True)
        (root / "labs").mkdir()
        for name in ("__init__", "environment", "preparing", "pip_settings"):
            shutil.copy(SCRIPTS / "proving" / f"{name}.py", root / "scripts" / "proving")
        (root / "scripts" / "hello.py").write_text(SCRIPT)
        self.lock("requirements.txt", "tiny")
        self.lock("requirements-test.txt", "tiny_test")
        self.temporary = aside / "temporary"
        self.temporary.mkdir(parents=True)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def packages(self) -> Path:
        return next(self.venv.glob("Lib/site-packages" if WINDOWS else "lib/python*/site-packages"))

    @property
    def stamp(self) -> Path:
        return self.venv / "proving-ground.stamp"

    def lock(self, name: str, package: str, digest: str = "") -> None:
        wheel = self.wheels / f"{package}-1.0-py3-none-any.whl"
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.root / name).write_text(f"{package.replace('_', '-')}==1.0 \\\n    --hash=sha256:{digest}\n")

    def settings(self, tools: str = "", **more: str) -> dict[str, str]:
        """What the process sees of this machine: nothing but these tools and the folder of wheels."""
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        return {
            **kept,
            "PATH": tools,
            "HOME": str(self.aside / "home"),
            "TMPDIR": str(self.temporary),
            "TEMP": str(self.temporary),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": self.wheels.as_uri(),
            "UV_CACHE_DIR": str(self.aside / "cache"),
            **more,
        }

    def start(self, *arguments: str, python: str = BASE, tools: str = "", **popen: Any) -> subprocess.Popen[str]:
        popen.setdefault("env", self.settings(tools))
        return subprocess.Popen(
            [python, str(self.root / "scripts" / "hello.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=popen.pop("cwd", self.aside),
            **popen,
        )

    def run(self, *arguments: str, python: str = BASE, tools: str = "", **popen: Any) -> Done:
        child = self.start(*arguments, python=python, tools=tools, **popen)
        return Done(child)

    def mark(self) -> Path:
        """A file that is gone when the environment was made anew."""
        mark = self.venv / "mark"
        mark.write_text("")
        return mark


class Done:
    """A process that has ended."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.out, self.err = child.communicate(timeout=60)
        self.code = child.returncode

    def succeeded(self) -> Done:
        assert self.code == 0, self.err
        assert "tiny was here" in self.out
        return self

    def refusal(self) -> str:
        """The one sentence of a refusal, which comes last; before it there are at most lines of progress."""
        assert self.code == 2, self.err
        assert self.out == ""
        *progress, sentence = self.err.splitlines()
        starts = ("Preparing the env", "It is made in", "and nothing is sent", "Making ", "Installing ", "uv could not")
        assert all(line.startswith(starts) for line in progress), self.err
        assert sentence.endswith(".") and ". " not in sentence, sentence
        return sentence


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("tiny", "tiny_test"):
        files = {
            f"{name}/__init__.py": f'NAME = "{name} was here"\n',
            f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = f"{name}-1.0.dist-info/RECORD"
        rows = [f"{path},sha256={_record_hash(text)},{len(text)}" for path, text in files.items()]
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            for path, text in {**files, record: "\n".join([*rows, record + ",,", ""])}.items():
                wheel.writestr(zipfile.ZipInfo(path), text)
    return folder


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture
def tree(tmp_path: Path, wheels: Path) -> Tree:
    return Tree(tmp_path / "a folder für Übungen", tmp_path / "aside", wheels)


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH that holds uv and nothing else."""
    assert UV
    folder = tmp_path_factory.mktemp("tools")
    shutil.copy(UV, folder)
    return str(folder)


@pytest.fixture(scope="session")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as Python's own venv module makes it; copied, because making it takes seconds."""
    venv = tmp_path_factory.mktemp("pip") / "venv"
    subprocess.run([BASE, "-I", "-m", "venv", venv], check=True)
    return venv


def fake_uv(tree: Tree, uv: str, before_install: str) -> str:
    """A PATH whose uv runs these lines of shell before it installs."""
    folder = tree.aside / "fake"
    folder.mkdir()
    script = folder / "uv"
    script.write_text(f'#!/bin/sh\nif [ "$1" = pip ]; then\n{before_install}\nfi\nexec "{uv}/uv" "$@"\n')
    script.chmod(0o755)
    return os.pathsep.join([str(folder), "/usr/bin", "/bin"])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


# --- made, and used again --------------------------------------------------------------------------------------------


@needs_uv
def test_first_use_makes_the_environment_and_the_second_only_uses_it(tree: Tree, uv: str) -> None:
    first = tree.run("one", "two words", tools=uv).succeeded()
    assert str(tree.venv) in first.out
    assert "['one', 'two words']" in first.out
    assert "Installing requirements.txt with uv" in first.err
    second = tree.run("seven", cwd=tree.root / "labs")  # no tools, another folder, an exit code to hand on
    assert (second.code, second.err) == (7, "")


@needs_uv
def test_a_ready_environment_costs_no_subprocess(tree: Tree, uv: str) -> None:
    tree.run(tools=uv).succeeded()
    inside = tree.run(python=str(tree.venv / BIN / PYTHON)).succeeded()
    assert inside.out.splitlines()[1] == "False"
    assert inside.err == ""


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_makes_no_environment(tree: Tree, asked: str) -> None:
    done = tree.run(asked)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("hello.py: Say hello.")
    assert not tree.venv.exists()


@needs_uv
def test_help_for_another_program_is_not_ours(tree: Tree, uv: str) -> None:
    assert "['--', '--help']" in tree.run("--", "--help", tools=uv).succeeded().out


def test_first_use_with_pip_only(tree: Tree) -> None:
    first = tree.run().succeeded()
    assert "Installing requirements.txt with pip" in first.err


@needs_uv
def test_an_extra_is_added_to_a_ready_environment(tree: Tree, uv: str) -> None:
    tree.run(tools=uv).succeeded()
    mark = tree.mark()
    assert not list(tree.packages.glob("tiny_test"))
    tree.run("test", tools=uv).succeeded()
    assert list(tree.packages.glob("tiny_test"))
    assert mark.exists()
    assert tree.run("test").succeeded().err == ""
    assert tree.run().succeeded().err == ""


@needs_uv
def test_a_changed_lock_is_installed(tree: Tree, uv: str) -> None:
    tree.run(tools=uv).succeeded()
    with open(tree.root / "requirements.txt", "a") as lock:
        lock.write((tree.root / "requirements-test.txt").read_text())
    tree.run(tools=uv).succeeded()
    assert list(tree.packages.glob("tiny_test"))


@needs_uv
def test_notebooks_of_any_editor_find_labs(tree: Tree, uv: str) -> None:
    tree.run(tools=uv).succeeded()
    command = [str(tree.venv / BIN / PYTHON), "-I", "-X", "utf8", "-c", "import sys; print(sys.path)"]
    path = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    assert repr(str(tree.root / "labs")) in path


@needs_uv
def test_an_environment_made_by_hand_is_completed(tree: Tree, uv: str) -> None:
    subprocess.run([f"{uv}/uv", "venv", "-q", "--python", BASE, str(tree.venv)], check=True)
    mark = tree.mark()
    tree.run(tools=uv).succeeded()
    assert mark.exists()
    assert tree.stamp.exists()


@needs_uv
def test_a_newer_python_is_warned_and_served(tree: Tree, uv: str) -> None:
    done = _enter_as(tree, "(3, 14, 0, 'final', 0)", uv)
    assert done.code == 0, done.err
    assert "Warning: Python 3.14 is newer" in done.err


@needs_uv
def test_uv_follows_the_settings_of_pip(tree: Tree, uv: str) -> None:
    configuration = tree.aside / "pip.conf"
    configuration.write_text(f"[global]\nno-index = true\n[install]\nfind-links =\n    {tree.wheels.as_uri()}\n")
    settings = tree.settings(uv, PIP_CONFIG_FILE=str(configuration), UV_SYSTEM_PYTHON="1")
    del settings["PIP_NO_INDEX"], settings["PIP_FIND_LINKS"]
    progress = tree.run(env=settings).succeeded().err
    assert "with uv" in progress
    assert "pip tries" not in progress


@needs_uv
@needs_posix
def test_a_user_without_a_home_is_served(tree: Tree, uv: str) -> None:
    closed = tree.aside / "closed"
    closed.mkdir(mode=0o555)
    settings = tree.settings(uv, HOME=str(closed / "home"), UV_CACHE_DIR=str(closed / "cache"))
    progress = tree.run(env=settings, preexec_fn=_be_ordinary).succeeded().err
    assert "pip tries" not in progress


@needs_uv
def test_a_cache_serves_without_a_network(tree: Tree, uv: str) -> None:
    index = tree.aside / "index"
    (index / "simple" / "tiny").mkdir(parents=True)
    wheel = shutil.copy(tree.wheels / "tiny-1.0-py3-none-any.whl", index)
    (index / "simple" / "tiny" / "index.html").write_text(f'<a href="/{Path(wheel).name}">{Path(wheel).name}</a>')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Cache-Control", "no-cache")  # so that what is cached has to be asked about
            super().end_headers()

    handler = functools.partial(Handler, directory=index)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = tree.settings(
            uv, UV_DEFAULT_INDEX=f"http://127.0.0.1:{server.server_port}/simple", UV_HTTP_RETRIES="0"
        )
        tree.run(env=settings).succeeded()
        server.shutdown()
    shutil.rmtree(tree.venv)
    progress = tree.run(env=settings).succeeded().err
    assert "pip tries" not in progress


@needs_posix
def test_pip_does_it_when_uv_cannot(tree: Tree, with_pip: Path) -> None:
    shutil.copytree(with_pip, tree.venv, symlinks=True)
    (tree.aside / "uv").write_text(
        '#!/bin/sh\n[ "$1" = --version ] || { echo "error: unexpected argument"; exit 2; }\n'
    )
    (tree.aside / "uv").chmod(0o755)
    assert "uv could not; pip tries." in tree.run(tools=str(tree.aside)).succeeded().err


# --- completed, or remade --------------------------------------------------------------------------------------------


@needs_uv
@needs_posix
def test_killed_half_way_and_completed(tree: Tree, uv: str) -> None:
    flag = tree.aside / "installing"
    child = tree.start(tools=fake_uv(tree, uv, f'touch "{flag}"; sleep 60'), start_new_session=True)
    wait_for(flag)
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    mark = tree.mark()
    tree.run(tools=uv).succeeded()
    assert mark.exists()


@needs_uv
@needs_posix
def test_an_orphaned_installer_is_waited_for(tree: Tree, uv: str) -> None:
    flag = tree.aside / "installing"
    child = tree.start(tools=fake_uv(tree, uv, f'touch "{flag}"; sleep 1'))
    wait_for(flag)
    child.kill()
    second = tree.run(tools=uv).succeeded()
    assert f"another process is preparing the environment (process {child.pid})" in second.err
    child.communicate()


@needs_uv
@needs_posix
def test_stopped_with_ctrl_c(tree: Tree, uv: str) -> None:
    flag = tree.aside / "installing"
    child = tree.start(tools=fake_uv(tree, uv, f'echo $$ > "{flag}"; exec sleep 60'))
    wait_for(flag)
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)  # to this process alone: the installer must not outlive it
    done = Done(child)
    assert done.code == 130
    assert done.err.splitlines()[-1] == "Stopped: run the same command again and it goes on from here."
    with pytest.raises(ProcessLookupError):
        os.kill(int(flag.read_text()), 0)
    tree.run(tools=uv).succeeded()


@needs_uv
@pytest.mark.parametrize("damage", ["module", "RECORD"])
def test_a_half_written_package_is_written_again(tree: Tree, uv: str, damage: str) -> None:
    tree.run(tools=uv).succeeded()
    damaged = tree.packages / ("tiny/__init__.py" if damage == "module" else "tiny-1.0.dist-info/RECORD")
    damaged.unlink()  # not written in place: it may be the same file as in uv's cache
    damaged.write_text("")
    if damage == "RECORD":
        (tree.packages / "tiny" / "__init__.py").unlink()
        damaged.unlink()
    tree.stamp.write_text("".join(line for line in tree.stamp.open(encoding="utf-8") if "lock" not in line), "utf-8")
    tree.run(tools=uv).succeeded()


@needs_uv
@needs_posix
def test_an_environment_whose_python_is_gone_is_remade(tree: Tree, uv: str) -> None:
    tree.run(tools=uv).succeeded()
    mark = tree.mark()
    (tree.venv / BIN / PYTHON).unlink()
    (tree.venv / BIN / PYTHON).symlink_to("/nowhere/python")
    tree.run(tools=uv).succeeded()
    assert not mark.exists()


@needs_uv
@pytest.mark.parametrize("inside", [False, True])
def test_an_environment_for_another_python_is_remade(tree: Tree, uv: str, inside: bool) -> None:
    if inside and WINDOWS:
        pytest.skip("Windows cannot remove the Python that runs")
    tree.run(tools=uv).succeeded()
    mark = tree.mark()
    tree.stamp.write_text(tree.stamp.read_text("utf-8").replace("python cpython", "python other"), "utf-8")
    tree.run(python=str(tree.venv / BIN / PYTHON) if inside else BASE, tools=uv).succeeded()
    assert not mark.exists()


@needs_uv
def test_a_moved_folder_gets_its_own_environment(tree: Tree, uv: str) -> None:
    tree.root = tree.root.rename(tree.root.with_name("before"))
    tree.run(tools=uv).succeeded()
    mark = tree.mark()
    assert (tree.packages / "proving_ground.pth").read_text() == f"{tree.root / 'labs'}\n"
    tree.root = tree.root.rename(tree.root.with_name("after"))
    tree.run(tools=uv).succeeded()
    assert not (tree.venv / "mark").exists(), mark
    assert (tree.packages / "proving_ground.pth").read_text() == f"{tree.root / 'labs'}\n"


@needs_uv
def test_two_at_once(tree: Tree, uv: str) -> None:
    children = [tree.start(tools=uv) for _ in range(2)]
    errors = [Done(child).succeeded().err for child in children]
    assert sum("Preparing the environment" in err for err in errors) == 1, errors


@needs_uv
@needs_posix
def test_a_lock_whose_holder_died_is_no_lock(tree: Tree, uv: str) -> None:
    (tree.root / ".cache").mkdir()
    hold = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    holder = subprocess.Popen([BASE, "-c", hold, tree.root / ".cache" / "environment.lock"], stdout=subprocess.PIPE)
    assert holder.stdout
    holder.stdout.readline()
    child = tree.start(tools=uv)
    assert child.stderr
    assert "another process is preparing the environment" in child.stderr.readline()
    holder.kill()
    Done(child).succeeded()
    holder.communicate()


# --- refused ---------------------------------------------------------------------------------------------------------


def _enter_as(tree: Tree, version: str, tools: str = "", python: str = BASE) -> Done:
    """Enter without pathlib, which the oldest Pythons lack, and with a version of our choice."""
    code = textwrap.dedent(f"""
        import sys
        sys.version_info = {version or "sys.version_info"}
        sys.path.insert(0, {os.fspath(tree.root / "scripts").encode("unicode_escape").decode()!r})
        from proving import environment
        environment.enter()
    """)
    child = subprocess.Popen(
        [python, "-B", "-c", code],
        env=tree.settings(tools),
        cwd=tree.root / "scripts",
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return Done(child)


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.8.18", "3.10.13"])
def test_an_old_python_is_refused(tree: Tree, version: str) -> None:
    python = Path.home() / ".pyenv" / "versions" / version / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Python {version} is not installed here")
    sentence = _enter_as(tree, "", python=str(python)).refusal()
    assert f"This is Python {version}, and Proving Ground needs Python 3.11, 3.12 or 3.13" in sentence


def test_a_python_that_says_it_is_old_is_refused(tree: Tree) -> None:
    assert "This is Python 3.8.1, and" in _enter_as(tree, "(3, 8, 1, 'final', 0)").refusal()
    assert not tree.venv.exists()


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_missing_module_is_refused(tree: Tree, missing: str) -> None:
    (tree.aside / "modules").mkdir()
    (tree.aside / "modules" / f"{missing}.py").write_text("raise ImportError('simulated')")
    settings = tree.settings(PYTHONPATH=str(tree.aside / "modules"))
    done = tree.run(env=settings)
    assert "lacks its venv or ensurepip module: install it" in done.refusal()
    assert len(done.err.splitlines()) == 1
    assert not tree.venv.exists()
    if UV:
        tree.run(env={**settings, "PATH": str(Path(UV).parent)}).succeeded()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_no_network_is_refused(tree: Tree, request: pytest.FixtureRequest, installer: str) -> None:
    closed = "http://127.0.0.1:1/simple"  # the port of a service that no machine runs
    settings = tree.settings(PIP_INDEX_URL=closed, PIP_RETRIES="0", UV_HTTP_RETRIES="0")
    del settings["PIP_NO_INDEX"], settings["PIP_FIND_LINKS"]
    _prepare_for(tree, request, installer, settings)
    sentence = tree.run(env=settings).refusal()
    assert sentence.startswith("The package index could not be reached, or lacks a package: check the network")
    log = sentence.split("log is ")[1].rstrip(").")
    assert Path(log).parent == tree.temporary
    assert "127.0.0.1" in Path(log).read_text("utf-8")
    if installer == "uv":  # with pip it would be no different, but slow
        tree.run(tools=settings["PATH"]).succeeded()


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_that_differs_from_the_lock_is_refused(
    tree: Tree, request: pytest.FixtureRequest, installer: str
) -> None:
    tree.lock("requirements.txt", "tiny", digest="0" * 64)
    settings = tree.settings()
    _prepare_for(tree, request, installer, settings)
    sentence = tree.run(env=settings).refusal()
    assert sentence.startswith("The package tiny differs from the one that requirements.txt locks, so nothing of")
    assert not list(tree.packages.glob("tiny*"))
    tree.lock("requirements.txt", "tiny")
    tree.run(env=settings).succeeded()


def _prepare_for(tree: Tree, request: pytest.FixtureRequest, installer: str, settings: dict[str, str]) -> None:
    if installer == "pip":
        shutil.copytree(request.getfixturevalue("with_pip"), tree.venv, symlinks=True)
    elif UV:
        settings["PATH"] = request.getfixturevalue("uv")
    else:
        pytest.skip("uv is not installed")


@needs_posix
@pytest.mark.parametrize("closed", [".", ".venv"])
def test_a_folder_that_cannot_be_written_is_refused(tree: Tree, closed: str) -> None:
    if os.getuid() == 0 and not sys.platform.startswith("linux"):
        pytest.skip("only Linux can take root's right to write anywhere")
    folder = tree.root / closed
    folder.mkdir(exist_ok=True)
    before = sorted(tree.root.rglob("*"))
    folder.chmod(0o555)
    try:
        done = tree.run(env=tree.settings(PYTHONDONTWRITEBYTECODE="1"), preexec_fn=_be_ordinary)
    finally:
        folder.chmod(0o755)
    sentence = done.refusal()
    assert "cannot be written by this user: copy the folder" in sentence
    assert sentence.startswith(str(folder))
    assert done.err.count("\n") == 1
    assert sorted(tree.root.rglob("*")) == before


def _be_ordinary() -> None:
    """Permissions do not bind root, unless it gives up the capability to override them, for good."""
    if os.getuid() == 0:
        import ctypes

        drop_from_bounding_set, override, read_search = 24, 1, 2
        for capability in (override, read_search):
            ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0)


@needs_uv
@needs_posix
def test_a_full_disk_is_refused(tree: Tree, uv: str) -> None:
    tools = fake_uv(tree, uv, "echo 'error: Failed to install: No space left on device (os error 28)'; exit 2")
    sentence = tree.run(tools=tools).refusal()
    assert sentence.startswith("The disk is full: free about ")
    tree.run(tools=uv).succeeded()


@needs_uv
@needs_posix
@pytest.mark.parametrize("kilobytes", [0, 40])
def test_a_disk_that_is_really_full_is_refused(tree: Tree, uv: str, kilobytes: int) -> None:
    """Full before there is an environment, or while it is made."""
    small = tree.aside / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=1m none "{small}"'
    unshare = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.call([*unshare, mount], stderr=subprocess.DEVNULL):
        pytest.skip("this machine does not let us mount a small disk")
    fill = f'dd if=/dev/zero of="{small}/fill" bs=4k 2> {os.devnull}; truncate -s -{kilobytes}k "{small}/fill"'
    command = f'{mount} && cp -r "{tree.root}/." "{small}"; {fill}; exec "{BASE}" "{small}/scripts/hello.py"'
    settings = tree.settings(os.pathsep.join([uv, "/usr/bin", "/bin"]), PYTHONDONTWRITEBYTECODE="1")
    child = subprocess.Popen(
        [*unshare, command], env=settings, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    sentence = Done(child).refusal()
    assert sentence.startswith("The disk is full: free about "), sentence


def test_a_missing_lock_is_refused(tree: Tree) -> None:
    (tree.root / "requirements.txt").unlink()
    assert "requirements.txt cannot be read" in tree.run().refusal()

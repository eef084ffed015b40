"""lab.py: a lab in JupyterLab, on the learner's own copy."""

import argparse
import os
import signal
import subprocess
import sys

import psutil

from proving import workspace
from proving.commands.choose import choose
from proving.display import complain, say
from proving.paths import Tree, checkout

PATIENCE_SECONDS = 10


def main(arguments: list[str]) -> int:
    """Make or find the copy and open JupyterLab on it. Returns JupyterLab's exit code."""
    parser = argparse.ArgumentParser(
        prog="lab.py",
        description="Open a lab in JupyterLab, on a working copy under work/.",
        epilog="What follows `--` goes to JupyterLab: lab.py SLUG -- --no-browser --port 8899",
    )
    parser.add_argument("slug", nargs="?", help="the lab; without it, the first that you have not finished")
    parser.add_argument("--reset", action="store_true", help="begin again; your copy is kept under work/kept/")
    parser.add_argument("--no-open", action="store_true", help="make the copy and stop")
    mine, passed_on = _split(arguments)
    options = parser.parse_args(mine)
    tree = checkout()
    lab = choose(tree, options.slug)
    if lab is None:
        return 2
    try:
        if options.reset:
            path, kept = workspace.reset(tree, lab)
            say(f"Kept your answers as {tree.relative(kept)}." if kept else "There was no copy yet.")
            say(f"Begun again: {tree.relative(path)}")
        else:
            path, sentence = workspace.open_copy(tree, lab)
            say(sentence)
    except OSError as error:
        complain(
            f"work/ cannot be written ({error.strerror}). Copy the course to a folder of your own and run it there."
        )
        return 2
    say(f"Check it from another terminal: python3 scripts/check.py {lab.slug}")
    if options.no_open:
        return 0
    command = [sys.executable, "-m", "jupyterlab", str(path), "--ServerApp.root_dir", str(tree.root)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # In a container there is often no one else; only loopback can reach it.
    return _run([*command, "--ip", "127.0.0.1", *passed_on], tree)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our arguments, and those behind `--`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def _run(command: list[str], tree: Tree) -> int:
    """Run JupyterLab to its end. Interrupted or ended from outside, end it and its kernels too."""
    path = os.pathsep.join([str(tree.labs), *filter(None, [os.environ.get("PYTHONPATH")])])
    signal.signal(signal.SIGTERM, _interrupt)
    process = subprocess.Popen(command, cwd=tree.root, env={**os.environ, "PYTHONPATH": path})
    try:
        return process.wait()
    except KeyboardInterrupt:
        # On a terminal JupyterLab has got the interrupt too, and asks; this answers it.
        _end(process)
        say("\nStopped. Your copy is as you saved it.")
        return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let JupyterLab end its kernels; what outlives that is killed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        started = []
    if os.name != "nt":
        process.terminate()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in started:
        try:
            left.kill()
        except psutil.Error:
            continue

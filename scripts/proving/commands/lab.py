"""lab.py: a lab in JupyterLab, on the learner's own copy."""

import argparse
import os
import subprocess
import sys

from proving import workspace
from proving.commands.choose import choose
from proving.display import complain, say
from proving.paths import checkout


def main(arguments: list[str]) -> int:
    """Make or find the copy and open JupyterLab on it. Returns JupyterLab's exit code."""
    parser = argparse.ArgumentParser(
        prog="lab.py", description="Open a lab in JupyterLab, on a working copy under work/."
    )
    parser.add_argument("slug", nargs="?", help="the lab; without it, the first that you have not finished")
    parser.add_argument("--reset", action="store_true", help="begin again; your copy is kept under work/kept/")
    parser.add_argument("--no-open", action="store_true", help="make the copy and stop")
    options, passed_on = parser.parse_known_args(arguments)
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
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        str(path),
        "--ServerApp.root_dir",
        str(tree.root),
        "--ip",
        "127.0.0.1",
        *passed_on,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tree.labs), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    try:
        return subprocess.run(command, cwd=tree.root, env=environment).returncode
    except KeyboardInterrupt:
        return 0

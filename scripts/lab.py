#!/usr/bin/env python3
"""Open a lab in JupyterLab, on a working copy under work/."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter()

from proving.commands import lab  # noqa: E402 # needs the environment

if __name__ == "__main__":
    sys.exit(lab.main(sys.argv[1:]))

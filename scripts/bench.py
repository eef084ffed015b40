#!/usr/bin/env python3
"""Measure against the plain way, in one run on this machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter("test")

from proving.commands import bench  # noqa: E402 # needs the environment

if __name__ == "__main__":
    sys.exit(bench.main(sys.argv[1:]))

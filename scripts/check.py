#!/usr/bin/env python3
"""Check a learner's copy of a lab, exercise by exercise."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter()

from proving.commands import check  # noqa: E402 # needs the environment

if __name__ == "__main__":
    sys.exit(check.main(sys.argv[1:]))

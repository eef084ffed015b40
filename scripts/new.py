#!/usr/bin/env python3
"""Make a new lab that says what it still lacks."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter()

from proving.commands import new  # noqa: E402 # needs the environment

if __name__ == "__main__":
    sys.exit(new.main(sys.argv[1:]))

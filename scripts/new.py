#!/usr/bin/env python3
"""Make a new lab that says what it still lacks."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter()

from proving.commands import new  # noqa: E402 # needs the environment
from proving.guard import guarded  # noqa: E402 # needs the environment

if __name__ == "__main__":
    sys.exit(guarded(new.main))

#!/usr/bin/env python3
"""Make one archive of the course, or check one."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from proving import environment  # noqa: E402 # the path above has to be set first

environment.enter()

from proving.commands import bundle  # noqa: E402 # needs the environment
from proving.guard import guarded  # noqa: E402 # the path above has to be set first

if __name__ == "__main__":
    sys.exit(guarded(bundle.main))

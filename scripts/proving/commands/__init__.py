"""One module a script: its arguments, its printing, its exit code."""

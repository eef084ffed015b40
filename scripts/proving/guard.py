"""What every script does with an error that no command has answered itself."""

import errno
import os
import sys
from collections.abc import Callable

from proving.display import complain

_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def guarded(main: Callable[[list[str]], int]) -> int:
    """Run a command on this process's arguments; one sentence and exit code 2 for a full or closed disk.

    Ctrl-C gives 130. A reader that has gone away (`| head`) ends the script without a word.
    """
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in _FULL:
            complain(
                "The disk is full. Free a few hundred megabytes, here and in the temporary folder, and run it again."
            )
        elif error.errno in _CLOSED:
            complain(
                f"{error.filename or 'A file'} cannot be written. Copy the course to a folder of your own and run it there."
            )
        else:
            raise
        return 2

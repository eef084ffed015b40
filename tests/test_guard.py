"""Errors that no command answers itself end in one sentence, never in a traceback."""

import errno
import subprocess
import sys

import pytest
from conftest import ROOT
from proving.guard import guarded


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "The disk is full. Free"),
        (errno.EROFS, "site/index.html cannot be written. Copy the course"),
        (errno.EACCES, "site/index.html cannot be written. Copy the course"),
    ],
)
def test_a_full_or_closed_disk_is_one_sentence(number: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    def main(arguments: list[str]) -> int:
        raise OSError(number, "as the system says it", "site/index.html")

    assert guarded(main) == 2
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 1


def test_an_error_of_our_own_is_not_hidden() -> None:
    def main(arguments: list[str]) -> int:
        raise OSError(errno.ENOTDIR, "a mistake in the code")

    with pytest.raises(OSError, match="a mistake"):
        guarded(main)


def test_an_interrupt_gives_130() -> None:
    def main(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    assert guarded(main) == 130


def test_a_reader_that_goes_away_ends_the_script_without_a_word() -> None:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from proving.guard import guarded; from proving.display import say\n"
    code += (
        "def main(arguments):\n    for number in range(100000): say(str(number))\n    return 0\nsys.exit(guarded(main))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT / "scripts")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(20) == 1
    process.stderr.close()

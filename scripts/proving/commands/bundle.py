"""bundle.py: the course as one archive, and as a handbook to print."""

import argparse
import shutil
import time
from pathlib import Path

from proving import bundle, handbook, offline, printing
from proving.commands.build import attempt
from proving.display import complain, say
from proving.paths import Tree, checkout

HANDBOOK = "proving-ground-handbook.pdf"


def main(arguments: list[str]) -> int:
    """Make dist/, or check an archive. Exit code 0, 1 (a lab, a page or an archive is wrong) or 2 (it cannot be done)."""
    parser = argparse.ArgumentParser(
        prog="bundle.py", description="Make one archive of the course in dist/: the site as files, labs, checksums."
    )
    parser.add_argument("--handbook", action="store_true", help="print all pages as a PDF too, with Chromium")
    parser.add_argument(
        "--chromium", metavar="PROGRAM", help="the Chromium to print with (default: the one found here)"
    )
    parser.add_argument("--check", metavar="FILE", type=Path, help="check an archive instead; unpacks nothing")
    options = parser.parse_args(arguments)
    if options.check:
        if options.handbook or options.chromium:
            parser.error("--check takes no other option")
        return _check(options.check)
    chromium = ""
    if options.handbook or options.chromium:
        chromium, why = _chromium(options.chromium)
        if why:
            complain(why)
            return 2
    try:
        return _make(checkout(), chromium)
    except KeyboardInterrupt:
        complain("Interrupted; dist/ is as it was. Go on with: python3 scripts/bundle.py")
        return 130


def _chromium(named: str | None) -> tuple[str, str]:
    """The program to print with, or why there is none."""
    path = shutil.which(named) if named else printing.find_chromium()
    if not path:
        what = (
            f"There is no program {named!r}"
            if named
            else "The handbook is printed by Chromium, and none was found here"
        )
        return "", f"{what}: install it (Debian: apt-get install chromium) or name one with --chromium PROGRAM."
    version = printing.version(path)
    if version < printing.OLDEST:
        said = f"is Chromium {version}" if version else "does not say its version"
        return (
            "",
            f"{path} {said}; page numbers need Chromium {printing.OLDEST} or newer: name one with --chromium PROGRAM.",
        )
    return path, ""


def _make(tree: Tree, chromium: str) -> int:
    started = time.monotonic()
    outcome = attempt(tree, reuse=True)
    if outcome.code:
        complain("No archive was made: what is named above falls short. Repair it and run this again.")
        return 1
    say("Making the site one that opens as files")
    flat = tree.cache / "offline"
    offline.make(tree, flat)
    left = bundle.untracked(tree)
    if left:
        say(f"Left out, because git does not track it: {', '.join(left[:5])}{' and more' if len(left) > 5 else ''}.")
    archive = tree.root / "dist" / bundle.NAME
    count = bundle.pack(tree, flat, archive, _note)
    say(f"Wrote dist/{archive.name}: {count} files, {_megabytes(archive)}, in {time.monotonic() - started:.0f} s")
    say(f"SHA-256 {bundle.digest(archive)}")
    return _print(tree, flat, chromium) if chromium else 0


def _print(tree: Tree, flat: Path, chromium: str) -> int:
    started = time.monotonic()
    target = tree.root / "dist" / HANDBOOK
    draft = tree.cache / HANDBOOK
    try:
        pages = handbook.make(tree, flat, chromium, draft)
    except (handbook.Unprintable, printing.PrintFailed) as error:
        complain(f"No handbook was made. {error}")
        return 2
    shutil.move(draft, target)
    say(f"Wrote dist/{target.name}: {pages} pages, {_megabytes(target)}, in {time.monotonic() - started:.0f} s")
    return 0


def _note(done: int, of: int) -> None:
    if done % 250 == 0 or done == of:
        say(f"  packed {done} of {of} files")


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1_000_000:.1f} MB"


def _check(path: Path) -> int:
    try:
        count, findings = bundle.check(path)
        digest = bundle.digest(path)
    except OSError as error:
        complain(f"{path} cannot be read ({error.strerror}). Name an archive that bundle.py made.")
        return 2
    for finding in findings:
        complain(str(finding))
    if findings:
        return 1
    say(f"{path.name}: {count} files, each as {bundle.SUMS} lists it.")
    say(f"SHA-256 {digest}\nThat shows damage, not its maker: compare this SHA-256 with the one its maker names.")
    return 0

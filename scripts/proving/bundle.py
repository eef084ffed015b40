"""One archive of the course: pack it, and check one that came from somewhere.

    proving-ground/
      START-HERE.txt   what this is and how to open it
      SHA256SUMS       a checksum of every other file, as `sha256sum -c` reads it
      site/            the site as files, search included: open site/index.html
      ...              the checkout without its history: labs, notebooks, scripts, lock files, tests

The same files give the same bytes: names are sorted, times fixed, rights set by what a file is.
"""

import fnmatch
import hashlib
import re
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from proving.findings import Finding
from proving.paths import Tree

TOP = "proving-ground"
NAME = "proving-ground.zip"
SUMS, START = "SHA256SUMS", "START-HERE.txt"
MOST_BYTES = 1_000_000_000
MOST_FILES = 50_000
_TIME = (1980, 1, 1, 0, 0, 0)
_SUM = re.compile(r"([0-9a-f]{64})  (\S.*)")
_ANEW = "Do not use it; get the archive anew, and compare its SHA-256 with the one its maker names."
_WELCOME = """\
Proving Ground: secure AI-native deployment, taught by proof.

Read        open site/index.html in a browser; nothing is asked of the network, and the search works
Run a lab   python3 scripts/lab.py    (Python 3.11 to 3.13; the first run fetches the packages of requirements.txt)
Check       sha256sum -c SHA256SUMS   (or, on the archive itself: python3 scripts/bundle.py --check FILE)

SHA256SUMS shows damage. Who made this archive it does not show: whoever changes a file can write a new list.
Compare the SHA-256 of the whole archive with the one its maker gave you by another way.

README.md says the rest.
"""


def sources(tree: Tree) -> list[str]:
    """The files of the checkout that go along: what git tracks, or without git whatever .gitignore does not name."""
    try:
        asked = subprocess.run(["git", "ls-files", "-z"], cwd=tree.root, capture_output=True, stdin=subprocess.DEVNULL)
        listed = asked.stdout.decode("utf-8").split("\0") if asked.returncode == 0 else []
    except OSError:
        listed = []
    names = [name for name in listed if name and (tree.root / name).is_file()] if any(listed) else _walk(tree)
    return sorted(n for n in names if n not in (SUMS, START) and not (tree.root / n).is_symlink())


def untracked(tree: Tree) -> list[str]:
    """Files that look like part of the course and stay behind, because git does not track them."""
    command = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    try:
        asked = subprocess.run(command, cwd=tree.root, capture_output=True, stdin=subprocess.DEVNULL)
    except OSError:
        return []
    return sorted(filter(None, asked.stdout.decode("utf-8").split("\0"))) if asked.returncode == 0 else []


def _walk(tree: Tree) -> list[str]:
    try:
        lines = (tree.root / ".gitignore").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    ignored = [line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")]
    ignored += [".git", ".venv", ".cache", "__pycache__", "site", "dist", "work"]

    def kept(path: Path) -> bool:
        name = path.relative_to(tree.root).as_posix()
        steps = [*PurePosixPath(name).parts, *(p.as_posix() for p in PurePosixPath(name).parents), name]
        return not any(fnmatch.fnmatch(step, pattern) for step in steps for pattern in ignored)

    return [p.relative_to(tree.root).as_posix() for p in tree.root.rglob("*") if p.is_file() and kept(p)]


def pack(tree: Tree, site: Path, target: Path, note: Callable[[int, int], None] = lambda done, of: None) -> int:
    """Write the archive `target` from the checkout and the site as files `site`; return how many files it holds.

    `note` hears how many files are in. The archive takes the place of an older one at the end. Raises OSError.
    """
    files = {name: tree.root / name for name in sources(tree)}
    files |= {f"site/{p.relative_to(site).as_posix()}": p for p in site.rglob("*") if p.is_file()}
    contents = {START: _WELCOME.encode()}
    names = sorted({*files, START})
    sums = []
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w") as archive:
            for done, name in enumerate(names, 1):
                content = contents[name] if name in contents else files[name].read_bytes()
                sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
                _add(archive, name, content)
                note(done, len(names))
            _add(archive, SUMS, "".join(sums).encode())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return len(names) + 1


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(f"{TOP}/{name}", _TIME)
    info.create_system = 3
    info.external_attr = (0o100755 if name.endswith(".sh") or content.startswith(b"#!") else 0o100644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, content, compresslevel=9)


def digest(path: Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path) -> tuple[int, list[Finding]]:
    """How many files the archive holds, and everything that is wrong with it. Unpacks nothing. Raises OSError."""
    where = path.name
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            wrong = _shape(where, infos)
            return len(infos), wrong or _sums(where, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return 0, [Finding(where, f"it is no whole zip archive ({error}).", _ANEW)]


def _shape(where: str, infos: list[zipfile.ZipInfo]) -> list[Finding]:
    """Names that would unpack to another place, over each other, or to more than a disk should take."""
    found, seen = [], set()
    for info in infos[:MOST_FILES]:
        name = info.orig_filename
        steps = name.split("/")
        if steps[0] != TOP or not all(steps) or {".", ".."} & set(steps) or re.search(r"[\\:\0-\x1f]", name):
            found.append(Finding(where, f"{name!r} is no file below {TOP}/.", _ANEW))
        elif (info.external_attr >> 16) & 0o170000 not in (0, 0o100000):
            found.append(Finding(where, f"{name} is no plain file.", _ANEW))
        elif name.casefold() in seen:
            found.append(Finding(where, f"{name} is in it twice.", _ANEW))
        seen.add(name.casefold())
    if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > MOST_BYTES:
        found.append(Finding(where, f"it holds more than {MOST_FILES} files or {MOST_BYTES} bytes.", _ANEW))
    return found


def _sums(where: str, archive: zipfile.ZipFile) -> list[Finding]:
    """Each file against SHA256SUMS, both ways."""
    inside = {info.filename.removeprefix(f"{TOP}/"): info for info in archive.infolist()}
    listing = inside.pop(SUMS, None)
    if listing is None:
        return [Finding(where, f"{SUMS} is missing.", _ANEW)]
    wanted, found = {}, []
    for number, line in enumerate(archive.read(listing).decode("utf-8", "replace").splitlines(), 1):
        match = _SUM.fullmatch(line)
        if not match or match[2] in wanted:
            found.append(Finding(f"{where}, {SUMS} line {number}", "it is no checksum and name of one file.", _ANEW))
        else:
            wanted[match[2]] = match[1]
    found += [Finding(where, f"{name} is listed and missing.", _ANEW) for name in sorted(wanted.keys() - inside.keys())]
    found += [Finding(where, f"{name} is not listed.", _ANEW) for name in sorted(inside.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & inside.keys()):
        if _digest_of(archive, inside[name]) != wanted[name]:
            found.append(Finding(where, f"{name} is not the file that {SUMS} lists.", _ANEW))
    return found


def _digest_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The SHA-256 of one file in it. Reading ends at the size that the archive names, and fails where that is a lie."""
    total = hashlib.sha256()
    with archive.open(info) as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()

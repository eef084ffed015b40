"""The coding agent of Harbor's developers, in the hands of whoever writes what it reads.

    session = start(repository)      # it loads its instructions, and obeys every order in them

Two orders exist. `add LINE to FILE` edits a file of the repository; nobody is asked, since edits
are the agent's work. ``run `COMMAND` `` asks a person, unless a file has approved it in advance.
No command is run: it is noted in ran.txt, which stands for the damage.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

_ORDER = re.compile(r"\b(?:(?i:add) (?P<line>\S+) to (?P<file>[\w./-]*\w)|(?i:run) `(?P<command>[^`\n]+)`)")
_NAMES = ("agents.md", "claude.md", "gemini.md", ".cursorrules", "copilot-instructions.md", "skill.md")
_APPROVED = re.compile(r"^\W*allowed[-_]tools\W*:", re.IGNORECASE | re.MULTILINE)


@dataclass
class Session:
    """What happened: commands a person was asked about, commands that ran, files that were edited."""

    asked: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)


def start(repository: Path, yes: frozenset[str] = frozenset({"pytest -q"})) -> Session:
    """Start the agent in `repository`. The person at the keyboard says yes to the commands in `yes`."""
    session, approved, orders = Session(), False, []
    for path in sorted(p for p in repository.rglob("*") if p.is_file()):
        if not _loads(PurePosixPath(path.relative_to(repository).as_posix())):
            continue
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        if path.suffix.casefold() == ".json":
            approved |= _obey_settings(repository, text, session)
            continue
        # The worst reader takes the grant wherever its front matter ends, and however broken it is.
        approved |= text.startswith("---") and bool(_APPROVED.search(text.split("\n---", 1)[0]))
        orders += [order for voice in voices(text) for order in _ORDER.finditer(voice)]
    for order in orders:
        if order["command"]:
            if not approved:
                session.asked.append(order["command"])
            if approved or order["command"] in yes:
                _run(repository, order["command"], session)
        else:
            _edit(repository, order["file"], order["line"], session)
    return session


def voices(text: str) -> Iterator[str]:
    """Everything that a model could make of a text: the text itself, and what is hidden between its letters."""
    yield text
    yield "".join(chr(ord(c) - 0xE0000) for c in text if 0xE0020 <= ord(c) <= 0xE007E)
    yield bytes(_selector(c) for c in text if _selector(c) >= 0).decode("utf-8", "replace")
    bits = "".join({"\u200b": "0", "\u200c": "1"}.get(c, "") for c in text)
    yield bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)).decode("utf-8", "replace")


def in_tags(words: str) -> str:
    """ASCII in characters of the tag block: each letter has a twin that no screen shows."""
    return "".join(chr(0xE0000 + ord(c)) for c in words)


def in_selectors(words: str) -> str:
    """Any bytes, in the 256 variation selectors."""
    return "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in words.encode())


def in_zero_width(words: str) -> str:
    """Any bytes, bit by bit: U+200B is a zero, U+200C a one."""
    return "".join("\u200c" if bit == "1" else "\u200b" for b in words.encode() for bit in f"{b:08b}")


def _selector(char: str) -> int:
    code = ord(char)
    if 0xFE00 <= code <= 0xFE0F:
        return code - 0xFE00
    return code - 0xE0100 + 16 if 0xE0100 <= code <= 0xE01EF else -1


def _loads(path: PurePosixPath) -> bool:
    name, folders = path.name.casefold(), {part.casefold() for part in path.parts[:-1]}
    if name.endswith(".json"):
        return name == ".mcp.json" or bool(folders & {".claude", ".cursor", ".vscode"})
    if name.endswith(".md") and folders & {"skills", ".claude", ".cursor", ".agents"}:
        return True
    return name in _NAMES or name.endswith((".mdc", ".instructions.md"))


def _obey_settings(repository: Path, text: str, session: Session) -> bool:
    """Run what a settings file starts by itself; return whether it approves commands in advance."""
    try:
        data = json.loads(text)
    except ValueError:
        return False
    for key in ("hooks", "mcpServers", "servers"):
        for command in _commands(data.get(key)):
            _run(repository, command, session)
    for task in data.get("tasks", []):
        if task.get("runOptions", {}).get("runOn") == "folderOpen":
            _run(repository, task["command"], session)
    return any(str(tool).startswith("Bash") for tool in data.get("permissions", {}).get("allow", []))


def _commands(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("command"), str):
            yield " ".join([value["command"], *value.get("args", [])])
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _commands(item)


def _run(repository: Path, command: str, session: Session) -> None:
    session.ran.append(command)
    _append(repository / "ran.txt", command)


def _edit(repository: Path, name: str, line: str, session: Session) -> None:
    file = (repository / name).resolve()
    if file.is_relative_to(repository.resolve()):
        session.edited.append(name)
        _append(file, line)


def _append(file: Path, line: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8", newline="\n") as out:
        out.write(line + "\n")

"""Lint what coding agents read, before one starts: hidden characters, unseen markup, rights a file gives itself.

    python lint_agent_files.py .                 the repository below this folder
    python lint_agent_files.py AGENTS.md         these files, whatever their names
    python lint_agent_files.py --list .          which files are read; put them under CODEOWNERS
    python lint_agent_files.py --allow agent-files.allow .

Each line of output is one finding: file:line:column, what was found, the repair. Exit code 0: none; 1: some; 2: bad use.
Nothing is changed. It needs Python 3.11, markdown-it-py and PyYAML.

A hook before each commit (.pre-commit-config.yaml), with this file in tools/:

    - repo: local
      hooks:
        - id: lint-agent-files
          name: What agents read
          entry: python tools/lint_agent_files.py .
          language: python
          additional_dependencies: [markdown-it-py, pyyaml]
          pass_filenames: false

In CI run it as a required check, from the protected branch's copy, before any step that starts an agent.

The file given by --allow holds what its owner has decided, one line for each file of the repository:

    SHA-256-OF-THE-FILE  path/to/SKILL.md  # who decided, and why

Such a file passes for as long as it has exactly these bytes. A line that no longer fits, or is no longer needed, is a
finding. Put it under CODEOWNERS: whoever can write that file approves tools.

What it does not see: bad instructions in plain words, look-alike letters, comments in YAML, where a link leads, the
words after a code fence's language, what a skill's scripts do,
and text that an agent reads later (issues, web pages, READMEs). Direction marks and ideographic variation selectors are
refused, though Hebrew or Japanese text may want them: in an instruction file, write around them.
"""

import argparse
import hashlib
import itertools
import json
import os
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

try:
    import yaml
    from markdown_it import MarkdownIt
except ImportError as missing:
    print(f"{missing.name} is missing. Run: pip install markdown-it-py pyyaml", file=sys.stderr)
    raise SystemExit(2) from None

# The part that ages: each tool adds a name. Give this list an owner.
NAMES = {"agents.md", "agents.override.md", "claude.md", "claude.local.md", "gemini.md", "skill.md"}
NAMES |= {".cursorrules", ".windsurfrules", ".clinerules", "copilot-instructions.md", ".mcp.json"}
TEXT_FOLDERS = {"skills", ".agents", ".claude", ".cursor"}
SETTINGS_FOLDERS = {".claude", ".cursor", ".vscode", ".gemini"}

SHAPELESS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)}
SHAPELESS |= {*range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)}
JOINING = frozenset(
    [
        "ARABIC",
        "SYRIAC",
        "NKO",
        "MONGOLIAN",
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
        "GUJARATI",
        "ORIYA",
        "TAMIL",
        "TELUGU",
        "KANNADA",
        "MALAYALAM",
        "SINHALA",
        "KHMER",
        "MYANMAR",
        "TIBETAN",
    ]
)
FLAGS = tuple(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
QUIET = {"script", "style", "template", "title", "textarea", "noscript", "iframe", "object", "svg", "math", "dialog"}
MARKDOWN = MarkdownIt("commonmark", {"store_labels": True})


@dataclass(frozen=True, order=True)
class Finding:
    """One place, what is wrong there, and the repair."""

    path: str
    line: int
    column: int
    what: str
    repair: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.what} {self.repair}"


def reads(path: PurePosixPath) -> bool:
    """Whether a coding agent loads the file at `path`, relative to the repository, by itself."""
    name, folders = path.name.casefold(), {part.casefold() for part in path.parts[:-1]}
    if name in NAMES or name.endswith((".mdc", ".instructions.md", ".prompt.md")):
        return True
    if name.endswith(".md"):
        return bool(folders & TEXT_FOLDERS)
    return name.endswith(".json") and bool(folders & SETTINGS_FOLDERS)


def invisible(char: str) -> bool:
    """Whether no screen draws this character."""
    if char in "\t\n\r":
        return False
    return unicodedata.category(char) in {"Cf", "Cc", "Co", "Cs", "Zl", "Zp"} or ord(char) in SHAPELESS


def belongs(text: str, at: int) -> bool:
    """Whether the invisible character text[at] is needed by its neighbors."""
    char, before, after = text[at], text[max(0, at - 1) : at], text[at + 1 : at + 2]
    if char in "\u200c\u200d" and before and after:
        if _script(before) in JOINING and _script(before) == _script(after):
            return True
        base = text[max(0, at - 2) : at].removesuffix("\ufe0f")[-1:]
        return char == "\u200d" and base != "" and _picture(base) and _picture(after)
    if char in "\ufe0e\ufe0f" and before:
        return _picture(before) or (before in "0123456789#*" and after == "\u20e3")
    starts = range(max(0, at - 6), at)
    return any(text.startswith(flag, start) and at < start + len(flag) for flag in FLAGS for start in starts)


def hidden(text: str) -> list[int]:
    """The places of the characters that are invisible and do not belong."""
    return [at for at, char in enumerate(text) if invisible(char) and not belongs(text, at)]


def unshown(text: str) -> list[tuple[int, str]]:
    """(line, words) for each part of a Markdown text that its page does not show."""
    env: dict = {}
    tokens = MARKDOWN.parse(text, env)
    used = {piece.meta.get("label") for token in tokens for piece in token.children or []}
    given = [{"label": label, **rest} for label, rest in env.get("references", {}).items()]
    loose = [d for d in given if d["title"] or d["label"] not in used] + env.get("duplicate_refs", [])
    found = [(d["map"][0] + 1, f"link definition: {d['label']} {d['title']}") for d in loose]
    for token in tokens:
        for piece in [token, *(token.children or [])]:
            line = token.map[0] + 1 if token.map else 1
            if piece.type in ("html_block", "html_inline") and _hides(piece.content):
                found.append((line, f"HTML: {piece.content}"))
            if piece.type == "image":
                found.append((line, f"image: {piece.content} {piece.attrs.get('title', '')}"))
            if piece.type == "link_open" and piece.attrs.get("title"):
                found.append((line, f"title of a link: {piece.attrs['title']}"))
    return sorted(found)


def grants(path: PurePosixPath, text: str) -> list[str]:
    """A sentence for each right that this file gives itself; also when it cannot be read."""
    is_json = path.suffix.casefold() == ".json"
    try:
        data = _settings(text) if is_json else front_matter(text)[0]
        found = [f"{key}: {_short(data[key])}" for key in ("allowed-tools", "hooks") if data.get(key)]
        if is_json:
            found += [f"{key}: {_short(data[key])}" for key in ("mcpServers", "servers") if data.get(key)]
            allow = (data.get("permissions") or {}).get("allow") or []
            found += [f"approved in advance: {_short(tool)}" for tool in ([allow] if isinstance(allow, str) else allow)]
            opened = [t for t in data.get("tasks") or [] if (t.get("runOptions") or {}).get("runOn") == "folderOpen"]
            found += [f"starts when the folder is opened: {_short(task)}" for task in opened]
            if data.get("enableAllProjectMcpServers"):
                found.append("approves every tool server of the repository")
        return found
    except (ValueError, AttributeError, TypeError) as error:
        return [f"cannot be read, and an agent may read it all the same: {error}"]


def front_matter(text: str) -> tuple[dict, int]:
    """The front matter (keys in lower case) and how many lines it takes; ({}, 0) without one. Raises ValueError."""
    if not re.match(r"\ufeff?---[ \t]*\r?\n", text):
        return {}, 0
    block = re.match(r"\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", text, re.DOTALL | re.MULTILINE)
    if block is None:
        raise ValueError("the front matter never ends")
    quoted = re.sub(r"^globs:[ \t]*(\*[^\r\n]*)", lambda m: "globs: " + json.dumps(m[1]), block[1], flags=re.MULTILINE)
    try:  # editors write their patterns without the quotes that YAML wants; the line above adds them
        node, data = yaml.compose(quoted), yaml.safe_load(quoted)
    except yaml.YAMLError as error:
        raise ValueError("the front matter is no YAML") from error
    if node is None:
        return {}, block[0].count("\n") + 1
    if not isinstance(data, dict):
        raise ValueError("the front matter is not made of keys and values")
    keys = [key.value for key, _ in node.value]
    if len(keys) != len(set(keys)):
        raise ValueError("a key of the front matter is given twice")
    return {str(k).lower().replace("_", "-"): v for k, v in data.items()}, block[0].count("\n") + 1


def findings(path: str, data: bytes) -> list[Finding]:
    """What is wrong with one file that agents read."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [Finding(path, 1, error.start + 1, "is not UTF-8.", "Save it as UTF-8.")]
    text = text.removeprefix("\ufeff")
    found = [_hidden_run(path, text, run) for run in _runs(text, hidden(text))]
    for lone in re.finditer(r"\r(?!\n)", text):
        found.append(Finding(path, *_place(text, lone.start()), "a carriage return alone, which hides the line before it on a terminal.", "Delete it."))  # fmt: skip
    for sentence in grants(PurePosixPath(path), text):
        key, _, value = sentence.partition(": ")
        needle = {"approved in advance": value, "starts when the folder is opened": "folderOpen"}.get(key, key)
        place = _place(text, max(text.casefold().find(needle.casefold()), 0))
        repair = "Mend it" if key.startswith("cannot be read") else "Delete it"
        found.append(Finding(path, *place, f"{_clean(sentence)}.", f"{repair}, or let its owner decide (--allow)."))
    if PurePosixPath(path).suffix.casefold() != ".json":
        try:
            skipped = front_matter(text)[1]
        except ValueError:
            skipped = 0
        lines = text.split("\n")
        for line, words in unshown("\n".join(lines[skipped:])):
            source, needle = lines[skipped + line - 1], words.split(": ", 1)[1].strip().split("\n")[0][:12]
            column = max(source.casefold().find(needle.casefold()), 0) + 1
            found.append(Finding(path, skipped + line, column, f"the page does not show: {_clean(words)}.", "Delete it, or say it in plain text."))  # fmt: skip
        for line, command in _run_at_once("\n".join(lines[skipped:])):
            column = max(lines[skipped + line - 1].find("!`"), 0) + 1
            found.append(Finding(path, skipped + line, column, f"some agents run this when they load the file: {_clean(command)}.", "Write the command without the exclamation mark."))  # fmt: skip
    return sorted(found)


def main(arguments: list[str] | None = None) -> int:
    """Lint the given folders and files; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0], prog="lint_agent_files.py")
    parser.add_argument("paths", nargs="+", type=Path, help="a repository's folder, or files")
    parser.add_argument("--list", action="store_true", help="print which files agents read, and stop")
    parser.add_argument("--allow", type=Path, help="file with the digests of the files whose owner has decided")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return 2 if stop.code else 0
    try:
        allowed = _allowed(options.allow) if options.allow else {}
        files = [file for path in options.paths for file in _files(path)]
        found: list[Finding] = []
        for shown, file in files:
            if options.list:
                print(shown)
                continue
            here = findings(shown, file.read_bytes())
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if shown in allowed and allowed[shown][1] == digest and here:
                del allowed[shown]
            else:
                found += here
    except (OSError, ValueError) as error:
        print(f"lint_agent_files.py: {_clean(str(error))}", file=sys.stderr)
        return 2
    if options.list:
        return 0
    for shown, (line, _) in allowed.items():
        found.append(Finding(str(options.allow), line, 1, f"{shown} is allowed with other bytes, or has no finding.", "Look at it again, or delete this line."))  # fmt: skip
    for finding in sorted(found):
        print(finding)
    print(f"files that agents read: {len(files)}, findings: {len(found)}")
    return 1 if found else 0


def _files(start: Path) -> list[tuple[str, Path]]:
    """(shown path, file) of what is to be read below a folder, or of the one file that is given."""
    if start.is_file():
        return [(start.as_posix(), start)]
    if not start.is_dir():
        raise ValueError(f"{start} is neither a file nor a folder")
    chosen = []
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            file = Path(folder, name)
            relative = PurePosixPath(file.relative_to(start).as_posix())
            if not reads(relative):
                continue
            if file.is_symlink() and not file.resolve().is_relative_to(start.resolve()):
                raise ValueError(f"{relative} is a link that leaves the repository; replace it by a file")
            chosen.append((str(relative), file))
    return sorted(chosen)


def _allowed(file: Path) -> dict[str, tuple[int, str]]:
    """{path: (line, digest)} from the owner's list."""
    allowed = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry = re.fullmatch(r"([0-9a-f]{64})\s+(\S+)\s+#\s*(\S.*)", line.strip())
        if entry is None:
            raise ValueError(f"{file}:{number}: expected: SHA-256  path  # who decided, and why")
        allowed[entry[2]] = (number, entry[1])
    return allowed


def _runs(text: str, places: list[int]) -> list[list[int]]:
    """Neighbors in one run, so that a hidden sentence is one finding."""
    runs: list[list[int]] = []
    for at in places:
        if runs and at == runs[-1][-1] + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _hidden_run(path: str, text: str, run: list[int]) -> Finding:
    chars = [text[at] for at in run]
    name = f"U+{ord(chars[0]):04X} {unicodedata.name(chars[0], 'without a name')}"
    what = f"hidden: {name}" + (f" and {len(run) - 1} more" if len(run) > 1 else "")
    said = _decoded(chars)
    return Finding(path, *_place(text, run[0]), f"{what}{f', which spell {said!r}' if said else ''}.", "Delete them, and ask who put them there (git log -S).")  # fmt: skip


def _decoded(chars: list[str]) -> str:
    """What a run spells in tag characters, variation selectors or zero-width bits, if it is readable."""
    tags = "".join(chr(ord(c) - 0xE0000) for c in chars if 0xE0020 <= ord(c) <= 0xE007E)
    codes = [ord(c) for c in chars]
    selectors = bytes(
        c - 0xFE00 if c <= 0xFE0F else c - 0xE0100 + 16
        for c in codes
        if 0xFE00 <= c <= 0xFE0F or 0xE0100 <= c <= 0xE01EF
    ).decode("utf-8", "replace")
    bits = "".join({"\u200b": "0", "\u200c": "1"}.get(c, "") for c in chars)
    binary = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)).decode("utf-8", "replace")
    readable = [s for s in (tags, selectors, binary) if len(s) > 2 and s.isprintable() and "\ufffd" not in s]
    return _clean(max(readable, key=len, default=""))


def _place(text: str, at: int) -> tuple[int, int]:
    """Line and column of a place, both from 1."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


def _clean(words: str) -> str:
    """One line, of bounded length, in which every invisible character is spelled out."""
    words = "".join(f"[U+{ord(c):04X}]" if invisible(c) else c for c in " ".join(words.split()))
    return words if len(words) <= 160 else words[:157] + "..."


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _settings(text: str) -> dict:
    """Settings with comments and trailing commas, as editors allow them. Raises ValueError."""
    pattern = r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])'
    plain = re.sub(pattern, lambda m: m[1] or "", text.removeprefix("\ufeff"), flags=re.DOTALL)
    data = json.loads(plain, object_pairs_hook=_once)
    if not isinstance(data, dict):
        raise ValueError("the settings are no JSON object")
    return data


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The dict of these pairs. A key given twice is refused: one reader takes the first value, another the last."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key of the settings is given twice")
    return dict(pairs)


def _run_at_once(text: str) -> list[tuple[int, str]]:
    """(line, command) for each command in backticks right after an exclamation mark that begins a word."""
    found = []
    for token in MARKDOWN.parse(text):
        children = token.children or []
        for before, piece in itertools.pairwise(children):
            if piece.type == "code_inline" and re.search(r"(^|\s)!$", before.content) and token.map:
                found.append((token.map[0] + 1, piece.content))
    return found


def _hides(source: str) -> bool:
    """Whether HTML holds more than short bare tags: a comment, a declaration, attributes, an element that is not shown."""
    rest = re.sub(r"</?([A-Za-z][\w-]{0,23})\s*/?>", lambda tag: tag[0] if tag[1].lower() in QUIET else "", source)
    return re.search(r"<[!?/A-Za-z]", rest) is not None


def _script(char: str) -> str:
    drawn = unicodedata.category(char)[0] in "LM" and not invisible(char)
    return unicodedata.name(char, "").split(" ")[0] if drawn else ""


def _picture(char: str) -> bool:
    blocks = 0x1F000 <= ord(char) <= 0x1FAFF or 0x2190 <= ord(char) <= 0x2BFF
    more = char in "\u203c\u2049\u2139\u3030\u303d"
    return not invisible(char) and (blocks or more or unicodedata.category(char) == "So")


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a console that knows no emoji must not stop the linter
    sys.exit(main())

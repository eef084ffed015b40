"""A page as plain Markdown, for readers without a browser: assistants, the MCP server, a terminal.

What the site generator would do is done here, and what only the stylesheet understands is left out:

    --8<-- "proved.md"                  the included file
    ??? success "Solution"              **Solution**, then the body, no longer set in
    ``` { .python .pg-attack title="Attack" }   **Attack**, then ```python
    <div class="pg-output">...</div>    Output: and a fenced block
    <dl>, <svg>, <form>, { .classes }   a list, the figure's words, nothing, nothing
"""

import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from proving.paths import Tree

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
_FOLDED = re.compile(r'^( *)(?:\?\?\?\+?|!!!) +([\w-]+)[^"]*(?:"(.*)")? *$')
_INCLUDE = re.compile(r'^ *-+8<-+ +"([^"]+)" *$', re.MULTILINE)
_OUTPUT = re.compile(
    r'<div class="pg-output[^"]*">(?:<p[^>]*>(.*?)</p>)?<pre><code>(.*?)</code></pre></div>', re.DOTALL
)
_TERM = re.compile(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", re.DOTALL)
_HIDDEN = re.compile(r"<(form|style|script)\b.*?</\1>|<p\b[^>]* hidden\b[^>]*>.*?</p>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?(?:p|div|span|ul|ol|li|strong|em|b|i|br|figure|figcaption|details|summary|section)\b[^>]*>")
_ANY_TAG = re.compile(r"<[^>]+>")
_ATTRIBUTES = re.compile(r"(?<=[)\]`*])\{:? *[.#a-z][^}\n]*\}")
_ATTRIBUTE_LINE = re.compile(r"^ *\{:? *[.#][^}\n]*\} *$\n?", re.MULTILINE)
MOST_INCLUDES = 5


@dataclass(frozen=True)
class Document:
    """One page. `source` is its file below docs/; `data` is its front matter; `text` is plain Markdown."""

    source: str
    title: str
    description: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def document(tree: Tree, source: str) -> Document:
    """Read the page docs/<source>. Raises OSError when it is not there."""
    raw = (tree.docs / source).read_text(encoding="utf-8")
    data, body = front_matter(raw)
    text = plain(body, tree.cache / "includes")
    heading = re.search(r"^# +(.+?)(?: *\{[^}]*\})? *$", text, re.MULTILINE)
    title = str(data.get("title") or (heading[1] if heading else Path(source).stem))
    description = str(data.get("description") or data.get("summary") or "")
    return Document(source, title, " ".join(description.split()), text, data)


def front_matter(raw: str) -> tuple[dict[str, Any], str]:
    """The data at the head of a page and the text below. A head that is no mapping counts as text."""
    match = re.match(r"---\r?\n(.*?)^---[ \t]*\r?\n?", raw, re.DOTALL | re.MULTILINE)
    if not match:
        return {}, raw
    try:
        data = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return {}, raw
    return (data, raw[match.end() :]) if isinstance(data, dict) else ({}, raw)


def plain(text: str, includes: Path) -> str:
    """Markdown as the site generator reads it, made Markdown that anything reads."""
    text = _unfold(_included(text, includes, MOST_INCLUDES))
    parts = [part if fenced else _prose(part) for fenced, part in _split(text)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip() + "\n"


def _included(text: str, includes: Path, depth: int) -> str:
    """Put in what the page includes. A path that leaves the folder, or leads nowhere, gives nothing."""

    def content(match: re.Match[str]) -> str:
        path = (includes / match[1]).resolve()
        if not depth or not path.is_relative_to(includes.resolve()) or not path.is_file():
            return ""
        return _included(path.read_text(encoding="utf-8"), includes, depth - 1)

    parts = [p if fenced else _INCLUDE.sub(content, p) for fenced, p in _split(text, tidy=False)] if depth else [text]
    return "\n".join(parts)


def _unfold(text: str) -> str:
    """Folded parts and callouts: the title in bold, the body brought back to the margin."""
    out: list[str] = []
    lines = text.split("\n")
    fence, at = "", 0
    while at < len(lines):
        line = lines[at]
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[2].startswith(fence) and not mark[3].strip())):
            fence = "" if fence else mark[2]
        folded = None if fence else _FOLDED.match(line)
        at += 1
        if not folded:
            out.append(line)
            continue
        inset = folded[1] + "    "
        body = []
        while at < len(lines) and (not lines[at].strip() or lines[at].startswith(inset)):
            body.append(folded[1] + lines[at][len(inset) :] if lines[at].strip() else "")
            at += 1
        title = folded[3] if folded[3] is not None else folded[2].capitalize()
        out += [f"{folded[1]}**{title}**", "", _unfold("\n".join(body))]
    return "\n".join(out)


def _split(text: str, *, tidy: bool = True) -> list[tuple[bool, str]]:
    """The text in pieces that are fenced blocks or are not. `tidy` names the block in plain words."""
    pieces: list[tuple[bool, list[str]]] = [(False, [])]
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[2]
            pieces.append((True, _head(mark) if tidy else [line]))
        elif mark and mark[2].startswith(fence) and not mark[3].strip():
            pieces[-1][1].append(line)
            pieces.append((False, []))
            fence = ""
        else:
            pieces[-1][1].append(line)
    return [(fenced, "\n".join(lines)) for fenced, lines in pieces if lines]


def _head(mark: re.Match[str]) -> list[str]:
    """The first line of a fenced block: its language, after its title where it has one."""
    indent, ticks, info = mark[1], mark[2], mark[3].strip()
    title = re.search(r'title="([^"]*)"', info)
    language = re.match(r"(?:\{ *\.)?([\w+#-]*)", info)
    first = f"{indent}{ticks}{language[1] if language else ''}"
    return [f"{indent}**{title[1]}**", "", first] if title else [first]


def _prose(text: str) -> str:
    text = _OUTPUT.sub(_output, text)
    pieces = [part if fenced else _tags(part) for fenced, part in _split(text, tidy=False)]
    return "\n".join(pieces)


def _output(match: re.Match[str]) -> str:
    name = html.unescape(_ANY_TAG.sub("", match[1] or "Output"))
    shown = html.unescape(_ANY_TAG.sub("", match[2])).strip("\n")
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", shown)), default=0))
    return f"\n**{name}**\n\n{ticks}text\n{shown}\n{ticks}\n"


def _tags(text: str) -> str:
    text = _HIDDEN.sub("", text)
    text = re.sub(r"<svg\b.*?</svg>", _figure, text, flags=re.DOTALL)
    text = re.sub(r"<dl\b.*?</dl>", _terms, text, flags=re.DOTALL)
    text = _ATTRIBUTES.sub("", _ATTRIBUTE_LINE.sub("", text))
    return "\n".join(html.unescape(_TAG.sub("", line)) if _TAG.search(line) else line for line in text.split("\n"))


def _figure(match: re.Match[str]) -> str:
    words = [
        html.unescape(m) for m in re.findall(r"<(?:title|desc)\b[^>]*>(.*?)</(?:title|desc)>", match[0], re.DOTALL)
    ]
    label = re.search(r'aria-label="([^"]*)"', match[0])
    words += [html.unescape(label[1])] if label and not words else []
    return f"Figure: {' '.join(' '.join(words).split())}" if words else ""


def _terms(match: re.Match[str]) -> str:
    rows = [
        f"- {html.unescape(_ANY_TAG.sub('', name))}: {html.unescape(_ANY_TAG.sub('', value))}"
        for name, value in _TERM.findall(match[0])
    ]
    return "\n".join(rows)

"""What the handbook has to know of a PDF: how many pages it has, and on which one a named place lies.

This reads what Chromium writes (Skia: one cross-reference table, dictionaries in the clear), by the table's offsets, so
nothing in a compressed stream is mistaken for structure. It is no reader for the PDFs of others.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_ENTRY = re.compile(rb"(\d{10}) \d{5} ([nf])")
_DAY = re.compile(rb"(/(?:Creation|Mod)Date \(D:)\d{14}")


class Unreadable(Exception):
    """The file is not built as expected; the text names the part that is missing."""


@dataclass(frozen=True)
class Printed:
    """`destinations`: the page, counted from 1, of each named place."""

    pages: int
    destinations: dict[str, int]


def read(data: bytes) -> Printed:
    """Pages and places of a PDF that Chromium printed. Raises `Unreadable`."""
    offsets, trailer = _table(data)

    def body(number: int) -> bytes:
        if number not in offsets:
            raise Unreadable(f"object {number} is missing")
        end = data.find(b"endobj", offsets[number])
        return data[offsets[number] : end]

    def reference(text: bytes, name: bytes) -> int:
        match = re.search(rb"/" + name + rb" (\d+) 0 R", text)
        if not match:
            raise Unreadable(f"/{name.decode()} is missing")
        return int(match[1])

    root = body(reference(trailer, b"Root"))
    pages = _pages(body, reference(root, b"Pages"), set())
    order = {number: at for at, number in enumerate(pages, 1)}
    places = re.findall(rb"/([^\s\[\]<>()/]+) \[(\d+) 0 R", body(reference(root, b"Dests")))
    try:
        return Printed(len(pages), {name.decode("ascii"): order[int(page)] for name, page in places})
    except (KeyError, UnicodeDecodeError) as error:
        raise Unreadable(f"a named place is on no page ({error})") from error


def without_day(data: bytes) -> bytes:
    """The same PDF without the day it was printed, so that the same pages give the same bytes."""
    return _DAY.sub(rb"\g<1>20000101000000", data)


def _table(data: bytes) -> tuple[dict[int, int], bytes]:
    """Where each object begins, and the trailer."""
    starts = re.findall(rb"startxref\s+(\d+)\s+%%EOF", data)
    at = int(starts[-1]) if starts else len(data)
    head = re.match(rb"xref\s+0 (\d+)\s+", data[at : at + 40])
    if not head:
        raise Unreadable("the cross-reference table is missing")
    end = data.find(b"trailer", at)
    entries = _ENTRY.findall(data[at + head.end() : end])
    return {number: int(offset) for number, (offset, kind) in enumerate(entries) if kind == b"n"}, data[end:]


def _pages(body: Callable[[int], bytes], number: int, seen: set[int]) -> list[int]:
    """The pages below a node of the page tree, in order."""
    if number in seen:
        raise Unreadable("the page tree leads back to itself")
    seen.add(number)
    text = body(number)
    if b"/Type /Pages" not in text:
        return [number]
    kids = re.search(rb"/Kids \[([^\]]*)\]", text)
    if not kids:
        raise Unreadable("/Kids is missing")
    return [page for kid in re.findall(rb"(\d+) 0 R", kids[1]) for page in _pages(body, int(kid), seen)]

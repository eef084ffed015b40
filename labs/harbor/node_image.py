"""The /usr image of Harbor Goods' node: a small EROFS file system, written and read here.

    block 0     superblock (at byte 1024)
    block 1...  inodes, 32 bytes each; an inode's number is its place in this table
    then        directories and files, each from a block of its own

EROFS is the read-only file system of the Linux kernel. This is its plainest form: nothing
compressed, nothing shared, times and owners all zero, so the same files always give the same
bytes. `fsck.erofs` accepts the result. The reader takes a function that returns block n, so it
does not care whether the blocks below it were verified.
"""

import hashlib
import json
import struct
from collections.abc import Callable

BLOCK = 4096
POLICY = "share/order-desk/policy.json"

_SUPERBLOCK = struct.Struct("<IIIBBHQQIIII16s16sIHHHBBIQB23x")
_INODE = struct.Struct("<HHHHIIIIHHI")
_ENTRY = struct.Struct("<QHBB")
_MAGIC, _HAS_CHECKSUM = 0xE0F5E1E2, 1
_INODES_AT = 1
_FILE, _FOLDER = 1, 2
_MODES = {_FILE: 0o100444, _FOLDER: 0o040555}


def build(refund_limit: int = 100) -> bytes:
    """The image of one release of the node, 300 blocks long."""
    policy = {"refund_limit_usd": refund_limit, "refund_to": "the card that paid", "ask_a_person_above_usd": 50}
    return write_erofs(
        {
            POLICY: json.dumps(policy, indent=2).encode() + b"\n",
            "share/order-desk/instructions.txt": b"Answer politely. Look the order up before you refund it.\n",
            "share/mail-router/weights.bin": hashlib.shake_256(b"mail-router").digest(290 * BLOCK),
            "lib/os-release": b"ID=harbor-node\nVERSION_ID=2026.11\n",
        }
    )


def blocks_of(image: bytes) -> list[bytes]:
    """The image in blocks of 4096 bytes."""
    return [image[at : at + BLOCK] for at in range(0, len(image), BLOCK)]


def write_erofs(files: dict[str, bytes]) -> bytes:
    """An EROFS image that holds `files`, {path without a leading slash: contents}."""
    folders: dict[str, dict[str, str]] = {"": {}}
    for path in sorted(files):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folders.setdefault("/".join(parts[:depth]), {})
        for depth in range(len(parts)):
            folders["/".join(parts[:depth])][parts[depth]] = "/".join(parts[: depth + 1])
    paths = [*folders, *sorted(files)]
    number = {path: place for place, path in enumerate(paths)}

    contents = dict(files)
    for folder, names in folders.items():
        parent = folder.rpartition("/")[0]
        entries = {".": folder, "..": parent} | names
        contents[folder] = _directory([(n, number[p], _FOLDER if p in folders else _FILE) for n, p in entries.items()])

    inode_blocks = -(-len(paths) * _INODE.size // BLOCK)
    next_block, inodes, body = _INODES_AT + inode_blocks, b"", b""
    for path in paths:
        content, kind = contents[path], _FOLDER if path in folders else _FILE
        links = 2 + sum(child in folders for child in folders[path].values()) if kind == _FOLDER else 1
        inodes += _INODE.pack(0, 0, _MODES[kind], links, len(content), 0, next_block, number[path] + 1, 0, 0, 0)
        padded = _pad(content)
        body += padded
        next_block += len(padded) // BLOCK
    return _superblock(len(paths), next_block) + _pad(inodes) + body


def read_file(read_block: Callable[[int], bytes], path: str) -> bytes:
    """The contents of the file `path`, out of the blocks that `read_block(n)` returns.

    Raises ValueError when block 0 is no EROFS superblock, FileNotFoundError when there is no such file.
    """
    fields = _SUPERBLOCK.unpack_from(read_block(0), 1024)
    if fields[0] != _MAGIC:
        raise ValueError("no EROFS superblock in block 0")
    number = fields[5]
    for name in path.split("/"):
        listing = _content(read_block, number)
        found = [entry for entry, kept in _entries(listing) if kept == name.encode()]
        if not found:
            raise FileNotFoundError(path)
        number = found[0]
    return _content(read_block, number)


def _pad(content: bytes) -> bytes:
    return content.ljust(-(-len(content) // BLOCK) * BLOCK, b"\0")


def _superblock(inodes: int, blocks: int) -> bytes:
    fields: list[int | bytes] = [_MAGIC, 0, _HAS_CHECKSUM, 12, 0, 0, inodes, 0, 0, blocks, _INODES_AT, 0]
    fields += [b"harbor goods usr", b"harbor-node", 0, 0, 0, 0, 0, 0, 0, 0, 0]
    block = (bytes(1024) + _SUPERBLOCK.pack(*fields)).ljust(BLOCK, b"\0")
    return block[:1028] + struct.pack("<I", _crc32c(block[1024:])) + block[1032:]


def _crc32c(data: bytes) -> int:
    """CRC-32C as EROFS keeps it: all ones at the start, not inverted at the end. Finds accidents, no attackers."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def _directory(entries: list[tuple[str, int, int]]) -> bytes:
    """One directory block: the entries, sorted by name, then the names."""
    named = sorted((name.encode(), number, kind) for name, number, kind in entries)
    names_at = _ENTRY.size * len(named)
    head = tail = b""
    for name, number, kind in named:
        head += _ENTRY.pack(number, names_at + len(tail), kind, 0)
        tail += name
    if len(head + tail) > BLOCK:
        raise ValueError("a directory of more than one block: this writer stays small")
    return head + tail


def _content(read_block: Callable[[int], bytes], number: int) -> bytes:
    block, offset = divmod(number * _INODE.size, BLOCK)
    fields = _INODE.unpack_from(read_block(_INODES_AT + block), offset)
    size, first = fields[4], fields[6]
    return b"".join(read_block(first + i) for i in range(-(-size // BLOCK)))[:size]


def _entries(listing: bytes) -> list[tuple[int, bytes]]:
    count = _ENTRY.unpack_from(listing)[1] // _ENTRY.size
    heads = [_ENTRY.unpack_from(listing, i * _ENTRY.size) for i in range(count)]
    ends = [head[1] for head in heads[1:]] + [len(listing)]
    return [(head[0], listing[head[1] : end]) for head, end in zip(heads, ends, strict=True)]

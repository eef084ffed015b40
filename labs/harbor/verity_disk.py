"""A disk as dm-verity lays it out, in three files of one folder.

    usr.img        the data, in blocks of 4096 bytes
    usr.verity     block 0: superblock; then the hash levels, the top level first
    usr.roothash   a text file with the root hash, as many recipes leave it lying there

Levels are numbered from the bottom: level 0 holds the digests of the data blocks. Nothing here
verifies anything. `Disk` hands out what the files hold at that moment, as a disk does.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

BLOCK = 4096
DIGESTS_A_BLOCK = 128

# signature, version, hash type, UUID, algorithm, data block, hash block, data blocks, salt's length, salt
_SUPERBLOCK = struct.Struct("<8sII16s32sIIQH6x256s168x")


def hash_area(levels: list[list[bytes]], data_blocks: int, salt: bytes, uuid: str) -> bytes:
    """The bytes of usr.verity. `levels` begins with level 0, the disk with the top."""
    superblock = _SUPERBLOCK.pack(
        b"verity\0\0", 1, 1, UUID(uuid).bytes, b"sha256", BLOCK, BLOCK, data_blocks, len(salt), salt
    )
    return superblock.ljust(BLOCK, b"\0") + b"".join(b"".join(level) for level in reversed(levels))


def write_disk(folder: Path, blocks: list[bytes], levels: list[list[bytes]], root: bytes, salt: bytes) -> "Disk":
    """Write the three files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    uuid = "68617262-6f72-4000-8000-000000000001"
    (folder / "usr.img").write_bytes(b"".join(blocks))
    (folder / "usr.verity").write_bytes(hash_area(levels, len(blocks), salt, uuid))
    (folder / "usr.roothash").write_text(root.hex() + "\n", encoding="ascii")
    return Disk.open(folder)


@dataclass(frozen=True)
class Disk:
    """What a driver learns when it opens the disk. All of it comes from the disk itself."""

    folder: Path
    data_blocks: int
    salt: bytes

    @classmethod
    def open(cls, folder: Path) -> "Disk":
        """Read the superblock in `folder`. Raises ValueError when it is none that this lab knows."""
        with (folder / "usr.verity").open("rb") as file:
            fields = _SUPERBLOCK.unpack(file.read(_SUPERBLOCK.size))
        signature, version, hash_type, _, algorithm, data_size, hash_size, data_blocks, salt_size, salt = fields
        known = (b"verity\0\0", 1, 1, b"sha256", BLOCK, BLOCK)
        if (signature, version, hash_type, algorithm.rstrip(b"\0"), data_size, hash_size) != known:
            raise ValueError("not a dm-verity superblock of version 1 with SHA-256 and blocks of 4096 bytes")
        return cls(folder, data_blocks, salt[:salt_size])

    @property
    def level_sizes(self) -> list[int]:
        """How many blocks each hash level has, level 0 first: [3, 1] for 300 data blocks."""
        sizes, below = [], self.data_blocks
        while below > 1:
            below = -(-below // DIGESTS_A_BLOCK)
            sizes.append(below)
        return sizes

    @property
    def claimed_root(self) -> bytes:
        """What the disk says its root hash is."""
        return bytes.fromhex((self.folder / "usr.roothash").read_text(encoding="ascii"))

    def superblock(self) -> bytes:
        """Block 0 of the hash area."""
        return self._read("usr.verity", 0)

    def data(self, n: int) -> bytes:
        """Data block `n`, unverified. Raises IndexError beyond the end."""
        if not 0 <= n < self.data_blocks:
            raise IndexError(f"data block {n} of {self.data_blocks}")
        return self._read("usr.img", n * BLOCK)

    def hash_block(self, level: int, index: int) -> bytes:
        """Block `index` of a hash level, unverified."""
        return self._read("usr.verity", self.hash_offset(level, index))

    def hash_offset(self, level: int, index: int) -> int:
        """Where that block begins in usr.verity: after the superblock and every level above."""
        return BLOCK * (1 + sum(self.level_sizes[level + 1 :]) + index)

    def _read(self, name: str, offset: int) -> bytes:
        with (self.folder / name).open("rb", buffering=0) as file:  # one block and no more, as a driver would
            file.seek(offset)
            return file.read(BLOCK)

# ---
# title: Verify every block
# summary: How does a node notice that somebody changed its read-only system image, and which block it was?
# track: host
# lesson: learn/host/immutable-hosts.md
# minutes: 50
# level: working
# needs: any
# browser: true
# threats: []
# controls: []
# versions: []
# protocols: []
# takeaway: check-node.sh
# sources:
#   - title: "Linux kernel: dm-verity"
#     url: https://docs.kernel.org/admin-guide/device-mapper/verity.html
#     read: 2026-11-23
#   - title: "cryptsetup: dm-verity on-disk format"
#     url: https://gitlab.com/cryptsetup/cryptsetup/wikis/DMVerity
#     read: 2026-11-23
#   - title: "systemd-veritysetup-generator(8)"
#     url: https://man7.org/linux/man-pages/man8/systemd-veritysetup-generator.8.html
#     read: 2026-11-23
#   - title: "Bottlerocket: security features"
#     url: https://github.com/bottlerocket-os/bottlerocket/blob/develop/SECURITY_FEATURES.md
#     read: 2026-11-23
#   - title: "Azure Container Linux overview"
#     url: https://learn.microsoft.com/azure/aks/azure-container-linux-overview
#     read: 2026-11-23
#   - title: "Flatcar issue 2126: Dirty Frag"
#     url: https://github.com/flatcar/Flatcar/issues/2126
#     read: 2026-11-23
#   - title: "AKS issue 5753: Copy Fail"
#     url: https://github.com/Azure/AKS/issues/5753
#     read: 2026-11-23
# verified: 2026-11-23
# ---

# %% [markdown]
# Harbor Goods is a web shop of 14 people. Its `order-desk` agent runs on one node, and the files that bind the agent
# lie in the node's system image, below `/usr`: among them a policy that says how much the agent may refund. The image
# is mounted read-only. The team calls the node *immutable*.
#
# Read-only is a promise of the mount: nobody writes *through* it. Whoever can write the disk underneath is not asked.
# That may be a stolen storage credential, a backup job that restores the wrong snapshot, or a hypervisor.
#
# In this lab you change such an image, and then you build what Linux uses against it: **dm-verity**, a tree of hashes
# over all blocks of the disk. You write the tree in its real on-disk format, the verifier that checks each block when
# it is read, and the one line that makes all of it worth something. Your tree has to equal, byte for byte, what the
# `veritysetup` tool writes.

# %% tags=["setup"]
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from harbor import node_image
from harbor.node_image import POLICY, blocks_of, read_file
from harbor.verity_disk import BLOCK, DIGESTS_A_BLOCK, Disk, hash_area, write_disk
from labkit import begin, check, expect, landed, refused, works

lab = begin("verify-every-block")


class VerityError(Exception):
    """A block is not what its digest says. The text names the block."""


blocks = blocks_of(node_image.build())
print(f"The node's /usr image: {len(blocks)} blocks of {BLOCK} bytes, an EROFS file system.")
print(read_file(lambda n: blocks[n], POLICY).decode())

# %% [markdown]
# `read_file` is a reader for EROFS, the kernel's read-only file system. It gets a function that returns block *n*, and
# finds the file from there. Keep that picture: files above, numbered blocks below. dm-verity sits between the two.
#
# ## The attack: write to the disk, not through the mount
#
# The image lies in a file, as it does in a registry, a snapshot or a hypervisor's storage. The attacker replaces three
# bytes. No length changes, so the file system stays in order.

# %% tags=["attack"]
image_file = lab.dir / "plain.img"
image_file.write_bytes(b"".join(blocks))


def change_bytes(file: Path, old: bytes, new: bytes) -> None:
    """Replace `old` by `new`, of the same length, wherever it lies on the disk."""
    content = file.read_bytes()
    assert len(old) == len(new) and content.count(old) == 1
    file.write_bytes(content.replace(old, new))


def plain_block(n: int) -> bytes:
    """Block `n` of the disk, as it lies there."""
    with image_file.open("rb") as file:
        file.seek(n * BLOCK)
        return file.read(BLOCK)


change_bytes(image_file, b'"refund_limit_usd": 100', b'"refund_limit_usd": 900')
policy = json.loads(read_file(plain_block, POLICY))
assert policy["refund_limit_usd"] == 900
landed("order-desk may refund nine times as much", policy)

# %% [markdown]
# EROFS protects its own superblock with a checksum. It finds accidents; whoever writes the disk can compute it too, and
# here nobody had to.
#
# ## The tree
#
# One hash over the whole image would notice the change, but somebody would have to read the whole image before using
# any of it, at every boot. A tree answers for one block at a time:
#
# ```text
#                        root hash                 32 bytes, kept OUTSIDE this disk
#                            |
#                            | is the digest of
#                            v
# hash level 1          [ block 0 ]                3 digests, the rest zeros
#                      /     |     \
# hash level 0    [ 0 ]    [ 1 ]    [ 2 ]          up to 128 digests in each
#                 / | \    / | \    / | \
# data           0 .. 127 128 .. 255 256 .. 299    the image, 300 blocks
# ```
#
# To trust data block 200 you need the root hash and two hash blocks: level 1, block 0, and level 0, block 1.
#
# The format (dm-verity, hash type 1, SHA-256, blocks of 4096 bytes):
#
# - The digest of a block is SHA-256 over the **salt followed by the block**. The salt is chosen when the tree is made;
#   it is no secret.
# - A digest has 32 bytes, so a hash block holds **128** of them, in order. What is left over is **padded with zeros**
#   to 4096 bytes.
# - Levels are stacked until one block is left. **The root hash is the digest of that block.** An image of a single
#   block needs no level: its own digest is the root hash.
# - On the disk lie a superblock (salt, number of blocks, names of the methods), then the levels, the top one first.
#
# The file `veritysetup-vectors.json` holds what `veritysetup 2.6.1` computed for images from 1 to 16,385 blocks. The
# images are generated, so that you can make the same ones:

# %%
VECTORS = json.loads((lab.files / "veritysetup-vectors.json").read_text(encoding="utf-8"))["vectors"]


def vector_image(vector: dict) -> list[bytes]:
    """The blocks of the image that `veritysetup` was given for this vector."""
    if vector["fill"] == "zeros":
        return [bytes(BLOCK)] * vector["blocks"]
    return [sha256(b"harbor goods, block %d" % i).digest() * DIGESTS_A_BLOCK for i in range(vector["blocks"])]


def expect_root(found: bytes, root: bytes) -> None:
    """Raise VerityError unless the two root hashes are the same."""
    if found != root:
        raise VerityError("root hash")


for vector in VECTORS:
    print(
        f"{vector['blocks']:>6} blocks   salt {vector['salt'][:8] or '(empty)':<8}   root {vector['root_hash'][:16]}..."
    )

# %% [markdown]
# ## Hash one block
#
# Begin with the smallest image there is: one block, no tree.


# %% tags=["exercise"] id="hash-a-block" title="Hash one block" minutes=4
def hash_block(block: bytes, salt: bytes) -> bytes:
    """Return the digest of one block, 32 raw bytes: SHA-256 over the salt, then the block."""
    ### BEGIN SOLUTION
    return sha256(salt + block).digest()
    ### END SOLUTION


# %% tags=["check"] exercise="hash-a-block"
with check("hash-a-block"):
    salted, saltless = [vector for vector in VECTORS if vector["blocks"] == 1]
    (only_block,) = vector_image(salted)
    salt, root = bytes.fromhex(salted["salt"]), bytes.fromhex(salted["root_hash"])
    found = hash_block(only_block, salt)
    expect(
        isinstance(found, bytes),
        f"hash_block returned {type(found).__name__}; expected 32 raw bytes, as .digest() gives them.",
    )
    expect(
        len(found) == 32,
        f"hash_block returned {len(found)} bytes; expected 32 raw bytes: .digest() gives them, .hexdigest() spells them out.",
    )
    expect(
        found not in (sha256(only_block + salt).digest(), sha256(only_block).digest()),
        "The digest is that of the block with the salt behind it or left out; "
        "in hash type 1 the salt comes before the block.",
    )
    with works(
        "images of one block, with salt and without",
        hint="Compare with the format: SHA-256 over salt, then block, nothing left out; no key, so no HMAC.",
    ):
        expect_root(found, root)
        expect_root(hash_block(only_block, b""), bytes.fromhex(saltless["root_hash"]))
    ends_in_zeros = only_block[:-3] + bytes(3)
    with works("a block that ends in zeros", hint="Zeros are data as well: all 4096 bytes are hashed."):
        expect_root(hash_block(ends_in_zeros, salt), sha256(salt + ends_in_zeros).digest())
    with refused(
        "one block with one changed byte", by=VerityError, hint="The digest has to depend on every byte of the block."
    ):
        expect_root(hash_block(only_block[:-1] + b"!", salt), root)


# %% tags=["mistake"] exercise="hash-a-block" title="Salt after the data" catches="the salt comes before"
def hash_block(block: bytes, salt: bytes) -> bytes:
    return sha256(block + salt).digest()


# %% tags=["mistake"] exercise="hash-a-block" title="No salt at all" catches="behind it or left out"
def hash_block(block: bytes, salt: bytes) -> bytes:
    return sha256(block).digest()


# %% tags=["mistake"] exercise="hash-a-block" title="Hexadecimal text instead of bytes" catches="expected 32 raw bytes"
def hash_block(block: bytes, salt: bytes) -> str:
    return sha256(salt + block).hexdigest()


# %% tags=["mistake"] exercise="hash-a-block" title="HMAC, because salts and keys look alike" catches="No longer works: images of one block"
def hash_block(block: bytes, salt: bytes) -> bytes:
    import hmac

    return hmac.digest(salt, block, "sha256")


# %% tags=["mistake"] exercise="hash-a-block" title="Degenerate: hard-codes the visible root hash" catches="No longer works: images of one block"
def hash_block(block: bytes, salt: bytes) -> bytes:
    return bytes.fromhex(VECTORS[0]["root_hash"])


# %% tags=["mistake"] exercise="hash-a-block" title="Hashes the start of the block only, it is faster" catches="No longer works: images of one block"
def hash_block(block: bytes, salt: bytes) -> bytes:
    return sha256(salt + block[:512]).digest()


# %% [markdown] tags=["solution"] exercise="hash-a-block"
# One line. The order matters because both orders exist: hash type 0, the first format, put the salt behind the data.
# The salt makes the tree of this image differ from every other image's; it does not authenticate anything.

# %% [markdown]
# ## Hash the levels
#
# Now the tree. Pack the digests of one level into blocks, take the digests of those, and go on until one is left. The
# check compares your hash area with the one `veritysetup` wrote, byte for byte; `hash_area` puts superblock and levels
# into their order on the disk for you.


# %% tags=["exercise"] id="hash-levels" title="Hash the levels" minutes=9
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    """Return the hash levels over `blocks`, level 0 first, and the root hash.

    A level is a list of hash blocks of 4096 bytes each. One data block has no level.
    """
    ### BEGIN SOLUTION
    digests = [hash_block(block, salt) for block in blocks]
    levels = []
    while len(digests) > 1:
        groups = [digests[i : i + DIGESTS_A_BLOCK] for i in range(0, len(digests), DIGESTS_A_BLOCK)]
        level = [b"".join(group).ljust(BLOCK, b"\0") for group in groups]
        levels.append(level)
        digests = [hash_block(block, salt) for block in level]
    return levels, digests[0]
    ### END SOLUTION


# %% tags=["check"] exercise="hash-levels"
def kind(value: object) -> str:
    """What a value is made of, in words: `list of list of bytes`."""
    if isinstance(value, tuple):
        return f"({', '.join(kind(part) for part in value)})"
    return f"list of {kind(value[0])}" if isinstance(value, list) and value else type(value).__name__


with check("hash-levels"):
    for vector in VECTORS:
        count, salt = vector["blocks"], bytes.fromhex(vector["salt"])
        answer = hash_levels(vector_image(vector), salt)
        expect(
            kind(answer) in ("(list of list of bytes, bytes)", "(list, bytes)"),
            f"For {count} data block{'s' * (count > 1)} hash_levels returned {kind(answer)}; expected (list of list of bytes, "
            "bytes): first the levels, each a list of hash blocks, then the root hash as 32 raw bytes.",
        )
        levels, root = answer
        if count == 1:
            expect(
                not levels,
                "One data block came back with a hash level; expected none: its own digest is the root hash.",
            )
        odd = {len(block) for level in levels for block in level} - {BLOCK}
        expect(not odd, f"A hash block has {min(odd, default=0)} bytes; expected 4096: the rest is padded with zeros.")
        sizes, below = [], count
        while below > 1:
            below = -(-below // DIGESTS_A_BLOCK)
            sizes.append(below)
        expect(
            [len(level) for level in levels] == sizes,
            f"{count} data blocks gave levels of {[len(level) for level in levels]} blocks; expected {sizes}, level 0 first: "
            "pack 128 digests a block and go on until one block is left.",
        )
        expect(
            root.hex() == vector["root_hash"],
            f"The root hash over {count} blocks begins {root.hex()[:8]}, veritysetup's {vector['root_hash'][:8]}: "
            "it is the digest of the top block; digests stand in order, with zero bytes (not digests) behind the last.",
        )
        area = sha256(hash_area(levels, count, salt, vector["uuid"])).hexdigest()
        expect(
            area == vector["hash_area_sha256"],
            f"The root hash over {count} blocks is right, yet the levels are not the ones veritysetup wrote: "
            "compute the root hash from the levels you return.",
        )
    with works("300 blocks of the node's image", hint="The tree has to come out for any number of blocks."):
        levels, root = hash_levels(blocks, b"harbor goods")
        expect_root(hash_block(levels[-1][0], b"harbor goods"), root)
    with refused(
        "the image with 900 in place of 100", by=VerityError, hint="The root hash did not change with the data."
    ):
        expect_root(hash_levels(blocks_of(image_file.read_bytes()), b"harbor goods")[1], root)


# %% tags=["mistake"] exercise="hash-levels" title="The root hash as text" catches="then the root hash as 32 raw bytes"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while len(digests) > 1:
        levels.append([b"".join(digests[i : i + 128]).ljust(4096, b"\0") for i in range(0, len(digests), 128)])
        digests = [hash_block(block, salt) for block in levels[-1]]
    return levels, digests[0].hex()


# %% tags=["mistake"] exercise="hash-levels" title="All levels in one list" catches="returned (list of bytes, bytes)"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while len(digests) > 1:
        level = [b"".join(digests[i : i + 128]).ljust(4096, b"\0") for i in range(0, len(digests), 128)]
        levels += level
        digests = [hash_block(block, salt) for block in level]
    return levels, digests[0]


# %% tags=["mistake"] exercise="hash-levels" title="Root hash first" catches="first the levels"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while len(digests) > 1:
        levels.append([b"".join(digests[i : i + 128]).ljust(4096, b"\0") for i in range(0, len(digests), 128)])
        digests = [hash_block(block, salt) for block in levels[-1]]
    return digests[0], levels


# %% tags=["mistake"] exercise="hash-levels" title="Forgets the padding" catches="the rest is padded with zeros"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while len(digests) > 1:
        levels.append([b"".join(digests[i : i + 128]) for i in range(0, len(digests), 128)])
        digests = [hash_block(block, salt) for block in levels[-1]]
    return levels, digests[0]


# %% tags=["mistake"] exercise="hash-levels" title="Stops at the first level" catches="go on until one block is left"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests = [hash_block(block, salt) for block in blocks]
    if len(digests) == 1:
        return [], digests[0]
    level = [b"".join(digests[i : i + 128]).ljust(4096, b"\0") for i in range(0, len(digests), 128)]
    return [level], hash_block(level[0], salt)


# %% tags=["mistake"] exercise="hash-levels" title="Puts a hash block over a single data block too" catches="its own digest is the root hash"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while True:
        levels.append([b"".join(digests[i : i + 128]).ljust(4096, b"\0") for i in range(0, len(digests), 128)])
        digests = [hash_block(block, salt) for block in levels[-1]]
        if len(digests) == 1:
            return levels, digests[0]


# %% tags=["mistake"] exercise="hash-levels" title="Pads with the digests of empty blocks" catches="zero bytes (not digests) behind the last"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels, empty = [hash_block(block, salt) for block in blocks], [], hash_block(bytes(4096), salt)
    while len(digests) > 1:
        digests += [empty] * (-len(digests) % 128)
        levels.append([b"".join(digests[i : i + 128]) for i in range(0, len(digests), 128)])
        digests = [hash_block(block, salt) for block in levels[-1]]
    return levels, digests[0]


# %% tags=["mistake"] exercise="hash-levels" title="Two digests a node, as in a textbook Merkle tree" catches="pack 128 digests a block"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    digests, levels = [hash_block(block, salt) for block in blocks], []
    while len(digests) > 1:
        levels.append([b"".join(digests[i : i + 2]).ljust(4096, b"\0") for i in range(0, len(digests), 2)])
        digests = [hash_block(block, salt) for block in levels[-1]]
    return levels, digests[0]


# %% tags=["mistake"] exercise="hash-levels" title="Degenerate: one flat hash, no levels" catches="go on until one block is left"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    if len(blocks) == 1:
        return [], hash_block(blocks[0], salt)
    return [], sha256(salt + b"".join(blocks)).digest()


# %% tags=["mistake"] exercise="hash-levels" title="Degenerate: looks the root hash up by size" catches="the levels are not the ones veritysetup wrote"
def hash_levels(blocks: list[bytes], salt: bytes) -> tuple[list[list[bytes]], bytes]:
    for vector in VECTORS:
        if (vector["blocks"], vector["salt"]) == (len(blocks), salt.hex()):
            sizes, below = [], len(blocks)
            while below > 1:
                below = -(-below // 128)
                sizes.append(below)
            return [[bytes(4096)] * size for size in sizes], bytes.fromhex(vector["root_hash"])
    return [], bytes(32)


# %% [markdown] tags=["solution"] exercise="hash-levels"
# The loop condition does two jobs: it stops at the top, and it does nothing for a single block. 16,385 blocks, a little
# more than 64 MiB, are the first size that needs a third level.

# %% [markdown]
# ## Verify on read
#
# The build job of Harbor Goods writes image, tree and root hash. `Disk` hands the blocks out as they lie there; it
# verifies nothing.

# %%
SALT = sha256(b"harbor goods, release 2026.11").digest()
levels, ROOT = hash_levels(blocks, SALT)
node = write_disk(lab.dir / "node", blocks, levels, ROOT, SALT)
print("data blocks:", node.data_blocks, "  hash levels:", node.level_sizes, "(level 0 first)")
print("root hash:  ", ROOT.hex())


def copy_of(disk: Disk, name: str) -> Disk:
    """A second disk with the same contents, for somebody to change."""
    shutil.copytree(disk.folder, lab.dir / name, dirs_exist_ok=True)
    return Disk.open(lab.dir / name)


def overwrite(disk: Disk, file: str, offset: int, new: bytes) -> None:
    """Write `new` to one of the disk's files, at `offset`."""
    with (disk.folder / file).open("r+b") as handle:
        handle.seek(offset)
        handle.write(new)


# %% [markdown]
# `audit` reads the whole disk once, as `veritysetup verify` does, and counts what your verifier names. All that follows it
# are disks for the check, and you may skip them: a big one, two that lie, and copies that somebody has changed.


# %%
def audit(disk: Disk, root: bytes) -> dict[str, int]:
    """Read every block; return {name of a bad block: how many reads it spoiled}."""
    spoiled: Counter[str] = Counter()
    for n in range(disk.data_blocks):
        try:
            read_verified(disk, n, root)
        except VerityError as error:
            spoiled[str(error)] += 1
    return dict(spoiled)


@dataclass(frozen=True)
class BigDisk:
    """16,385 blocks of zeros and their tree, in memory: three hash levels."""

    levels: list[list[bytes]]
    salt: bytes
    data_blocks: int = 16385
    level_sizes: tuple[int, ...] = (129, 2, 1)

    def data(self, n: int) -> bytes:
        return bytes(BLOCK)

    def hash_block(self, level: int, index: int) -> bytes:
        return self.levels[level][index]


@dataclass(frozen=True)
class TwoFacedDisk(Disk):
    """Tells the truth when a data block is read for the first time, and lies from then on."""

    seen: set[int] = field(default_factory=set)

    def data(self, n: int) -> bytes:
        honest = super().data(n)
        if n in self.seen:
            return bytes(BLOCK)
        self.seen.add(n)
        return honest


@dataclass(frozen=True)
class ForgedDisk(Disk):
    """Holds other data. Its blocks of hash level 0 are honest on the first read, and fit the other data from then on."""

    seen: set[tuple[int, int]] = field(default_factory=set)

    def data(self, n: int) -> bytes:
        return bytes(BLOCK)

    def hash_block(self, level: int, index: int) -> bytes:
        if level == 0 and (level, index) in self.seen:
            return hash_block(bytes(BLOCK), self.salt) * DIGESTS_A_BLOCK
        self.seen.add((level, index))
        return super().hash_block(level, index)


BIG_LEVELS, BIG_ROOT = hash_levels([bytes(BLOCK)] * 16385, SALT)
SMALL = {}
for count in (1, 2, 129):
    small, small_root = hash_levels(blocks[:count], SALT)
    SMALL[count] = write_disk(lab.dir / f"small-{count}", blocks[:count], small, small_root, SALT), small_root

data_changed = copy_of(node, "data-changed")
overwrite(data_changed, "usr.img", 217 * BLOCK + 1000, b"#")
leaf_forged = copy_of(data_changed, "leaf-forged")
digest = hash_block(leaf_forged.data(217), SALT)
overwrite(leaf_forged, "usr.verity", leaf_forged.hash_offset(0, 1) + 32 * (217 - 128), digest)
top_forged = copy_of(leaf_forged, "top-forged")
digest = hash_block(top_forged.hash_block(0, 1), SALT)
overwrite(top_forged, "usr.verity", top_forged.hash_offset(1, 0) + 32, digest)
alone = copy_of(SMALL[1][0], "small-1-changed")
overwrite(alone, "usr.img", 1000, b"#")
longer = Disk(
    copy_of(node, "longer").folder, 301, SALT
)  # its superblock says so, and the root hash does not cover that
overwrite(longer, "usr.img", 300 * BLOCK, b"#" * BLOCK)
emptied = copy_of(node, "emptied")
overwrite(emptied, "usr.verity", emptied.hash_offset(0, 1), bytes(BLOCK))

# %% [markdown]
# Nobody checks the whole image at boot. The kernel checks each block **when it is read**, and goes from the top down:
# the root hash vouches for the top block, the top block for one block below, and so on to the data. The first block
# that is not what its digest says is the one to name. Whatever lies below it is neither good nor bad; nobody vouches
# for it any more.
#
# Where to look: one block of hash level *L* stands over 128 to the power *L* + 1 data blocks, and each of its 128 digests over
# 128 to the power *L* of them. For data block 200 of the image above:
#
# | from the top down | which block | which of its digests |
# |---|---|---|
# | hash level 1 | block 0, for 200 // 16384 is 0 | digest 1, for 200 // 128 is 1: that of block 1 of level 0 |
# | hash level 0 | block 1, for 200 // 128 is 1 | digest 72, for 200 % 128 is 72: that of data block 200 |
#
# Digest 72 of a hash block is `block[32 * 72 : 32 * 73]`. The root hash is handed in as `root`, 32 raw bytes.
# Remember nothing between two reads.


# %% tags=["exercise"] id="verify-on-read" title="Verify on read" minutes=13
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    """Return data block `n`, or raise VerityError with the name of the block that is wrong.

    The name is "hash level 1, block 0" or "data block 200". `disk.level_sizes`, `disk.salt`,
    `disk.hash_block(level, index)` and `disk.data(n)` say what lies on the disk.
    """
    ### BEGIN SOLUTION
    expected = root
    for level in reversed(range(len(disk.level_sizes))):
        index = n // DIGESTS_A_BLOCK ** (level + 1)
        block = disk.hash_block(level, index)
        if hash_block(block, disk.salt) != expected:
            raise VerityError(f"hash level {level}, block {index}")
        slot = n // DIGESTS_A_BLOCK**level % DIGESTS_A_BLOCK
        expected = block[32 * slot : 32 * slot + 32]
    block = disk.data(n)
    if hash_block(block, disk.salt) != expected:
        raise VerityError(f"data block {n}")
    return block
    ### END SOLUTION


# %% tags=["check"] exercise="verify-on-read"
with check("verify-on-read"):
    with works(
        "every block of an untouched disk",
        hint="Look at the indices: which hash block, and which of its 128 digests? And do you go from the top level down, "
        "with the root hash for the first block?",
    ):
        expect(all(read_verified(node, n, ROOT) == blocks[n] for n in range(300)), "A block came back changed.")
    for count, (disk, small_root) in SMALL.items():
        with works(
            f"a disk of {count} block{'s' * (count > 1)}",
            hint="The number of levels comes from the disk: 0, 1 or more.",
        ):
            expect(read_verified(disk, count - 1, small_root) == blocks[count - 1], "A block came back changed.")
    with works(
        "a disk of 16,385 blocks", hint="Three levels: a block of level L stands over 128 ** (L + 1) data blocks."
    ):
        for n in (0, 127, 128, 16383, 16384):
            read_verified(BigDisk(BIG_LEVELS, SALT), n, BIG_ROOT)

    two_faced = TwoFacedDisk(node.folder, node.data_blocks, node.salt)
    expect(
        read_verified(two_faced, 42, ROOT) == blocks[42],
        "A disk that lies on the second read got its lie through: hash and return the bytes of one and the same read.",
    )

    for what, disk, n, root, why in (
        (
            "one changed byte in data block 217",
            data_changed,
            217,
            ROOT,
            "The changed data was returned: compare the data block with its digest.",
        ),
        (
            "data block 217 together with its digest",
            leaf_forged,
            217,
            ROOT,
            "The digest was forged too: check each hash block against the one above.",
        ),
        (
            "the digests forged on every level",
            top_forged,
            217,
            ROOT,
            "Nothing compared the top block with the root hash.",
        ),
        (
            "one changed byte on a disk of one block",
            alone,
            0,
            SMALL[1][1],
            "A disk without hash levels was not checked at all: there the root hash is the digest of the data block.",
        ),
        (
            "a block that was put behind the 300, where the hash block has zeros",
            longer,
            300,
            ROOT,
            "Zeros in the place of a digest are the digest of nothing: compare with them too.",
        ),
        (
            "other data, and a hash block that fits it on the second read",
            ForgedDisk(node.folder, node.data_blocks, node.salt),
            42,
            ROOT,
            "One read was verified, and the digest came from another: take the digest out of the very bytes that were hashed.",
        ),
    ):
        with refused(what, by=VerityError, hint=why):
            read_verified(disk, n, root)

    found = audit(emptied, ROOT)
    expect(
        found,
        "One hash block was emptied, and the audit named none: the block was remembered from an earlier read of another disk. Read "
        "and verify it each time.",
    )
    expect(
        found == {"hash level 0, block 1": 128},
        f"One hash block was emptied. The audit named {len(found)} blocks, first {next(iter(found), 'none')!r}; "
        "expected only 'hash level 0, block 1', 128 times: go from the top down, and do not judge what lies below "
        "a bad hash block.",
    )
    found = audit(data_changed, ROOT)
    expect(found == {"data block 217": 1}, f"The audit named {found}; expected data block 217 and nothing else.")
    found = audit(top_forged, ROOT)
    expect(
        found == {"hash level 1, block 0": 300},
        f"The audit named {found}; expected only 'hash level 1, block 0': the level, and the index of the block that was read from it.",
    )


# %% tags=["mistake"] exercise="verify-on-read" title="Nothing to check where there is no tree" catches="A disk without hash levels was not checked"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    if not disk.level_sizes:
        return disk.data(n)
    expected = root
    for level in reversed(range(len(disk.level_sizes))):
        index = n // 128 ** (level + 1)
        block = disk.hash_block(level, index)
        if hash_block(block, disk.salt) != expected:
            raise VerityError(f"hash level {level}, block {index}")
        slot = n // 128**level % 128
        expected = block[32 * slot : 32 * slot + 32]
    block = disk.data(n)
    if hash_block(block, disk.salt) != expected:
        raise VerityError(f"data block {n}")
    return block


# %% tags=["mistake"] exercise="verify-on-read" title="From level 0 to the top, with the root hash for level 0" catches="do you go from the top level down"
# -     for level in reversed(range(len(disk.level_sizes))):
# +     for level in range(len(disk.level_sizes)):


# %% tags=["mistake"] exercise="verify-on-read" title="Checks the top block only" catches="The changed data was returned"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    if disk.level_sizes:
        top = len(disk.level_sizes) - 1
        if hash_block(disk.hash_block(top, 0), disk.salt) != root:
            raise VerityError(f"hash level {top}, block 0")
    return disk.data(n)


# %% tags=["mistake"] exercise="verify-on-read" title="Checks the hash blocks and trusts the data below them" catches="The changed data was returned"
# -     if hash_block(block, disk.salt) != expected:
# +     if not disk.level_sizes and hash_block(block, disk.salt) != expected:


# %% tags=["mistake"] exercise="verify-on-read" title="Checks the data against its digest and stops there" catches="The digest was forged too"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    block = disk.data(n)
    leaf = disk.hash_block(0, n // 128)[n % 128 * 32 : n % 128 * 32 + 32] if disk.level_sizes else root
    if hash_block(block, disk.salt) != leaf:
        raise VerityError(f"data block {n}")
    return block


# %% tags=["mistake"] exercise="verify-on-read" title="Climbs to the top and never compares the root hash" catches="Nothing compared the top block with the root hash"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    block = data = disk.data(n)
    name, place = f"data block {n}", n
    for level in range(len(disk.level_sizes)):
        place, slot = divmod(place, 128)
        above = disk.hash_block(level, place)
        if hash_block(block, disk.salt) != above[32 * slot : 32 * slot + 32]:
            raise VerityError(name)
        block, name = above, f"hash level {level}, block {place}"
    return data


# %% tags=["mistake"] exercise="verify-on-read" title="Goes from the bottom up" catches="go from the top down"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    block = data = disk.data(n)
    name, place = f"data block {n}", n
    for level in range(len(disk.level_sizes)):
        place, slot = divmod(place, 128)
        above = disk.hash_block(level, place)
        if hash_block(block, disk.salt) != above[32 * slot : 32 * slot + 32]:
            raise VerityError(name)
        block, name = above, f"hash level {level}, block {place}"
    if hash_block(block, disk.salt) != root:
        raise VerityError(name)
    return data


# %% tags=["mistake"] exercise="verify-on-read" title="Uses the data block's place in its group on every level" catches="No longer works: every block of an untouched disk"
# -         slot = n // DIGESTS_A_BLOCK**level % DIGESTS_A_BLOCK
# +         slot = n % DIGESTS_A_BLOCK


# %% tags=["mistake"] exercise="verify-on-read" title="Verifies one read and returns another" catches="got its lie through"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    expected = root
    for level in reversed(range(len(disk.level_sizes))):
        index = n // 128 ** (level + 1)
        if hash_block(disk.hash_block(level, index), disk.salt) != expected:
            raise VerityError(f"hash level {level}, block {index}")
        slot = n // 128**level % 128
        expected = disk.hash_block(level, index)[32 * slot : 32 * slot + 32]
    if hash_block(disk.data(n), disk.salt) != expected:
        raise VerityError(f"data block {n}")
    return disk.data(n)


# %% tags=["mistake"] exercise="verify-on-read" title="Reads a hash block once to verify it and once to use it" catches="take the digest out of the very bytes"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    expected = root
    for level in reversed(range(len(disk.level_sizes))):
        index = n // 128 ** (level + 1)
        if hash_block(disk.hash_block(level, index), disk.salt) != expected:
            raise VerityError(f"hash level {level}, block {index}")
        slot = n // 128**level % 128
        expected = disk.hash_block(level, index)[32 * slot : 32 * slot + 32]
    block = disk.data(n)
    if hash_block(block, disk.salt) != expected:
        raise VerityError(f"data block {n}")
    return block


# %% tags=["mistake"] exercise="verify-on-read" title="An empty digest is padding" catches="the digest of nothing"
# -     if hash_block(block, disk.salt) != expected:
# +     if any(expected) and hash_block(block, disk.salt) != expected:


# %% tags=["mistake"] exercise="verify-on-read" title="Knows two levels, because the visible disk has two" catches="No longer works: a disk of 1 block"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    top = disk.hash_block(1, 0)
    if hash_block(top, disk.salt) != root:
        raise VerityError("hash level 1, block 0")
    leaf = disk.hash_block(0, n // 128)
    if hash_block(leaf, disk.salt) != top[n // 128 * 32 : n // 128 * 32 + 32]:
        raise VerityError(f"hash level 0, block {n // 128}")
    block = disk.data(n)
    if hash_block(block, disk.salt) != leaf[n % 128 * 32 : n % 128 * 32 + 32]:
        raise VerityError(f"data block {n}")
    return block


# %% tags=["mistake"] exercise="verify-on-read" title="Degenerate: accepts everything" catches="The changed data was returned"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    return disk.data(n)


# %% tags=["mistake"] exercise="verify-on-read" title="Degenerate: refuses everything" catches="No longer works: every block of an untouched disk"
def read_verified(disk: Disk, n: int, root: bytes) -> bytes:
    raise VerityError(f"data block {n}")


# %% [markdown] tags=["solution"] exercise="verify-on-read"
# The kernel keeps hash blocks it has verified, so it does not walk the whole path for each read. The order is the same.
# On a mismatch it fails the read with an I/O error; with `panic_on_corruption` or `restart_on_corruption` it stops or
# restarts the machine instead.

# %% [markdown]
# ## The second attack: rebuild the tree
#
# Your verifier compares everything with a root hash. Where does that come from? Many build scripts leave it in a text
# file beside the tree, here `usr.roothash`, and the boot script reads it from there, as `disk.claimed_root` does. Whoever can
# write the image can also run `veritysetup format`: the attacker changes the policy and computes the whole tree again, with the
# same salt.

# %% tags=["attack"]
edited = blocks_of(image_file.read_bytes())
new_levels, new_root = hash_levels(edited, SALT)
rebuilt = write_disk(lab.dir / "rebuilt", edited, new_levels, new_root, SALT)

assert rebuilt.superblock() == node.superblock()
assert audit(rebuilt, rebuilt.claimed_root) == {}
policy = json.loads(read_file(lambda n: read_verified(rebuilt, n, rebuilt.claimed_root), POLICY))
landed("every block verified, and the limit is the attacker's", policy)

# %% [markdown]
# The superblock is the same to the byte and no block is bad: the tree proves that the disk agrees with itself. It says
# nothing about who wrote it. The root hash has to come from a place that the attacker cannot write.
#
# ## Pin the root hash
#
# That place is the kernel command line inside a **signed** unified kernel image (UKI): kernel, first file system and
# command line in one file, whose signature the firmware checks (Secure Boot). systemd takes the root hash for `/usr`
# from the word `usrhash=`. A command line is words with white space between them, a tab as well as a space; `rd.usrhash=` is
# another word, and none of ours. Our rule is stricter than systemd's: a word that begins with `usrhash=` stands there **exactly once**, and what
# follows is 64 hexadecimal digits (0 to 9, a to f; `A` to `F` is yours to take or not), or the node does not mount.
#
# The command line holds text, your verifier wants raw bytes: `bytes.fromhex(digits)` turns one into the other, and
# raises ValueError for what is not hexadecimal.

# %%
signed_cmdline = f"root=tmpfs mount.usrflags=ro usrhash={ROOT.hex()} systemd.verity_usr_options=panic-on-corruption"
print(signed_cmdline)

# For the check: the next release, and a copy of the node.
next_blocks = blocks_of(node_image.build(refund_limit=250))
next_levels, next_root = hash_levels(next_blocks, SALT)
next_node = write_disk(lab.dir / "next-release", next_blocks, next_levels, next_root, SALT)
touched = copy_of(node, "touched")


# %% tags=["exercise"] id="pin-the-root" title="Pin the root hash" minutes=10
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    """Return a function that reads one verified block of `disk`, for `read_file`.

    The root hash is the word `usrhash=` of the signed command line. Raise VerityError("root hash"), here and
    not at the first read, unless it stands there exactly once, with 64 hexadecimal digits.
    """
    ### BEGIN SOLUTION
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    root = bytes.fromhex(pinned[0])
    return lambda n: read_verified(disk, n, root)
    ### END SOLUTION


# %% tags=["check"] exercise="pin-the-root"
with check("pin-the-root"):
    with works(
        "the policy of an untouched node",
        hint="The honest disk has to mount under the command line it was built with. That holds the root hash as text; "
        "read_verified compares with raw bytes.",
    ):
        expect(
            json.loads(read_file(mount_usr(node, signed_cmdline), POLICY))["refund_limit_usd"] == 100,
            "The policy came back changed.",
        )

    with works(
        "the next release under its own command line",
        hint="Take the root hash from the `cmdline` that is passed in.",
    ):
        read_file(mount_usr(next_node, f"usrhash={next_root.hex()} quiet"), POLICY)

    with refused(
        "the rebuilt tree, signed command line unchanged",
        by=VerityError,
        hint="Policy, tree and superblock are the attacker's: the root hash must come from the command line, "
        "never from the disk.",
    ):
        read_file(mount_usr(rebuilt, signed_cmdline), POLICY)

    overwrite(touched, "usr.img", 7 * BLOCK, blocks[7] + blocks[8])
    read_block = mount_usr(touched, signed_cmdline)
    expect(read_block(7) == blocks[7], "A block came back changed.")
    overwrite(touched, "usr.img", 7 * BLOCK, b"#")
    overwrite(touched, "usr.img", 8 * BLOCK, b"#")
    for n, when in ((8, "after the mount"), (7, "after it was read once")):
        with refused(
            f"a byte changed {when}",
            by=VerityError,
            hint="It was checked before and not again: verify each block on each read.",
        ):
            read_block(n)

    with works("a command line with a tab and a newline", hint="Split it at any white space."):
        mount_usr(node, f"quiet\tusrhash={ROOT.hex()}\n")

    def mount(disk: Disk, cmdline: str) -> None:
        """Mount and read nothing; a refusal has to say what it is about."""
        try:
            mount_usr(disk, cmdline)
        except VerityError as error:
            expect(
                str(error) == "root hash",
                f'A command line that pins nothing was refused with VerityError("{error}"); expected VerityError("root hash"), '
                "so that whoever is on call looks at the command line and not for a bad block.",
            )
            raise

    late = False
    try:
        read_block = mount_usr(node, "root=tmpfs quiet")
    except VerityError:
        pass
    else:
        try:
            read_block(0)
        except VerityError:
            late = True
    expect(
        not late,
        "Without usrhash= the disk was mounted, and its first read was refused; expected that mount_usr itself raises: a node "
        "that cannot verify anything does not get as far as reading.",
    )
    pinned, evil = ROOT.hex(), new_root.hex()
    for what, disk, cmdline in (
        ("a command line without usrhash=", rebuilt, "root=tmpfs quiet"),
        ("an empty usrhash=", rebuilt, "usrhash= quiet"),
        ("the first 8 digits of a root hash", rebuilt, f"usrhash={evil[:8]}"),
        ("a second usrhash= behind the signed one", node, f"{signed_cmdline} usrhash={evil}"),
        ("a second usrhash= right behind the first", node, f"usrhash={pinned} usrhash={evil}"),
        ("a second usrhash= behind a tab", node, f"{signed_cmdline}\tusrhash={evil}"),
        ("the same usrhash= twice", node, f"{signed_cmdline} usrhash={pinned}"),
        ("two usrhash=, and the rebuilt tree", rebuilt, f"{signed_cmdline} usrhash={evil}"),
        ("an empty usrhash= behind the signed one", node, f"{signed_cmdline} usrhash="),
        ("a root hash with one digit too many", node, f"usrhash={pinned}0"),
        ("a root hash with two digits too many", node, f"usrhash={pinned}00"),
        ("a root hash with =1 behind it", node, f"usrhash={pinned}=1"),
        ("the word USRHASH=", rebuilt, f"USRHASH={evil}"),
        ("64 letters that are no hexadecimal digits", node, f"usrhash={'xy' * 32}"),
        ("a word that ends in usrhash=", rebuilt, f"notusrhash={evil}"),
        ("the word rd.usrhash=", rebuilt, f"rd.usrhash={evil}"),
    ):
        with refused(
            what,
            by=VerityError,
            hint="It was mounted. No single, complete usrhash= means no mount: nothing may stand in for the pinned root hash.",
        ):
            mount(disk, cmdline)


# %% tags=["mistake"] exercise="pin-the-root" title="Reads the root hash from the disk itself" catches="never from the disk"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    root = disk.claimed_root
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Computes the root hash from the top block of the disk" catches="never from the disk"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    root = hash_block(disk.hash_block(len(disk.level_sizes) - 1, 0), disk.salt)
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Compares the superblock, which the attacker kept" catches="never from the disk"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    if disk.superblock() != node.superblock():
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, disk.claimed_root)


# %% tags=["mistake"] exercise="pin-the-root" title="Compares names and sizes" catches="never from the disk"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    def sizes(folder: Path) -> dict[str, int]:
        return {file.name: file.stat().st_size for file in folder.iterdir()}

    if sizes(disk.folder) != sizes(node.folder):
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, disk.claimed_root)


# %% tags=["mistake"] exercise="pin-the-root" title="Falls back to the disk when nothing is pinned" catches="nothing may stand in for the pinned root hash"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = dict(word.split("=", 1) for word in cmdline.split() if "=" in word).get("usrhash")
    root = bytes.fromhex(pinned) if pinned else disk.claimed_root
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Compares only as many digits as are pinned" catches="nothing may stand in for the pinned root hash"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    root = disk.claimed_root
    if len(pinned) != 1 or not root.hex().startswith(pinned[0]):
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Takes the first of two words" catches="Got through: a second usrhash= behind the signed one"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    for word in cmdline.split():
        if re.fullmatch("usrhash=[0-9a-f]{64}", word):
            root = bytes.fromhex(word.removeprefix("usrhash="))
            return lambda n: read_verified(disk, n, root)
    raise VerityError("root hash")


# %% tags=["mistake"] exercise="pin-the-root" title="An empty word does not count" catches="Got through: an empty usrhash= behind the signed one"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if re.match("usrhash=.", word)]
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, bytes.fromhex(pinned[0]))


# %% tags=["mistake"] exercise="pin-the-root" title="Begins with 64 digits" catches="Got through: a root hash with one digit too many"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    if len(pinned) != 1 or not re.match("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, bytes.fromhex(pinned[0][:64]))


# %% tags=["mistake"] exercise="pin-the-root" title="The comparison will notice a wrong length" catches="Got through: an empty usrhash="
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    try:
        (root,) = map(bytes.fromhex, pinned)
    except ValueError as error:
        raise VerityError("root hash") from error
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Counts digits, and does not look at them" catches="Your code raised ValueError"
# -     if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
# +     if len(pinned) != 1 or len(pinned[0]) != 64:


# %% tags=["mistake"] exercise="pin-the-root" title="A point ends a word, too" catches="Got through: the word rd.usrhash="
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = re.findall(r"\busrhash=(\S*)", cmdline)
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    root = bytes.fromhex(pinned[0])
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Refuses with the name of a block" catches="so that whoever is on call looks at the command line"
# -         raise VerityError("root hash")
# +         raise VerityError("data block 0")


# %% tags=["mistake"] exercise="pin-the-root" title="Looks at the command line when a block is read" catches="expected that mount_usr itself raises"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    def read_block(n: int) -> bytes:
        pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
        if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
            raise VerityError("root hash")
        return read_verified(disk, n, bytes.fromhex(pinned[0]))

    return read_block


# %% tags=["mistake"] exercise="pin-the-root" title="Hands the hexadecimal text on" catches="read_verified compares with raw bytes"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, pinned[0])


# %% tags=["mistake"] exercise="pin-the-root" title="Lets the last of two words win" catches="nothing may stand in for the pinned root hash"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = re.findall(r"(?:^|\s)usrhash=([0-9a-f]{64})(?:\s|$)", cmdline)
    if not pinned:
        raise VerityError("root hash")
    root = bytes.fromhex(pinned[-1])
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Verifies the whole disk at the mount, then trusts it" catches="a byte changed after the mount"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    for n in range(disk.data_blocks):
        read_verified(disk, n, bytes.fromhex(pinned[0]))
    return disk.data


# %% tags=["mistake"] exercise="pin-the-root" title="Verifies a block on its first read" catches="a byte changed after it was read once"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = [word.removeprefix("usrhash=") for word in cmdline.split() if word.startswith("usrhash=")]
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    good = set()

    def read_block(n: int) -> bytes:
        if n in good:
            return disk.data(n)
        block = read_verified(disk, n, bytes.fromhex(pinned[0]))
        good.add(n)
        return block

    return read_block


# %% tags=["mistake"] exercise="pin-the-root" title="Finds every second of two neighbours" catches="a second usrhash= right behind the first"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    pinned = re.findall(r"(?:^|\s)usrhash=(\S*)(?:\s|$)", cmdline)  # the white space between them is used up
    if len(pinned) != 1 or not re.fullmatch("[0-9a-f]{64}", pinned[0]):
        raise VerityError("root hash")
    root = bytes.fromhex(pinned[0])
    return lambda n: read_verified(disk, n, root)


# %% tags=["mistake"] exercise="pin-the-root" title="Degenerate: hard-codes the root hash of this release" catches="No longer works: the next release"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    if cmdline.split().count(f"usrhash={ROOT.hex()}") != 1 or cmdline.count("usrhash=") != 1:
        raise VerityError("root hash")
    return lambda n: read_verified(disk, n, ROOT)


# %% tags=["mistake"] exercise="pin-the-root" title="Degenerate: never mounts" catches="No longer works: the policy of an untouched node"
def mount_usr(disk: Disk, cmdline: str) -> Callable[[int], bytes]:
    raise VerityError("root hash")


# %% [markdown] tags=["solution"] exercise="pin-the-root"
# Digits in upper case name the same bytes; a pin that takes them as well gives nothing away. Two pins do: whoever adds a word
# without being able to change the first one must not get to choose, whichever of the two your code prefers.
#
# Where the pin lives is a choice; that it lives outside the disk is not. Azure Container Linux has the kernel check a
# *signature* over the root hash. Then the hash may travel with the disk, and the key is what is pinned.

# %% [markdown]
# ## The same attack, refused by the real tool
#
# Where `veritysetup` is installed, it judges the attacker's disk too: once with the root hash that lies on the disk,
# once with the pinned one. It reads two ordinary files and needs no privileges.

# %%
tool = shutil.which("veritysetup", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
if tool is None:
    print("skipped: veritysetup is not installed (package cryptsetup-bin on Debian)")
else:
    for whose, root in {"the disk's own": rebuilt.claimed_root, "the pinned": ROOT}.items():
        command = [tool, "verify", "usr.img", "usr.verity", root.hex()]
        verdict = subprocess.run(command, cwd=rebuilt.folder, capture_output=True, text=True, check=False)
        print(f"with {whose} root hash:", "accepted" if verdict.returncode == 0 else "refused")

# %% [markdown]
# ## What it does not cover
#
# **Verity speaks when a block is read.** A changed block that nobody reads stays silent, for months if need be:

# %%
silent = copy_of(node, "silent")
overwrite(silent, "usr.img", 250 * BLOCK, b"#")
quiet = json.loads(read_file(mount_usr(silent, signed_cmdline), POLICY))
print("policy read without complaint, limit:", quiet["refund_limit_usd"])
print("an audit of the whole disk names:", audit(silent, ROOT))

# %% [markdown]
# - **Memory.** Verity checks bytes on their way from the disk. Copy Fail and Dirty Frag (kernel bugs, made public in
#   April and May 2026) changed the *cached copy* of read-only files in memory. The disk stayed correct, and nothing
#   was left for verity to notice. The lesson says what did help.
# - **Everything outside the image.** On Azure Container Linux (as of 2026-08) the tree covers `/usr`: not `/etc`, not
#   `/var`, not the containers.
# - **The anchor.** Without Secure Boot the attacker replaces the command line as well. Bottlerocket's own notes call
#   its verity incomplete unless Secure Boot is on.
# - **The superblock.** The root hash does not cover it. Number of blocks and salt are the disk's word; the kernel's
#   driver does not even read them, a tool in user space passes them on.
# - **Old releases.** Yesterday's image with yesterday's signed command line still verifies. A lab about that,
#   *Update and roll back*, is planned.
#
# ## Take it home
#
# `files/check-node.sh` runs on a Linux node. You give it the root hash that your build printed. It looks for that hash
# in the running kernel, and says whether a bad block was seen, what happens when one is, and whether Secure Boot and
# SELinux are on. Its first lines are the recipe for a node image of your own.

# %% [markdown] tags=["instructor"]
# **Minutes.** 5 story and first attack; 4 *Hash one block*; 3 the drawing and 9 *Hash the levels*; 13 *Verify on read*;
# 3 second attack; 10 *Pin the root hash*; 3 the limits. Short of time: give *Hash the levels* away and keep the last
# two; the decision is in them.
#
# **Draw first.** Put 300 blocks on the board and ask which hash blocks block 200 needs. Whoever can say "level 0, block
# 1, digest 72" can write the verifier.
#
# **Where people get stuck.** `index` and `slot` in *Verify on read*: the hash block is `n // 128**(level + 1)`, the
# digest in it `n // 128**level % 128`. The commonest wrong answer that looks right goes from the bottom up: it refuses
# what it should and names the wrong blocks. Ask what the person on call does with 128 bad data blocks, and what with
# one bad hash block.
#
# **Worth five minutes.** Ask where a disk that lies on the second read exists (network storage, a hypervisor) and what
# the option `check_at_most_once` then costs. Ask what the salt is for, when it is public.
#
# **For the fast ones.** The root hash does not say how many data blocks there are. Set the superblock's count to 3 and
# use the three blocks of hash level 0 as data: `veritysetup verify` (2.6.1, tried on 2026-11-23) accepts that disk with
# the honest root hash. Why is it hardly an attack? The "data" are digests, which nobody can choose, and no file system
# begins like that. Where would it be one? Where a reader takes any bytes. What closes it? Pin the block count beside
# the root hash.

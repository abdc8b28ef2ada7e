"""The Merkle tree over records (RFC 6962, section 2.1): its root, and paths that show that one record is in it.

A leaf is hashed as sha256(0x00 + line), a node as sha256(0x01 + left + right), so that neither passes for the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice

_DIGEST_BYTES = 32
_AT_ONCE = 4096
"""How many leaves are hashed before their nodes are: it bounds the memory, whatever is handed over."""


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of a leaf, which is a line without its line feed."""
    return sha256(b"\0" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node above two."""
    return sha256(b"\1" + left + right).digest()


class MerkleTree:
    """A tree that grows at its right end. It keeps one hash for each bit of its size that is set, and no leaves."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self._size = 0
        self._waiting: list[bytes | None] = []  # by height: the root of a full subtree without its right neighbour yet

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def stack(self) -> list[tuple[int, bytes]]:
        """The roots of its full subtrees from left to right, each after its height; the highest is the first."""
        found = [(height, digest) for height, digest in enumerate(self._waiting) if digest is not None]
        return found[::-1]

    def extend(self, lines: Iterable[bytes]) -> None:
        """Append lines, each without its line feed, as leaves."""
        left = iter(lines)
        while leaves := [sha256(b"\0" + line).digest() for line in islice(left, _AT_ONCE)]:
            self._append(leaves, 0)

    def append_subtree(self, height: int, digest: bytes) -> None:
        """Append the root of a full subtree of 2^height leaves, which was hashed elsewhere.

        Raises ValueError where it is not aligned: the size so far must be a multiple of its leaves.
        """
        if height < 0 or self._size % (1 << height):
            raise ValueError(f"a subtree of height {height} does not fit after {self._size} leaves")
        if len(digest) != _DIGEST_BYTES:
            raise ValueError(f"a root has {_DIGEST_BYTES} bytes, not {len(digest)}")
        self._append([digest], height)

    def root(self) -> bytes:
        """Return the root: of an empty tree the hash of nothing."""
        below: bytes | None = None
        for digest in self._waiting:
            if digest is not None:
                below = digest if below is None else node_hash(digest, below)
        return sha256().digest() if below is None else below

    def _append(self, nodes: list[bytes], height: int) -> None:
        """Append nodes of one height, and hash level by level what becomes full."""
        self._size += len(nodes) << height
        waiting = self._waiting
        waiting += [None] * (height - len(waiting))
        while nodes:
            if height == len(waiting):
                waiting.append(None)
            first = waiting[height]
            if first is not None:
                nodes.insert(0, first)
            waiting[height] = nodes.pop() if len(nodes) % 2 else None
            halves = iter(nodes)
            nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(halves, halves, strict=True)]
            height += 1


class PathBuilder:
    """The path of one leaf (RFC 6962, section 2.1.1), found while the leaves after it stream by.

    What stands left of a leaf are the full subtrees before it: the stack of the tree that ends just before it. What
    stands right of it are blocks of 2^h leaves, one for each bit h of its index that is not set, the small ones first;
    the last block may be short. One hash is kept for each height.
    """

    def __init__(self, before: MerkleTree) -> None:
        """Take the tree of all leaves before this one, which is not changed."""
        self.index = before.size
        self._siblings = dict(before.stack)
        self._later = 0
        self._height = -1
        self._begin_block()

    @property
    def size(self) -> int:
        """How many leaves there are so far, those before this one and itself too."""
        return self.index + 1 + self._later

    def extend(self, lines: Sequence[bytes]) -> None:
        """Take note of lines after this leaf."""
        self._later += len(lines)
        position = 0
        while position < len(lines):
            room = (1 << self._height) - self._block.size
            self._block.extend(lines[position : position + room])
            position += room
            if position <= len(lines):
                self._siblings[self._height] = self._block.root()
                self._begin_block()

    def path(self) -> list[bytes]:
        """Return the path in the tree of `size` leaves, from the leaf up."""
        siblings = dict(self._siblings)
        if self._block.size:
            siblings[self._height] = self._block.root()
        return [siblings[height] for height in sorted(siblings)]

    def _begin_block(self) -> None:
        self._height += 1
        while self.index >> self._height & 1:
            self._height += 1
        self._block = MerkleTree()


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root of the tree in which `path` leads up from the hash `leaf` (RFC 9162, section 2.1.3.2).

    Raises ValueError where no tree of `size` leaves has a path of this length at `index`.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    digest = leaf
    last = size - 1
    for sibling in path:
        if last == 0:
            raise ValueError(f"the path has {len(path)} hashes, more than lead to the root")
        if index & 1 or index == last:
            digest = node_hash(sibling, digest)
            while index and not index & 1:  # nothing stands beside these nodes: they are the same one higher up
                index >>= 1
                last >>= 1
        else:
            digest = node_hash(digest, sibling)
        index >>= 1
        last >>= 1
    if last:
        raise ValueError(f"the path has {len(path)} hashes, fewer than lead to the root")
    return digest

"""Merkle trees over lines (RFC 6962, section 2.1), grown batch by batch in memory for one branch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """Return the hash of a leaf, which is a line without its line feed."""
    return sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree that grows at its right. It keeps the roots of its complete subtrees, one for each bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self._complete: list[bytes | None] = []

    @classmethod
    def from_stack(cls, size: int, digests: Sequence[bytes]) -> MerkleTree:
        """Return the tree whose `size` and digests of `stack` these are; raises ValueError where they disagree."""
        heights = [height for height in range(size.bit_length() - 1, -1, -1) if size >> height & 1]
        if len(heights) != len(digests) or any(len(digest) != 32 for digest in digests):
            raise ValueError(f"a tree of {size} leaves has {len(heights)} complete subtrees")
        tree = cls()
        for height, digest in zip(heights, digests, strict=True):
            tree.append_subtree(height, digest)
        return tree

    @property
    def stack(self) -> list[tuple[int, bytes]]:
        """The complete subtrees from left to right, the largest first: height and root of each."""
        numbered = [(height, digest) for height, digest in enumerate(self._complete) if digest is not None]
        return numbered[::-1]

    def extend(self, lines: Iterable[bytes]) -> None:
        """Add a leaf for each line."""
        self._grow([sha256(b"\x00" + line).digest() for line in lines], 0)

    def append_subtree(self, height: int, digest: bytes) -> None:
        """Add the 2^height leaves of a complete tree with this root; raises ValueError where they do not fit."""
        if self.size % (1 << height):
            raise ValueError(f"a subtree of height {height} does not stand behind {self.size} leaves")
        self._grow([digest], height)

    def root(self) -> bytes:
        """Return the root hash of all leaves so far."""
        root = None
        for digest in self._complete:
            if digest is not None:
                root = digest if root is None else node_hash(digest, root)
        return EMPTY_ROOT if root is None else root

    def _grow(self, level: list[bytes], height: int) -> None:
        """Add subtrees of one height, and join them level by level as a binary counter carries."""
        self.size += len(level) << height
        while level:
            while len(self._complete) <= height:
                self._complete.append(None)
            waiting = self._complete[height]
            if waiting is not None:
                level.insert(0, waiting)
            self._complete[height] = level.pop() if len(level) % 2 else None
            pairs = iter(level)
            level = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            height += 1

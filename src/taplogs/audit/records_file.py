"""records.jsonl while it grows: appended to, measured and hashed as it is written, cut back to where it was whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from io import FileIO
from pathlib import Path

from msgspec import Struct

from taplogs.audit.canonical import record_lines
from taplogs.audit.manifest import File
from taplogs.audit.merkle import MerkleTree
from taplogs.core.entry import LogEntry
from taplogs.errors import TaplogsError
from taplogs.whole_file import open_unless_link

_BLOCK = 1 << 20


class Extent(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """How far a file of records goes, and what tells that its bytes are still the same.

    `subtrees` are the complete subtrees of the Merkle tree, each as its height and its digest in hexadecimal.
    """

    bytes: int = 0
    rows: int = 0
    subtrees: tuple[tuple[int, str], ...] = ()


class RecordsFile:
    """The records of an export that is being written. A batch is in it whole, or as if it never had been."""

    def __init__(self, path: Path) -> None:
        """Make the file, or open what an earlier run left; `resume` says how much of that counts.

        Raises OSError, and UsageError where it is a link.
        """
        self._path = path
        self._file = FileIO(path, "ab", opener=open_unless_link)
        self._digest = sha256()
        self._tree = MerkleTree()
        self._bytes = 0

    @property
    def rows(self) -> int:
        """How many records there are."""
        return self._tree.size

    @property
    def root(self) -> str:
        """The root of the Merkle tree over the records, in hexadecimal."""
        return self._tree.root().hex()

    @property
    def extent(self) -> Extent:
        """How far the file goes."""
        stack = tuple((height, digest.hex()) for height, digest in self._tree.stack)
        return Extent(self._bytes, self._tree.size, stack)

    def described(self, name: str) -> File:
        """Return what the manifest says of the file."""
        return File(name, self._bytes, self._tree.size, self._digest.hexdigest())

    def begin(self) -> None:
        """Empty the file; raises OSError."""
        self._file.truncate(0)

    def resume(self, extent: Extent, told: Callable[[int], None]) -> None:
        """Cut the file to `extent` and read it, so that it can be gone on with; `told` hears how many rows were read.

        Raises TaplogsError where the file is not what the extent says.
        """
        if os.fstat(self._file.fileno()).st_size >= extent.bytes:
            self._file.truncate(extent.bytes)
            with open(self._path, "rb", opener=open_unless_link) as file:
                while block := file.read(_BLOCK) + file.readline():
                    lines = block.removesuffix(b"\n").split(b"\n")
                    self._take(block, lines)
                    told(len(lines))
        if self.extent != extent:
            raise TaplogsError(
                f"{self._path} is not what the run before has written there, so it cannot go on",
                "name another folder with -o; --force begins anew, and what is kept there is lost",
            )

    def append(self, entries: list[LogEntry]) -> None:
        """Add entries to the end; raises OSError, and then nothing of them counts."""
        lines = record_lines(entries)
        block = b"\n".join(lines) + b"\n"
        rest = memoryview(block)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._take(block, lines)

    def cut(self) -> None:
        """Take away what a write has left that did not come to its end; raises OSError."""
        self._file.truncate(self._bytes)

    def sync(self) -> None:
        """Have all that was added outlast a power failure; raises OSError."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _take(self, block: bytes, lines: list[bytes]) -> None:
        self._digest.update(block)
        self._tree.extend(lines)
        self._bytes += len(block)

"""records.jsonl read once from its beginning: hashed, and cut into blocks that several processes check at once."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from taplogs.audit.evidence_file import LONGEST_LINE
from taplogs.audit.evidence_folder import EvidenceFile
from taplogs.audit.records_check import BlockCheck, BlockReport, Question
from taplogs.audit.workers import processors, work_in_order

_BLOCK = 1 << 20
_ALONE = 16 * _BLOCK
"""Up to this size a file takes less time than starting processes does."""


class Piece(Struct, frozen=True):
    """Where a block of whole lines lies in its file: its first row, counted from 1, and bytes from `start` to `end`."""

    first_row: int
    start: int
    end: int


class Reading:
    """The one pass over the whole file, which hashes it and finds out where lines end."""

    def __init__(self, file: EvidenceFile) -> None:
        """Take an open file."""
        self._file = file
        self._digest = sha256()
        self.bytes = 0
        self.fault: tuple[int, str] | None = None

    @property
    def sha256(self) -> str:
        """The digest of all that was read, in hexadecimal."""
        return self._digest.hexdigest()

    def pieces(self) -> Iterator[Piece]:
        """Yield the blocks; a line without an end is the `fault`, with its row. Raises OSError."""
        start, row = 0, 1
        while block := self._file.read(self.bytes, _BLOCK):
            self._digest.update(block)
            feeds = 0 if self.fault else block.count(b"\n")
            if feeds:
                end = self.bytes + block.rindex(b"\n") + 1
                yield Piece(row, start, end)
                start, row = end, row + feeds
            self.bytes += len(block)
            if self.bytes - start > LONGEST_LINE and not self.fault:  # the rest is hashed, and not looked into
                self.fault = row, f"the line has more than {LONGEST_LINE >> 20} MiB"
        if self.bytes > start and not self.fault:
            self.fault = row, "the last line does not end with a line feed"
            yield Piece(row, start, self.bytes)

    def reports(self, question: Question) -> Iterator[BlockReport]:
        """Yield what is found in each block, in order; raises OSError."""
        check = BlockCheck(question)

        def report(piece: Piece) -> BlockReport:
            return check.check(self._file.read(piece.start, piece.end - piece.start), piece.first_row)

        yield from work_in_order(report, self.pieces(), 1 if self._file.size <= _ALONE else processors())

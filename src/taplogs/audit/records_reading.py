"""records.jsonl read once from its beginning: hashed, and cut into segments; and a segment read to be checked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO

from msgspec import Struct

from taplogs.audit.evidence_file import BrokenLine, line_blocks
from taplogs.audit.records_check import SEGMENT_ROWS, Expected, Segment, SegmentCheck

_BLOCK = 1 << 18


class Piece(Struct, frozen=True):
    """Where a segment lies in its file: its first row, counted from 1, and bytes from `start` to `end`."""

    first_row: int
    start: int
    end: int


class Reading:
    """The one pass over the whole file, which hashes it and finds out where segments end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = sha256()
        self.bytes = 0
        self.lines = 0
        self.fault: str | None = None
        self.is_whole = False

    @property
    def sha256(self) -> str:
        """The digest of all that was read, in hexadecimal."""
        return self._digest.hexdigest()

    def pieces(self) -> Iterator[Piece]:
        """Yield the segments, of 2^16 rows but the last. A line that is broken ends them, and is the `fault`.

        Afterwards the file `is_whole`: read to its end, unless a line was too long for that.
        """
        start, row, rows = 0, 1, 0
        last: bytes | None = b""
        try:
            for block in line_blocks(self._file):
                self._digest.update(block)
                left = block.count(b"\n")
                offset = self.bytes
                while rows + left >= SEGMENT_ROWS:
                    needed = SEGMENT_ROWS - rows
                    offset = self.bytes + _end_of_lines(block, offset - self.bytes, needed)
                    yield Piece(row, start, offset)
                    start, row = offset, row + SEGMENT_ROWS
                    rows, left = 0, left - needed
                rows += left
                self.bytes += len(block)
        except BrokenLine as error:
            self.fault, last = error.message, error.last
        self.lines = row - 1 + rows
        if rows:
            yield Piece(row, start, self.bytes)
        if last is not None:
            self._digest.update(last)
            self.bytes += len(last)
            self.is_whole = True


def _end_of_lines(block: bytes, start: int, lines: int) -> int:
    """Return where the given number of lines ends that begin at `start`."""
    rest = block[start:].split(b"\n", lines)[-1]
    return len(block) - len(rest)


def check_piece(descriptor: int, piece: Piece, expected: Expected) -> Segment:
    """Return what is found in a segment; raises OSError."""
    check = SegmentCheck(expected, piece.first_row)
    position, rest = piece.start, b""
    while position < piece.end:
        block = os.pread(descriptor, min(_BLOCK, piece.end - position), position)
        if not block:
            break  # it was cut off while it was read, which its length will tell
        position += len(block)
        whole, feed, rest_after = block.rpartition(b"\n")
        if feed:
            check.take(rest + whole + feed)
            rest = rest_after
        else:
            rest += block
    return check.result()

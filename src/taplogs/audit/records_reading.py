"""records.jsonl read once from its beginning: hashed, and cut into segments that several processes check at once."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from taplogs.audit.evidence_file import line_blocks
from taplogs.audit.records_check import SEGMENT_ROWS, Question, Segment, SegmentCheck
from taplogs.errors import TaplogsError, VerificationFailed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

_BLOCK = 1 << 18


_MOST_PROCESSES = 8


def processors() -> int:
    """Return how many processes are worth starting: so many as may run at once, and 1 where none can be forked.

    macOS can fork, but what its own libraries do after that is not certain.
    """
    if not hasattr(os, "sched_getaffinity") or sys.platform == "darwin":
        return 1
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


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
        self.fault: str | None = None

    @property
    def sha256(self) -> str:
        """The digest of all that was read, in hexadecimal."""
        return self._digest.hexdigest()

    def pieces(self) -> Iterator[Piece]:
        """Yield the segments, of 2^16 rows but the last. A line without an end stops it, and is the `fault`."""
        start, row, rows = 0, 1, 0
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
        except VerificationFailed as error:
            self.fault = error.message
        if rows:
            yield Piece(row, start, self.bytes)


def _end_of_lines(block: bytes, start: int, lines: int) -> int:
    """Return where the given number of lines ends that begin at `start`."""
    rest = block[start:].split(b"\n", lines)[-1]
    return len(block) - len(rest)


def check_piece(descriptor: int, piece: Piece, question: Question) -> Segment:
    """Return what is found in a segment; raises OSError."""
    check = SegmentCheck(question, piece.first_row)
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


def checked(pieces: Iterator[Piece], descriptor: int, question: Question, processes: int) -> Iterator[Segment]:
    """Yield what is found in each segment, in order, so many processes at once.

    The first segment is checked here: most files have no other, and a process costs more than it saves them.
    """
    first = next(pieces, None)
    if first is None:
        return
    second = next(pieces, None)
    if second is None or processes < 2:
        yield check_piece(descriptor, first, question)
        for piece in [] if second is None else [second]:
            yield check_piece(descriptor, piece, question)
        for piece in pieces:
            yield check_piece(descriptor, piece, question)
        return
    work = Work(lambda piece: check_piece(descriptor, piece, question))
    try:
        for piece in (first, second):
            work.begin(piece)
        for piece in pieces:
            if work.running >= processes:
                yield work.next_result()
            work.begin(piece)
        while work.running:
            yield work.next_result()
    finally:
        work.stop()


class Work:
    """Processes that check a segment each, and end by themselves: none is left when this one is killed."""

    def __init__(self, check: Callable[[Piece], Segment]) -> None:
        self._check = check
        self._running: deque[tuple[ForkProcess, Connection]] = deque()

    @property
    def running(self) -> int:
        """How many have not been asked for their result."""
        return len(self._running)

    def begin(self, piece: Piece) -> None:
        """Have a segment checked."""
        from multiprocessing import get_context

        context = get_context("fork")
        ours, theirs = context.Pipe(duplex=False)
        inherited = [connection for _, connection in self._running] + [ours]
        process = context.Process(target=self._run, args=(piece, theirs, inherited), daemon=True)
        # Ctrl-C goes to all processes of a terminal; it waits until the new one ignores it, or that would show it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
            self._running.append((process, ours))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def next_result(self) -> Segment:
        """Return what was found in the segment that was begun first; raises TaplogsError where its process died."""
        process, connection = self._running[0]
        try:
            result = connection.recv()
        except EOFError:
            raise TaplogsError("a process that checks records was ended from outside", "run it again") from None
        self._running.popleft()  # not before: what comes between, such as Ctrl-C, leaves it to `stop`
        connection.close()
        process.join()
        if isinstance(result, Exception):
            raise result
        segment: Segment = result
        return segment

    def stop(self) -> None:
        """End all that still run."""
        for process, connection in self._running:
            connection.close()
            process.kill()
            process.join()
        self._running.clear()

    def _run(self, piece: Piece, connection: Connection, inherited: list[Connection]) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the others
        for other in inherited:  # as long as we could read ourselves what we send, we would wait for ever for a reader
            other.close()
        found: Segment | Exception
        try:
            found = self._check(piece)
        except Exception as error:  # noqa: BLE001 - whoever has begun it raises it
            found = error
        with suppress(OSError):  # whoever has begun it is gone
            connection.send(found)

"""Segments of records.jsonl checked by several processes at once, and what they find given in order."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING

from taplogs.audit.records_check import Expected, Segment
from taplogs.audit.records_reading import Piece, check_piece
from taplogs.errors import TaplogsError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

_MOST_PROCESSES = 8


def processors() -> int:
    """Return how many processes are worth starting: so many as may run at once, and 1 where none can be forked.

    macOS can fork, but what its own libraries do after that is not certain.
    """
    if not hasattr(os, "sched_getaffinity") or sys.platform == "darwin":
        return 1
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def checked(pieces: Iterator[Piece], descriptor: int, expected: Expected, processes: int) -> Iterator[Segment]:
    """Yield what is found in each segment, in order, so many processes at once.

    A file of one segment, as most are, is checked here: a process costs more than it saves.
    """
    first_two = list(islice(pieces, 2))
    pieces = chain(first_two, pieces)
    if len(first_two) < 2 or processes < 2:
        for piece in pieces:
            yield check_piece(descriptor, piece, expected)
        return
    work = Work(lambda piece: check_piece(descriptor, piece, expected))
    try:
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

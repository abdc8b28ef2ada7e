"""The writer of the log: a queue with a bound, and a thread that stores what is on it. Traffic never waits for it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from taplogs.core.timestamp import format_timestamp
from taplogs.errors import TaplogsError
from taplogs.gateway.log_sink import LogSink

_BATCH = 1000
_BATCH_BYTES = 4 << 20
"""So many entries, or bytes of them, are written at once: to store one alone costs nearly as much as a hundred."""

_DUE = 4
"""Where a part of so many of the room is taken, what waits is written at once."""

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 5.0
_STORE_FAULTS = (TaplogsError, sqlite3.Error, OSError)


class Bounds(Struct, frozen=True):
    """How much may wait to be stored, and for how many seconds it waits for company."""

    entries: int = 10_000
    waiting_bytes: int = 64 << 20
    flush_seconds: float = 0.5


class WriterStatus(Struct, frozen=True):
    """How the writer is. `fault` is why the store fails just now, None where it does not; nothing of it is secret.

    `queued` entries wait, `stored` and `lost` ones are counted since the start; `last_stored_at` is a canonical
    timestamp; `removed` entries were too old.
    """

    queued: int
    stored: int
    lost: int
    fault: str | None
    last_stored_at: str | None
    removed: int = 0


class LogWriter:
    """Stores what was recorded, soon. `put` may be called by any thread; what finds no room is counted as lost."""

    def __init__(
        self,
        sink: LogSink,
        *,
        report: Callable[[str], None],
        clock: Callable[[], datetime],
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
    ) -> None:
        """`report` is told, by the writer's thread, when entries are lost or the store fails, and when that is over.

        The sink is this one's alone, and closed with it.
        """
        self._sink = sink
        self._report = report
        self._clock = clock
        self._bounds = bounds
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        self._waiting = self._waiting_bytes = 0
        self._stored = self._lost = self._lost_told = self._removed = 0
        self._fault: str | None = None
        self._last_stored_at: str | None = None
        self._wake = threading.Event()
        self._closing_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    def put(self, recorded: bytes) -> None:
        """Have an encoded recording stored; where there is no room for it, it is counted as lost. Never waits."""
        size = len(recorded)
        with self._lock:
            has_room = self._waiting < self._bounds.entries and self._waiting_bytes + size <= self._bounds.waiting_bytes
            if not has_room:
                self._lost += 1
                return
            self._queue.append(recorded)
            self._waiting += 1
            self._waiting_bytes += size
        is_due = (
            _DUE * self._waiting >= self._bounds.entries or _DUE * self._waiting_bytes >= self._bounds.waiting_bytes
        )
        if is_due and not self._wake.is_set():
            self._wake.set()

    def status(self) -> WriterStatus:
        """Return how it is now, without waiting for the store."""
        return WriterStatus(self._waiting, self._stored, self._lost, self._fault, self._last_stored_at, self._removed)

    def close(self, seconds: float) -> int:
        """Store what waits, for so many seconds at the most; return how many could not be stored, and are lost."""
        self._closing_at = time.monotonic() + seconds
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds + 1)
        self._sink.close()
        with self._lock:
            return self._waiting

    def _run(self) -> None:
        while True:
            is_last = self._closing_at is not None
            if not is_last:
                self._wake.wait(self._bounds.flush_seconds)
                self._wake.clear()
            while taken := self._taken():
                self._write(taken)
                if self._is_late:
                    return
            self._tell_lost()
            if is_last:
                return
            self._guard(self._tend)

    def _taken(self) -> list[bytes]:
        """Take the next ones from the queue; they keep their room until they are stored."""
        taken: list[bytes] = []
        size = 0
        with self._lock:
            while self._queue and len(taken) < _BATCH and size < _BATCH_BYTES:
                taken.append(self._queue.popleft())
                size += len(taken[-1])
        return taken

    def _write(self, taken: Sequence[bytes]) -> None:
        """Store a batch, however often that has to be tried; give up only where the writer is to end."""
        wait = _FIRST_WAIT
        while not self._guard(lambda: self._store(taken)):
            self._tell_lost()
            if self._is_late:
                return
            self._pause(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        with self._lock:
            self._waiting -= len(taken)
            self._waiting_bytes -= sum(map(len, taken))
        self._tell_lost()

    def _store(self, taken: Sequence[bytes]) -> None:
        written = self._sink.write(taken)
        self._stored += written.stored
        for words in written.refused:
            self._lose(words)
        if written.stored:
            self._last_stored_at = format_timestamp(self._clock())

    def _tend(self) -> None:
        self._removed = self._sink.tend()

    def _lose(self, words: str) -> None:
        with self._lock:  # `put` counts in another thread
            self._lost += 1
            self._lost_told += 1
        self._report(words)

    def _guard(self, work: Callable[[], None]) -> bool:
        """Do work with the store; return whether that went well. The first fault is told, and the end of it."""
        try:
            work()
        except _STORE_FAULTS as error:
            if self._fault is None:
                self._report(f"the log cannot be written: {_words(error)}; requests pass all the same, entries wait")
            self._fault = _words(error)
            return False
        if self._fault is not None:
            self._fault = None
            self._report("the log is written again")
        return True

    def _tell_lost(self) -> None:
        lost = self._lost
        if lost > self._lost_told:
            number = lost - self._lost_told
            self._lost_told = lost
            self._report(f"{number:,} requests are missing in the log: too many waited to be stored")

    def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the end."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not self._is_late:
            time.sleep(min(left, 0.1))

    @property
    def _is_late(self) -> bool:
        return self._closing_at is not None and time.monotonic() > self._closing_at


def _words(error: Exception) -> str:
    return error.message if isinstance(error, TaplogsError) else str(error)

"""How a run that follows a source ends: by the clock, with its reader, or by Ctrl-C; in order, whenever that comes."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from types import FrameType
from typing import Self

from taplogs.core.entry import LogEntry
from taplogs.errors import BackendError, TaplogsError

Batches = Iterator[list[LogEntry]]


NEW_ENTRIES = "new entries"
"""What is waited for where entries come by themselves."""


class TimeIsUp(BackendError):
    """The end of the window came while a source waited for its next try."""

    def __init__(self) -> None:
        super().__init__(
            "the time was up while the backend was away; what it got since then is not shown",
            "'taplogs list' with --since and --until shows it as soon as the backend is back",
        )


class End:
    """When a run that follows ends by itself: with its window, also in an outage; and it ends with its reader."""

    def __init__(self, wait: Callable[[float], None]) -> None:
        """`wait` waits so many seconds."""
        self.awaited: str | None = NEW_ENTRIES
        """What the source is followed for, in words; None where nothing comes beyond its end."""

        self._wait = wait
        self._end: tuple[datetime, Callable[[], datetime]] | None = None
        self.failure: TaplogsError | None = None

    def set(self, until: datetime | None, now: Callable[[], datetime]) -> None:
        """Have the end be at `until` by the clock `now`; None is no end."""
        self._end = None if until is None else (until, now)

    def left(self) -> float:
        """Return how many seconds there are until the end."""
        if self._end is None:
            return math.inf
        until, now = self._end
        return (until - now()).total_seconds()

    def wait(self, seconds: float) -> None:
        """Wait so many seconds for a source in trouble; raises TimeIsUp where the end comes first."""
        left = self.left()
        self._wait(max(0.0, min(seconds, left)))
        if left < seconds:
            raise TimeIsUp

    def ends(self, batches: Batches) -> Batches:
        """Yield the batches until one fails, so that JSON is closed before `failure` is told."""
        begun = False
        try:
            for batch in batches:
                begun = True
                yield batch
        except TaplogsError as error:
            if not begun:
                raise
            self.failure = error


class Interruption:
    """Ctrl-C, held back while entries are written, so that JSON stays whole; a second one is not."""

    def __init__(self) -> None:
        self.came = False
        self._waits = False

    def __enter__(self) -> Self:
        # Where interrupts are ignored, as in the background of a script, or another thread takes them, it stays so.
        self._replaced = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._replaced:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def ends(self, batches: Batches) -> Batches:
        """Yield the batches until Ctrl-C."""
        try:
            while self._goes_on():
                batch = next(batches, None)
                self._waits = False
                if batch is None:
                    return
                yield batch
        except KeyboardInterrupt:
            self.came = True

    def _goes_on(self) -> bool:
        # In this order: an interrupt between the two steps ends the wait that follows, or it is seen here.
        self._waits = True
        return not self.came

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        # It is taken down also where it raises: what is raised within a finaliser never gets anywhere.
        is_raised = self._waits or self.came
        self.came = True
        if is_raised:
            raise KeyboardInterrupt

"""Progress on standard error for work that takes over a second: entries so far, of how many, rate, time left."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from taplogs.core.entry import LogEntry

_SECONDS_BEFORE = 1.0
_SECONDS_BETWEEN = 0.2


class Progress:
    """One line that is rewritten in place, and gone when the work is done."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float], width: int) -> None:
        """`write` writes to the terminal at once; `clock` returns seconds on a clock that never goes back."""
        self._write = write
        self._clock = clock
        self._width = width
        self._begun = clock()
        self._next = self._begun + _SECONDS_BEFORE
        self._count = 0
        self._visible = False
        self._done = "read"
        self.total: int | None = None

    def begin(self, done: str, total: int | None) -> None:
        """Begin to count anew: what is done from here on, in a word such as `read`, to so many entries."""
        self._done, self.total = done, total
        self._begun, self._count = self._clock(), 0

    def receive(self, count: int) -> None:
        """Count what was read, and show it where the work has been going on for a while."""
        self._count += count
        if self._clock() >= self._next:
            self._draw()

    def follow(self, batches: Iterable[list[LogEntry]], *, until_first: bool) -> Iterator[list[LogEntry]]:
        """Yield the batches, and take the line away after them; `until_first`: for good, before the first entry."""
        try:
            for batch in batches:
                if batch and until_first:
                    self.clear()
                    self._next = math.inf
                yield batch
        finally:
            self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else can be written."""
        if self._visible:
            self._write("\r\x1b[K")
            self._visible = False

    def _draw(self) -> None:
        now = self._clock()
        self._next = now + _SECONDS_BETWEEN
        self._write(f"\r\x1b[K{self.line(now - self._begun)[: self._width - 1]}")
        self._visible = True

    def line(self, seconds: float) -> str:
        """Return the line after so many seconds of work."""
        rate = self._count / seconds if seconds > 0 else 0.0
        if self.total is None or self.total < self._count:
            return f"{self._count:,} entries {self._done}, {rate:,.0f}/s"
        left = (self.total - self._count) / rate if rate else 0.0
        so_far = f"{self._count:,} of {self.total:,} entries {self._done}"
        return f"{so_far}, {rate:,.0f}/s, {_clock_text(left)} left"


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

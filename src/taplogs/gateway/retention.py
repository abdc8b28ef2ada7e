"""What is old leaves the log: a little at a time, so that what is new is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from taplogs.core.query import LogQuery, Order
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.sources.protocol import LogSource

_STEP = timedelta(hours=1)
_PAUSE_SECONDS = 3600.0


class Removing(LogSource, Protocol):
    """A store that entries can be removed from."""

    def remove_before(self, timestamp: str, states: Mapping[str, bytes]) -> int:
        """Remove the entries earlier than a canonical timestamp, and store states; return how many were removed."""
        ...


class Retention:
    """Removes entries earlier than what `oldest_kept` returns, a canonical timestamp: at first, and every hour."""

    def __init__(self, store: Removing, oldest_kept: Callable[[], str], *, monotonic: Callable[[], float]) -> None:
        """Nothing is removed yet."""
        self._store = store
        self._oldest_kept = oldest_kept
        self._monotonic = monotonic
        self._due = monotonic()
        self.removed = 0

    def tend(self) -> None:
        """Remove the entries of an hour, where some are due; raises what the store raises."""
        if self._monotonic() < self._due:
            return
        limit = self._oldest_kept()
        oldest = next(iter(self._store.search(LogQuery(limit=1, order=Order.OLDEST_FIRST, payloads=False))), None)
        if oldest is None or oldest.timestamp >= limit:
            self._due = self._monotonic() + _PAUSE_SECONDS
            return
        until = format_timestamp(parse_timestamp(oldest.timestamp) + _STEP)
        self.removed += self._store.remove_before(min(limit, until), {})

"""A listing up to its limit, and what lies beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery


class Listing:
    """The entries of a query up to its limit, and whether there were more: it asks for one beyond."""

    def __init__(self, query: LogQuery) -> None:
        self._limit = query.limit
        self.query = query if query.limit is None else replace(query, limit=query.limit + 1)
        self.count = 0
        self.first: LogEntry | None = None
        self.last: LogEntry | None = None
        self.next: LogEntry | None = None

    def shown(self, batches: Iterator[list[LogEntry]]) -> Iterator[list[LogEntry]]:
        """Yield the batches without the entry beyond the limit."""
        for batch in batches:
            if self._limit is not None and self.count + len(batch) > self._limit:
                self.next = batch[-1]
                batch = batch[:-1]
            if batch:
                self.count += len(batch)
                self.first = self.first or batch[0]
                self.last = batch[-1]
            yield batch

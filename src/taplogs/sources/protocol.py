"""LogSource: what every place that entries come from can do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery

if TYPE_CHECKING:
    from taplogs.core.stats import Grouping, Summary


class LogSource(Protocol):
    """A place that entries come from. All of them give the same answer to the same query."""

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them."""
        ...

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists, each as soon as the source has it; a list may be empty."""
        ...

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        ...

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit, or None where only reading them all would tell."""
        ...

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit: as `core.stats.fold` counts them."""
        ...

    def now(self) -> datetime:
        """Return what time it is at the source, aware, in UTC."""
        ...

    def close(self) -> None:
        """Release connections and files."""
        ...


class SourceEvents(Protocol):
    """What a source tells while it works; the command line shows it, the source does not care how."""

    def notice(self, message: str) -> None:
        """Something the user should know that is not an error."""
        ...

    def expect(self, total: int) -> None:
        """So many entries are to be read."""
        ...

    def receive(self, count: int) -> None:
        """So many more entries were read, whether they match or not."""
        ...

    def retried(self) -> None:
        """A request that failed is tried again."""
        ...

    def debug(self, message: str) -> None:
        """What goes over the wire, for `--debug`; never the key."""
        ...

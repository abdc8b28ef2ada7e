"""LogSource: what every place that entries come from can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

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

    @property
    def tells_time(self) -> bool:
        """Whether `now`, once it was asked, goes by a clock of the source's own; else it is this machine's time."""
        ...

    def close(self) -> None:
        """Release connections and files."""
        ...


class Kept(Struct, frozen=True):
    """How many entries were new to a store, and how many of these are earlier than what it was complete until."""

    new: int
    late: int


class UnstorableEntry(ValueError):
    """An entry with something that a store has no place for, such as a lone surrogate or an integer beyond 64 bits."""


class EntryStore(LogSource, Protocol):
    """A source that entries can be kept in, with what is known of where they come from."""

    def keep(self, entries: Sequence[LogEntry], *, origin: str, state: bytes, late_before: str = "") -> Kept:
        """Store those entries whose id is not here yet, and `state` in the place of what `origin` had, as one step.

        `late_before` is a canonical timestamp: new entries earlier than that count as late. Where the run is killed,
        either all of it is stored or nothing that a second call with the same entries would not put right.
        """
        ...

    def states(self) -> Mapping[str, bytes]:
        """Return what `keep` was last given as the state of each origin."""
        ...

    def remove_before(self, timestamp: str, states: Mapping[str, bytes]) -> int:
        """Remove the entries earlier than a canonical timestamp, and store states; return how many were removed."""
        ...


class SourceEvents(Protocol):
    """What a source tells while it works; the command line shows it, the source does not care how."""

    def notice(self, message: str) -> None:
        """Something the user should know that is not an error."""
        ...

    def leave_out(self, message: str) -> None:
        """Something of what was read is left out, such as lines that are no entries: the answer is not whole."""
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

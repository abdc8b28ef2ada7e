"""Entries in ClickHouse: on a server, on a cluster, or within this process. The extra `clickhouse` brings the driver.

One table holds the entries of all companies; ids are unique in it, and the first entry that came with an id stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import TYPE_CHECKING

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.errors import ConfigurationError, EntryNotFound
from taplogs.sources.clickhouse_address import ClickHouseAddress
from taplogs.sources.clickhouse_connection import ClickHouseConnection
from taplogs.sources.clickhouse_listing import Listing, Span, read_entries, read_unordered
from taplogs.sources.clickhouse_query import Selection, instant, selection
from taplogs.sources.clickhouse_rows import canonical
from taplogs.sources.clickhouse_schema import Table, find_table, make_tables
from taplogs.sources.clickhouse_writing import ClickHouseWriter
from taplogs.sources.protocol import Kept
from taplogs.sources.sqlite_query import Position

if TYPE_CHECKING:
    from taplogs.core.stats import Grouping, Summary

_INSERTED_AT_ONCE = 20_000


class ClickHouseStore:
    """A LogSource and an EntryStore over one table; threads may share it. Nothing is sent before the first question.

    Reading makes no table: where there is none, that is an error. `prepare`, `add` and `keep` make it. ClickHouse has
    no transactions. Entries are stored before the state that tells of them: a run that is killed in between has kept
    them, and the next one finds their ids and stores the state. Only one process may write to a table at a time: two
    of them that look for an id at once would both store it.
    """

    def __init__(
        self,
        address: ClickHouseAddress,
        password: str | None,
        *,
        ca_file: str | None = None,
        timeout: float = 60.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`ca_file`: an authority to trust besides the usual ones; `timeout`: seconds without an answer."""
        self.address = address
        self._connection = ClickHouseConnection(address, password, ca_file=ca_file, timeout=timeout)
        self._writer = ClickHouseWriter(self._connection)
        self._clock = clock
        self._known: Table | None = None

    def search(self, query: LogQuery, *, after: Position | None = None, offset: int = 0) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them.

        `after` starts beyond that position in the order, `offset` leaves out so many matching entries first. What is
        added meanwhile may be among them or not; nothing comes twice, and nothing that was there is missing.
        """
        return chain.from_iterable(self._select(query, after, offset))

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists."""
        if query.any_order and query.limit is None:
            self._table()
            return read_unordered(self._connection, query, selection(query))
        return self._select(query)

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        self._table()
        for moment in self._moments_of(entry_id):
            chosen = Selection(
                f"timestamp = {instant('{moment:Int64}')} AND id = {{id:String}}",
                {"moment": moment, "id": entry_id},
                complete=True,
            )
            for entries in read_entries(self._connection, set(LogEntry.__struct_fields__), chosen, "LIMIT 1"):
                return entries[0]
        raise EntryNotFound(f"no entry has the id {entry_id!r}")

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit, or None where only reading them all would tell."""
        self._table()
        chosen = selection(query)
        return self._span(chosen).entries if chosen.complete else None

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit."""
        from taplogs.core.stats import Summary, fold
        from taplogs.sources.clickhouse_summary import count_groups, count_moments

        table = self._table()
        chosen = selection(query)
        if not chosen.complete:
            return fold(self.batches(grouping.query(query)), grouping)
        summary = Summary(grouping)
        count_groups(self._connection, chosen, summary, has_endpoints=table.has_endpoints)
        if grouping.timeline or grouping.ends:
            count_moments(self._connection, chosen, summary.timeline, only_ends=not grouping.timeline)
        return summary

    def now(self) -> datetime:
        """Return what time it is here, aware, in UTC."""
        return self._clock()

    @property
    def tells_time(self) -> bool:
        """Whether `now` goes by a clock of the source's own: never, it is this machine's."""
        return False

    def oldest(self) -> str | None:
        """Return the timestamp of the oldest entry, None without entries."""
        span = self._whole()
        return canonical(span.first) if span and span.entries else None

    def newest(self) -> str | None:
        """Return the timestamp of the newest entry, None without entries."""
        span = self._whole()
        return canonical(span.last) if span and span.entries else None

    def prepare(self) -> None:
        """Make the tables where they are not there."""
        if self._find() is None:
            make_tables(self._connection)
            self._table()

    def add(self, entries: Iterable[LogEntry]) -> int:
        """Store those entries whose id is not here yet, in blocks that are stored whole; return how many were new.

        Raises UnstorableEntry.
        """
        self.prepare()
        return sum(len(self._writer.add(block)) for block in _blocks(entries))

    def keep(self, entries: Sequence[LogEntry], *, origin: str, state: bytes, late_before: str = "") -> Kept:
        """Store those entries whose id is not here yet, then `state` in the place of what `origin` had.

        `late_before` is a canonical timestamp: new entries earlier than that count as late. A run that is killed
        between the two is put right by a second call with the same entries, which stores the state alone.
        """
        self.prepare()
        new = [entry for block in _blocks(entries) for entry in self._writer.add(block)]
        self._writer.store({origin: state})
        return Kept(len(new), sum(entry.timestamp < late_before for entry in new))

    def states(self) -> Mapping[str, bytes]:
        """Return what `keep` was last given as the state of each origin."""
        return self._writer.states() if self._find() else {}

    def remove_before(self, timestamp: str, states: Mapping[str, bytes]) -> int:
        """Store states, then remove the entries earlier than a canonical timestamp; return how many there were.

        Raises ConfigurationError for a Distributed table, whose shards alone can remove entries.
        """
        return self._writer.remove_before(timestamp, states, self._table())

    def close(self) -> None:
        """Release the connections."""
        self._connection.close()

    def _select(self, query: LogQuery, after: Position | None = None, offset: int = 0) -> Iterator[list[LogEntry]]:
        self._table()
        chosen = selection(query)
        span = self._span(selection(LogQuery(window=query.window)))
        yield from Listing(self._connection, query, chosen).batches(span, after, offset)

    def _span(self, chosen: Selection) -> Span:
        statement = (
            f"SELECT min(timestamp), max(timestamp), count() FROM {self.address.qualified} WHERE {chosen.condition}"  # noqa: S608 - our own words, with parameters
        )
        first, last, entries = self._connection.rows(statement, chosen.parameters)[0]
        return Span(first, last, entries)

    def _whole(self) -> Span | None:
        return self._span(selection(LogQuery())) if self._find() else None

    def _moments_of(self, entry_id: str) -> list[int]:
        statement = f"SELECT timestamp FROM {self.address.qualified} WHERE id = {{id:String}} LIMIT 1"  # noqa: S608 - the value is a parameter
        try:
            entry_id.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no stored id has
            return []
        return [row[0] for row in self._connection.rows(statement, {"id": entry_id})]

    def _table(self) -> Table:
        table = self._find()
        if table is None:
            raise ConfigurationError(
                f"there is no table {self.address}",
                "'taplogs sync --to clickhouse://…' makes it, ?table= names another",
            )
        return table

    def _find(self) -> Table | None:
        if self._known is None:
            self._known = find_table(self._connection)
        return self._known


def _blocks(entries: Iterable[LogEntry]) -> Iterator[list[LogEntry]]:
    remaining = iter(entries)
    while block := list(islice(remaining, _INSERTED_AT_ONCE)):
        yield block

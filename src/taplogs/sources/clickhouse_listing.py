"""Reading entries in their total order, in slices of time.

The table is sorted by company first, so an order by time alone would have the server sort all of it. A slice of time is
found by the sorting key, is small enough to be sorted at once, and is as long as it takes for about so many entries:
the next one is shorter or longer by what the last one held. Within a slice the next question begins beyond the last
entry that came (a keyset), so no memory goes with how many entries there are, here or there.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from msgspec import Struct

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.sources.clickhouse_connection import ClickHouseConnection
from taplogs.sources.clickhouse_query import Selection, instant
from taplogs.sources.clickhouse_rows import FORMATS, entries_of, milliseconds, selected
from taplogs.sources.sqlite_query import Position

_MOST_ROWS = 20_000
"""How many entries one question is answered with at most."""

_BLOCK = 1000
"""How many entries come in a batch at most."""

_EXPECTED_ROWS = 8192
"""How many entries of a slice are worth a question: ClickHouse reads no fewer rows at once."""

_GROWTH = 8


class Span(Struct, frozen=True):
    """Instants in milliseconds, both ends included, and how many entries there are between them."""

    first: int
    last: int
    entries: int


class Listing:
    """One query being read: where it stands, and how long the next slice is."""

    def __init__(self, connection: ClickHouseConnection, query: LogQuery, chosen: Selection) -> None:
        self._connection = connection
        self._query = query
        self._chosen = chosen
        self._descending = query.order is Order.NEWEST_FIRST
        self._fields = _fields(query, chosen)

    def batches(self, span: Span, after: Position | None = None, offset: int = 0) -> Iterator[list[LogEntry]]:
        """Yield the entries in lists, beyond `after`, without the first `offset` of them, up to the query's limit."""
        left = self._query.limit
        if left == 0:
            return
        for entries in self._matching(span, after, None if left is None else left + offset):
            batch, offset = entries[offset:], max(0, offset - len(entries))
            if left is not None:
                batch = batch[:left]
                left -= len(batch)
            yield batch
            if left == 0:
                return

    def _matching(self, span: Span, after: Position | None, needed: int | None) -> Iterator[list[LogEntry]]:
        """Yield the entries that match, slice by slice; `needed`: how many the reader takes at most."""
        position = (milliseconds(after[0]), after[1]) if after else None
        edge = span.last if self._descending else span.first
        if position:
            edge = min(edge, position[0]) if self._descending else max(edge, position[0])
        length = max(1, (span.last - span.first + 1) * _EXPECTED_ROWS // max(1, span.entries))
        while span.first <= edge <= span.last:
            end = max(span.first, edge - length + 1) if self._descending else min(span.last, edge + length - 1)
            most = _MOST_ROWS if needed is None or not self._chosen.complete else min(needed, _MOST_ROWS)
            came = 0
            last: LogEntry | None = None
            for entries in self._slice(min(edge, end), max(edge, end), position, most):
                came += len(entries)
                last = entries[-1]
                yield entries if self._chosen.complete else self._query.select(entries)
            if needed is not None and self._chosen.complete:
                needed -= came
                if needed <= 0:
                    return
            if last is not None and came >= most:  # there may be more of this slice
                position = (milliseconds(last.timestamp), last.id)
                length = max(1, 2 * abs(edge - position[0]))
                edge = position[0]
            else:
                position = None
                edge = end - 1 if self._descending else end + 1
                length = length * _GROWTH if came < _MOST_ROWS // _GROWTH else length

    def _slice(self, first: int, last: int, position: tuple[int, str] | None, most: int) -> Iterator[list[LogEntry]]:
        chosen = self._chosen.narrowed(
            f"timestamp BETWEEN {instant('{first:Int64}')} AND {instant('{last:Int64}')}", first=first, last=last
        )
        if position:
            comparison = "<" if self._descending else ">"
            beyond = f"(timestamp, id) {comparison} ({instant('{moment:Int64}')}, {{id:String}})"
            chosen = chosen.narrowed(beyond, moment=position[0], id=position[1])
        direction = "DESC" if self._descending else "ASC"
        order = f"ORDER BY timestamp {direction}, id {direction} LIMIT {most:d}"
        return read_entries(self._connection, self._fields, chosen, order)


def read_unordered(connection: ClickHouseConnection, query: LogQuery, chosen: Selection) -> Iterator[list[LogEntry]]:
    """Yield all entries that match, in no order: they are only added up."""
    for entries in read_entries(connection, _fields(query, chosen, ordered=False), chosen, ""):
        yield entries if chosen.complete else query.select(entries)


def read_entries(
    connection: ClickHouseConnection, fields: Set[str], chosen: Selection, order: str
) -> Iterator[list[LogEntry]]:
    """Yield the entries of a selection in lists, with these of their fields; `order` is what follows WHERE."""
    statement = (
        f"SELECT {selected(fields)} FROM {connection.address.qualified} "  # noqa: S608 - our own words, with parameters
        f"WHERE {chosen.condition} {order}"
    )
    for block in connection.blocks(statement, chosen.parameters, formats=FORMATS, max_block_size=_BLOCK):
        entries = entries_of(block)
        for start in range(0, len(entries), _BLOCK):
            yield entries[start : start + _BLOCK]


def _fields(query: LogQuery, chosen: Selection, *, ordered: bool = True) -> set[str]:
    """Return the fields that somebody looks at: the reader, a filter that is held against the rows, or the order."""
    fields = set(LogEntry.__struct_fields__)
    if not query.needs_payloads:
        fields -= FORMATS.keys()
    if query.fields is not None and chosen.complete:
        fields &= query.fields | ({"timestamp", "id"} if ordered else set())
    return fields

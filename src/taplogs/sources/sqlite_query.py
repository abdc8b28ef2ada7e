"""LogQuery -> SQL over the table of entries: what of a query SQLite decides itself, in the order of one index."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.filters import (
    EndpointFilter,
    Filter,
    LatencyFilter,
    StatusFilter,
    latency_bounds,
    status_range,
)
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.sources.sqlite_damage import stored
from taplogs.sources.sqlite_ids import TEXT_OF_ID, TEXTS, UUIDS, kinds_of, stored_id
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_schema import kinds_of_ids
from taplogs.sources.sqlite_words import NOTHING, WordKind, all_places, all_words

Position = tuple[str, str]
"""A place in the total order of entries: (timestamp, id)."""

Span = tuple[int | None, int | None]
"""Moments from the first one up to, but not including, the second; None is no bound."""

Parameter = str | bytes | int | float

_FROM_FAILED = 400
_LITERAL_CODES = 1000
_FEW = 500
"""Where one entry in so many matches, looking for the months that have any takes less than reading on from the end."""

_WORDS = {
    "method": (WordKind.METHOD, "method"),
    "ip": (WordKind.IP, "ip"),
    "user_agent": (WordKind.AGENT, "agent"),
    "client": (WordKind.CLIENT, "client"),
    "company": (WordKind.COMPANY, "company"),
}
"""The filters that look at one word: its kind and its column."""


class Clause(Struct, frozen=True):
    """A condition in SQL with its parameters; `1` is always true."""

    text: str = "1"
    parameters: tuple[Parameter, ...] = ()

    def __and__(self, other: Clause) -> Clause:
        texts = [clause.text for clause in (self, other) if clause.text != "1"]
        return Clause(" AND ".join(texts) or "1", self.parameters + other.parameters)


class Selection(Struct, frozen=True):
    """Which rows to read. `complete`: exactly those that the query matches, nothing more.

    `filters` is about columns that entries and roll-ups share, `others` about those of entries alone, `bounds` about
    the position. `only_failed`: all of them have a status from 400 on. `mixed_ids`: there are both kinds of ids.
    """

    span: Span
    bounds: Clause
    filters: Clause
    others: Clause
    complete: bool
    only_failed: bool
    mixed_ids: bool

    @property
    def is_rolled_up(self) -> bool:
        """Whether the filters hold of the groups of roll-ups, too."""
        return self.complete and self.others.text == "1"

    @property
    def condition(self) -> Clause:
        """What the rows must fulfil."""
        return self.bounds & self.filters & self.others

    @property
    def table(self) -> str:
        """The table, with the index that holds failed entries alone where those suffice."""
        return "entries INDEXED BY failed_entries" if self.only_failed else "entries"

    def within(self, span: Span) -> Clause:
        """Return what the rows of a span of moments must fulfil, whatever the bounds."""
        return span_clause(span) & self.filters & self.others


def selection(
    connection: sqlite3.Connection, moments: Moments, query: LogQuery, after: Position | None = None
) -> Selection:
    """Return which rows to read for `query`, those beyond `after` (in the query's order) only where it is given.

    Raises ValueError where `after` has no canonical timestamp.
    """
    kinds = kinds_of_ids(connection)
    position = None if after is None else (moments.number(after[0]), stored_id(after[1]))
    if position:
        kinds |= kinds_of([position[1]])
    mixed_ids = kinds == UUIDS | TEXTS
    span = span_of(query.window, moments)
    filters, others, complete = Clause(), Clause(), True
    for name in query.__struct_fields__:
        filter_ = getattr(query, name)
        if not isinstance(filter_, Filter):
            continue
        if isinstance(filter_, StatusFilter):
            filters &= _terms(filter_, _status_clause)
        elif isinstance(filter_, EndpointFilter):
            clause, exact = _endpoint_clause(connection, filter_)
            filters &= clause
            complete &= exact
        elif isinstance(filter_, LatencyFilter):
            others &= _terms(filter_, _latency_clause)
        elif name in _WORDS:
            kind, column = _WORDS[name]
            clause = _word_clause(connection, kind, column, filter_)
            if name in ("ip", "user_agent"):
                others &= clause
            else:
                filters &= clause
        else:
            complete = False
    only_failed = query.status is not None and _wants_only_failed(query.status)
    if only_failed:
        filters &= Clause("status >= 400")  # the words by which SQLite knows that the index has them all
    bounds = _bounds(span, query.order, position, after, mixed_ids=mixed_ids)
    return Selection(span, bounds, filters, others, complete, only_failed, mixed_ids)


def ordering(order: Order, *, mixed_ids: bool) -> str:
    """Return the ORDER BY terms of the total order."""
    direction = "DESC" if order is Order.NEWEST_FIRST else "ASC"
    return f"moment {direction}, {TEXT_OF_ID if mixed_ids else 'id'} {direction}"


def span_of(window: Window, moments: Moments) -> Span:
    """Return a window as moments."""
    since, until = (moments.number(text) if text else None for text in (window.since_text, window.until_text))
    return since, until


def span_clause(span: Span) -> Clause:
    """Return the condition that a moment lies within `span`."""
    since, until = span
    clause = Clause() if since is None else Clause("moment >= ?", (since,))
    return clause if until is None else clause & Clause("moment < ?", (until,))


def _bounds(
    span: Span, order: Order, position: tuple[int, str | bytes] | None, after: Position | None, *, mixed_ids: bool
) -> Clause:
    """One lower and one upper bound at most: with two upper bounds SQLite would seek to either."""
    since, until = span
    if position is None or after is None:
        return span_clause(span)
    moment = position[0]
    beyond = "<" if order is Order.NEWEST_FIRST else ">"
    if order is Order.NEWEST_FIRST:
        if until is not None and until <= moment:
            return span_clause(span)
        rest = span_clause((since, None))
    else:
        if since is not None and since > moment:
            return span_clause(span)
        rest = span_clause((None, until))
    if mixed_ids:
        text = f"moment {beyond}= ? AND (moment {beyond} ? OR {TEXT_OF_ID} {beyond} ?)"
        return rest & Clause(text, (moment, moment, after[1]))
    return rest & Clause(f"(moment, id) {beyond} (?, ?)", position)


def _terms(filter_: Filter, clause_of: Callable[[str], Clause]) -> Clause:
    """Return the condition of a filter whose terms are conditions each."""
    clause = Clause()
    for terms, negation in ((filter_.wanted, ""), (filter_.unwanted, "NOT ")):
        if terms:
            clauses = [clause_of(term) for term in terms]
            text = " OR ".join(each.text for each in clauses)
            clause &= Clause(f"{negation}({text})", tuple(value for each in clauses for value in each.parameters))
    return clause


def _status_clause(term: str) -> Clause:
    return Clause("status BETWEEN ? AND ?", status_range(term))


def _latency_clause(term: str) -> Clause:
    operator, low, high = latency_bounds(term)
    if operator == "-":
        return Clause("(latency IS NOT NULL AND latency BETWEEN ? AND ?)", (low, high))
    return Clause(f"(latency IS NOT NULL AND latency {operator} ?)", (low,))


def _wants_only_failed(filter_: StatusFilter) -> bool:
    return bool(filter_.wanted) and all(status_range(term)[0] >= _FROM_FAILED for term in filter_.wanted)


def _word_clause(connection: sqlite3.Connection, kind: WordKind, column: str, filter_: Filter) -> Clause:
    """Return the condition that a word passes: each word there is was held against the filter."""
    words = [(NOTHING, None), *all_words(connection, kind)]
    return _codes_clause(column, [code for code, word in words if filter_.accepts(word)], len(words))


def _endpoint_clause(connection: sqlite3.Connection, filter_: EndpointFilter) -> tuple[Clause, bool]:
    """Return the condition that a place may pass, and whether all that has such a place passes."""
    from taplogs.sources.sqlite_places import selects

    verdicts = [(code, selects(filter_, place)) for code, place in all_places(connection)]
    codes = [code for code, verdict in verdicts if verdict is not False]
    return _codes_clause("place", codes, len(verdicts)), all(verdict is not None for _, verdict in verdicts)


def _codes_clause(column: str, codes: Sequence[int], there_are: int) -> Clause:
    if len(codes) == there_are:
        return Clause()
    if not codes:
        return Clause(f"{column} IN (-1)")  # to SQLite, a condition that is never true has no index at all
    if len(codes) <= _LITERAL_CODES:
        return Clause(f"{column} IN ({', '.join(map(str, codes))})")
    numbers = f"[{','.join(map(str, codes))}]"
    return Clause(f"{column} IN (SELECT value FROM json_each(?))", (numbers,))  # noqa: S608 - our own column


def narrowed(connection: sqlite3.Connection, chosen: Selection) -> Selection:
    """Return the same selection, of few entries within the months only that the roll-ups have some of them in."""
    if chosen.filters.text == "1":
        return chosen
    where, parameters = chosen.filters.text, chosen.filters.parameters
    with stored("a roll-up"):
        there_are, may_match = connection.execute(
            f"SELECT sum(number), sum(number) FILTER (WHERE {where}) FROM counts WHERE month = 0",  # noqa: S608 - our own words, with parameters
            parameters,
        ).fetchone()
        if there_are is None or (may_match or 0) * _FEW > there_are:
            return chosen
        from taplogs.sources.sqlite_counts import start_of

        first, last = connection.execute(
            f"SELECT min(month), max(month) FROM counts WHERE month > 0 AND {where}",  # noqa: S608 - the same
            parameters,
        ).fetchone()
        span = (0, 0) if first is None else (start_of(first), start_of(last + 1))
    return replace(chosen, others=chosen.others & span_clause(span))


def rows_of(
    connection: sqlite3.Connection, columns: str, chosen: Selection, order: Order, bound: str = ""
) -> sqlite3.Cursor:
    """Return the rows of a selection in the total order; `bound` is a LIMIT."""
    condition = chosen.condition
    terms = ordering(order, mixed_ids=chosen.mixed_ids)
    statement = f"SELECT {columns} FROM {chosen.table} WHERE {condition.text} ORDER BY {terms} {bound}"  # noqa: S608 - our own words, with parameters
    return connection.execute(statement, condition.parameters)

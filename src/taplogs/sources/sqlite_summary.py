"""Counting: whole months come from the roll-ups, the rest from the entries, grouped by codes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

from taplogs.core.dimensions import Dimension, Key
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.stats import Summary
from taplogs.core.timeline import Timeline
from taplogs.sources.sqlite_counts import ALL_TIME, QUARTER, month_of, pairs_of, start_of
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_query import Clause, Selection, Span, span_clause
from taplogs.sources.sqlite_rows import check_counted
from taplogs.sources.sqlite_words import Dictionary, KnownPlace

_ROWS = 5000
_MOST_HELD = 100_000
_MILLISECOND = timedelta(milliseconds=1)
_QUARTER_HOUR = timedelta(minutes=15)
_ROLLED_UP = frozenset({"method", "status_code", "client_id", "company_id"})
_COLUMNS = {
    "method": "method",
    "status_code": "status",
    "ip_address": "ip",
    "user_agent": "agent",
    "client_id": "client",
    "company_id": "company",
    "timestamp": "moment",
}
_NOT_WORDS = ("status_code", "timestamp")


class Counting:
    """Counts the entries of a selection, within one snapshot."""

    def __init__(
        self, connection: sqlite3.Connection, dictionary: Dictionary, moments: Moments, chosen: Selection
    ) -> None:
        self._connection = connection
        self._dictionary = dictionary
        self._moments = moments
        self._chosen = chosen

    def number(self) -> int:
        """Return how many entries there are."""
        chosen = self._chosen
        if not chosen.is_rolled_up:
            return self._count(f"count(*) FROM {chosen.table}", chosen.within(chosen.span))
        months, edges = self._parts()
        number = self._count("coalesce(sum(number), 0) FROM counts", months & chosen.filters)
        for edge in edges:
            number += self._count(f"count(*) FROM {chosen.table}", chosen.within(edge))
        return number

    def summary(self, summary: Summary) -> None:
        """Count the entries into `summary`, by its grouping."""
        grouping = summary.grouping
        columns = [_GroupColumn(dimension) for dimension in grouping.dimensions]
        edges: Sequence[Span] = [self._chosen.span]
        if self._chosen.is_rolled_up and all(column.is_rolled_up for column in columns):
            months, edges = self._parts()
            self._add_rolled_up(months, columns, summary)
        for edge in edges:
            self._add_entries(edge, columns, summary)
        if grouping.timeline or grouping.ends:
            self._fill(summary.timeline, by_time=grouping.timeline)

    def _parts(self) -> tuple[Clause, list[Span]]:
        """Return the condition for the months that lie within the selection's span, and what is left of the span."""
        since, until = self._chosen.span
        first, last = (_end(self._connection, order) for order in ("ASC", "DESC"))
        if first is None or last is None or (since is not None and since > last):
            return Clause("0"), []
        since = first if since is None else max(since, first)
        until = last + 1 if until is None else min(until, last + 1)
        if since <= first and until > last:
            return Clause(f"month = {ALL_TIME}"), []
        # Before the first and after the last entry there is none, so their months may count as whole.
        begin = month_of(since) + (since > first and since != start_of(month_of(since)))
        end = month_of(until) if until <= last else month_of(last) + 1
        if begin >= end:
            return Clause("0"), [(since, until)] if since < until else []
        edges: list[Span] = []
        if since < start_of(begin):
            edges.append((since, start_of(begin)))
        if start_of(end) < until:
            edges.append((start_of(end), until))
        return Clause("month >= ? AND month < ?", (begin, end)), edges

    def _add_rolled_up(self, months: Clause, columns: Sequence[_GroupColumn], summary: Summary) -> None:
        condition = months & self._chosen.filters
        names = ", ".join(column.name for column in columns)
        counts: dict[tuple[Any, ...], Counter[int | None]] = {}
        statement = (
            f"SELECT {names + ', ' if names else ''}status, number, latencies FROM counts WHERE {condition.text}"  # noqa: S608 - our own words, with parameters
        )
        with closing(self._connection.execute(statement, condition.parameters)) as rows:
            for *group, number, latencies in rows:
                counted = counts.setdefault(tuple(group), Counter())
                known = 0
                for latency, times in pairs_of(latencies):
                    counted[latency] += times
                    known += times
                if number != known:
                    counted[None] += number - known
        check_counted({group[-1] for group in counts}, set())
        merged = (
            (*group, latency, times) for group, counted in counts.items() for latency, times in counted.items() if times
        )
        self._hand_over(merged, columns, summary)

    def _add_entries(self, span: Span, columns: Sequence[_GroupColumn], summary: Summary) -> None:
        chosen = self._chosen
        condition = chosen.within(span)
        names = ", ".join([column.name for column in columns] + ["status", "latency"])
        statement = f"SELECT {names} FROM {chosen.table} WHERE {condition.text}"  # noqa: S608 - our own words, with parameters
        counted: Counter[tuple[Any, ...]] = Counter()
        with closing(self._connection.execute(statement, condition.parameters)) as rows:
            while batch := rows.fetchmany(_ROWS):
                check_counted({row[-2] for row in batch}, {row[-1] for row in batch})
                counted.update(batch)
                if len(counted) > _MOST_HELD:
                    self._hand_over(((*row, number) for row, number in counted.items()), columns, summary)
                    counted.clear()
        self._hand_over(((*row, number) for row, number in counted.items()), columns, summary)

    def _hand_over(self, counts: Iterator[tuple[Any, ...]], columns: Sequence[_GroupColumn], summary: Summary) -> None:
        """Count into `summary` what was counted by codes: the columns, status, latency and number of each."""
        width = len(columns)
        keys: list[dict[Any, Key]] = [{} for _ in columns]
        rows = list(counts)
        start = 0
        for column, key_of in zip(columns, keys, strict=True):
            values = {row[start : start + column.width] for row in rows}
            key_of.update(column.keys(values, self._connection, self._dictionary, self._moments))
            start += column.width
        if all(column.width == 1 for column in columns) and width == 1:
            (key_of,) = keys
            summary.add_counts((key_of[row[:1]], *row[1:]) for row in rows)
            return
        ends = _ends(columns)
        summary.add_counts(
            (*(key_of[row[begin:end]] for key_of, (begin, end) in zip(keys, ends, strict=True)), *row[start:])
            for row in rows
        )

    def _fill(self, timeline: Timeline[int], *, by_time: bool) -> None:
        first, last = self._first(), self._last()
        if first is None or last is None:
            return
        timeline.reach(self._moments.text(first), self._moments.text(last))
        if not by_time:
            return
        step = timeline.step // _MILLISECOND
        span = self._chosen.span
        if timeline.step == _QUARTER_HOUR and self._chosen.is_rolled_up and self._is_by_status:
            begin, end = -(-first // QUARTER), (last + 1) // QUARTER
            if begin < end:
                condition = Clause("quarter >= ? AND quarter < ?", (begin, end)) & self._chosen.filters
                statement = (
                    f"SELECT quarter * {QUARTER}, status / 100, sum(number) FROM quarters "  # noqa: S608 - our own words, with parameters
                    f"WHERE {condition.text} GROUP BY 1, 2"
                )
                self._add_moments(statement, condition, timeline)
                self._count_moments((first, begin * QUARTER), step, timeline)
                span = (end * QUARTER, last + 1)
        self._count_moments(span, step, timeline)

    @property
    def _is_by_status(self) -> bool:
        """Whether no other filter is set than one by status."""
        return not any(name in self._chosen.filters.text for name in ("place", "method", "client", "company"))

    def _count_moments(self, span: Span, step: int, timeline: Timeline[int]) -> None:
        condition = self._chosen.within(span)
        begun = f"moment - (moment % {step} + {step}) % {step}"  # rounded down, before 1970 as well
        statement = (
            f"SELECT {begun}, status / 100, count(*) FROM {self._chosen.table} WHERE {condition.text} GROUP BY 1, 2"  # noqa: S608 - our own words, with parameters
        )
        self._add_moments(statement, condition, timeline)

    def _add_moments(self, statement: str, condition: Clause, timeline: Timeline[int]) -> None:
        text, prefix = self._moments.text, timeline.prefix
        with closing(self._connection.execute(statement, condition.parameters)) as rows:
            timeline.add_counts((text(moment)[:prefix], digit, number) for moment, digit, number in rows)

    def _first(self) -> int | None:
        return self._outermost("ASC", "min")

    def _last(self) -> int | None:
        return self._outermost("DESC", "max")

    def _outermost(self, direction: str, which: str) -> int | None:
        """Return the moment of the first or last entry; the roll-ups tell in which month to begin looking."""
        chosen = self._chosen
        condition = chosen.within(chosen.span)
        if chosen.is_rolled_up and chosen.filters.text != "1":
            months = Clause(f"month > {ALL_TIME}") & chosen.filters
            month = self._value(f"{which}(month) FROM counts", months)
            if month is None:
                return None
            condition &= span_clause((start_of(month), None) if which == "min" else (None, start_of(month + 1)))
        return self._value(f"moment FROM {chosen.table}", condition, f"ORDER BY moment {direction} LIMIT 1")

    def _count(self, what: str, condition: Clause) -> int:
        return int(self._value(what, condition) or 0)

    def _value(self, what: str, condition: Clause, ordering: str = "") -> int | None:
        statement = f"SELECT {what} WHERE {condition.text} {ordering}"
        row = self._connection.execute(statement, condition.parameters).fetchone()
        return None if row is None else row[0]


class _GroupColumn:
    """What a dimension is grouped by in SQL, and how the keys of groups are made of that."""

    def __init__(self, dimension: Dimension) -> None:
        self._dimension = dimension
        self._is_endpoint = dimension.field == "request_url"
        templates = getattr(dimension.key, "__self__", None)
        self._by_place = (
            self._is_endpoint and isinstance(templates, EndpointTemplates) and dimension.key == templates.of_url
        ) and not templates.has_overrides
        self.is_rolled_up = self._by_place or dimension.field in _ROLLED_UP
        self.name = _COLUMNS.get(dimension.field, "place" if self._by_place else "place, url")
        self.width = 2 if self._is_endpoint and not self._by_place else 1

    def keys(
        self, values: set[tuple[Any, ...]], connection: sqlite3.Connection, dictionary: Dictionary, moments: Moments
    ) -> dict[tuple[Any, ...], Key]:
        """Return the key of each combination of values."""
        key: Callable[[Any], Key] = self._dimension.key or (lambda field: field)
        if self._is_endpoint:
            places = dictionary.places(connection, {value[0] for value in values})
            if self._by_place:
                return {value: places[value[0]].place.endpoint for value in values}
            return {value: key(_url(places[value[0]], value[1])) for value in values}
        if self._dimension.field == "timestamp":
            return {value: key(moments.text(value[0])) for value in values}
        if self._dimension.field in _NOT_WORDS:
            return {value: key(value[0]) for value in values}
        words = dictionary.words(connection, {value[0] for value in values})
        return {value: key(words[value[0]]) for value in values}


def _url(place: KnownPlace, rest: str) -> str:
    return place.join(rest)


def _ends(columns: Sequence[_GroupColumn]) -> list[tuple[int, int]]:
    ends: list[tuple[int, int]] = []
    start = 0
    for column in columns:
        ends.append((start, start + column.width))
        start += column.width
    return ends


def _end(connection: sqlite3.Connection, direction: str) -> int | None:
    row = connection.execute(f"SELECT moment FROM entries ORDER BY moment {direction} LIMIT 1").fetchone()  # noqa: S608 - ASC or DESC
    return None if row is None else int(row[0])

"""Counting in SQL: the entries of a selection by group, status and latency, and over time."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from taplogs.core.stats import Summary
from taplogs.core.timeline import Timeline
from taplogs.sources.sqlite_query import Selection

_ROWS = 5000


def count_groups(connection: sqlite3.Connection, chosen: Selection, summary: Summary) -> None:
    """Count the entries of `chosen` by group.

    SQL groups by plain columns. Keys that are made of a column are made here, of rows that come ungrouped: SQLite
    takes longer to call a Python function and to sort by its results than to hand the rows over.
    """
    dimensions = summary.grouping.dimensions
    columns = ", ".join([*(dimension.field for dimension in dimensions), "status_code", "latency_ms"])
    source = f"FROM entries WHERE {chosen.condition}"
    if all(dimension.key is None for dimension in dimensions):
        statement = f"SELECT {columns}, count(*) {source} GROUP BY {columns}"
        with closing(connection.execute(statement, chosen.parameters)) as rows:
            summary.add_counts(rows)
        return
    with closing(connection.execute(f"SELECT {columns} {source}", chosen.parameters)) as rows:
        while batch := rows.fetchmany(_ROWS):
            *fields, statuses, latencies = zip(*batch, strict=True)
            summary.add_columns(fields, statuses, latencies)


def count_moments(connection: sqlite3.Connection, chosen: Selection, timeline: Timeline[int]) -> None:
    """Count the entries of `chosen` over time, by status class."""
    source = f"FROM entries WHERE {chosen.condition}"
    ends = connection.execute(f"SELECT min(timestamp), max(timestamp) {source}", chosen.parameters).fetchone()
    if ends[0] is None:
        return
    timeline.reach(*ends)
    statement = f"SELECT substr(timestamp, 1, {timeline.prefix}), status_code / 100, count(*) {source} GROUP BY 1, 2"
    with closing(connection.execute(statement, chosen.parameters)) as rows:
        timeline.add_counts(rows)

"""Counting in ClickHouse: the entries of a selection by group, status and latency, and over time."""

from __future__ import annotations

from datetime import timedelta

from taplogs.core.dimensions import Dimension, status_class
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.stats import Summary
from taplogs.core.timeline import Timeline
from taplogs.sources.clickhouse_connection import ClickHouseConnection
from taplogs.sources.clickhouse_query import Selection
from taplogs.sources.clickhouse_rows import canonical

_BLOCK = 50_000
_MILLISECOND = timedelta(milliseconds=1)
_DAY = timedelta(days=1)

_BEGINNING = -62_135_596_800_000
"""The first moment of the year 1: what lies after it is divided without a sign."""


def count_groups(connection: ClickHouseConnection, chosen: Selection, summary: Summary, *, has_endpoints: bool) -> None:
    """Count the entries of `chosen` by group.

    ClickHouse groups by what a row holds: plain columns, statuses for their classes, and endpoints where they were made
    by the rules that are asked for. Keys that are made of anything else are made here, of rows that come ungrouped.
    """
    dimensions = summary.grouping.dimensions
    columns = [_grouped_by(dimension, has_endpoints=has_endpoints) for dimension in dimensions]
    source = f"FROM {connection.address.qualified} WHERE {chosen.condition}"
    if None in columns:
        plain = ", ".join([dimension.field for dimension in dimensions])
        statement = f"SELECT {plain}, status_code AS s, latency_ms AS l {source}"
        for *fields, statuses, latencies in connection.blocks(statement, chosen.parameters, max_block_size=_BLOCK):
            values = [
                list(map(canonical, field)) if dimension.field == "timestamp" else field
                for dimension, field in zip(dimensions, fields, strict=True)
            ]
            summary.add_columns(values, statuses, latencies)
        return
    names = [f"{column} AS k{index}" for index, column in enumerate(columns)]
    keys = ", ".join([*(f"k{index}" for index in range(len(columns))), "s", "l"])
    statement = f"SELECT {', '.join([*names, 'status_code AS s', 'latency_ms AS l'])}, count() {source} GROUP BY {keys}"
    for block in connection.blocks(statement, chosen.parameters, max_block_size=_BLOCK):
        groups = [
            list(map(status_class, values)) if dimension.key is status_class else values
            for dimension, values in zip(dimensions, block, strict=False)
        ]
        summary.add_counts(zip(*groups, *block[len(groups) :], strict=True))


def _grouped_by(dimension: Dimension, *, has_endpoints: bool) -> str | None:
    """Return the column whose values are the keys of a dimension, or stand for them; None where there is none."""
    if dimension.key is None or dimension.key is status_class:
        return dimension.field
    templates = getattr(dimension.key, "__self__", None)
    if has_endpoints and isinstance(templates, EndpointTemplates) and not templates.has_overrides:
        return "endpoint"
    return None


def count_moments(
    connection: ClickHouseConnection, chosen: Selection, timeline: Timeline[int], *, only_ends: bool
) -> None:
    """Count the entries of `chosen` over time, by status class; or only tell when the first and the last were."""
    source = f"FROM {connection.address.qualified} WHERE {chosen.condition}"
    ends = connection.rows(f"SELECT min(timestamp), max(timestamp), count() {source}", chosen.parameters)
    first, last, entries = ends[0]
    if not entries:
        return
    timeline.reach(canonical(first), canonical(last))
    if only_ends:
        return
    step = min(timeline.step, _DAY) // _MILLISECOND
    statement = (
        f"SELECT intDiv(reinterpretAsInt64(timestamp) - ({_BEGINNING}), {step}) AS t, intDiv(status_code, 100) AS c, "
        f"count() {source} GROUP BY t, c"
    )
    for moments, classes, numbers in connection.blocks(statement, chosen.parameters, max_block_size=_BLOCK):
        texts = [canonical(_BEGINNING + moment * step)[: timeline.prefix] for moment in moments]
        timeline.add_counts(zip(texts, classes, numbers, strict=True))

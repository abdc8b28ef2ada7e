"""A store counts in SQL, every other source by the fold: the same summary."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from faulty_server import source_at
from serving import Backend, log_entry
from taplogs.core.dimensions import DIMENSION_NAMES, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.filters import ClientFilter, EndpointFilter, IpFilter, LatencyFilter, MethodFilter, StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping, Summary, fold
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore

START = datetime(2026, 10, 24, 20, tzinfo=UTC)  # the night on which Berlin's clocks go back
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu")
SPANS = (timedelta(minutes=90), timedelta(days=3), timedelta(days=400))
GRID = [
    format_timestamp(START + offset)
    for offset in sorted(
        {timedelta(minutes=15 * number) for number in range(3 * 96)} | {timedelta(days=number) for number in range(402)}
    )
]
"""Moments that tell timelines apart: quarters of an hour, then days."""

texts = st.none() | st.sampled_from(("", "a", "A", "ä", "4xx", "(others)", "a\nb", "'; --", "\x00"))
paths = st.sampled_from(
    ("/v1/partner/jobs", "/v1/partner/jobs/17", "/v1/partner/jobs/18?q=/jobs/3", "/", "", "//x", "/v1#17", "/[", "17")
)


def entries_within(span: timedelta) -> st.SearchStrategy[list[LogEntry]]:
    """Return a strategy for entries of few different values, so that many fall into one group."""
    moments = st.integers(0, int(span.total_seconds() * 1000))
    fields = st.fixed_dictionaries(
        {
            "timestamp": moments.map(lambda offset: format_timestamp(START + timedelta(milliseconds=offset))),
            "method": st.sampled_from(("GET", "POST", "get")),
            "request_url": paths.map("https://partner-api.taptalent.io{}".format),
            "status_code": st.sampled_from((0, 99, 200, 204, 304, 404, 422, 500, 599, 999)),
            "latency_ms": st.none() | st.sampled_from((0, 1, 5, 2**53 - 1)) | st.integers(0, 3000),
            "ip_address": st.sampled_from((None, "192.0.2.1", "192.0.2.2", "nonsense")),
            "user_agent": texts,
            "client_id": texts,
            "company_id": texts,
        }
    )
    return st.lists(fields, max_size=40).map(
        lambda many: [log_entry(number, **values) for number, values in enumerate(many, 1)]
    )


queries = st.builds(
    LogQuery,
    status=st.none()
    | st.sampled_from(("4xx", "ok,!204", "!5xx", "200-404")).map(lambda text: StatusFilter.parse([text])),
    method=st.none() | st.sampled_from(("GET", "!POST")).map(lambda text: MethodFilter.parse([text])),
    latency=st.none() | st.just(LatencyFilter.parse(["<1s"])),
    ip=st.none() | st.just(IpFilter.parse(["192.0.2.0/24"])),
    client=st.none() | st.sampled_from(("a", "!a", "nobody")).map(lambda text: ClientFilter.parse([text])),
    endpoint=st.none()
    | st.builds(
        EndpointFilter,
        wanted=st.sampled_from((("/v1/partner/jobs",), ("/v1/partner/jobs/{id}",), ("/v1/*/jobs/17",), ("/**",))),
        templates=st.sampled_from((None, EndpointTemplates(["/v1/partner/{name}"]))),
    ),
    window=st.sampled_from(
        (
            Window(),
            Window(START + timedelta(hours=1), None),
            Window(START, START + timedelta(minutes=50, microseconds=1)),
            Window(START + timedelta(days=40), START + timedelta(days=200)),
            Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)),
            Window(None, datetime(2027, 1, 15, tzinfo=UTC)),
        )
    ),
    order=st.sampled_from(Order),
    limit=st.none() | st.just(3),
)
names = st.lists(st.sampled_from(DIMENSION_NAMES), max_size=2, unique=True)
groupings = st.builds(
    lambda by, templates, zone, timeline, ends: Grouping(
        dimensions_named(",".join(by), templates, ZoneInfo(zone)) if by else (), timeline, ends
    ),
    names,
    st.sampled_from((EndpointTemplates(), EndpointTemplates(["/v1/partner/{name}"]))),
    st.sampled_from(ZONES),
    st.booleans(),
    st.booleans(),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store that each example fills anew."""
    store = SqliteStore(tmp_path_factory.mktemp("summaries") / "logs.db")
    yield store
    store.close()


def refill(store: SqliteStore, entries: list[LogEntry]) -> None:
    store.prune(0)
    store.add(entries)


def same(one: Summary, other: Summary) -> bool:
    timelines = one.timeline, other.timeline
    (step, spread), (other_step, other_spread) = ((timeline.step, timeline.spread(GRID)) for timeline in timelines)
    ends, other_ends = ((timeline.first, timeline.last) for timeline in timelines)
    return one.counts == other.counts and step == other_step and spread == other_spread and ends == other_ends


@given(st.sampled_from(SPANS).flatmap(entries_within), queries, groupings)
@settings(max_examples=300)
def test_sql_counts_what_the_fold_counts(
    store: SqliteStore, entries: list[LogEntry], query: LogQuery, grouping: Grouping
) -> None:
    refill(store, entries)
    by_hand = fold([[entry for entry in entries if query.matches(entry)]], grouping)
    assert same(store.summarise(query, grouping), by_hand)


@given(st.sampled_from(SPANS).flatmap(entries_within), queries, groupings, st.integers(0, 40))
@settings(max_examples=100)
def test_what_was_removed_counts_no_more(
    store: SqliteStore, entries: list[LogEntry], query: LogQuery, grouping: Grouping, kept: int
) -> None:
    refill(store, entries)
    store.prune(kept)
    newest = sorted(entries, key=lambda entry: entry.sort_key)[max(0, len(entries) - kept) :]
    by_hand = fold([[entry for entry in newest if query.matches(entry)]], grouping)
    assert same(store.summarise(query, grouping), by_hand)
    assert store.count(query) in (by_hand.total.requests, None)
    assert list(store.faults()) == []


@given(entries_within(timedelta(days=3)), queries, groupings)
@settings(max_examples=100)
def test_the_fold_over_only_the_fields_that_are_counted_counts_the_same(
    store: SqliteStore, entries: list[LogEntry], query: LogQuery, grouping: Grouping
) -> None:
    """A store leaves empty what nobody looks at; a filter that it applies itself needs no field of the entry."""
    refill(store, entries)
    everything = replace(query, limit=None)
    sparse = fold(store.batches(grouping.query(query)), grouping)
    assert same(sparse, fold(store.batches(everything), grouping))


@pytest.mark.parametrize("by", ["endpoint", "method,status", "hour", "client,class"])
def test_a_backend_over_http_is_counted_as_its_store(backend: Backend, by: str) -> None:
    statuses = (200, 201, 404, 422, 500)
    backend.store.add(
        log_entry(number, status_code=statuses[number % 5], latency_ms=None if number % 7 == 0 else number % 900)
        for number in range(1, 3001)
    )
    grouping = Grouping(dimensions_named(by, EndpointTemplates(), ZoneInfo("Europe/Berlin")), timeline=True)
    query = LogQuery(status=StatusFilter.parse(["2xx,4xx"]), limit=10)
    with source_at(backend.url, backend.key) as remote:
        counted = remote.summarise(query, grouping)
    assert counted.total.requests == 2400
    assert same(counted, backend.store.summarise(query, grouping))


def test_percentiles_are_those_that_sqlite_ranks(tmp_path: Path) -> None:
    """Nearest rank, computed by window functions over the rows themselves."""
    path = tmp_path / "logs.db"
    store = SqliteStore(path)
    store.add(
        log_entry(number, latency_ms=None if number % 13 == 0 else number * number % 4801) for number in range(1, 3334)
    )
    total = store.summarise(LogQuery(), Grouping()).total
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        for percent in (1, 50, 90, 95, 99, 100):
            assert (percent, total.percentile(percent)) == (percent, _ranked(connection, percent))
        assert total.timed == 3333 - 3333 // 13


def _ranked(connection: sqlite3.Connection, percent: int) -> Any:
    statement = """
        WITH ranked AS (
            SELECT latency, row_number() OVER (ORDER BY latency) AS rank, count(*) OVER () AS known
            FROM entries WHERE latency IS NOT NULL
        )
        SELECT min(latency) FROM ranked WHERE rank * 100 >= ? * known
    """
    return connection.execute(statement, (percent,)).fetchone()[0]

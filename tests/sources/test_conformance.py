"""All sources alike: the same entries in, the same queries, the same answers."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from clickhouse import clickhouse_store
from faulty_server import Told, served, source_at
from generated import HOSTILE, MIDNIGHT, PAYLOADS, answer, counted, entries, groupings, moments_of, queries
from serving import log_entry
from taplogs.backend.app import create_app
from taplogs.core.entry import LogEntry, encode_entries, encode_entry
from taplogs.core.filters import GrepFilter, StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping
from taplogs.core.timespan import Window
from taplogs.errors import EntryNotFound
from taplogs.sources.file_source import open_files
from taplogs.sources.protocol import LogSource
from taplogs.sources.sqlite import SqliteStore

Kind = Callable[[Path], AbstractContextManager[Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]]]]
"""Takes a folder of its own, and gives what makes a source of entries."""


@contextmanager
def remote(folder: Path) -> Iterator[Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]]]:
    """The reference backend over HTTP: one server, another store behind it each time."""
    stores: list[SqliteStore] = []

    @contextmanager
    def of(stored: Sequence[LogEntry]) -> Iterator[LogSource]:
        with sqlite_store(folder, stored) as store:
            stores.append(store)
            with source_at(url) as source:
                yield source

    with served(lambda environ, start_response: create_app(stores[-1])(environ, start_response)) as url:
        yield of


@contextmanager
def sqlite(folder: Path) -> Iterator[Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]]]:
    """A SQLite store, as the archive is one."""
    yield partial(sqlite_store, folder)


@contextmanager
def sqlite_store(folder: Path, stored: Sequence[LogEntry]) -> Iterator[SqliteStore]:
    path = folder / f"{len(list(folder.iterdir()))}.sqlite"
    store = SqliteStore(path)
    try:
        store.add(stored)
        yield store
    finally:
        store.close()


@contextmanager
def files(folder: Path) -> Iterator[Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]]]:
    """Two files in no order: JSON Lines in Zstandard, a JSON array in gzip."""

    @contextmanager
    def of(stored: Sequence[LogEntry]) -> Iterator[LogSource]:
        lines, array = folder / "half.jsonl.zst", folder / "half.json.gz"
        lines.write_bytes(zstandard.compress(encode_entries(list(stored[::2]))))
        array.write_bytes(gzip.compress(b"[" + b",".join(map(encode_entry, stored[1::2])) + b"]"))
        told = Told()
        source = open_files(
            [str(array), str(lines)],
            stdin=None,
            strict=True,
            verify=None,
            spool_folder=lambda: folder,
            events=told,
            clock=lambda: datetime.now(UTC),
        )
        try:
            yield source
        finally:
            source.close()
        assert told.left_out == []
        assert all(notice.endswith("holds no entries") or "hold no entries: " in notice for notice in told.notices)

    yield of


@contextmanager
def clickhouse(_folder: Path) -> Iterator[Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]]]:
    """ClickHouse in process: another table each time."""

    @contextmanager
    def of(stored: Sequence[LogEntry]) -> Iterator[LogSource]:
        with clickhouse_store() as store:
            store.prepare()
            store.add(stored)
            yield store

    yield of


KINDS: dict[str, Kind] = {"remote": remote, "sqlite": sqlite, "files": files, "clickhouse": clickhouse}


class Alike:
    """One kind of source, and laws that hold for it as for every other."""

    def __init__(self, of: Callable[[Sequence[LogEntry]], AbstractContextManager[LogSource]], examples: int) -> None:
        self.of = of
        self._examples = examples

    def holds_for(self, *strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
        """Have a law tried with what the strategies make, as often as this kind of source is quick."""

        def tried(law: Callable[..., None]) -> None:
            settings(max_examples=self._examples, suppress_health_check=list(HealthCheck))(given(*strategies)(law))()

        return tried


@pytest.fixture(scope="module", params=KINDS)
def alike(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alike]:
    """One kind of source after the other."""
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as of:
        yield Alike(of, 10 if request.param == "clickhouse" else 60)


several_queries = st.lists(queries, min_size=1, max_size=6)


def test_a_query_finds_the_same_entries_in_the_same_order(alike: Alike) -> None:
    @alike.holds_for(entries, several_queries)
    def law(stored: list[LogEntry], asked: list[LogQuery]) -> None:
        with alike.of(stored) as source:
            for query in asked:
                expected = encode_entries(answer(stored, query))
                assert encode_entries(list(source.search(query))) == expected
                assert encode_entries(list(chain.from_iterable(source.batches(query)))) == expected


def test_a_count_is_of_all_that_match_or_none_is_given(alike: Alike) -> None:
    @alike.holds_for(entries, several_queries)
    def law(stored: list[LogEntry], asked: list[LogQuery]) -> None:
        with alike.of(stored) as source:
            for query in asked:
                assert source.count(query) in (None, len(answer(stored, query, limited=False)))


def test_a_summary_counts_what_the_fold_counts(alike: Alike) -> None:
    @alike.holds_for(entries, several_queries, groupings)
    def law(stored: list[LogEntry], asked: list[LogQuery], grouping: Grouping) -> None:
        with alike.of(stored) as source:
            for query in asked:
                summary, expected = source.summarise(query, grouping), counted(stored, query, grouping)
                assert summary.counts == expected.counts
                assert moments_of(summary, stored) == moments_of(expected, stored)


def test_a_reader_of_few_fields_gets_these(alike: Alike) -> None:
    @alike.holds_for(
        entries, queries, st.sampled_from([{"status_code"}, {"timestamp", "id"}, {"request_url", "latency_ms"}])
    )
    def law(stored: list[LogEntry], query: LogQuery, fields: set[str]) -> None:
        with alike.of(stored) as source:
            few = source.search(replace(query, fields=frozenset(fields), payloads=False))
            found = [[getattr(entry, name) for name in sorted(fields)] for entry in few]
        assert found == [[getattr(entry, name) for name in sorted(fields)] for entry in answer(stored, query)]


def test_each_entry_is_found_by_its_id_as_it_was(alike: Alike) -> None:
    @alike.holds_for(entries.filter(bool))
    def law(stored: list[LogEntry]) -> None:
        with alike.of(stored) as source:
            for entry in stored[:6]:
                assert encode_entries([source.get(entry.id)]) == encode_entries([entry])


@pytest.mark.parametrize(
    "unknown", ["nobody", "%", "_", "entry-0000", "entry-00001 ", "' OR 1=1 --", "\x00", "😀", "a" * 3000]
)
def test_an_unknown_id_is_not_found(alike: Alike, unknown: str) -> None:
    with alike.of([log_entry(1)]) as source, pytest.raises(EntryNotFound):
        source.get(unknown)


def test_an_empty_source_has_nothing(alike: Alike) -> None:
    with alike.of([]) as source:
        assert list(source.search(LogQuery())) == []
        assert source.count(LogQuery()) in (None, 0)
        assert source.summarise(LogQuery(), Grouping(timeline=True)).total.requests == 0


def test_more_entries_than_a_page_of_one_instant_come_in_the_order_of_their_ids(alike: Alike) -> None:
    stored = [replace(log_entry(), id=f"{number * 7919 % 2500:04}") for number in range(2500)]
    with alike.of(stored) as source:
        assert [entry.id for entry in source.search(LogQuery(order=Order.OLDEST_FIRST))] == sorted(e.id for e in stored)
        newest = source.search(LogQuery(limit=3))
        assert [entry.id for entry in newest] == ["2499", "2498", "2497"]


def test_integers_uuids_and_words_as_ids_share_one_order(alike: Alike) -> None:
    ids = ["9", "10", "f" * 8 + "-0000-4000-8000-" + "0" * 12, "0" * 8 + "-0000-4000-8000-" + "0" * 12, "g", "F", "é"]
    stored = [replace(log_entry(), id=name) for name in ids]
    with alike.of(stored) as source:
        assert [entry.id for entry in source.search(LogQuery(order=Order.OLDEST_FIRST))] == sorted(ids)


def test_every_hostile_text_comes_back_as_it_was(alike: Alike) -> None:
    stored = [
        log_entry(number, id=f"id {text}", user_agent=text, client_id=text, request_url=f"https://a.example/{text}")
        for number, text in enumerate(HOSTILE)
    ]
    with alike.of(stored) as source:
        assert encode_entries(list(source.search(LogQuery(order=Order.OLDEST_FIRST)))) == encode_entries(stored)


def test_a_latency_that_nobody_knows_passes_no_bound_and_is_in_no_percentile(alike: Alike) -> None:
    stored = [log_entry(number, latency_ms=number if number % 2 else None) for number in range(100)]
    with alike.of(stored) as source:
        total = source.summarise(LogQuery(), Grouping()).total
    assert (total.requests, total.timed, total.percentile(50), total.longest) == (100, 50, 49, 99)


def test_a_window_is_half_open_to_the_millisecond(alike: Alike) -> None:
    times = ("23:59:59.999", "00:00:00.000", "00:00:00.001")
    stored = [replace(log_entry(), id=text, timestamp=f"2026-11-0{1 if text[0] == '0' else 0}") for text in times]
    stored = [replace(e, timestamp=f"{'2026-10-31' if e.id[0] == '2' else '2026-11-01'}T{e.id}Z") for e in stored]
    bounds = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, 0, 0, 0, 1000, tzinfo=UTC))
    with alike.of(stored) as source:
        assert [entry.id for entry in source.search(LogQuery(window=bounds))] == ["00:00:00.000"]


def test_times_of_the_first_and_the_last_year_are_kept(alike: Alike) -> None:
    stored = [log_entry(1, timestamp="0001-01-01T00:00:00.000Z"), log_entry(2, timestamp="9999-12-31T23:59:59.999Z")]
    with alike.of(stored) as source:
        assert [entry.timestamp for entry in source.search(LogQuery(order=Order.OLDEST_FIRST))] == [
            entry.timestamp for entry in stored
        ]


def test_thousands_of_entries_of_many_days_are_counted_and_cut_alike(alike: Alike) -> None:
    stored = [
        log_entry(
            number % 80_000,
            id=f"{number:05}",
            timestamp=(MIDNIGHT + timedelta(minutes=7 * number)).isoformat(timespec="milliseconds")[:23] + "Z",
            status_code=(200, 201, 404, 500)[number % 4],
            latency_ms=number * number % 4801,
            response_payload=log_entry().response_payload,
        )
        for number in range(3000)
    ]
    since, until = MIDNIGHT + timedelta(days=2, minutes=5), MIDNIGHT + timedelta(days=13, hours=7, seconds=1)
    with alike.of(stored) as source:
        for query in (
            LogQuery(),
            LogQuery(window=Window(since, until), status=StatusFilter.parse(["4xx,5xx"]), limit=1001),
            LogQuery(window=Window(since), order=Order.OLDEST_FIRST),
            LogQuery(grep=GrepFilter.parse(["jobs/.*7"]), limit=10),
        ):
            assert [entry.id for entry in source.search(query)] == [entry.id for entry in answer(stored, query)]
            grouping = Grouping(timeline=True)
            assert source.summarise(query, grouping).counts == counted(stored, query, grouping).counts


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.decode()[:30])
def test_a_payload_comes_back_to_the_byte(alike: Alike, payload: bytes) -> None:
    entry = log_entry(1, request_payload=Raw(payload), response_payload=Raw(payload), status_code=404)
    with alike.of([entry]) as source:
        found = source.get(entry.id)
        assert (bytes(found.request_payload), bytes(found.response_payload)) == (payload, payload)
        [listed] = source.search(LogQuery())
        assert (bytes(listed.request_payload), bytes(listed.response_payload)) == (payload, payload)

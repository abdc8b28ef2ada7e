"""The local store: what it keeps, in which order it gives it back, and what it refuses."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from serving import log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.filters import ClientFilter, GrepFilter, MethodFilter, StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import ConfigurationError, EntryNotFound, TaplogsError
from taplogs.sources.protocol import UnstorableEntry
from taplogs.sources.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "logs.db")
    yield store
    store.close()


def ids(entries: Iterator[LogEntry]) -> list[str]:
    return [entry.id for entry in entries]


def test_an_entry_comes_back_as_it_went_in_with_payloads_to_the_byte(store: SqliteStore) -> None:
    entry = log_entry(
        1,
        request_url="https://x/\u2028\x00\N{GRINNING FACE}",
        latency_ms=None,
        request_payload=payload('{ "a" : 1.50, "a":12345678901234567890,\n"\\u00e9":"é" }'),
        response_payload=payload('"text"'),
        ip_address=None,
        updated_at=None,
    )
    store.add([entry])
    assert store.get(entry.id) == entry
    assert list(store.search(LogQuery())) == [entry]


def test_adding_ignores_ids_that_are_there_and_counts_the_new_ones(store: SqliteStore) -> None:
    assert store.add([log_entry(1), log_entry(2)]) == 2
    assert store.add([log_entry(2, status_code=500), log_entry(3), log_entry(3)]) == 1
    assert store.get("entry-00002").status_code == 200


def test_adding_nothing_adds_nothing(store: SqliteStore) -> None:
    assert store.add([]) == 0


def test_an_unknown_id_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(EntryNotFound, match="nope"):
        store.get("nope")


def test_an_id_that_no_entry_can_have_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(EntryNotFound):
        store.get("\ud800")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [(log_entry(2, request_url="\ud800"), "surrogate"), (log_entry(2, latency_ms=2**63), "64 bits")],
)
def test_an_entry_that_sqlite_cannot_hold_is_refused_with_all_that_came_with_it(
    store: SqliteStore, entry: LogEntry, reason: str
) -> None:
    with pytest.raises(UnstorableEntry, match=reason):
        store.add([log_entry(1), entry])
    assert store.count(LogQuery()) == 0


def test_entries_of_one_instant_are_ordered_by_id(store: SqliteStore) -> None:
    store.add(log_entry(1, id=name) for name in ("b", "Z", "é", "a", "10", "9"))
    oldest_first = ids(store.search(LogQuery(order=Order.OLDEST_FIRST)))
    assert oldest_first == ["10", "9", "Z", "a", "b", "é"]
    assert ids(store.search(LogQuery())) == oldest_first[::-1]


entries = st.lists(
    st.builds(
        log_entry,
        st.integers(0, 5),
        id=st.text("ab\x00é", max_size=2),
        method=st.sampled_from(["GET", "get", "POST", "BREW"]),
        status_code=st.sampled_from([0, 200, 204, 299, 300, 404, 500, 999]),
        client_id=st.sampled_from([None, "a", "b"]),
    ),
    unique_by=lambda entry: entry.id,
    max_size=12,
)
instants = st.none() | st.integers(0, 6).map(lambda number: parse_timestamp(log_entry(number).timestamp))
queries = st.builds(
    LogQuery,
    window=st.builds(Window, instants, instants),
    status=st.none()
    | st.sampled_from(["2xx", "404,5xx", "!200", "error,!500", "204-300"]).map(lambda t: StatusFilter.parse([t])),
    method=st.none() | st.sampled_from(["GET", "!GET", "POST,GET,!POST"]).map(lambda t: MethodFilter.parse([t])),
    client=st.none() | st.sampled_from(["a", "!a"]).map(lambda t: ClientFilter.parse([t])),
    order=st.sampled_from(Order),
    limit=st.none() | st.integers(0, 4),
)


@given(entries, queries, st.integers(0, 3), st.none() | st.tuples(st.integers(0, 6), st.text("abé", max_size=2)))
def test_a_search_gives_what_the_query_matches_in_its_order(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[LogEntry],
    query: LogQuery,
    offset: int,
    start: tuple[int, str] | None,
) -> None:
    after = (log_entry(start[0]).timestamp, start[1]) if start else None
    newest_first = query.order is Order.NEWEST_FIRST
    expected = sorted(filter(query.matches, stored), key=lambda entry: entry.sort_key, reverse=newest_first)
    total = len(expected)
    if after:
        expected = [entry for entry in expected if (entry.sort_key < after if newest_first else entry.sort_key > after)]
    end = None if query.limit is None else offset + query.limit
    store = SqliteStore(tmp_path_factory.mktemp("store") / "logs.db")
    try:
        store.add(stored)
        assert list(store.search(query, after=after, offset=offset)) == expected[offset:end]
        assert store.count(query) == total
    finally:
        store.close()


def test_the_limit_counts_after_filters_that_sql_does_not_know(store: SqliteStore) -> None:
    store.add(log_entry(number, user_agent="odd" if number % 2 else "even") for number in range(10))
    query = LogQuery(grep=GrepFilter.parse(["odd"]), limit=2)
    assert ids(store.search(query, offset=1)) == ["entry-00007", "entry-00005"]


@pytest.mark.parametrize("order", Order)
def test_few_entries_of_long_ago_are_found_at_once(store: SqliteStore, order: Order) -> None:
    """A status that one entry in a thousand has, in some months of many."""
    rare = [log_entry(number, status_code=302, timestamp=f"2024-0{number}-15T00:00:00.000Z") for number in (3, 4)]
    times = [
        f"20{year}-{month:02}-{day:02}T00:00:00.000Z"
        for year in (23, 25)
        for month in range(1, 13)
        for day in range(1, 29)
    ]
    store.add(log_entry(number, timestamp=times[number % len(times)]) for number in range(100, 3000))
    store.add(rare)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store.database.connection() as connection:
        connection.set_progress_handler(count, 10)
    query = LogQuery(status=StatusFilter.parse(["302"]), order=order)
    assert list(store.search(query)) == (rare if order is Order.OLDEST_FIRST else rare[::-1])
    assert list(store.search(LogQuery(status=StatusFilter.parse(["1xx"]), order=order))) == []
    assert steps < 1000, steps


def test_a_summary_leaves_the_payloads_out(store: SqliteStore) -> None:
    entry = log_entry(1, request_payload=payload("[1]"), response_payload=payload("[2]"))
    store.add([entry])
    bare = structs.replace(entry, request_payload=payload("null"), response_payload=payload("null"))
    assert list(store.search(LogQuery(payloads=False))) == [bare]


def test_a_search_by_payload_reads_payloads_though_the_reader_does_not_want_them(store: SqliteStore) -> None:
    store.add([log_entry(1, request_payload=payload('{"name":"needle"}')), log_entry(2)])
    assert ids(store.search(LogQuery(grep=GrepFilter.parse(["needle"]), payloads=False))) == ["entry-00001"]


def test_a_search_is_one_snapshot_while_entries_are_added(store: SqliteStore) -> None:
    store.add(log_entry(number) for number in range(100))
    found = store.search(LogQuery(order=Order.OLDEST_FIRST))
    first = next(found)
    store.add(log_entry(number) for number in range(100, 200))
    assert [first.id, *ids(found)] == [log_entry(number).id for number in range(100)]


def test_a_deep_page_costs_no_more_than_the_first(store: SqliteStore) -> None:
    store.add(log_entry(number) for number in range(20_000))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    query = LogQuery(window=Window(None, parse_timestamp("2026-12-01T00:00:00Z")), limit=10)
    costs = []
    for after in (None, log_entry(50).sort_key):
        with store.database.connection() as connection:
            connection.set_progress_handler(count, 10)
        steps = 0
        assert len(list(store.search(query, after=after))) == 10
        costs.append(steps)
    assert costs[1] <= costs[0] + 5


def test_pruning_keeps_the_newest(store: SqliteStore) -> None:
    store.add(log_entry(1, id=str(number)) for number in range(5))
    assert store.prune(2) == 3
    assert ids(store.search(LogQuery())) == ["4", "3"]
    assert store.prune(2) == 0
    assert store.prune(0) == 2


def test_the_newest_timestamp_is_known(store: SqliteStore) -> None:
    assert store.newest() is None
    store.add([log_entry(5), log_entry(3)])
    assert store.newest() == log_entry(5).timestamp


def test_threads_may_write_and_read_at_once(store: SqliteStore) -> None:
    faults: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 20):
                store.add([log_entry(number)])
                assert log_entry(number).id in ids(store.search(LogQuery()))
        except BaseException as fault:  # noqa: BLE001 - told to the test below
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 80, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert store.count(LogQuery()) == 80


def test_two_stores_may_be_opened_on_a_new_file_at_once(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"{number}.db"
        barrier = threading.Barrier(4)
        stores: list[SqliteStore] = []

        def work(path: Path = path, barrier: threading.Barrier = barrier, stores: list[SqliteStore] = stores) -> None:
            barrier.wait()
            store = SqliteStore(path)
            store.add([log_entry(1)])
            stores.append(store)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.count(LogQuery()) for store in stores] == [1] * 4
        for store in stores:
            store.close()


def test_a_store_outlives_its_process_in_the_file(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "logs.db")
    first.add([log_entry(1)])
    first.close()
    second = SqliteStore(tmp_path / "logs.db")
    assert second.get("entry-00001") == log_entry(1)
    second.close()


def test_a_database_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE entries (id)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="a database of something else"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "logs.db").close()
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer taplogs: schema 99"):
        SqliteStore(tmp_path / "logs.db")


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("CREATE TABLE photos (name)")
    connection.close()
    with pytest.raises(ConfigurationError, match="something else"):
        SqliteStore(tmp_path / "logs.db")


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    path.write_bytes(b"precious text, not a database; " * 100)
    with pytest.raises(ConfigurationError, match="not a SQLite database"):
        SqliteStore(path)
    assert path.read_bytes() == b"precious text, not a database; " * 100


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TaplogsError, match="unable to open"):
        SqliteStore(tmp_path / "missing" / "logs.db")


def test_a_closed_store_says_so(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(TaplogsError, match="closed"):
        store.count(LogQuery())


def test_a_query_within_another_window_is_answered_for_that_window(store: SqliteStore) -> None:
    store.add(log_entry(number) for number in range(10))
    query = LogQuery(status=StatusFilter.parse(["ok"]))
    window = Window(parse_timestamp(log_entry(3).timestamp), parse_timestamp(log_entry(5).timestamp))
    assert ids(store.search(query.within(window))) == ["entry-00004", "entry-00003"]

"""Entries in ClickHouse: what is kept, in which order it comes back, what is counted, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickhouse import CLUSTER, clickhouse_store, drop, engine, engine_folder, make_database, new_address, url_of
from command import Command, sample_entries
from generated import answer, counted, entries, groupings, moments_of, queries
from serving import log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.filters import METHODS, GrepFilter, LatencyFilter, MethodFilter, StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import ConfigurationError, EntryNotFound, TaplogsError
from taplogs.sources.clickhouse import ClickHouseStore
from taplogs.sources.clickhouse_address import ClickHouseAddress
from taplogs.sources.clickhouse_query import FOLDED_METHODS, latency_range
from taplogs.sources.clickhouse_rows import canonical, milliseconds
from taplogs.sources.clickhouse_schema import COMMENT, find_table
from taplogs.sources.protocol import Kept, UnstorableEntry

CLUSTER_SQL = Path(__file__).parents[2] / "docs" / "clickhouse-cluster.sql"


@pytest.fixture
def store() -> Iterator[ClickHouseStore]:
    with clickhouse_store() as store:
        yield store


def ids(found: Iterator[LogEntry]) -> list[str]:
    return [entry.id for entry in found]


@settings(max_examples=15)
@given(entries, st.lists(st.tuples(queries, groupings), min_size=5, max_size=5))
def test_every_query_is_answered_as_the_query_itself_decides(
    stored: list[LogEntry], asked: list[tuple[LogQuery, Grouping]]
) -> None:
    with clickhouse_store() as store:
        store.add(stored)
        for query, grouping in asked:
            assert list(store.search(query)) == answer(stored, query)
            assert store.count(query) in (None, len(answer(stored, query, limited=False)))
            summary = store.summarise(query, grouping)
            expected = counted(stored, query, grouping)
            assert summary.counts == expected.counts
            assert moments_of(summary, stored) == moments_of(expected, stored)
        for entry in stored:
            assert store.get(entry.id) == entry


def test_an_entry_comes_back_as_it_went_in_with_payloads_to_the_byte(store: ClickHouseStore) -> None:
    entry = log_entry(
        1,
        request_url="https://x/\u2028\x00\N{GRINNING FACE}",
        latency_ms=None,
        request_payload=payload('{ "a" : 1.50, "a":12345678901234567890,\n"\\u00e9":"é" }'),
        response_payload=payload('"text"'),
        ip_address=None,
        user_agent="",
        client_id=None,
        company_id="",
        updated_at=None,
    )
    store.add([entry])
    assert store.get(entry.id) == entry
    assert list(store.search(LogQuery())) == [entry]


@pytest.mark.parametrize(
    "timestamp",
    [
        "0001-01-01T00:00:00.000Z",
        "1899-12-31T23:59:59.999Z",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00.000Z",
        "2299-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
    ],
)
def test_every_instant_that_a_timestamp_can_name_is_exact(store: ClickHouseStore, timestamp: str) -> None:
    assert canonical(milliseconds(timestamp)) == timestamp
    entry = log_entry(1, timestamp=timestamp, created_at=timestamp)
    store.add([entry, log_entry(2)])
    assert store.get(entry.id) == entry
    instant = parse_timestamp(timestamp)
    assert ids(store.search(LogQuery(window=Window(instant, None), order=Order.OLDEST_FIRST))) == (
        [entry.id, "entry-00002"] if timestamp < "2026" else [entry.id]
    )
    assert list(store.search(LogQuery(window=Window(None, instant)))) == ([] if timestamp < "2026" else [log_entry(2)])


def test_the_first_entry_of_an_id_stays(store: ClickHouseStore) -> None:
    assert store.add([log_entry(1), log_entry(2)]) == 2
    assert (
        store.add([log_entry(3, id="entry-00002", status_code=500), log_entry(4), log_entry(4, status_code=500)]) == 1
    )
    assert store.get("entry-00002") == log_entry(2)
    assert store.get("entry-00004") == log_entry(4)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (log_entry(2, request_url="\ud800"), "surrogate"),
        (log_entry(2, id="\ud800"), "surrogate"),
        (log_entry(2, latency_ms=2**63), "integer"),
        (log_entry(2, status_code=-1), "integer"),
        (log_entry(2, timestamp="2026-02-30T00:00:00.000Z"), "day"),
        (log_entry(2, updated_at="yesterday"), "time"),
    ],
)
def test_an_entry_that_clickhouse_cannot_hold_is_refused_with_all_that_came_with_it(
    store: ClickHouseStore, entry: LogEntry, reason: str
) -> None:
    with pytest.raises(UnstorableEntry, match=reason):
        store.add([log_entry(1), entry])
    assert store.count(LogQuery()) == 0


@pytest.mark.parametrize("entry_id", ["nope", "", "\ud800"])
def test_an_unknown_id_is_not_found(store: ClickHouseStore, entry_id: str) -> None:
    store.add([log_entry(1)])
    with pytest.raises(EntryNotFound):
        store.get(entry_id)


@given(
    st.integers(0, 60),
    st.none() | st.integers(0, 50),
    st.sampled_from(Order),
    st.sampled_from([None, "ok", "!200"]),
    st.none() | st.integers(1, 60),
)
@settings(max_examples=25)
def test_a_page_begins_beyond_a_position_or_an_offset(
    page_store: ClickHouseStore, offset: int, limit: int | None, order: Order, status: str | None, start: int | None
) -> None:
    query = LogQuery(order=order, limit=limit, status=StatusFilter.parse([status]) if status else None)
    after = log_entry(start).sort_key if start else None
    expected = answer(sample_entries(60), query, limited=False)
    if after:
        newest_first = order is Order.NEWEST_FIRST
        expected = [entry for entry in expected if (entry.sort_key < after if newest_first else entry.sort_key > after)]
    end = None if limit is None else offset + limit
    assert list(page_store.search(query, after=after, offset=offset)) == expected[offset:end]


@pytest.fixture(scope="module")
def page_store() -> Iterator[ClickHouseStore]:
    with clickhouse_store() as store:
        store.add(sample_entries(60))
        yield store


@pytest.mark.parametrize("order", Order)
def test_many_entries_come_in_slices_and_in_order(store: ClickHouseStore, order: Order) -> None:
    crowd = [log_entry(7, id=f"{number:06}") for number in range(25_000)]
    sparse = [log_entry(number) for number in range(1000, 1100)]
    far = [log_entry(1, id="far", timestamp="1970-01-01T00:00:00.000Z")]
    assert store.add([*crowd, *sparse, *far]) == 25_101
    expected = ids(iter(answer([*crowd, *sparse, *far], LogQuery(order=order))))
    batches = list(store.batches(LogQuery(order=order)))
    assert [entry.id for batch in batches for entry in batch] == expected
    assert max(map(len, batches)) <= 1000


def test_the_limit_counts_after_filters_that_sql_does_not_know(store: ClickHouseStore) -> None:
    store.add(log_entry(number, user_agent="odd" if number % 2 else "even") for number in range(10))
    query = LogQuery(grep=GrepFilter.parse(["odd"]), limit=2)
    assert ids(store.search(query, offset=1)) == ["entry-00007", "entry-00005"]


def test_a_summary_leaves_the_payloads_out(store: ClickHouseStore) -> None:
    store.add([log_entry(1, request_payload=payload("[1]"))])
    assert list(store.search(LogQuery(payloads=False))) == [log_entry(1)]


@pytest.mark.parametrize("method", METHODS)
def test_methods_are_folded_as_python_folds_them(store: ClickHouseStore, method: str) -> None:
    spellings = {method.lower(), method.capitalize(), method, "x" + method}
    for letter, capital in FOLDED_METHODS.items():
        spellings.add(method.replace(capital, letter))
    stored = [log_entry(number, method=spelling) for number, spelling in enumerate(sorted(spellings))]
    store.add(stored)
    query = LogQuery(method=MethodFilter.parse([method]))
    assert store.count(query) == len(answer(stored, query))


def test_no_other_letter_becomes_one_of_a_method() -> None:
    letters = set("".join(METHODS))
    folding = {letter for letter in map(chr, range(128, 0x110000)) if set(letter.upper()) <= letters}
    assert {letter for letter in folding if any(letter.upper() in method for method in METHODS)} == set(FOLDED_METHODS)


@given(
    st.sampled_from([">", ">=", "<", "<=", "-"]),
    st.decimals(0, 10**6, places=3),
    st.decimals(0, 10**6, places=3),
    st.integers(0, 10**6),
)
def test_latencies_are_whole_milliseconds(operator: str, low: object, high: object, latency: int) -> None:
    text = f"{low}ms-{high}ms" if operator == "-" else f"{operator}{low}ms"
    if operator == "-" and float(str(low)) > float(str(high)):
        return
    filter_ = LatencyFilter.parse([text])
    least, most = latency_range(filter_.wanted[0])
    assert (least <= latency <= most) == filter_.accepts(latency)


def test_what_is_new_and_what_is_late_is_told(store: ClickHouseStore) -> None:
    assert store.keep([log_entry(1), log_entry(2)], origin="a", state=b"1", late_before=log_entry(2).timestamp) == Kept(
        2, 1
    )
    assert store.keep([log_entry(1), log_entry(3)], origin="a", state=b"2") == Kept(1, 0)


def test_each_origin_has_its_last_state(store: ClickHouseStore) -> None:
    assert store.states() == {}
    for origin, state in (("a", b"1"), ("b", b'{"\xc3\xa4":"\\u0000"}'), ("a", b"2"), ("c", b"")):
        store.keep([], origin=origin, state=state)
    assert store.states() == {"a": b"2", "b": b'{"\xc3\xa4":"\\u0000"}', "c": b""}


def test_a_run_that_was_killed_before_its_state_is_put_right_by_the_next(store: ClickHouseStore) -> None:
    store.add(sample_entries(10))  # what is left of a `keep` that ended between the two
    assert store.keep(sample_entries(10), origin="a", state=b"1") == Kept(0, 0)
    assert (store.count(LogQuery()), store.states()) == (10, {"a": b"1"})


def test_a_block_that_is_sent_twice_is_stored_once(store: ClickHouseStore) -> None:
    with engine(store.address) as connection:
        for _ in range(2):
            connection.insert(
                store.address.qualified, {"id": ("String", ["1"])}, insert_deduplication_token="taplogs 0 same"
            )
    assert store.count(LogQuery()) == 1


def test_what_is_removed_is_gone_and_may_come_again(store: ClickHouseStore) -> None:
    store.keep(sample_entries(10), origin="a", state=b"1")
    assert store.remove_before(log_entry(4).timestamp, {"a": b"2"}) == 3
    assert (store.oldest(), store.newest()) == (log_entry(4).timestamp, log_entry(10).timestamp)
    assert store.states() == {"a": b"2"}
    assert store.remove_before(log_entry(4).timestamp, {"a": b"2"}) == 0
    assert store.remove_before("9999-01-01T00:00:00.000Z", {}) == 7
    assert store.add(sample_entries(10)) == 10
    assert store.get("entry-00001").id == "entry-00001"


def test_an_empty_table_has_no_ends(store: ClickHouseStore) -> None:
    assert (store.oldest(), store.newest()) == (None, None)
    assert list(store.search(LogQuery())) == []
    assert store.summarise(LogQuery(), Grouping(timeline=True)).total.requests == 0


def test_reading_makes_no_table() -> None:
    store = ClickHouseStore(new_address(), None)
    with pytest.raises(ConfigurationError, match="there is no table"):
        list(store.search(LogQuery()))
    assert (store.states(), store.newest()) == ({}, None)
    with engine(store.address) as connection:
        assert find_table(connection) is None
    store.close()


@pytest.mark.parametrize(
    ("comment", "reason"),
    [("photos", "something else"), ("taplogs schema 99, endpoints 0", "newer taplogs: schema 99")],
)
def test_a_table_of_something_else_is_refused(comment: str, reason: str) -> None:
    address = new_address()
    make_database(address)
    with engine(address) as connection:
        connection.execute(f"CREATE TABLE {address.qualified} (id String) ENGINE = Memory COMMENT '{comment}'")
    store = ClickHouseStore(address, None)
    for act in (lambda: store.add([log_entry(1)]), lambda: store.count(LogQuery()), store.states):
        with pytest.raises(ConfigurationError, match=reason):
            act()
    store.close()
    drop(address)


def test_endpoints_of_other_rules_are_not_counted_by(store: ClickHouseStore) -> None:
    from taplogs.core.dimensions import endpoint_dimension
    from taplogs.core.endpoint import EndpointTemplates

    store.add([log_entry(1)])
    other = COMMENT.rpartition(" ")[0] + " 0"
    with engine(store.address) as connection:
        connection.execute(f"ALTER TABLE {store.address.qualified} MODIFY COMMENT '{other}'")
        connection.execute(f"ALTER TABLE {store.address.qualified} UPDATE endpoint = 'old' WHERE 1", mutations_sync=2)
    grouping = Grouping((endpoint_dimension(EndpointTemplates()),))
    assert list(store.summarise(LogQuery(), grouping).groups()) == [("old",)]
    later = ClickHouseStore(store.address, None)
    assert list(later.summarise(LogQuery(), grouping).groups()) == [("/v1/partner/jobs/{id}",)]
    later.close()


def test_endpoints_by_templates_of_ones_own_are_made_here(store: ClickHouseStore) -> None:
    from taplogs.core.dimensions import endpoint_dimension
    from taplogs.core.endpoint import EndpointTemplates

    store.add([log_entry(1)])
    grouping = Grouping((endpoint_dimension(EndpointTemplates(["/v1/partner/{kind}/{number}"])),))
    assert list(store.summarise(LogQuery(), grouping).groups()) == [("/v1/partner/{kind}/{number}",)]


def test_threads_may_read_while_a_listing_is_under_way(store: ClickHouseStore) -> None:
    store.add(sample_entries(50))
    listing = store.search(LogQuery())
    assert next(listing).id == "entry-00050"
    counts: list[int | None] = []
    threads = [threading.Thread(target=lambda: counts.append(store.count(LogQuery()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50] * 4
    assert store.count(LogQuery()) == 50
    assert len(list(listing)) == 49


def test_a_closed_store_says_so(store: ClickHouseStore) -> None:
    store.close()
    with pytest.raises(TaplogsError, match="closed"):
        store.count(LogQuery())


def test_the_tables_of_the_documented_cluster_are_read_and_written_through_the_distributed_one() -> None:
    local = ClickHouseAddress("", database="cluster", table="taplogs", folder=engine_folder(), secure=False)
    script = (
        CLUSTER_SQL.read_text("utf-8").replace(" ON CLUSTER '{cluster}'", "").replace("'{cluster}'", f"'{CLUSTER}'")
    )
    script = (
        script.replace("logs.", "cluster.").replace("'logs'", "'cluster'").replace("EXISTS logs;", "EXISTS cluster;")
    )
    for engine_name in ("ReplicatedMergeTree", "ReplicatedReplacingMergeTree"):  # one process has no Keeper
        start, _, rest = script.partition(f"{engine_name}(")
        arguments, _, rest = rest.partition(")\n")
        script = (
            f"{start}{engine_name.removeprefix('Replicated')}{'(version)' if 'version' in arguments else ''}\n{rest}"
        )
    with engine(local) as connection:
        connection.execute("DROP DATABASE IF EXISTS cluster")
        for statement in "\n".join(line for line in script.splitlines() if not line.startswith("--")).split(";"):
            if statement.strip():
                connection.execute(statement)
    store = ClickHouseStore(local, None)
    stored = sample_entries(40)
    assert store.keep(stored[:30], origin="a", state=b"1") == Kept(30, 0)
    assert store.keep(stored, origin="a", state=b"2") == Kept(10, 0)
    assert list(store.search(LogQuery())) == stored[::-1]
    assert store.get("entry-00007") == stored[6]
    assert (store.count(LogQuery(status=StatusFilter.parse(["404"]))), store.states()) == (7, {"a": b"2"})
    assert store.summarise(LogQuery(), Grouping(timeline=True)).counts == counted(stored, LogQuery(), Grouping()).counts
    with pytest.raises(ConfigurationError, match="Distributed"):
        store.remove_before(log_entry(4).timestamp, {})
    store.close()
    with engine(local) as connection:
        connection.execute("DROP DATABASE cluster")


def test_the_documented_cluster_has_the_columns_of_a_single_server(store: ClickHouseStore) -> None:
    assert f"COMMENT '{COMMENT}'" in CLUSTER_SQL.read_text("utf-8")
    from taplogs.sources.clickhouse_schema import BY_ID, COLUMNS, ORDER

    assert all(part in CLUSTER_SQL.read_text("utf-8") for part in (COLUMNS, BY_ID, ORDER))


def test_the_command_line_reads_clickhouse_in_this_process(store: ClickHouseStore, taplogs: Command) -> None:
    store.add(sample_entries(12))
    done = taplogs.here("list", "--source", url_of(store.address), "-s", "4xx", "-o", "jsonl")
    assert (done.code, done.ids) == (0, ["entry-00010", "entry-00009", "entry-00004", "entry-00003"])


def test_a_table_that_is_not_there_is_a_clear_error(taplogs: Command) -> None:
    done = taplogs.here("list", "--source", url_of(new_address()), "-o", "json")
    assert (done.code, done.error["code"]) == (2, "configuration")

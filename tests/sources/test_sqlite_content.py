"""The local store: whatever an entry holds comes back as it was, and takes little space."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import log_entry, payload
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, url_path
from taplogs.core.query import LogQuery, Order
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.protocol import UnstorableEntry
from taplogs.sources.sqlite import SqliteStore
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_urls import UrlJoiner, UrlSplitter


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "logs.db")
    yield store
    store.close()


def number_of(store: SqliteStore, what: str) -> int:
    with store.database.connection() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0])  # noqa: S608 - a table


UUIDS = [str(UUID(int=number << 96 | 0x4ABC)) for number in (0, 1, 0x4F000000, 0xFFFFFFFF)]
IDS = [
    *UUIDS,
    UUIDS[2].upper(),  # not as UUIDs are written here
    UUIDS[1].replace("-", ""),
    UUIDS[1][:-1],
    f"{UUIDS[1]} ",
    *("", "0", "5", "e", "z", "\x00", "00000001", "00000001-", "00000001/", "é", "\N{GRINNING FACE}"),
]


def test_ids_of_one_moment_come_in_the_order_of_their_texts_whatever_they_are(store: SqliteStore) -> None:
    store.add(log_entry(1, id=entry_id) for entry_id in IDS)
    query = LogQuery(order=Order.OLDEST_FIRST)
    assert [entry.id for entry in store.search(query)] == sorted(IDS)
    assert [entry.id for entry in store.search(LogQuery())] == sorted(IDS)[::-1]
    assert [store.get(entry_id).id for entry_id in IDS] == IDS


@pytest.mark.parametrize("kinds", [UUIDS, ["a", "b", "c", "d"], IDS], ids=["UUIDs", "texts", "both"])
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("start", [*UUIDS[:2], "b", "5"])
def test_a_page_goes_on_beyond_any_id(store: SqliteStore, kinds: list[str], order: Order, start: str) -> None:
    store.add(log_entry(number, id=f"{entry_id}") for number, entry_id in enumerate(kinds[:2], 1))
    store.add(log_entry(3, id=entry_id) for entry_id in kinds[2:])
    after = (log_entry(3).timestamp, start)
    newest_first = order is Order.NEWEST_FIRST
    expected = [
        entry.id
        for entry in store.search(LogQuery(order=order))
        if (entry.sort_key < after if newest_first else entry.sort_key > after)
    ]
    assert [entry.id for entry in store.search(LogQuery(order=order), after=after)] == expected


def test_pruning_a_store_with_both_kinds_of_ids_keeps_the_newest(store: SqliteStore) -> None:
    store.add(log_entry(1, id=entry_id) for entry_id in IDS)
    assert store.prune(5) == len(IDS) - 5
    assert [entry.id for entry in store.search(LogQuery())] == sorted(IDS)[:-6:-1]
    assert list(store.faults()) == []


texts = st.text(max_size=12)
moments = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
entries = st.builds(
    LogEntry,
    id=texts | st.uuids().map(str),
    timestamp=moments,
    method=texts,
    request_url=texts | texts.map("https://x.io/v1/jobs/17/{}".format),
    status_code=st.integers(0, 999),
    latency_ms=st.none() | st.integers(0, 2**53 - 1),
    request_payload=st.sampled_from(["null", "1", '""', "{}", "[1, 2]"]).map(payload),
    response_payload=st.text(max_size=20).map(lambda text: payload(json.dumps(text, ensure_ascii=False))),
    ip_address=st.none() | texts,
    user_agent=st.none() | texts,
    client_id=st.none() | texts,
    company_id=st.none() | texts,
    created_at=st.none() | moments | texts,
    updated_at=st.none() | moments | texts,
)


@given(st.lists(entries, max_size=8, unique_by=lambda entry: entry.id))
def test_any_entry_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, kept: list[LogEntry]) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("content") / "logs.db")
    try:
        store.add(kept)
        in_order = sorted(kept, key=lambda entry: entry.sort_key)
        assert list(store.search(LogQuery(order=Order.OLDEST_FIRST))) == in_order
        assert [store.get(entry.id) for entry in kept] == kept
        assert list(store.faults()) == []
    finally:
        store.close()


@pytest.mark.parametrize(
    "text", [r'"\ud800"', r'{"a":"\udc00","a":1}', "1" * 5000, "[" * 5000 + "]" * 5000, '"é\u2028"', "1e999"], ids=len
)
def test_any_payload_comes_back_and_is_sound(store: SqliteStore, text: str) -> None:
    entry = log_entry(1, request_payload=payload(text))
    store.add([entry])
    assert store.get(entry.id) == entry
    assert list(store.faults()) == []


segments = st.sampled_from(
    ["", "v1", "jobs", "17", "{id}", "%s", "%", "a-b", "deadbeef99", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "é", " "]
)
urls = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://x.io", "http://x.io:80", "https://", "HTTPS://x.io", "ftp://x", "", "//x", "https://[x"]),
    st.lists(segments, max_size=5).map(lambda parts: "".join(f"/{part}" for part in parts)),
    st.sampled_from(["", "?", "?a=/17", "?a?b", "#top", "?#", "/?x", "#?a=1"]),
)


@given(urls | st.text(max_size=20))
def test_a_url_is_put_together_again_and_its_place_has_its_endpoint(url: str) -> None:
    place, rest = UrlSplitter().split(url)
    assert UrlJoiner(place).join(rest) == url
    assert place.endpoint == EndpointTemplates().template(url_path(url))


@given(st.datetimes())
def test_moments_are_numbers_in_the_order_of_time(moment: object) -> None:
    text = f"{moment.isoformat(timespec='milliseconds')}Z"  # type: ignore[attr-defined]
    known = Moments()
    number = known.number(text)
    assert known.text(number) == text
    assert (number < 0) == (text < "1970")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-01T10:00:00Z",
        "2026-02-30T10:00:00.000Z",
        "2026-11-01T24:00:00.000Z",
        "2026-11-01T10:00:60.000Z",
        "2026-11-01t10:00:00.000Z",
        "2026-W45-1T10:00:00.000Z",
        "٢٠٢٦-11-01T10:00:00.000Z",
        "2026-11-01T10:00:00.000Z ",
    ],
)
def test_what_is_no_moment_is_refused_as_a_timestamp_and_kept_beside_one(store: SqliteStore, text: str) -> None:
    with pytest.raises(UnstorableEntry, match="no moment"):
        store.add([log_entry(1, timestamp=text)])
    store.add([log_entry(1, created_at=text, updated_at=text)])
    assert store.get("entry-00001") == log_entry(1, created_at=text, updated_at=text)


def test_a_change_is_known_though_nobody_knows_when_the_entry_was_logged(store: SqliteStore) -> None:
    entry = log_entry(1, created_at=None, updated_at=log_entry(1).timestamp)
    store.add([entry])
    assert store.get(entry.id) == entry


def test_entries_that_come_one_by_one_are_packed_as_those_that_come_together(tmp_path: Path) -> None:
    content = [
        log_entry(number, request_payload=payload(f'{{"name": "candidate {number}", "tags": ["a", "b", "c"]}}'))
        for number in range(1, 701)
    ]
    sizes = []
    for name, batches in (("alone.db", [[entry] for entry in content]), ("together.db", [content])):
        with closing(SqliteStore(tmp_path / name)) as store:
            for batch in batches:
                store.add(batch)
            assert list(store.search(LogQuery(order=Order.OLDEST_FIRST))) == content
            assert (number_of(store, "payload_blocks"), number_of(store, "payload_tail")) == (2, 700 - 2 * 256)
            store.vacuum()
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[0] <= 1.1 * sizes[1]


def test_large_payloads_have_blocks_of_their_own(store: SqliteStore) -> None:
    large = [log_entry(number, request_payload=payload(f'"{chr(97 + number) * 300_000}"')) for number in range(5)]
    store.add([log_entry(9, request_payload=payload("1"))])
    store.add(large)
    assert [store.get(entry.id) for entry in large] == large
    assert number_of(store, "payload_blocks") == 5


def test_a_listing_without_payloads_touches_no_block(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        store.add(log_entry(number, request_payload=payload("[1]")) for number in range(600))
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        connection.execute("DELETE FROM payload_blocks")
        connection.execute("DELETE FROM payload_tail")
        connection.commit()
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        assert len(list(store.search(LogQuery(payloads=False)))) == 600


def test_many_entries_take_little_space_each(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from taplogs.backend.sample import sample_entries

    start = datetime(2026, 1, 1, tzinfo=UTC)
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        number = store.add(sample_entries(start, start + timedelta(days=14)))
        assert number > 15_000
        assert store.oldest() is not None
        assert (store.newest() or "") <= format_timestamp(start + timedelta(days=14))
    assert (tmp_path / "logs.db").stat().st_size < 200 * number

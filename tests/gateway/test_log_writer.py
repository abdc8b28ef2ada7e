"""The writer of the log: nothing is lost without a word, and nothing waits for it."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded import KEY, Recordings, builder, now, stored_ids

from command import wait_until
from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import TaplogsError
from taplogs.gateway.log_sink import StoreSink
from taplogs.gateway.log_writer import Bounds, LogWriter
from taplogs.gateway.recording import decode_recorded
from taplogs.gateway.retention import Retention
from taplogs.sources.protocol import UnstorableEntry
from taplogs.sources.sqlite import SqliteStore

QUICK = Bounds(flush_seconds=0.01)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "logs.sqlite")) as store:
        yield store


def ids(store: SqliteStore) -> list[str]:
    return [entry.id for entry in store.search(LogQuery())]


def numbers(found: Iterable[str]) -> list[int]:
    """Return the numbers that ids carry."""
    return [int(name.replace("-", "")[16:], 16) - (1 << 63) for name in found]


def test_what_is_recorded_is_stored_soon(store: SqliteStore) -> None:
    recordings, told = Recordings(), list[str]()
    writer = LogWriter(StoreSink(store, builder(company="acme")), clock=now, report=told.append, bounds=QUICK)
    writer.start()
    writer.put(recordings.pass_one("POST", sent=[b'{"a":', b"1}"], status=422, answered=[b'{"error":{}}']))
    wait_until(lambda: writer.status().stored == 1)
    (entry,) = store.search(LogQuery())
    assert (entry.method, entry.status_code, entry.company_id) == ("POST", 422, "acme")
    assert (bytes(entry.request_payload), bytes(entry.response_payload)) == (b'{"a":1}', b'{"error":{}}')
    assert entry.timestamp == format_timestamp(decode_recorded(recordings.done[0]).began)
    assert (entry.user_agent, entry.ip_address) == ("python-requests/2.32.3", "127.0.0.1")
    assert entry.client_id is not None
    assert KEY not in entry.client_id
    assert writer.close(5) == 0
    assert told == []


def test_of_200_no_response_is_kept(store: SqliteStore) -> None:
    recordings = Recordings()
    writer = LogWriter(StoreSink(store, builder()), clock=now, report=pytest.fail, bounds=QUICK)
    for status in (200, 201, 204, 304, 400):
        writer.put(recordings.pass_one(status=status, answered=[] if status in (204, 304) else [b'{"a":1}']))
    writer.start()
    assert writer.close(5) == 0
    found = {entry.status_code: bytes(entry.response_payload) for entry in store.search(LogQuery())}
    assert found == {200: b"null", 201: b'{"a":1}', 204: b"null", 304: b"null", 400: b'{"a":1}'}


def test_ids_are_numbered_in_order_and_of_version_8(store: SqliteStore) -> None:
    recordings = Recordings()
    writer = LogWriter(StoreSink(store, builder(run=0xABC)), clock=now, report=pytest.fail, bounds=QUICK)
    writer.start()
    for _ in range(250):
        writer.put(recordings.pass_one())
    assert writer.close(5) == 0
    found = sorted(ids(store))
    assert numbers(found) == list(range(1, 251))
    assert {name[14:19] for name in found} == {"8abc-"}
    assert {name[19] for name in found} == {"8"}


def test_what_finds_no_room_is_counted_and_leaves_a_hole(store: SqliteStore) -> None:
    recordings, told = Recordings(), list[str]()
    writer = LogWriter(
        StoreSink(store, builder()), clock=now, report=told.append, bounds=Bounds(entries=10, flush_seconds=0.01)
    )
    for _ in range(13):
        writer.put(recordings.pass_one())
    assert (writer.status().queued, writer.status().lost) == (10, 3)
    writer.start()
    wait_until(lambda: writer.status().stored == 10)
    writer.put(recordings.pass_one())
    assert writer.close(5) == 0
    assert sorted(numbers(ids(store))) == [*range(1, 11), 14]
    assert told == ["3 requests are missing in the log: too many waited to be stored"]


def test_bodies_that_wait_have_a_bound_of_their_own(store: SqliteStore) -> None:
    recordings = Recordings()
    writer = LogWriter(StoreSink(store, builder()), clock=now, report=lambda _: None, bounds=Bounds(waiting_bytes=3000))
    for _ in range(4):
        writer.put(recordings.pass_one("POST", sent=[b"x" * 1000]))
    assert (writer.status().queued, writer.status().lost) == (2, 2)


def test_a_locked_store_holds_nothing_up_and_all_is_stored_after(tmp_path: Path) -> None:
    path, recordings, told = tmp_path / "logs.sqlite", Recordings(), list[str]()
    with closing(SqliteStore(path)) as store:
        writer = LogWriter(StoreSink(store, builder()), clock=now, report=told.append, bounds=QUICK)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            writer.start()
            for _ in range(120):
                writer.put(recordings.pass_one())
            assert writer.status().queued == 120
            other.execute("ROLLBACK")
        assert writer.close(20) == 0
    assert len(stored_ids(path)) == 120


class Failing:
    """A store that is full until it is not."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.is_full = True

    def add(self, entries: Iterable[LogEntry]) -> int:
        if self.is_full:
            raise TaplogsError("database or disk is full")
        return self._store.add(entries)


def test_a_store_that_fails_is_told_once_and_tried_until_it_is_back(store: SqliteStore) -> None:
    recordings, told, failing = Recordings(), list[str](), Failing(store)
    writer = LogWriter(StoreSink(failing, builder()), clock=now, report=told.append, bounds=QUICK)
    writer.start()
    for _ in range(3):
        writer.put(recordings.pass_one())
    wait_until(lambda: writer.status().fault is not None)
    assert writer.status().fault == "database or disk is full"
    failing.is_full = False
    wait_until(lambda: writer.status().stored == 3)
    assert writer.status().fault is None
    assert writer.close(5) == 0
    assert told == [
        "the log cannot be written: database or disk is full; requests pass all the same, entries wait",
        "the log is written again",
    ]


def test_at_the_end_a_store_that_still_fails_is_not_waited_for_and_the_loss_is_counted(store: SqliteStore) -> None:
    recordings = Recordings()
    writer = LogWriter(StoreSink(Failing(store), builder()), clock=now, report=lambda _: None, bounds=QUICK)
    writer.start()
    for _ in range(7):
        writer.put(recordings.pass_one())
    assert writer.close(0.3) == 7


class Picky:
    """A store that has no place for one entry."""

    def __init__(self, store: SqliteStore, number: int) -> None:
        self._store = store
        self._number = number

    def add(self, entries: Iterable[LogEntry]) -> int:
        several = list(entries)
        if self._number in numbers(entry.id for entry in several):
            raise UnstorableEntry("a lone surrogate")
        return self._store.add(several)


def test_an_entry_that_cannot_be_stored_is_lost_alone(store: SqliteStore) -> None:
    recordings, told = Recordings(), list[str]()
    writer = LogWriter(StoreSink(Picky(store, 2), builder()), clock=now, report=told.append, bounds=QUICK)
    for _ in range(3):
        writer.put(recordings.pass_one())
    writer.start()
    assert writer.close(5) == 0
    assert sorted(numbers(ids(store))) == [1, 3]
    assert (writer.status().stored, writer.status().lost) == (2, 1)
    assert len(told) == 1
    assert "a lone surrogate" in told[0]


def test_nothing_secret_reaches_the_file(tmp_path: Path) -> None:
    path, recordings = tmp_path / "logs.sqlite", Recordings()
    secret = b"hunter2-correct-horse"
    headers = [
        (b"Authorization", f"Bearer {KEY}".encode()),
        (b"Cookie", b"session=" + secret),
        (b"Content-Type", b"application/json"),
    ]
    with closing(SqliteStore(path)) as store:
        writer = LogWriter(StoreSink(store, builder()), clock=now, report=pytest.fail, bounds=QUICK)
        writer.start()
        url = f"https://partner-api.taptalent.io/v1/partner/jobs?api_key={secret.decode()}&key={KEY}"
        body = b'{"password": "%s", "note": "%s"}' % (secret, KEY.encode())
        answer = [(b"Set-Cookie", b"session=" + secret)]
        writer.put(recordings.pass_one("POST", url, headers, sent=[body], status=400, answered=[body], fields=answer))
        writer.put(recordings.pass_one("POST", url, headers, sent=[body + b" " * 70_000], status=400, answered=[body]))
        assert writer.close(5) == 0
        assert len(ids(store)) == 2
        text = "".join(
            f"{entry.request_url} {bytes(entry.request_payload)!r} {bytes(entry.response_payload)!r} {entry.client_id}"
            for entry in store.search(LogQuery())
        )
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for hidden in (secret, KEY.encode(), KEY.encode()[12:]):
        assert hidden not in files
        assert hidden.decode() not in text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bursts=st.lists(st.integers(1, 60), min_size=1, max_size=6), room=st.integers(5, 80))
def test_each_recording_is_stored_once_or_counted_as_lost(
    bursts: list[int], room: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path, recordings = tmp_path_factory.mktemp("law") / "logs.sqlite", Recordings()
    with closing(SqliteStore(path)) as store:
        writer = LogWriter(
            StoreSink(store, builder()),
            clock=now,
            report=lambda _: None,
            bounds=Bounds(entries=room, flush_seconds=0.001),
        )
        writer.start()
        threads = []
        for burst in bursts:
            several = [recordings.pass_one() for _ in range(burst)]
            thread = threading.Thread(target=lambda several=several: deque(map(writer.put, several), 0))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
        assert writer.close(10) == 0
    status = writer.status()
    assert status.stored + status.lost == sum(bursts)
    assert len(stored_ids(path)) == status.stored


def test_old_entries_go_an_hour_at_a_time(store: SqliteStore) -> None:
    begin = now() - timedelta(days=3)
    store.add(
        log_entry(number, timestamp=format_timestamp(begin + timedelta(minutes=30 * number))) for number in range(10)
    )
    limit = format_timestamp(begin + timedelta(minutes=135))
    retention = Retention(store, lambda: limit, monotonic=lambda: 0.0)
    left = []
    for _ in range(5):
        retention.tend()
        left.append(len(ids(store)))
    assert left == [8, 6, 5, 5, 5]
    assert retention.removed == 5


def test_what_is_to_be_done_besides_is_done_by_the_writer(store: SqliteStore) -> None:
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    store.add([log_entry(1, timestamp=format_timestamp(begin))])
    retention = Retention(store, lambda: format_timestamp(now()), monotonic=lambda: 0.0)
    writer = LogWriter(StoreSink(store, builder(), retention), clock=now, report=pytest.fail, bounds=QUICK)
    writer.start()
    wait_until(lambda: retention.removed == 1)
    assert writer.close(5) == 0

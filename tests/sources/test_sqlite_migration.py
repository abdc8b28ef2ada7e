"""Stores of an earlier and of a later taplogs."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from serving import log_entry, payload
from taplogs.backend.keys import ApiKeys, KeyState
from taplogs.core.entry import NULL, LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import ConfigurationError, TaplogsError
from taplogs.sources.sqlite import SqliteStore
from taplogs.sources.sqlite_damage import DamagedStore
from taplogs.sources.sqlite_database import SqliteDatabase

VERSION_1 = """
CREATE TABLE entries (
    id TEXT PRIMARY KEY,
    timestamp TEXT NOT NULL,
    method TEXT NOT NULL,
    request_url TEXT NOT NULL,
    status_code INTEGER NOT NULL,
    latency_ms INTEGER,
    ip_address TEXT,
    user_agent TEXT,
    client_id TEXT,
    company_id TEXT,
    created_at TEXT,
    updated_at TEXT,
    request_payload BLOB,
    response_payload BLOB
);
CREATE INDEX entries_by_time ON entries (timestamp, id, status_code, method);
PRAGMA application_id = 1952542828;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


def store_of_version_1(path: Path, entries: Sequence[LogEntry]) -> None:
    names = LogEntry.__struct_fields__
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
        connection.executemany(
            f"INSERT INTO entries ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608 - fields
            ([_value(entry, name) for name in names] for entry in entries),
        )
        connection.commit()


def _value(entry: LogEntry, name: str) -> object:
    value = getattr(entry, name)
    if name.endswith("_payload"):
        return None if value == NULL else bytes(value)
    return value


def entries(number: int) -> list[LogEntry]:
    return [
        log_entry(
            each % 86_000,
            id=f"entry-{each:06}",
            latency_ms=each % 300 or None,
            request_payload=payload(f'{{"number": {each}}}') if each % 2 else NULL,
        )
        for each in range(number)
    ]


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_store_of_version_1_is_brought_up_to_date_with_all_that_it_holds(tmp_path: Path) -> None:
    content = entries(3000)
    store_of_version_1(tmp_path / "logs.db", content)
    keys = ApiKeys(SqliteDatabase(tmp_path / "logs.db"))
    key = keys.create()
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        in_order = sorted(content, key=lambda entry: entry.sort_key)
        assert list(store.search(LogQuery(order=Order.OLDEST_FIRST))) == in_order
        assert list(store.faults()) == []
        assert ApiKeys(store.database).check(key) is KeyState.ACTIVE
    assert version_of(tmp_path / "logs.db") == 2


def test_a_store_of_version_1_takes_less_space_afterwards(tmp_path: Path) -> None:
    store_of_version_1(tmp_path / "logs.db", entries(3000))
    before = (tmp_path / "logs.db").stat().st_size
    SqliteStore(tmp_path / "logs.db").close()
    assert (tmp_path / "logs.db").stat().st_size < before / 2


def test_a_store_of_version_1_that_is_only_read_stays_as_it_is(tmp_path: Path) -> None:
    store_of_version_1(tmp_path / "logs.db", entries(10))
    before = (tmp_path / "logs.db").read_bytes()
    with pytest.raises(ConfigurationError, match="an earlier taplogs: schema 1, not 2") as refusal:
        SqliteStore(tmp_path / "logs.db", read_only=True)
    assert str(refusal.value.hint) == (
        f"'taplogs archive vacuum --source sqlite:{tmp_path}/logs.db' brings it up to date, and so does what adds "
        "entries to it: 'taplogs sync', 'taplogs serve --store'"
    )
    assert (tmp_path / "logs.db").read_bytes() == before


def test_an_entry_that_has_no_place_any_more_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store_of_version_1(tmp_path / "logs.db", [log_entry(1), log_entry(2, timestamp="yesterday")])
    with pytest.raises(TaplogsError, match=r"cannot be brought up to date: .*'yesterday"):
        SqliteStore(tmp_path / "logs.db")
    assert version_of(tmp_path / "logs.db") == 1
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (2,)


def test_a_damaged_store_of_version_1_stays_as_it_was(tmp_path: Path) -> None:
    store_of_version_1(tmp_path / "logs.db", entries(3))
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        connection.execute("UPDATE entries SET request_payload = 'text', timestamp = x'00'")
        connection.commit()
    with pytest.raises(DamagedStore, match="an entry cannot be read"):
        SqliteStore(tmp_path / "logs.db")
    assert version_of(tmp_path / "logs.db") == 1


def test_killed_at_any_instant_it_is_of_one_version_or_the_other(tmp_path: Path) -> None:
    content = entries(10_000)
    store_of_version_1(tmp_path / "whole.db", content)
    program = """if True:
        import sys
        from pathlib import Path
        from taplogs.sources.sqlite import SqliteStore
        print(flush=True)
        SqliteStore(Path(sys.argv[1]))
    """
    random_moments = random.Random(5)
    for round_ in range(6):
        path = tmp_path / f"{round_}.db"
        path.write_bytes((tmp_path / "whole.db").read_bytes())
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(random_moments.uniform(0, 0.7))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert version_of(path) in (1, 2)
        with closing(SqliteStore(path)) as store:
            assert store.count(LogQuery()) == 10_000
            assert list(store.faults()) == []
        path.unlink()


def test_a_newer_store_is_refused_and_not_a_byte_of_it_changed(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "logs.db").close()
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        connection.execute("PRAGMA user_version = 3")
    before = (tmp_path / "logs.db").read_bytes()
    for read_only in (False, True):
        with pytest.raises(ConfigurationError, match="newer taplogs: schema 3"):
            SqliteStore(tmp_path / "logs.db", read_only=read_only)
    assert (tmp_path / "logs.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["logs.db"]

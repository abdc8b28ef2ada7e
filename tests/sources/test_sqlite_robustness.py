"""The local store where something goes wrong, and what remains of what was removed."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from serving import log_entry, payload
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.errors import ConfigurationError, TaplogsError
from taplogs.sources import sqlite_database
from taplogs.sources.protocol import Kept
from taplogs.sources.sqlite import SqliteStore
from taplogs.sources.sqlite_database import StoreInUse, StoreLocked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def entries(first: int, last: int) -> list[LogEntry]:
    return [
        log_entry(number, ip_address=f"192.0.2.{number % 100}", request_payload=payload(f'{{"secret": "{number:08}"}}'))
        for number in range(first, last)
    ]


def test_what_is_kept_comes_with_the_state_of_its_origin(store: SqliteStore) -> None:
    late_before = log_entry(3).timestamp
    assert store.keep(entries(0, 5), origin="one", state=b"1", late_before=late_before) == Kept(5, 3)
    assert store.keep(entries(2, 8), origin="two", state=b"2", late_before=late_before) == Kept(3, 0)
    assert store.keep([], origin="one", state=b"3") == Kept(0, 0)
    assert store.states() == {"one": b"3", "two": b"2"}
    assert (store.oldest(), store.newest()) == (log_entry(0).timestamp, log_entry(7).timestamp)


def test_what_is_removed_comes_with_states(store: SqliteStore) -> None:
    store.keep(entries(0, 5), origin="one", state=b"1")
    assert store.remove_before(log_entry(2).timestamp, {"one": b"2"}) == 2
    assert store.remove_before(log_entry(2).timestamp, {}) == 0
    assert (store.states(), store.oldest()) == ({"one": b"2"}, log_entry(2).timestamp)


@pytest.mark.parametrize(
    "remove", [lambda store: store.prune(250), lambda store: store.remove_before(log_entry(750).timestamp, {})]
)
def test_of_what_was_removed_nothing_is_left_in_the_file(
    path: Path, store: SqliteStore, remove: Callable[[SqliteStore], int]
) -> None:
    """Neither compressed nor in pages that are free, nor in the log."""
    word = "x-removed-agent/1.0"
    texts = [os.urandom(60).hex() for _ in range(1000)]  # nothing to compress, so they would be found
    content = [
        log_entry(number, user_agent=word if number < 750 else "kept", request_payload=payload(f'"{text}"'))
        for number, text in enumerate(texts)
    ]
    store.add(content[:400])
    store.add(content[400:])
    assert remove(store) == 750
    store.vacuum()
    files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert word.encode() not in files
    assert [text for text in texts[:750] if text[20:60].encode() in files] == []
    assert [store.get(entry.id) for entry in content[750:]] == content[750:]
    assert list(store.faults()) == []


def test_entries_are_added_after_a_removal_of_all(store: SqliteStore) -> None:
    store.add(entries(0, 300))
    assert store.prune(0) == 300
    assert store.add(entries(0, 300)) == 300
    assert [entry.request_payload for entry in store.search(LogQuery())] == [
        entry.request_payload for entry in entries(0, 300)[::-1]
    ]
    assert list(store.faults()) == []


def test_a_vacuum_gives_space_back(path: Path, store: SqliteStore) -> None:
    store.add(entries(0, 5000))
    before = path.stat().st_size + path.with_name("logs.db-wal").stat().st_size
    store.prune(10)
    store.vacuum()
    assert path.stat().st_size < before / 4
    assert list(store.search(LogQuery())) == entries(4990, 5000)[::-1]


def test_a_full_disk_leaves_what_was_there_and_is_a_clear_error(store: SqliteStore) -> None:
    store.add(entries(0, 300))
    with store.database.connection() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(TaplogsError, match="full"):
        store.add(entries(300, 50_000))
    assert store.count(LogQuery()) == 300
    assert list(store.faults()) == []
    with store.database.connection() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert store.add(entries(300, 400)) == 100
    assert list(store.faults()) == []


def test_entries_that_fail_halfway_leave_nothing(store: SqliteStore) -> None:
    def failing() -> Iterator[LogEntry]:
        yield from entries(0, 30_000)
        raise ValueError("the source broke off")

    with pytest.raises(ValueError, match="broke off"):
        store.add(failing())
    assert store.count(LogQuery()) == 0
    assert list(store.faults()) == []


def test_two_writers_store_each_entry_once(path: Path, store: SqliteStore) -> None:
    new: list[int] = []

    def write(numbers: range) -> None:
        with closing(SqliteStore(path)) as other:
            new.extend(other.add(entries(number, number + 40)) for number in numbers)

    threads = [threading.Thread(target=write, args=(range(start, 600, 20),)) for start in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(new) == store.count(LogQuery()) == 630
    assert list(store.faults()) == []


def test_killed_at_any_instant_a_batch_is_there_with_its_state_or_not_at_all(path: Path) -> None:
    program = """if True:
        import sys
        from pathlib import Path
        from taplogs.sources.sqlite import SqliteStore
        sys.path.insert(0, sys.argv[2])
        from serving import log_entry, payload
        store = SqliteStore(Path(sys.argv[1]))
        number = int(store.states().get("origin", b"0"))
        print(flush=True)
        while number < 80_000:
            batch = [log_entry(each, request_payload=payload(f'[{each}]')) for each in range(number, number + 700)]
            number += 700
            store.keep(batch, origin="origin", state=str(number).encode())
    """
    random_moments = random.Random(5)
    command = [sys.executable, "-c", program, str(path), str(Path(__file__).parent.parent)]
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(random_moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with closing(SqliteStore(path)) as store:
            assert store.count(LogQuery()) == int(store.states().get("origin", b"0"))
            assert list(store.faults()) == []


def test_a_new_store_is_for_its_owner_alone(path: Path, store: SqliteStore) -> None:
    store.add(entries(0, 5))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("logs.db", "logs.db-wal", "logs.db-shm"), 0o600)


def test_an_empty_file_that_others_may_read_becomes_the_owners_alone(path: Path) -> None:
    path.touch(0o644)
    with closing(SqliteStore(path)) as store:
        store.add(entries(0, 5))
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}


def test_a_store_that_others_may_read_stays_so(path: Path) -> None:
    SqliteStore(path).close()
    path.chmod(0o640)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is not a file"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a file"),
        (lambda path: path.write_text("level=info\n" * 200), "is not a SQLite database"),
    ],
    ids=["folder", "pipe", "device", "text"],
)
def test_what_cannot_be_a_store_is_told_at_once(
    path: Path, make: Callable[[Path], object], words: str, read_only: bool
) -> None:
    make(path)
    with pytest.raises(ConfigurationError, match=words):
        SqliteStore(path, read_only=read_only)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@contextmanager
def another_process(path: Path, *statements: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run statements in another process, which has the store open until its standard input ends, or the block does."""
    program = """if True:
        import sqlite3, sys
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        for statement in sys.argv[2:]:
            connection.execute(statement).fetchall()
        print(flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", program, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline()
        yield process


LOCK = "BEGIN IMMEDIATE"
READ = ("BEGIN", "SELECT count(*) FROM entries")


def test_what_another_process_writes_is_waited_for(path: Path, store: SqliteStore) -> None:
    added = threading.Thread(target=store.add, args=(entries(0, 5),))
    with another_process(path, LOCK) as other:
        added.start()
        added.join(0.3)
        assert added.is_alive()
        assert store.count(LogQuery()) == 0  # reading waits for nobody
        other.communicate()
        added.join()
    assert store.count(LogQuery()) == 5


def test_a_store_that_stays_locked_is_told(path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_SECONDS", 0.1)
    with another_process(path, LOCK), closing(SqliteStore(path)) as waiting:
        with pytest.raises(StoreLocked, match="is locked") as locked:
            waiting.add(entries(0, 5))
        assert locked.value.hint == "another process is writing to it; try again"


def test_beside_a_reader_something_removed_stays_in_the_log_and_that_is_told(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_SECONDS", 0.1)
    store.add([log_entry(number, user_agent=f"removed/{number}") for number in range(500)])
    with closing(SqliteStore(path)) as own:
        with another_process(path, *READ):
            assert own.prune(0) == 500
            with pytest.raises(StoreInUse, match="another process is using the store"):
                own.vacuum()
            assert b"removed/77" in b"".join(file.read_bytes() for file in path.parent.iterdir())
        own.vacuum()
    assert b"removed/77" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_a_store_that_is_only_read_is_not_made(path: Path) -> None:
    with pytest.raises(TaplogsError, match="unable to open"):
        SqliteStore(path, read_only=True)
    assert not path.exists()


def test_an_empty_file_is_no_store_to_be_read(path: Path) -> None:
    path.touch()
    with pytest.raises(ConfigurationError, match="is empty"):
        SqliteStore(path, read_only=True)
    assert path.stat().st_size == 0


def test_nothing_is_written_to_a_store_that_is_only_read(path: Path, store: SqliteStore) -> None:
    store.add(entries(0, 5))
    with closing(SqliteStore(path, read_only=True)) as reader:
        assert list(reader.search(LogQuery())) == entries(0, 5)[::-1]
        with pytest.raises(TaplogsError, match="readonly"):
            reader.add(entries(5, 6))
        store.add(entries(5, 6))
        assert reader.count(LogQuery()) == 6


def test_a_store_is_read_where_nothing_may_be_written() -> None:
    """By somebody who is not root, in a folder of somebody else."""
    program = """if True:
        import os, sys
        from pathlib import Path
        from taplogs.core.query import LogQuery
        from taplogs.sources.sqlite import SqliteStore
        import taplogs.sources.sqlite_payloads, taplogs.sources.sqlite_summary, zstandard
        if os.getuid() == 0:
            os.setuid(65534)
        path = Path(sys.argv[1])
        try:
            (path.parent / "new").touch()
        except PermissionError:
            store = SqliteStore(path, read_only=True)
            print(store.count(LogQuery()), len(list(store.search(LogQuery()))))
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "logs.db"
        with closing(SqliteStore(path)) as store:
            store.add(entries(0, 5))
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], env={}, capture_output=True, text=True, check=False
        )
        Path(folder).chmod(0o755)
        assert (done.stdout, done.stderr) == ("5 5\n", "")
        assert [file.name for file in Path(folder).iterdir()] == ["logs.db"]

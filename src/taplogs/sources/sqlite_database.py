"""One SQLite file and its connections: what the stores that live in it share."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taplogs.errors import ConfigurationError, TaplogsError
from taplogs.sources.sqlite_damage import DamagedStore, damage_in, error_name

BUSY_SECONDS = 30.0
"""How long a writer waits for another process or thread to finish writing."""

_UNWRITABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY")
_WARY = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON")
"""For files that somebody else made (sqlite.org/security.html)."""


class StoreLocked(TaplogsError):
    """Another process has been writing for longer than anybody waits."""


class StoreInUse(TaplogsError):
    """Another process has been reading or writing for so long that the log beside the file could not be emptied."""


class SqliteDatabase:
    """A SQLite file. Threads may share it: each operation has a connection to itself while it runs.

    Connections are kept and used again, so a thread that works alone always gets the same one. An operation of its
    own is what a connection belongs to, rather than a thread: rows that are still being read then stay one snapshot,
    whatever the same thread writes meanwhile.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Nothing is opened yet; the first operation creates the file where there is none, unless it only reads."""
        self.path = path
        self.read_only = read_only
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in autocommit mode; faults of SQLite come out as TaplogsError."""
        try:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except sqlite3.Error as error:
            raise self._fault(error) from error
        except UnicodeDecodeError as error:  # of a message of SQLite's that quotes the file
            raise DamagedStore(self.path, f"a text of it cannot be read ({error})") from error

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to read from: all that is read is of one moment, whatever is written meanwhile."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:  # a fault may have ended it already
                    connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that holds the write lock: all of it is committed at the end, or none on an exception."""
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # a full disk has already rolled it back
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def enter_wal_mode(self) -> None:
        """Have readers and a writer not wait for each other. The file stays so; it must be known to be ours."""
        with self.connection() as connection:
            _enter_wal_mode(connection)

    def vacuum(self) -> None:
        """Make the file anew of what it holds: nothing removed is left in it, nor in the log beside it.

        Pages from which something was removed may hold copies of it between their cells, `secure_delete` or not.
        Raises StoreInUse where the log could not be emptied.
        """
        with self.connection() as connection:
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreInUse(f"another process is using the store {self.path}", "try again when it has ended")

    def close(self) -> None:
        """Close what is idle now, and what is still lent out when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise sqlite3.ProgrammingError("it is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        with suppress(OSError):  # SQLite says itself what is wrong, but would wait for a pipe and read a device
            if not stat.S_ISREG(self.path.stat().st_mode):
                raise ConfigurationError(f"{self.path} is not a file", "name another file for the store")
        if self.read_only:
            return self._connect_for_reading()
        # A new file is for nobody else to read; SQLite says itself what is wrong with another. One that is there is not
        # opened here: closing it would end the locks that this process holds on it (POSIX, fcntl).
        with suppress(OSError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        # Removed content is overwritten: what an archive no longer holds must not be found in its file.
        return self._opened("mode=rw", "PRAGMA synchronous = NORMAL", "PRAGMA secure_delete = ON")

    def _connect_for_reading(self) -> sqlite3.Connection:
        """Connect so that nothing can be written, in a folder, too, in which nothing may be."""
        pragmas = ("PRAGMA query_only = ON", "SELECT count(*) FROM sqlite_master")
        try:
            return self._opened("mode=rw", *pragmas)  # of a file that may not be written, SQLite makes mode=ro itself
        except sqlite3.OperationalError as error:
            if not self.path.exists() or self._has_log() or not error_name(error).startswith(_UNWRITABLE):
                raise
        return self._opened("immutable=1", *pragmas)  # the log and its index could not even be made

    def _opened(self, parameter: str, *statements: str) -> sqlite3.Connection:
        """Return a connection to the file as a URI (sqlite.org/uri.html), after these statements."""
        address = f"{self.path.absolute().as_uri()}?{parameter}"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            for statement in (*_WARY, *statements):
                connection.execute(statement).fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    def _has_log(self) -> bool:
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.exists() and log.stat().st_size > 0

    def _fault(self, error: sqlite3.Error) -> TaplogsError:
        if error_name(error) == "SQLITE_NOTADB":
            return ConfigurationError(f"{self.path} is not a SQLite database", "name another file for the store")
        if _is_busy(error):
            return StoreLocked(f"the store {self.path} is locked", "another process is writing to it; try again")
        if damage := damage_in(error):
            return DamagedStore(self.path, damage)
        return TaplogsError(f"the store {self.path} failed: {error}")


def _enter_wal_mode(connection: sqlite3.Connection) -> None:
    # The first switch of a new file needs the file alone, and SQLite does not wait for that as it does for a write.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _is_busy(error: sqlite3.Error) -> bool:
    return error_name(error).startswith("SQLITE_BUSY")

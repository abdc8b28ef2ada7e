"""Which ids have occurred, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress
from operator import attrgetter

from taplogs.core.entry import LogEntry
from taplogs.errors import TaplogsError

_IN_MEMORY = 1_000_000
"""How many ids are remembered in the memory, about 65 MB of it; more of them in a temporary file."""

_CACHE_KIBIBYTES = 65_536

_id = attrgetter("id")


class SeenIds:
    """Leaves out entries whose id occurred before.

    Remembered are 64-bit hashes, keyed anew in every process (PEP 456), so that nobody can prepare two ids of one hash;
    that two of ten million share one by chance is less likely than one in 300,000.
    """

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self.repeated = 0
        self._in_memory = in_memory
        self._hashes: set[int] = set()
        self._file: _HashFile | None = None

    def first_ones(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Return the entries without those that repeat an id, which are counted in `repeated`."""
        hashes = list(map(hash, map(_id, entries)))
        new = set(hashes)
        known = self._known(new)
        if not known and len(new) == len(hashes):
            return entries
        is_first = []
        for found in hashes:
            is_first.append(found not in known)
            known.add(found)
        first = list(compress(entries, is_first))
        self.repeated += len(entries) - len(first)
        return first

    def close(self) -> None:
        """Remove the temporary file."""
        if self._file is not None:
            self._file.close()

    def _known(self, hashes: set[int]) -> set[int]:
        """Return those of `hashes` that are remembered, and remember the others."""
        known = hashes & self._hashes
        if self._file is not None:
            known |= self._file.known(hashes - known)
        self._hashes |= hashes - known
        if len(self._hashes) > self._in_memory:
            self._file = self._file or _HashFile()
            self._file.add(self._hashes)
            self._hashes = set()
        return known


class _HashFile:
    """Hashes in a file that SQLite makes and removes as soon as it is open, whatever becomes of this process."""

    def __init__(self) -> None:
        import sqlite3

        self._fault = sqlite3.Error
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        self._connection.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY)")

    def known(self, hashes: set[int]) -> set[int]:
        """Return those that are here; raises TaplogsError."""
        statement = "SELECT hash FROM seen WHERE hash IN (SELECT value FROM json_each(?))"
        with self._told():
            return {row[0] for row in self._connection.execute(statement, (json.dumps(list(hashes)),))}

    def add(self, hashes: set[int]) -> None:
        """Add hashes that are not here; raises TaplogsError."""
        with self._told():
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT INTO seen VALUES (?)", ((found,) for found in sorted(hashes)))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Remove the file."""
        self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._fault as error:
            raise TaplogsError(
                f"the ids of so many entries cannot be kept in a temporary file: {error}",
                "TMPDIR names another folder for it",
            ) from error

"""Which ids have occurred, in bounded memory."""

from __future__ import annotations

import json
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING

from taplogs.core.entry import LogEntry

if TYPE_CHECKING:
    import sqlite3

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
        self._file: sqlite3.Connection | None = None

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
            known |= self._filed(self._file, hashes - known)
        self._hashes |= hashes - known
        if len(self._hashes) > self._in_memory:
            self._file = self._file or _temporary()
            ordered = sorted(self._hashes)
            self._file.executemany("INSERT INTO seen VALUES (?)", zip(ordered))
            self._hashes = set()
        return known

    @staticmethod
    def _filed(file: sqlite3.Connection, hashes: set[int]) -> set[int]:
        statement = "SELECT hash FROM seen WHERE hash IN (SELECT value FROM json_each(?))"
        return {row[0] for row in file.execute(statement, (json.dumps(list(hashes)),))}


def _temporary() -> sqlite3.Connection:
    """Return a database in a file that SQLite removes as soon as it is open, whatever becomes of this process."""
    import sqlite3

    connection = sqlite3.connect("", isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
    connection.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY)")
    return connection

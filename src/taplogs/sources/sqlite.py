"""The local store: entries in one SQLite file. The archive's, and the reference backend's."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.errors import ConfigurationError, EntryNotFound
from taplogs.sources.sqlite_damage import stored
from taplogs.sources.sqlite_database import SqliteDatabase
from taplogs.sources.sqlite_ids import stored_id
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_query import Clause, Position, narrowed, rows_of, selection
from taplogs.sources.sqlite_rows import ALL_FIELDS, SUMMARY_FIELDS, EntryReader, columns_for
from taplogs.sources.sqlite_schema import SCHEMA_VERSION as SCHEMA_VERSION
from taplogs.sources.sqlite_schema import create, found_version
from taplogs.sources.sqlite_words import Dictionary

if TYPE_CHECKING:
    from taplogs.core.stats import Grouping, Summary
    from taplogs.sources.protocol import Kept

_BATCH = 500


class SqliteStore:
    """An EntryStore over one SQLite file; threads and processes may share it."""

    def __init__(
        self, path: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC), read_only: bool = False
    ) -> None:
        """Open the store, creating it or bringing it up to date; one that is only read is left as it is.

        Raises ConfigurationError where the file is something else, of a newer taplogs, or not fit to be read only;
        TaplogsError where it cannot be opened.
        """
        self.database = SqliteDatabase(path, read_only=read_only)
        self._clock = clock
        self._moments = Moments()
        self._dictionary = Dictionary()
        try:
            self._prepare()
        except BaseException:
            self.database.close()
            raise

    def search(self, query: LogQuery, *, after: Position | None = None, offset: int = 0) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them.

        `after` starts beyond that position in the order, `offset` leaves out so many matching entries first. All of
        it is one snapshot of the store, whatever is added meanwhile.
        """
        return chain.from_iterable(self._select(query, after, offset))

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists."""
        return self._select(query)

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        key = "(SELECT moment, id FROM ids WHERE id = ?)"
        statement = f"SELECT {columns_for(ALL_FIELDS)} FROM entries WHERE (moment, id) = {key}"  # noqa: S608 - our own columns
        wanted = (stored_id(entry_id),)
        with self.database.snapshot() as connection:
            try:
                rows = connection.execute(statement, wanted).fetchall()
                if not rows and connection.execute("SELECT 1 FROM ids WHERE id = ?", wanted).fetchone():
                    raise sqlite3.DatabaseError(f"the id {entry_id!r} leads to no entry")
            except UnicodeEncodeError:  # a lone surrogate, which no stored id has
                rows = []
            found = self._reader(connection, ALL_FIELDS).entries(rows)
        if not found:
            raise EntryNotFound(f"no entry has the id {entry_id!r}")
        return found[0]

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit, or None where only reading them all would tell."""
        from taplogs.sources.sqlite_summary import Counting

        with self.database.snapshot() as connection:
            chosen = selection(connection, self._moments, query)
            if not chosen.complete:
                return None
            with stored("a count"):
                return Counting(connection, self._dictionary, self._moments, chosen).number()

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit."""
        from taplogs.core.stats import Summary, fold
        from taplogs.sources.sqlite_summary import Counting

        with self.database.snapshot() as connection:
            chosen = selection(connection, self._moments, query)
            if chosen.complete:
                summary = Summary(grouping)
                with stored("a count"):
                    Counting(connection, self._dictionary, self._moments, chosen).summary(summary)
                return summary
        return fold(self.batches(grouping.query(query)), grouping)

    def now(self) -> datetime:
        """Return what time it is here, aware, in UTC."""
        return self._clock()

    @property
    def tells_time(self) -> bool:
        """Whether `now` goes by a clock of the source's own: never, it is this machine's."""
        return False

    def newest(self) -> str | None:
        """Return the timestamp of the newest entry, None in an empty store."""
        return self._outermost("max")

    def oldest(self) -> str | None:
        """Return the timestamp of the oldest entry, None in an empty store."""
        return self._outermost("min")

    def add(self, entries: Iterable[LogEntry]) -> int:
        """Store those entries whose id is not here yet, all of them or none; return how many were new.

        Raises UnstorableEntry.
        """
        from taplogs.sources.sqlite_writing import EntryWriter

        with self.database.transaction() as connection:
            return EntryWriter(connection, self._moments).add(entries).new

    def keep(self, entries: Sequence[LogEntry], *, origin: str, state: bytes, late_before: str = "") -> Kept:
        """Store those entries whose id is not here yet, and the state of an origin, all of it or nothing.

        Raises UnstorableEntry.
        """
        from taplogs.sources.sqlite_writing import EntryWriter

        with self.database.transaction() as connection:
            kept = EntryWriter(connection, self._moments).add(entries, late_before)
            _set_states(connection, {origin: state})
        return kept

    def states(self) -> Mapping[str, bytes]:
        """Return what `keep` was last given as the state of each origin."""
        with self.database.connection() as connection:
            states = dict(connection.execute("SELECT name, state FROM origins").fetchall())
            if not {*map(type, states.values())} <= {bytes}:
                raise sqlite3.DatabaseError("what it says of its last sync cannot be read")
        return states

    def prune(self, keep: int) -> int:
        """Remove all but the newest `keep` entries; return how many were removed. `vacuum` leaves no trace of them."""
        from taplogs.sources.sqlite_removal import all_but, remove

        with self.database.transaction() as connection:
            clause = all_but(connection, keep)
            return 0 if clause is None else remove(connection, clause)

    def remove_before(self, timestamp: str, states: Mapping[str, bytes]) -> int:
        """Remove the entries earlier than a canonical timestamp, and store states; return how many were removed.

        `vacuum` leaves no trace of them in the file.
        """
        from taplogs.sources.sqlite_removal import remove

        with self.database.transaction() as connection:
            removed = remove(connection, Clause("moment < ?", (self._moments.number(timestamp),)))
            _set_states(connection, states)
        return removed

    def vacuum(self) -> None:
        """Make the file anew, without a trace of removed entries, and give their space back to the file system.

        Raises StoreInUse where another process reads the store; some trace is left then.
        """
        self.database.vacuum()

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with the store, each in a sentence; nothing in a sound one."""
        from taplogs.sources.sqlite_faults import faults

        with self.database.snapshot() as connection:
            yield from faults(connection)

    def close(self) -> None:
        """Release the connections to the file."""
        self.database.close()

    def _select(self, query: LogQuery, after: Position | None = None, offset: int = 0) -> Iterator[list[LogEntry]]:
        left = query.limit
        with self.database.snapshot() as connection:
            chosen = narrowed(connection, selection(connection, self._moments, query, after))
            bound = f"LIMIT {-1 if left is None else left} OFFSET {offset}" if chosen.complete else ""
            fields = _fields(query, complete=chosen.complete)
            reader = self._reader(connection, fields)
            rows = rows_of(connection, columns_for(fields), chosen, query.order, bound)
            while batch := reader.entries(rows.fetchmany(_BATCH)):
                if not chosen.complete:
                    matching = query.select(batch)
                    batch, offset = matching[offset:], max(0, offset - len(matching))
                    batch = batch[:left]
                    left = left - len(batch) if left is not None else None
                yield batch
                if left == 0:
                    return

    def _reader(self, connection: sqlite3.Connection, fields: frozenset[str]) -> EntryReader:
        return EntryReader(connection, self._dictionary, self._moments, fields)

    def _outermost(self, which: str) -> str | None:
        with self.database.connection() as connection:
            (moment,) = connection.execute(f"SELECT {which}(moment) FROM entries").fetchone()  # noqa: S608 - min or max
            with stored("the time of an entry"):
                return None if moment is None else self._moments.text(moment)

    def _prepare(self) -> None:
        with self.database.snapshot() as connection:  # another process may complete a new store meanwhile
            version = found_version(connection, self.database.path)
        if version == SCHEMA_VERSION:
            return
        if self.database.read_only:
            raise _unfit(self.database.path, version)
        if version:
            from taplogs.sources.sqlite_migration import migrate

            migrate(self.database)
            return
        with suppress(OSError):  # of somebody else's file, or a file system without modes
            self.database.path.chmod(0o600)  # one that was there and empty, for others to read perhaps
        self.database.enter_wal_mode()
        with self.database.transaction() as connection:
            if not found_version(connection, self.database.path):  # otherwise another process was faster
                create(connection)


def _unfit(path: Path, version: int) -> ConfigurationError:
    if version:
        from shlex import quote

        return ConfigurationError(
            f"the store {path} was made by an earlier taplogs: schema {version}, not {SCHEMA_VERSION}",
            f"'taplogs archive vacuum --source {quote(f'sqlite:{path}')}' brings it up to date, and so does what "
            "adds entries to it: 'taplogs sync', 'taplogs serve --store'",
        )
    return ConfigurationError(f"{path} is empty: no store of taplogs", "name a file that entries were stored in")


def _set_states(connection: sqlite3.Connection, states: Mapping[str, bytes]) -> None:
    connection.executemany("INSERT OR REPLACE INTO origins VALUES (?, ?)", states.items())


def _fields(query: LogQuery, *, complete: bool) -> frozenset[str]:
    """Return the fields of entries that somebody looks at: the reader, or a filter that is applied again."""
    if query.fields is None or not complete:
        return ALL_FIELDS if query.needs_payloads else SUMMARY_FIELDS
    return query.fields

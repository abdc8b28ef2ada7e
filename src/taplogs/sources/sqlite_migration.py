"""Bringing a store of an earlier taplogs up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

from msgspec import Raw

from taplogs.core.entry import NULL, LogEntry
from taplogs.errors import TaplogsError
from taplogs.sources.protocol import UnstorableEntry
from taplogs.sources.sqlite_damage import stored
from taplogs.sources.sqlite_database import SqliteDatabase
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_schema import create, found_version
from taplogs.sources.sqlite_writing import EntryWriter

_BATCH = 1000


def migrate(database: SqliteDatabase) -> None:
    """Make a store of version 1 one of the current version, as one step; raises TaplogsError where it cannot be."""
    with database.transaction() as connection:
        if found_version(connection, database.path) != 1:  # another process was faster
            return
        # What is dropped is still in the store, and the vacuum below rewrites the file: no need to overwrite it here.
        connection.execute("PRAGMA secure_delete = OFF")
        try:
            with stored("an entry"):
                _rebuild(connection)
        except UnstorableEntry as error:
            raise TaplogsError(f"the store {database.path} cannot be brought up to date: it has {error}") from None
        finally:
            connection.execute("PRAGMA secure_delete = ON")
    with suppress(TaplogsError):  # it saves space, and there may be too little of it left
        database.vacuum()


def _rebuild(connection: sqlite3.Connection) -> None:
    connection.execute("DROP INDEX entries_by_time")
    connection.execute("ALTER TABLE entries RENAME TO former_entries")
    create(connection)
    EntryWriter(connection, Moments()).add(_former(connection))
    connection.execute("DROP TABLE former_entries")


def _former(connection: sqlite3.Connection) -> Iterator[LogEntry]:
    """Yield the entries of version 1, whose columns were the fields of LogEntry, in the order in which they came."""
    names = ", ".join(LogEntry.__struct_fields__)
    with closing(connection.execute(f"SELECT {names} FROM former_entries ORDER BY rowid")) as rows:  # noqa: S608 - our own columns
        while batch := rows.fetchmany(_BATCH):
            columns = dict(zip(LogEntry.__struct_fields__, zip(*batch, strict=True), strict=True))
            for name in ("request_payload", "response_payload"):
                columns[name] = tuple(NULL if payload is None else Raw(payload) for payload in columns[name])
            yield from map(LogEntry, *columns.values())

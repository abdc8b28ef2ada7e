"""The tables of the local store, and what marks a file as one of ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from taplogs.errors import ConfigurationError
from taplogs.sources.sqlite_damage import DamagedStore

SCHEMA_VERSION = 2

APPLICATION_ID = int.from_bytes(b"tapl")
"""What marks a SQLite file as ours, in its header (PRAGMA application_id)."""

_HARMLESS = ("CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX ")

# entries          one row each, clustered in the total order. A moment is in milliseconds since 1970; created_at counts
#                  from it, updated_at from created_at (a text where it is no moment). An id that is a UUID is a blob.
#                  What is of few values is a code of `words` or `places`; `url` is what the place leaves of it.
#                  `payloads` is the number under which both payloads are kept, null without any.
# ids              where the entry with an id is: the index of ids, as a table that can be filled in its own order.
# words, places    codes are never given twice, so what a reader remembers of them stays true.
# payload_blocks   payloads `first` to `first + number - 1`, compressed together; payload_tail: those after all blocks.
# counts           roll-ups: how many entries a month (0: all time) has of a group, and of each latency.
# quarters         roll-ups: how many entries a quarter of an hour has of a status.
# origins          what `keep` was last given as the state of each origin.
# traits           one row: the kinds of ids there are.
_SCHEMA = """
CREATE TABLE entries (
    moment INTEGER NOT NULL,
    id NOT NULL,
    status INTEGER NOT NULL,
    latency INTEGER,
    method INTEGER NOT NULL,
    place INTEGER NOT NULL,
    url TEXT NOT NULL,
    ip INTEGER,
    agent INTEGER,
    client INTEGER,
    company INTEGER,
    created,
    updated,
    payloads INTEGER,
    PRIMARY KEY (moment, id)
) WITHOUT ROWID;
CREATE TABLE ids (id NOT NULL PRIMARY KEY, moment INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX failed_entries ON entries (moment, id, status) WHERE status >= 400;
CREATE TABLE words (
    code INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, word TEXT NOT NULL, UNIQUE (kind, word)
);
CREATE TABLE places (
    code INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, endpoint TEXT NOT NULL, UNIQUE (endpoint, origin)
);
CREATE TABLE payload_blocks (first INTEGER PRIMARY KEY, number INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE payload_tail (number INTEGER PRIMARY KEY, request BLOB, response BLOB);
CREATE TABLE counts (
    month INTEGER NOT NULL,
    place INTEGER NOT NULL,
    method INTEGER NOT NULL,
    status INTEGER NOT NULL,
    client INTEGER NOT NULL,
    company INTEGER NOT NULL,
    number INTEGER NOT NULL,
    latencies BLOB NOT NULL,
    PRIMARY KEY (month, place, method, status, client, company)
) WITHOUT ROWID;
CREATE TABLE quarters (
    quarter INTEGER NOT NULL, status INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (quarter, status)
) WITHOUT ROWID;
CREATE TABLE origins (name TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE traits (id_kinds INTEGER NOT NULL);
INSERT INTO traits VALUES (0)
"""


def found_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the store in a file, 0 where it is new, within one transaction.

    Raises ConfigurationError for anything else, DamagedStore for a store whose tables are not as taplogs makes them.
    """
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    statements = [_normal(str(sql)) for (sql,) in rows]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if statements or version:
            raise ConfigurationError(f"{path} is a database of something else", "name another file for the store")
        return 0
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"the store {path} was made by a newer taplogs: schema {version}, not {SCHEMA_VERSION}",
            "upgrade taplogs, or name another file",
        )
    if fault := _schema_fault(statements, version):
        raise DamagedStore(path, fault)
    return version


def _schema_fault(statements: list[str], version: int) -> str | None:
    """Return what is wrong with the statements that made a store; None where nothing is.

    A view or a trigger in the place of a table could do anything at all, and without end.
    """
    for statement in statements:
        if not statement.startswith(_HARMLESS):
            return f"it was given what no store of taplogs has: {statement[:60]}…"
    if version == SCHEMA_VERSION:
        for wanted in map(_normal, _SCHEMA.split(";")):
            if wanted.startswith("CREATE") and wanted not in statements:
                _, kind, name, *_ = wanted.split(" ", 3)
                return f"its {kind.lower()} {name!r} is missing, or another one is in its place"
    return None


def _normal(statement: str) -> str:
    return " ".join(statement.split())


def kinds_of_ids(connection: sqlite3.Connection) -> int:
    """Return which kinds of ids a store may have, as bits."""
    row = connection.execute("SELECT id_kinds FROM traits").fetchone()
    if row is None or type(row[0]) is not int:
        raise sqlite3.DatabaseError("which kinds of ids it has is not said any more")
    return row[0]


def create(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty store, within the transaction of `connection`."""
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

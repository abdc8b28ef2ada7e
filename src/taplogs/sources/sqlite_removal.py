"""Removing entries: with them go their payloads, their part of the roll-ups, and words that nobody uses any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from taplogs.core.query import Order
from taplogs.sources.sqlite_counts import ALL_TIME, Tally
from taplogs.sources.sqlite_damage import stored
from taplogs.sources.sqlite_ids import TEXT_OF_ID, TEXTS, UUIDS
from taplogs.sources.sqlite_payloads import decoded, store_block
from taplogs.sources.sqlite_query import Clause, ordering
from taplogs.sources.sqlite_schema import kinds_of_ids
from taplogs.sources.sqlite_words import WordKind

_CHUNK = 10_000


def all_but(connection: sqlite3.Connection, newest: int) -> Clause | None:
    """Return the condition for all entries but so many of the newest; None where there are no others."""
    mixed_ids = kinds_of_ids(connection) == UUIDS | TEXTS
    terms = ordering(Order.NEWEST_FIRST, mixed_ids=mixed_ids)
    statement = f"SELECT moment, id, {TEXT_OF_ID} FROM entries ORDER BY {terms} LIMIT 1 OFFSET ?"  # noqa: S608 - our own words
    last = connection.execute(statement, (newest,)).fetchone()
    if last is None:
        return None
    moment, entry_id, text = last
    if mixed_ids:
        return Clause(f"moment <= ? AND (moment < ? OR {TEXT_OF_ID} <= ?)", (moment, moment, text))
    return Clause("(moment, id) <= (?, ?)", (moment, entry_id))


def remove(connection: sqlite3.Connection, condition: Clause) -> int:
    """Remove the entries that fulfil `condition`, within a transaction; return how many there were."""
    tally = Tally(connection, sign=-1)
    statement = (
        f"SELECT moment, latency, payloads, place, method, status, client, company FROM entries WHERE {condition.text}"  # noqa: S608 - our own words, with parameters
    )
    with stored("an entry"), closing(connection.execute(statement, condition.parameters)) as rows:
        while chunk := rows.fetchmany(_CHUNK):
            moments, latencies, payloads, *group = zip(*chunk, strict=True)
            tally.count(moments, zip(*group, strict=True), latencies)
            _blank(connection, sorted(number for number in payloads if number is not None))
        tally.flush()
    connection.execute(
        f"DELETE FROM ids WHERE id IN (SELECT id FROM entries WHERE {condition.text})",  # noqa: S608 - the same
        condition.parameters,
    )
    removed = connection.execute(f"DELETE FROM entries WHERE {condition.text}", condition.parameters).rowcount  # noqa: S608 - the same
    if removed:
        _forget_words(connection)
    return removed


def _blank(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Remove the payloads of these numbers, which ascend; what lies beside them keeps its number."""
    connection.executemany(
        "UPDATE payload_tail SET request = NULL, response = NULL WHERE number = ?", [(number,) for number in numbers]
    )
    connection.execute(
        "DELETE FROM payload_tail WHERE NOT EXISTS "
        "(SELECT 1 FROM payload_tail WHERE request IS NOT NULL OR response IS NOT NULL)"
    )
    remaining = iter(numbers)
    number = next(remaining, None)
    while number is not None:
        row = connection.execute(
            "SELECT first, number, content FROM payload_blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,)
        ).fetchone()
        if row is None or number >= row[0] + row[1]:  # it was in the tail
            number = next(remaining, None)
            continue
        first, length, content = row
        pairs = decoded(content)
        while number is not None and number < first + length:
            pairs[number - first] = (None, None)
            number = next(remaining, None)
        if any(pair != (None, None) for pair in pairs):
            store_block(connection, first, pairs)
        else:
            connection.execute("DELETE FROM payload_blocks WHERE first = ?", (first,))


def _forget_words(connection: sqlite3.Connection) -> None:
    """Remove the words and places that no entry has any more: addresses and paths are as private as payloads."""
    rolled_up = f"FROM counts WHERE month = {ALL_TIME}"
    used = {
        WordKind.METHOD: f"SELECT method {rolled_up}",
        WordKind.CLIENT: f"SELECT client {rolled_up}",
        WordKind.COMPANY: f"SELECT company {rolled_up}",
        WordKind.IP: "SELECT ip FROM entries",
        WordKind.AGENT: "SELECT agent FROM entries",
    }
    for kind, codes in used.items():
        connection.execute(f"DELETE FROM words WHERE kind = ? AND code NOT IN ({codes})", (kind,))  # noqa: S608 - our own words
    connection.execute(f"DELETE FROM places WHERE code NOT IN (SELECT place {rolled_up})")  # noqa: S608 - our own words
    connection.execute("UPDATE traits SET id_kinds = 0 WHERE NOT EXISTS (SELECT 1 FROM entries)")

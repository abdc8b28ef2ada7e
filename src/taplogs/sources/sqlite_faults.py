"""Whether a store is what it says it is: the file, the payloads that entries refer to, the roll-ups."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from taplogs.sources.sqlite_counts import ALL_TIME, QUARTER, month_of, pairs_of, start_of
from taplogs.sources.sqlite_payloads import decoded

_ROWS = 5000
_MOST_TOLD = 20

_REFERRED, _FOUND = 1, 2

_Histogram = Counter[tuple[Any, ...]]


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong, each in a sentence, in memory that does not go with the number of entries but slightly."""
    told = 0
    try:
        for fault in _all_faults(connection):
            told += 1
            if told > _MOST_TOLD:
                yield "there is more of this kind"
                return
            yield fault
    except sqlite3.DatabaseError as error:
        yield f"the store cannot be read to its end: {error}"


def _all_faults(connection: sqlite3.Connection) -> Iterator[str]:
    for (message,) in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})").fetchall():
        if message != "ok":
            yield f"the file is damaged: {message}"
    yield from _id_faults(connection)
    yield from _unknown_codes(connection)
    yield from _payload_faults(connection)
    yield from _count_faults(connection)
    yield from _quarter_faults(connection)


def _id_faults(connection: sqlite3.Connection) -> Iterator[str]:
    statement = (
        "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM ids), (SELECT count(*) FROM entries WHERE NOT "
        "EXISTS (SELECT 1 FROM ids WHERE ids.id = entries.id AND ids.moment = entries.moment))"
    )
    entries, ids, unknown = connection.execute(statement).fetchone()
    if entries != ids or unknown:
        yield f"the table of ids has {ids:,} for {entries:,} entries, of which {unknown:,} are not found by it"


def _unknown_codes(connection: sqlite3.Connection) -> Iterator[str]:
    for column in ("method", "ip", "agent", "client", "company"):
        statement = f"SELECT count(*) FROM entries WHERE {column} != 0 AND {column} NOT IN (SELECT code FROM words)"  # noqa: S608 - our own columns
        (number,) = connection.execute(statement).fetchone()
        if number:
            yield f"the word of a code is missing: {column} of {number:,} entries"
    statement = "SELECT count(*) FROM entries WHERE place NOT IN (SELECT code FROM places)"
    (number,) = connection.execute(statement).fetchone()
    if number:
        yield f"the place of a code is missing: the URLs of {number:,} entries"


def _payload_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Hold the numbers that entries refer to against what blocks and the tail hold; a byte is kept for each."""
    (last,) = connection.execute(
        "SELECT max(coalesce((SELECT max(payloads) FROM entries), 0), coalesce((SELECT max(number) FROM payload_tail), "
        "0), coalesce((SELECT max(first + number) FROM payload_blocks), 0))"
    ).fetchone()
    seen = bytearray(last + 1)
    with closing(connection.execute("SELECT payloads FROM entries WHERE payloads IS NOT NULL")) as rows:
        for (number,) in rows:
            if seen[number]:
                yield f"the payloads {number} belong to more than one entry"
            seen[number] |= _REFERRED
    for number in _kept_numbers(connection):
        if isinstance(number, str):
            yield number
        else:
            seen[number] |= _FOUND
    missing, left = seen.count(_REFERRED), seen.count(_FOUND)
    if missing:
        yield f"the payloads of {missing:,} entries are missing, the first ones with the number {seen.index(_REFERRED)}"
    if left:
        yield f"payloads of {left:,} entries are kept that are not in the store any more"


def _kept_numbers(connection: sqlite3.Connection) -> Iterator[int | str]:
    """Yield the numbers under which payloads are kept, and in between the faults of blocks in words."""
    with closing(connection.execute("SELECT first, number, content FROM payload_blocks ORDER BY first")) as rows:
        end = 0
        for first, length, content in rows:
            try:
                pairs = decoded(content)
            except sqlite3.DatabaseError as error:
                yield f"the payloads from {first} on cannot be read: {error}"
                continue
            if len(pairs) != length or first < end:
                yield f"the payloads from {first} on are not as many as they should be"
            end = first + len(pairs)
            yield from (
                number for number, pair in enumerate(pairs, first) if pair != (None, None) and number < first + length
            )
    tail = "SELECT number FROM payload_tail WHERE request IS NOT NULL OR response IS NOT NULL"
    yield from (number for (number,) in connection.execute(tail).fetchall())


def _count_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Count the entries month by month, and hold that against the roll-ups of each month and of all time."""
    in_all: _Histogram = Counter()
    rolled_up = {month for (month,) in connection.execute("SELECT DISTINCT month FROM counts WHERE month != 0")}
    for month in sorted(rolled_up.union(_months(connection))):
        counted = _counted(connection, month)
        if counted != _rolled_up(connection, month):
            year, index = divmod(month - 1, 12)
            yield f"the roll-ups of {year:04}-{index + 1:02} do not agree with the entries of that month"
        in_all.update(counted)
    if in_all != _rolled_up(connection, ALL_TIME):
        yield "the roll-ups of all time do not agree with the entries"


def _months(connection: sqlite3.Connection) -> Iterator[int]:
    """Yield the months that have entries."""
    statement = "SELECT moment FROM entries WHERE moment >= ? ORDER BY moment LIMIT 1"
    row = connection.execute("SELECT moment FROM entries ORDER BY moment LIMIT 1").fetchone()
    while row:
        month = month_of(row[0])
        yield month
        row = connection.execute(statement, (start_of(month + 1),)).fetchone()


def _counted(connection: sqlite3.Connection, month: int) -> _Histogram:
    counted: _Histogram = Counter()
    statement = "SELECT place, method, status, client, company, latency FROM entries WHERE moment >= ? AND moment < ?"
    with closing(connection.execute(statement, (start_of(month), start_of(month + 1)))) as rows:
        while batch := rows.fetchmany(_ROWS):
            counted.update(batch)
    return counted


def _rolled_up(connection: sqlite3.Connection, month: int) -> _Histogram:
    counted: _Histogram = Counter()
    statement = "SELECT place, method, status, client, company, number, latencies FROM counts WHERE month = ?"
    with closing(connection.execute(statement, (month,))) as rows:
        for *group, number, latencies in rows:
            known = 0
            for latency, times in pairs_of(latencies):
                counted[(*group, latency)] += times
                known += times
            if number != known:
                counted[(*group, None)] += number - known
    return counted


def _quarter_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Hold the counts over time against the entries; both come in the order of time."""
    begun = f"moment - (moment % {QUARTER} + {QUARTER}) % {QUARTER}"
    statement = (
        f"SELECT count(*) FROM (SELECT ({begun}) / {QUARTER} AS quarter, status, count(*) AS number FROM entries "  # noqa: S608 - our own words
        "GROUP BY 1, 2 {} SELECT quarter, status, number FROM quarters)"
    )
    turned = (
        "SELECT count(*) FROM (SELECT quarter, status, number FROM quarters EXCEPT "  # noqa: S608 - our own words
        f"SELECT ({begun}) / {QUARTER}, status, count(*) FROM entries GROUP BY 1, 2)"
    )
    for text in (statement.format("EXCEPT"), turned):
        (number,) = connection.execute(text).fetchone()
        if number:
            yield f"the counts over time do not agree with the entries in {number:,} quarters of an hour"
            return

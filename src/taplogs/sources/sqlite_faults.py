"""Whether a store is what it says it is: the file, each value, the payloads that entries refer to, the roll-ups."""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from taplogs.sources.sqlite_counts import ALL_TIME, QUARTER, month_of, pairs_of, start_of
from taplogs.sources.sqlite_damage import MISREAD
from taplogs.sources.sqlite_ids import TEXTS, UUIDS
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_payloads import Pair, decoded, payload_of
from taplogs.sources.sqlite_rows import SUMMARY_FIELDS, EntryReader, columns_for
from taplogs.sources.sqlite_values import VALUES, Values
from taplogs.sources.sqlite_words import Dictionary

_ROWS = 5000
_MOST_TOLD = 10

_REFERRED, _FOUND = 1, 2

_Histogram = Counter[tuple[Any, ...]]

_IN_PLAIN_WORDS = (
    (re.compile(r"page (\d+) is never used", re.I), "page {0} of the file belongs to nothing"),
    (re.compile(r"NULL value in (\S+)", re.I), "a value is missing in {0}"),
    (re.compile(r"index (\S+)", re.I), "the index {0} does not agree with its table"),
    (re.compile(r"page (\d+)", re.I), "page {0} of the file is damaged"),
)
"""What SQLite finds by PRAGMA integrity_check, by the words that tell it, and how people are told."""


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what is wrong, each in a sentence, in memory that does not go with the number of entries but slightly."""
    for what, check in _CHECKS.items():
        found = _to_its_end(what, check(connection))
        yield from islice(found, _MOST_TOLD)
        if next(found, None) is not None:
            yield f"and there is more of this kind: {what} were not checked any further"


def _to_its_end(what: str, found: Iterator[str]) -> Iterator[str]:
    """Yield what a check finds, and that it came to no end where it did not: each depends on what others look at."""
    try:
        yield from found
    except (sqlite3.DatabaseError, *MISREAD) as error:
        yield f"{what} cannot be checked to the end ({error})"


def _file_faults(connection: sqlite3.Connection) -> Iterator[str]:
    for (message,) in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD + 1})"):
        for line in message.splitlines():
            if line != "ok" and not line.startswith("***"):  # "*** in database main ***" heads the others
                yield _in_plain_words(line)


def _in_plain_words(line: str) -> str:
    for pattern, words in _IN_PLAIN_WORDS:
        if match := pattern.search(line):
            return f"{words.format(*match.groups())} ({line})"
    return f"the file is damaged ({line})"


def _value_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Look at each value by itself: whether it is of its type, and within its bounds."""
    for table, values in VALUES.items():
        yield from _to_its_end(f"the table {table}", _wrong_values(connection, table, values))


def _wrong_values(connection: sqlite3.Connection, table: str, values: Values) -> Iterator[str]:
    counts = ", ".join(f"count(*) FILTER (WHERE NOT ({condition}))" for condition in values.values())
    for name, number in zip(values, connection.execute(f"SELECT {counts} FROM {table}").fetchone(), strict=True):  # noqa: S608 - our own words
        if number:
            yield f"{name} is wrong in {number:,} {'row' if number == 1 else 'rows'} of the table {table}"


def _entry_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Make the entries of the rows, all but their payloads."""
    reader = EntryReader(connection, Dictionary(), Moments(), SUMMARY_FIELDS)
    statement = f"SELECT {columns_for(SUMMARY_FIELDS)} FROM entries"  # noqa: S608 - our own columns
    with closing(connection.execute(statement)) as rows:
        while batch := rows.fetchmany(_ROWS):
            if _unreadable(reader, batch):
                found = [(row[1], fault) for row in batch if (fault := _unreadable(reader, [row]))]
                yield from (f"of the entry with the id {entry_id!r}: {fault}" for entry_id, fault in found)


def _unreadable(reader: EntryReader, rows: list[tuple[Any, ...]]) -> str | None:
    try:
        reader.entries(rows)
    except sqlite3.DatabaseError as error:
        return str(error)
    return None


def _id_faults(connection: sqlite3.Connection) -> Iterator[str]:
    statement = (
        "SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM ids), (SELECT count(*) FROM entries WHERE NOT "
        "EXISTS (SELECT 1 FROM ids WHERE ids.id = entries.id AND ids.moment = entries.moment))"
    )
    entries, ids, unknown = connection.execute(statement).fetchone()
    if entries != ids or unknown:
        yield f"the table of ids has {ids:,} for {entries:,} entries, of which {unknown:,} are not found by it"
    rows = connection.execute("SELECT id_kinds FROM traits").fetchall()
    statement = (
        f"SELECT coalesce(max(typeof(id) = 'blob'), 0) * {UUIDS} + coalesce(max(typeof(id) = 'text'), 0) * {TEXTS} "  # noqa: S608 - our own words
        "FROM ids"
    )
    (kinds,) = connection.execute(statement).fetchone()
    if len(rows) != 1 or rows[0][0] | kinds != rows[0][0]:
        yield "which kinds of ids there are is said wrongly, or not at all: the order of entries goes by it"


def _code_faults(connection: sqlite3.Connection) -> Iterator[str]:
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
    firsts: list[int] = []
    marks: list[bytearray] = []
    for first, pairs, fault in _kept_payloads(connection):
        if fault:
            yield fault
        if not firsts or first >= firsts[-1] + len(marks[-1]):
            firsts.append(first)
            marks.append(bytearray(_FOUND * (pair != (None, None)) for pair in pairs))
    missing: list[int] = []
    with closing(connection.execute("SELECT payloads FROM entries WHERE payloads IS NOT NULL")) as rows:
        for (number,) in rows:
            at = bisect_right(firsts, number) - 1
            if at < 0 or number >= firsts[at] + len(marks[at]) or not marks[at][number - firsts[at]]:
                missing.append(number)
                continue
            if marks[at][number - firsts[at]] & _REFERRED:
                yield f"the payloads {number} belong to more than one entry"
            marks[at][number - firsts[at]] |= _REFERRED
    if missing:
        yield f"the payloads of {len(missing):,} entries are missing, the first ones with the number {min(missing)}"
    left = sum(block.count(_FOUND) for block in marks)
    if left:
        yield f"payloads of {left:,} entries are kept that are not in the store any more"


def _kept_payloads(connection: sqlite3.Connection) -> Iterator[tuple[int, list[Pair], str | None]]:
    """Yield the first number of each block, its pairs, and what is wrong with it; in the end each pair of the tail."""
    end = 0
    with closing(connection.execute("SELECT first, number, content FROM payload_blocks ORDER BY first")) as rows:
        for first, length, content in rows:
            try:
                pairs = decoded(content)
            except sqlite3.DatabaseError as error:
                yield first, [], f"the payloads from {first} on cannot be read: {error}"
                continue
            fault = None
            if len(pairs) != length or first < end:
                fault = f"the payloads from {first} on are not as many as they should be"
            elif not all(map(_is_json, pairs)):
                fault = f"of the payloads from {first} on, some are no JSON"
            end = first + len(pairs)
            yield first, pairs, fault
    tail = connection.execute("SELECT number, request, response FROM payload_tail ORDER BY number")
    for number, request, response in tail:
        pair = (request, response)
        yield number, [pair], None if _is_json(pair) else f"the payloads {number} are no JSON"


def _is_json(pair: Pair) -> bool:
    try:
        for payload in pair:
            if payload is not None:
                payload_of(payload)
    except (AttributeError, TypeError, ValueError):
        return False
    return True


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


_CHECKS: dict[str, Callable[[sqlite3.Connection], Iterator[str]]] = {
    "the pages of the file": _file_faults,
    "the values": _value_faults,
    "the entries": _entry_faults,
    "the ids": _id_faults,
    "the codes": _code_faults,
    "the payloads": _payload_faults,
    "the roll-ups": _count_faults,
    "the counts over time": _quarter_faults,
}

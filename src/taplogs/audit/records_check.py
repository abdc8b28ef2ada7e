"""The lines of records.jsonl, checked one by one: canonical, in the period, in order; hashed, and derived as a table.

A file is checked in segments of 2^16 rows, which are full subtrees of its Merkle tree. So several processes can work on
one file, and what they find is put together in its order.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from operator import attrgetter, lt

import msgspec
from msgspec import Struct

from taplogs.audit.canonical import are_record_lines, record_lines
from taplogs.audit.finding import Finding
from taplogs.audit.findings import Findings
from taplogs.audit.merkle import MerkleTree
from taplogs.audit.records_table import RecordsTable, TableForm
from taplogs.core.decoding import MalformedBody, decode_entry, have_canonical_times
from taplogs.core.entry import LogEntry
from taplogs.core.export_names import RECORDS
from taplogs.core.timespan import Window

SEGMENT_HEIGHT = 16
SEGMENT_ROWS = 1 << SEGMENT_HEIGHT

Key = tuple[str, str]

_decoder = msgspec.json.Decoder(LogEntry)
_key = attrgetter("timestamp", "id")
_MOST_COMPANIES = 2


class Expected(Struct, frozen=True):
    """What all records are held against; `form` is how the table was derived, None is no table."""

    window: Window
    form: TableForm | None


class Segment(Struct):
    """What was found in one segment.

    `first_row` counts from 1, `ids` are 64-bit hashes, and `table` tells the length and SHA-256 of the rows of the
    table, which are `table_is_whole` where every line is a record.
    """

    first_row: int
    rows: int
    subtrees: list[tuple[int, bytes]]
    first: Key | None
    last: Key | None
    ids: bytes
    companies: frozenset[str | None]
    guarded_cells: int
    table: tuple[int, bytes]
    table_is_whole: bool
    findings: list[Finding]
    beyond: Counter[tuple[str, str]]


class SegmentCheck:
    """Checks the blocks of one segment in their order."""

    def __init__(self, expected: Expected, first_row: int) -> None:
        self._window = expected.window
        self._table = RecordsTable(expected.form) if expected.form else None
        self._first_row = first_row
        self._tree = MerkleTree()
        self._findings = Findings()
        self._first: Key | None = None
        self._last: Key | None = None
        self._ids = array("q")
        self._companies: set[str | None] = set()
        self._table_bytes = 0
        self._table_digest = sha256()

    def take(self, block: bytes) -> None:
        """Check a block of whole lines, each with its line feed."""
        row = self._first_row + self._tree.size
        lines = block.split(b"\n")
        lines.pop()
        self._tree.extend(lines)
        entries = _flawless(block, lines)
        is_flawless = entries is not None
        if entries is None:
            entries = self._leniently(lines, row)
        elif not self._is_in_order(entries) or not self._is_in_period(entries):
            self._name_misplaced(list(enumerate(entries, row)))
        self._note(entries)
        self._derive(block, row, entries if is_flawless else None)

    def result(self) -> Segment:
        """Return what was found."""
        return Segment(
            self._first_row,
            self._tree.size,
            self._tree.stack,
            self._first,
            self._last,
            self._ids.tobytes(),
            frozenset(self._companies),
            self._table.guarded_cells if self._table else 0,
            (self._table_bytes, self._table_digest.digest()),
            self._table is not None,
            self._findings.kept,
            self._findings.beyond,
        )

    def _is_in_order(self, entries: list[LogEntry]) -> bool:
        keys = list(map(_key, entries))
        after = self._last is None or self._last < keys[0]
        return after and all(map(lt, keys, keys[1:]))

    def _is_in_period(self, entries: list[LogEntry]) -> bool:
        """Return whether entries that are in order all are."""
        return self._window.contains(entries[0].timestamp) and self._window.contains(entries[-1].timestamp)

    def _leniently(self, lines: list[bytes], first: int) -> list[LogEntry]:
        """Return the entries of lines, some of which have a flaw, and name each flaw."""
        entries = []
        for row, line in enumerate(lines, first):
            try:
                entry = decode_entry(line)
            except MalformedBody as error:
                self._add("record_malformed", row, f"it is no log entry: {error.reason}")
                continue
            if record_lines([entry]) != [line]:
                self._add("record_not_canonical", row, "its bytes are not the canonical line of its entry")
            entries.append((row, entry))
        self._name_misplaced(entries)
        return [entry for _, entry in entries]

    def _name_misplaced(self, entries: list[tuple[int, LogEntry]]) -> None:
        """Name the entries that are out of order or out of the period."""
        before = self._last
        for row, entry in entries:
            key = _key(entry)
            if before is not None and key <= before:
                add = "stands here a second time" if key == before else f"comes before the one above it, {before[1]!r}"
                self._add("record_order", row, f"{entry.id!r} ({entry.timestamp}) {add}")
            if not self._window.contains(entry.timestamp):
                self._add("record_period", row, f"{entry.id!r} is of {entry.timestamp}, which is not in the period")
            before = key

    def _note(self, entries: list[LogEntry]) -> None:
        if not entries:
            return
        self._first = self._first or _key(entries[0])
        self._last = _key(entries[-1])
        self._ids.extend([hash(entry.id) for entry in entries])
        if len(self._companies) < _MOST_COMPANIES:
            self._companies.update([entry.company_id for entry in entries])
            self._companies = set(sorted(self._companies, key=str)[:_MOST_COMPANIES])

    def _derive(self, block: bytes, row: int, entries: list[LogEntry] | None) -> None:
        """Take note of the rows of the table; `entries` are those of the block, None where a line has a flaw."""
        if self._table is None:
            return
        try:
            rows = self._table.rows(block, row) if entries is None else self._table.rows_of(entries)
        except ValueError:  # which row it is has been named
            self._table = None
            return
        self._table_bytes += len(rows)
        self._table_digest.update(rows)

    def _add(self, code: str, row: int, message: str) -> None:
        self._findings.add(code, f"{RECORDS}:{row}", message)


def _flawless(block: bytes, lines: list[bytes]) -> list[LogEntry] | None:
    """Return the entries of a block in one look, or None where any line may have a flaw."""
    try:
        for line in lines:
            if not line.isascii():
                line.decode("utf-8")  # msgspec does not look at the text within payloads
        entries = _decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    is_whole = len(entries) == len(lines) and have_canonical_times(entries)
    return entries if is_whole and are_record_lines(block, entries) else None


def repeated(ids: Iterator[bytes], total: int) -> set[int]:
    """Return the hashes of ids that occur more than once; they are looked at in parts of a million at most."""
    numbers = array("q")
    for part in ids:
        numbers.frombytes(part)
    found: set[int] = set()
    parts = total // 1_000_000 + 1
    for part_number in range(parts):
        part_ids = (
            numbers if parts == 1 else array("q", [number for number in numbers if number % parts == part_number])
        )
        if len(set(part_ids)) < len(part_ids):
            found |= {number for number, count in Counter(part_ids).items() if count > 1}
    return found

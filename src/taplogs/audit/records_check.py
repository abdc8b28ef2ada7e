"""A block of records.jsonl, checked by itself: what it is in whatever order, and in whatever process.

A block is looked at as a whole, and line by line only where something is wrong with it. What all blocks together have to
be, whoever puts their reports together sees to.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice
from operator import attrgetter, lt

import msgspec
from msgspec import Struct

from taplogs.audit.canonical import record_lines
from taplogs.audit.finding import Finding
from taplogs.audit.findings import Findings
from taplogs.audit.identifiers import hashes_of
from taplogs.audit.manifest import RECORDS
from taplogs.audit.merkle import full_subtrees
from taplogs.audit.records_table import RecordsTable, TableForm
from taplogs.core.decoding import MalformedBody, decode_entry
from taplogs.core.entry import LogEntry
from taplogs.core.timespan import Window
from taplogs.core.timestamp import are_canonical

MOST_COMPANIES = 2
Key = tuple[str, str]

_key = attrgetter("timestamp", "id")
_timestamp, _created, _updated = attrgetter("timestamp"), attrgetter("created_at"), attrgetter("updated_at")
_id, _company = attrgetter("id"), attrgetter("company_id")


class Question(Struct, frozen=True):
    """What all records are held against; `form` is how the table was derived, None is no table."""

    window: Window
    form: TableForm | None


class TablePart(Struct, frozen=True):
    """The rows of records.csv that a block becomes: their length, their SHA-256, how many cells have the guard."""

    bytes: int
    sha256: bytes
    guarded_cells: int


class BlockReport(Struct, frozen=True):
    """What was found in one block.

    `first_row` counts from 1. `subtrees`: what the block adds to the Merkle tree, each as its height and root. `ids`:
    their hashes, ascending. `companies`: two of them at most. `table` is None where no table was asked for, or none can
    be derived. `beyond`: how many findings there are besides, by kind and place.
    """

    first_row: int
    rows: int
    subtrees: list[tuple[int, bytes]]
    first: Key | None
    last: Key | None
    ids: array[int]
    companies: frozenset[str | None]
    table: TablePart | None
    findings: list[Finding]
    beyond: Counter[tuple[str, str]]


class BlockCheck:
    """Checks blocks, each by itself."""

    def __init__(self, question: Question) -> None:
        """Take what the records are held against."""
        self._window = question.window
        self._decoder = msgspec.json.Decoder(LogEntry)
        self._encoder = msgspec.json.Encoder()
        self._table = RecordsTable(question.form) if question.form else None

    def check(self, block: bytes, first_row: int) -> BlockReport:
        """Return what is found in a block of whole lines; only the last one of a file may lack its line feed."""
        block = block.removesuffix(b"\n") + b"\n"
        lines = block[:-1].split(b"\n")
        findings = Findings()
        rows: Sequence[int] = range(first_row, first_row + len(lines))
        entries = self._flawless(block, lines)
        if entries is None:
            rows, entries = self._one_by_one(lines, first_row, findings)
        keys = list(map(_key, entries))
        if not all(map(lt, keys, islice(keys, 1, None))):
            self._name_disorder(keys, rows, findings)
        times = list(map(_timestamp, entries))
        if times and not (self._window.contains(min(times)) and self._window.contains(max(times))):
            self._name_outsiders(keys, rows, findings)
        return BlockReport(
            first_row=first_row,
            rows=len(lines),
            subtrees=full_subtrees(lines, first_row - 1),
            first=keys[0] if keys else None,
            last=keys[-1] if keys else None,
            ids=hashes_of(map(_id, entries)),
            companies=frozenset(islice(set(map(_company, entries)), MOST_COMPANIES)),
            table=self._derived(block, first_row),
            findings=findings.kept,
            beyond=findings.beyond,
        )

    def records(self, block: bytes, first_row: int) -> Iterator[tuple[int, LogEntry]]:
        """Yield the records of a block, each after its row; lines that are none are left out."""
        lines = block.removesuffix(b"\n").split(b"\n")
        yield from zip(*self._one_by_one(lines, first_row, Findings()), strict=True)

    def _flawless(self, block: bytes, lines: list[bytes]) -> list[LogEntry] | None:
        """Return the records of canonical lines in one look; None where any line may have a flaw."""
        try:
            for line in lines:
                if not line.isascii():
                    line.decode("utf-8")  # msgspec does not look at the text within payloads
            entries = self._decoder.decode_lines(block)
            if len(entries) != len(lines) or self._encoder.encode_lines(entries) != block:
                return None
            together = b"[%b]" % block[:-1].replace(b"\n", b",")
            if msgspec.json.format(together, indent=-1) != together:
                return None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        created, updated = list(map(_created, entries)), list(map(_updated, entries))
        times = list(map(_timestamp, entries)) + _present(created) + ([] if created == updated else _present(updated))
        return entries if _exist(times) else None

    def _one_by_one(
        self, lines: list[bytes], first_row: int, findings: Findings
    ) -> tuple[list[int], list[LogEntry]]:
        """Return the rows that are records, and the records; say what is wrong with the lines that have a flaw."""
        rows, entries = [], []
        for row, line in enumerate(lines, first_row):
            found = self._flawless(line + b"\n", [line])
            if found is None:
                try:
                    found = [decode_entry(line)]
                except MalformedBody as error:
                    findings.add("record_malformed", _place(row), f"it is no log entry: {error.reason}")
                    continue
                if record_lines(found) != [line]:
                    message = "its bytes are not the canonical line of its entry"
                    findings.add("record_not_canonical", _place(row), message)
            rows.append(row)
            entries += found
        return rows, entries

    @staticmethod
    def _name_disorder(keys: list[Key], rows: Sequence[int], findings: Findings) -> None:
        for row, before, after in zip(rows[1:], keys, keys[1:], strict=False):
            if after <= before:
                findings.add("record_order", _place(row), out_of_order(before, after))

    def _name_outsiders(self, keys: list[Key], rows: Sequence[int], findings: Findings) -> None:
        for row, (time, name) in zip(rows, keys, strict=True):
            if not self._window.contains(time):
                findings.add("record_period", _place(row), f"{name!r} is of {time}, which is not in the period")

    def _derived(self, block: bytes, first_row: int) -> TablePart | None:
        if self._table is None:
            return None
        before = self._table.guarded_cells
        try:
            rows = self._table.rows(block, first_row)
        except ValueError:  # which row it is has been named
            return None
        return TablePart(len(rows), sha256(rows).digest(), self._table.guarded_cells - before)


def out_of_order(before: Key, after: Key) -> str:
    """Return in words how a record does not come after the one before it."""
    if before == after:
        return f"{after[1]!r} ({after[0]}) stands here a second time"
    return f"{after[1]!r} ({after[0]}) comes after {before[1]!r} ({before[0]}), which is later"


def _place(row: int) -> str:
    return f"{RECORDS}:{row}"


def _present(times: list[str | None]) -> list[str]:
    return [time for time in times if time is not None]


def _exist(times: list[str]) -> bool:
    """Return whether all are canonical timestamps of moments that exist."""
    if not are_canonical(times):
        return False
    try:
        msgspec.convert(times, list[datetime])
    except msgspec.ValidationError:
        return False
    return True

"""records.csv as it follows from the bytes of records.jsonl: one derivation for writing and checking it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from taplogs.core.decoding import MalformedBody, decode_entry
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import MEMBERS, LogEntry
from taplogs.output.spreadsheet import CsvRows, csv_header

COLUMNS = MEMBERS
"""The columns of records.csv: every member of an entry, in order."""

_decoder = msgspec.json.Decoder(LogEntry)
_NOT_STRICT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""A lone surrogate, deep nesting, or no record at all; bytes that are not UTF-8 are met when a payload is decoded."""


class TableForm(Struct, frozen=True):
    """What may differ between two tables of the same records; the manifest says both."""

    formula_guard: bool = True
    byte_order_mark: bool = False


class RecordsTable:
    """Derives the rows of a table, block by block; the rows of a record depend on its line alone."""

    def __init__(self, form: TableForm) -> None:
        """Nothing is written here: who writes or compares takes the heading, and rows in blocks of any length."""
        self.heading = csv_header(COLUMNS, byte_order_mark=form.byte_order_mark)
        self._rows = CsvRows(COLUMNS, EndpointTemplates(), guarded=form.formula_guard, canonical=True)

    @property
    def guarded_cells(self) -> int:
        """How many cells of the rows so far got the guard."""
        return self._rows.guarded_cells

    def rows(self, block: bytes, first: int = 1) -> bytes:
        """Return the rows of a block of records.jsonl, whole lines with their line feeds; the first is row `first`.

        Raises ValueError, which names the row, for a line that is no record.
        """
        try:
            entries = _decoder.decode_lines(block)
            if len(entries) == block.count(b"\n"):
                return self.rows_of(entries)
        except _NOT_STRICT:
            pass
        lines = block.removesuffix(b"\n").split(b"\n")
        return self.rows_of([_entry(line, row) for row, line in enumerate(lines, first)])

    def rows_of(self, entries: Sequence[LogEntry]) -> bytes:
        """Return the rows of records that were decoded already, each from its canonical line."""
        return self._rows.encoded(entries)


def _entry(line: bytes, row: int) -> LogEntry:
    try:
        line.decode("utf-8")
        return _decoder.decode(line)
    except _NOT_STRICT:
        pass
    try:
        return decode_entry(line)
    except MalformedBody as error:
        raise ValueError(f"row {row} is no record: {error.reason}") from None

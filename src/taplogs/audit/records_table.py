"""records.csv as it follows from the bytes of records.jsonl: one derivation for writing and checking it."""

from __future__ import annotations

from typing import BinaryIO

import msgspec
from msgspec import Struct

from taplogs.core.decoding import MalformedBody, decode_entry
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import MEMBERS, LogEntry
from taplogs.output.spreadsheet import CsvRows, csv_header

COLUMNS = MEMBERS
"""The columns of records.csv: every member of an entry, in order."""

_BLOCK = 1 << 20

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
        """Nothing is written here: what writes or compares asks for `heading` and `rows`."""
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
                return self._rows.encoded(entries)
        except _NOT_STRICT:
            pass
        lines = block.removesuffix(b"\n").split(b"\n")
        return self._rows.encoded([_entry(line, row) for row, line in enumerate(lines, first)])


def write_table(records: BinaryIO, out: BinaryIO, form: TableForm) -> int:
    """Write the table of an opened records.jsonl, in constant memory; return how many cells got the guard.

    Raises ValueError as `RecordsTable.rows` does.
    """
    table = RecordsTable(form)
    out.write(table.heading)
    first = 1
    while block := records.read(_BLOCK) + records.readline():
        out.write(table.rows(block, first))
        first += block.count(b"\n")
    return table.guarded_cells


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

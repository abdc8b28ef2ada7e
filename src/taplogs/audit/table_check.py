"""records.csv held against records.jsonl, of which it has to follow byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import BinaryIO

from taplogs.audit.evidence_file import line_blocks
from taplogs.audit.finding import Finding
from taplogs.audit.records_table import RecordsTable, TableForm
from taplogs.core.export_names import RECORDS, TABLE


def table_findings(
    table: BinaryIO, records: BinaryIO, form: TableForm, segments: Sequence[tuple[int, bytes]]
) -> Iterator[Finding]:
    """Yield where the table is not what follows; `segments` are length and SHA-256 of the rows that do, in order."""
    heading = RecordsTable(form).heading
    table.seek(0)
    if table.read(len(heading)) != heading:
        yield _finding(":heading", "its heading is not that of such a table")
    if any(sha256(table.read(length)).digest() != digest for length, digest in segments):
        row = _first_difference(table, records, form)
        yield _finding(f":record {row}", f"it is not what follows from {RECORDS}")
    elif table.read(1):
        yield _finding("", f"it has more than follows from {RECORDS}")


def _first_difference(table: BinaryIO, records: BinaryIO, form: TableForm) -> int:
    """Return the number of the first record whose row is another one, counted from 1."""
    derived = RecordsTable(form)
    table.seek(len(derived.heading))
    records.seek(0)
    row = 1
    for block in line_blocks(records):
        rows = derived.rows(block, row)
        found = table.read(len(rows))
        if found != rows:
            return row + _first_other(found, [derived.rows(line + b"\n") for line in block.split(b"\n")[:-1]])
        row += block.count(b"\n")
    return row


def _first_other(found: bytes, rows: Sequence[bytes]) -> int:
    position = 0
    for index, row in enumerate(rows):
        if found[position : position + len(row)] != row:
            return index
        position += len(row)
    return len(rows)


def _finding(place: str, message: str) -> Finding:
    return Finding("table_derivation", f"{TABLE}{place}", message)

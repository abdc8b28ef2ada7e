"""records.csv follows from the bytes of records.jsonl, and says the same: Python's csv module reads it back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import log_entry, payload
from taplogs.audit.canonical import record_lines
from taplogs.audit.records_table import COLUMNS, RecordsTable, TableForm
from taplogs.core.decoding import decode_lines
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, has_payload
from taplogs.core.formula_guard import unguard
from taplogs.output.spreadsheet import CsvRows

DATA = Path(__file__).parent.parent / "data"
SPECTRUM = sorted((DATA / "csv-spectrum" / "csvs").iterdir())
NAUGHTY: list[str] = json.loads((DATA / "blns" / "blns.json").read_text("utf-8"))
STARTS = "=+-@\t\r\n'\0\uff1d\uff0b\uff0d\uff20"

PLAIN = TableForm()

texts = st.builds(str.__add__, st.sampled_from(["", " ", *STARTS]), st.text(st.characters(codec="utf-8"), max_size=9))
texts |= st.text('",\r\n =', max_size=6) | st.sampled_from(NAUGHTY)
payloads = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).map(lambda value: payload(json.dumps(value, ensure_ascii=False)))
entries = st.builds(
    log_entry,
    st.integers(1, 9),
    request_url=texts,
    latency_ms=st.none() | st.integers(0, 10**9),
    request_payload=payloads,
    response_payload=payloads,
    user_agent=st.none() | texts,
    client_id=st.none() | texts,
)
some_entries = st.lists(entries, max_size=6)


def block_of(entries: list[LogEntry]) -> bytes:
    """Return the entries as they stand in records.jsonl."""
    return b"".join(line + b"\n" for line in record_lines(entries))


def table_of(entries: list[LogEntry], form: TableForm = PLAIN) -> bytes:
    """Return the whole records.csv."""
    table = RecordsTable(form)
    return table.heading + table.rows(block_of(entries))


def guarded_cells(entries: list[LogEntry], form: TableForm = PLAIN) -> int:
    """Return how many cells of the records.csv got the guard."""
    table = RecordsTable(form)
    table.rows(block_of(entries))
    return table.guarded_cells


def read(table: bytes) -> list[dict[str, str]]:
    """Return the rows by their headings, as Python's csv module reads them."""
    return list(csv.DictReader(io.StringIO(table.decode(), newline=""), strict=True))


def values(entry: LogEntry) -> dict[str, Any]:
    """Return the members of an entry as their cells should be understood."""
    members = json.loads(record_lines([entry])[0])
    return {name: "" if value is None else value for name, value in members.items()}


def understood(row: dict[str, str]) -> dict[str, Any]:
    """Return what the cells of a row say: text without its guard, numbers, JSON."""
    numbers = ("statusCode", "latencyMs", "requestPayload", "responsePayload")
    return {name: json.loads(cell) if name in numbers and cell else unguard(cell) for name, cell in row.items()}


def cells_of_csv(path: Path) -> list[str]:
    """Return the cells that csv-spectrum says a file has."""
    read = json.loads((path.parent.parent / "json" / f"{path.stem}.json").read_bytes().decode("utf-8", "replace"))
    return [cell for row in (read if isinstance(read, list) else [read]) for cell in (*row, *row.values())]


@settings(deadline=None)
@given(some_entries)
def test_a_table_says_what_the_records_say(entries: list[LogEntry]) -> None:
    assert [understood(row) for row in read(table_of(entries))] == [values(entry) for entry in entries]


@settings(deadline=None)
@given(some_entries, st.integers(0, 6), st.booleans())
def test_rows_are_the_same_in_any_blocks(entries: list[LogEntry], cut: int, guarded: bool) -> None:
    form = TableForm(formula_guard=guarded)
    blocks = RecordsTable(form)
    parts = [blocks.rows(block_of(part)) for part in (entries[:cut], entries[cut:])]
    assert blocks.heading + b"".join(parts) == table_of(entries, form)
    assert blocks.guarded_cells == guarded_cells(entries, form)


@settings(deadline=None)
@given(some_entries)
def test_a_table_is_what_a_listing_writes_of_the_same_entries(entries: list[LogEntry]) -> None:
    rows = CsvRows(COLUMNS, EndpointTemplates())
    table = RecordsTable(TableForm())
    assert table.rows(block_of(entries)) == rows.encoded(entries)
    assert table.guarded_cells == rows.guarded_cells


@settings(deadline=None)
@given(some_entries)
def test_every_guarded_cell_is_counted(entries: list[LogEntry]) -> None:
    plain = read(table_of(entries, TableForm(formula_guard=False)))
    changed = [
        name
        for with_guard, without in zip(read(table_of(entries)), plain, strict=True)
        for name, cell in without.items()
        if with_guard[name] != cell
    ]
    assert guarded_cells(entries) == len(changed)


@pytest.mark.parametrize("path", SPECTRUM, ids=lambda path: path.stem)
def test_csv_spectrum_comes_back(path: Path) -> None:
    cells = cells_of_csv(path)
    entries = [log_entry(user_agent=cell, request_payload=payload(json.dumps({cell: cell}))) for cell in cells]
    rows = read(table_of(entries))
    assert [unguard(row["userAgent"]) for row in rows] == cells
    assert [json.loads(row["requestPayload"]) for row in rows] == [{cell: cell} for cell in cells]


CONSISTENT = [path for path in SPECTRUM if path.stem != "location_coordinates"]
"""The files of csv-spectrum whose JSON says the same; that one's has another telephone number."""


@pytest.mark.parametrize("path", CONSISTENT, ids=lambda path: path.stem)
def test_the_reader_of_these_tests_reads_csv_spectrum(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [cell for row in rows for cell in (*row, *row.values())] == cells_of_csv(path)


def test_naughty_strings_come_back() -> None:
    entries = [
        log_entry(user_agent=text, request_url=text, response_payload=payload(json.dumps(text))) for text in NAUGHTY
    ]
    rows = read(table_of(entries))
    assert [unguard(row["userAgent"]) for row in rows] == NAUGHTY
    assert [unguard(row["requestUrl"]) for row in rows] == NAUGHTY
    assert [json.loads(row["responsePayload"]) for row in rows] == NAUGHTY


def test_the_heading_names_every_member_in_order() -> None:
    assert RecordsTable(TableForm()).heading.decode() == ",".join(values(log_entry())) + "\r\n"
    assert table_of([]) == RecordsTable(TableForm()).heading


def test_a_byte_order_mark_stands_at_the_start_alone() -> None:
    entries = [log_entry(user_agent="é")] * 2
    assert table_of(entries, TableForm(byte_order_mark=True)) == b"\xef\xbb\xbf" + table_of(entries)


def test_without_the_guard_cells_are_as_they_were_sent() -> None:
    entries = [log_entry(user_agent=text) for text in ("=1+1", "'quoted'", " @x")]
    form = TableForm(formula_guard=False)
    assert [row["userAgent"] for row in read(table_of(entries, form))] == [entry.user_agent for entry in entries]
    assert guarded_cells(entries, form) == 0


def test_a_payload_is_never_guarded() -> None:
    numbers = ["-1", "-1e400", "-" + "9" * 5000]
    entries = [log_entry(request_payload=payload(text)) for text in numbers]
    assert [row["requestPayload"] for row in read(table_of(entries))] == numbers
    assert guarded_cells(entries) == 0


def test_a_lone_surrogate_and_deep_nesting_do_not_change_the_rows_beside_them() -> None:
    deep = "[" * 500 + "]" * 500
    odd = [log_entry(2, user_agent="a\ud800b"), log_entry(3, request_payload=payload(deep)), log_entry(4)]
    assert has_payload(odd[1].request_payload)
    rows = read(table_of([log_entry(1), *odd]))
    assert [row["userAgent"] for row in rows][1] == r"a\ud800b"
    assert rows[2]["requestPayload"] == deep
    assert [rows[0], rows[3]] == read(table_of([log_entry(1), log_entry(4)]))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b"not JSON",
        b'{"id":"entry-00001"',
        block_of([log_entry()])[:-1] * 2,
        block_of([log_entry(request_payload=payload('"here"'))])[:-1].replace(b"here", b"\xff"),
        block_of([log_entry(user_agent="here")])[:-1].replace(b"here", b"\xff"),
        block_of([log_entry()])[:-1].replace(b":200,", b":2e99,"),
    ],
)
def test_a_line_that_is_no_record_is_named(line: bytes) -> None:
    block = block_of([log_entry()]) + line + b"\n" + block_of([log_entry()])
    with pytest.raises(ValueError, match=r"^row 12 is no record: "):
        RecordsTable(TableForm()).rows(block, first=11)


@settings(deadline=None)
@given(some_entries)
def test_records_that_were_decoded_already_give_the_same_rows(entries: list[LogEntry]) -> None:
    block = block_of(entries)
    assert RecordsTable(PLAIN).rows_of(decode_lines(block)) == RecordsTable(PLAIN).rows(block)

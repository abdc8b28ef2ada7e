"""CSV (RFC 4180) -> entries: what taplogs writes, with the guard against formulas or without it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from taplogs.core.decoding import MalformedBody
from taplogs.core.entry import LogEntry
from taplogs.core.formula_guard import is_guarded
from taplogs.core.row_decoding import RowDecoder, is_heading
from taplogs.sources.file_faults import LONGEST
from taplogs.sources.file_lines import Refuse, line_blocks

_BATCH = 1000
_UNFINISHED = "unexpected end of data"
"""What the library says of a text that ends between two quotes."""

Numbered = tuple[int, list[str] | str]
"""The number of the line that a row begins in, and its cells, or why it is none."""


def is_table(head: bytes) -> bool:
    """Return whether a file that begins so is CSV with the columns of entries."""
    first_line = head.partition(b"\n")[0]
    return b"," in first_line and first_line[:1] != b"{" and is_heading(_heading(_rows([first_line], _ignore)))


def entries_of_table(
    chunks: Iterable[bytes], refuse: Refuse, has_guard: Callable[[], bool], *, is_growing: bool = False
) -> Iterator[list[LogEntry]]:
    """Yield the entries of a table. `has_guard` is asked once, as soon as some text begins as if it had the guard.

    `is_growing`: a last row that does not end is no fault, for somebody is writing it.
    """
    rows = _rows(chunks, refuse, is_growing=is_growing)
    decoder = RowDecoder(_heading(rows))
    guarded: bool | None = None
    while batch := list(islice(rows, _BATCH)):
        cells = [row for _, row in batch if not isinstance(row, str)]
        if guarded is None and any(text[:1] == "'" for row in cells for text in decoder.texts(row)):
            guarded = has_guard()
        try:
            entries = decoder.decode_all(cells, guarded=bool(guarded)) if len(cells) == len(batch) else None
        except MalformedBody:
            entries = None
        yield list(_one_by_one(batch, decoder, refuse, guarded=bool(guarded))) if entries is None else entries


def table_has_guard(chunks: Iterable[bytes]) -> bool:
    """Return whether all text in a table is as the guard leaves it: one formula without it, and there is none."""
    rows = _rows(chunks, _ignore)
    decoder = RowDecoder(_heading(rows))
    return all(is_guarded(text) for _, row in rows if not isinstance(row, str) for text in decoder.texts(row))


def _heading(rows: Iterator[Numbered]) -> list[str]:
    cells = next(rows, (1, ""))[1]
    return [] if isinstance(cells, str) else cells


def _one_by_one(batch: list[Numbered], decoder: RowDecoder, refuse: Refuse, *, guarded: bool) -> Iterator[LogEntry]:
    for number, row in batch:
        try:
            if isinstance(row, str):
                refuse(number, row)
            else:
                yield decoder.decode(row, guarded=guarded)
        except MalformedBody as fault:
            refuse(number, fault.reason)


def _rows(chunks: Iterable[bytes], refuse: Refuse, *, is_growing: bool = False) -> Iterator[Numbered]:
    """Yield the rows that are not empty. What is not UTF-8 becomes lone surrogates, which the decoding refuses."""
    import csv

    csv.field_size_limit(LONGEST)  # 128 KiB otherwise, less than a payload may have; there is no limit of one reader
    reader = csv.reader(_lines(chunks, refuse), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if is_growing and str(error) == _UNFINISHED:
                return
            yield number, f"not CSV: {error}"
            continue
        if row:
            yield number, row


def _lines(chunks: Iterable[bytes], refuse: Refuse) -> Iterator[str]:
    for _, block in line_blocks(chunks, refuse):
        lines = block.split(b"\n")
        last = lines.pop()
        for line in lines:
            yield f"{line.decode('utf-8', 'surrogateescape')}\n"
        if last:
            yield last.decode("utf-8", "surrogateescape")


def _ignore(_number: int, _reason: str) -> None:
    """A second look at a table tells no faults again."""

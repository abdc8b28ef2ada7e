"""Write entries as CSV, by taplogs and by Python's csv.writer, and print the seconds of each as JSON: NUMBER ROUNDS.

The rows are the same, cells guarded and payloads compact; csv.writer gets them from the entries, and made beforehand.
"""

import csv
import gc
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import BinaryIO

import msgspec
from msgspec import Raw

from taplogs.backend.sample import sample_entries
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import MEMBERS, LogEntry
from taplogs.core.formula_guard import guard
from taplogs.output.json_text import compact
from taplogs.output.spreadsheet import CsvRows

BATCH = 1000
VALUES = attrgetter(*(field.name for field in msgspec.structs.fields(LogEntry)))
Cells = list[str | int]


def main() -> None:
    """Measure all in turns, after a look whether they write the same."""
    number, rounds = map(int, sys.argv[1:])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entries = list(islice(sample_entries(start, start.replace(year=2027)), number))
    batches = [entries[at : at + BATCH] for at in range(0, number, BATCH)]
    made = [list(map(cells_of, batch)) for batch in batches]
    ways: dict[str, Callable[[BinaryIO], None]] = {
        "taplogs": lambda out: write_rows(batches, out),
        "from entries": lambda out: write_by_module((map(cells_of, batch) for batch in batches), out),
        "from cells": lambda out: write_by_module(made, out),
    }
    written = set(map(written_by, ways.values()))
    if len(written) != 1:
        sys.exit("the rows are not the same")
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the command does
    times: dict[str, list[float]] = {way: [] for way in ways}
    with Path(os.devnull).open("wb") as stream:
        for _ in range(rounds):
            for way, write in ways.items():
                begin = perf_counter()
                write(stream)
                times[way].append(perf_counter() - begin)
    print(json.dumps({way: median(seconds) for way, seconds in times.items()}))


def write_rows(batches: Iterable[list[LogEntry]], out: BinaryIO) -> None:
    """Write as `list -o csv` and `export` do."""
    rows = CsvRows(MEMBERS, EndpointTemplates())
    for batch in batches:
        out.write(rows.encoded(batch))


def write_by_module(batches: Iterable[Iterable[Cells]], out: BinaryIO) -> None:
    """Write by the standard library."""
    text = io.TextIOWrapper(out, "utf-8", newline="")
    writer = csv.writer(text)
    for batch in batches:
        writer.writerows(batch)
    text.detach()


def cells_of(entry: LogEntry) -> Cells:
    """Return the cells of a row, which csv.writer then quotes."""
    return [cell_of(value) for value in VALUES(entry)]


def cell_of(value: Raw | str | int | None) -> str | int:
    """Return what stands in a cell."""
    if value is None:
        return ""
    if isinstance(value, Raw):
        text = bytes(value)
        return "" if text == b"null" else compact(text).decode()
    return guard(value) if isinstance(value, str) else value


def written_by(write: Callable[[BinaryIO], None]) -> bytes:
    """Return all that is written."""
    out = io.BytesIO()
    write(out)
    return out.getvalue()


if __name__ == "__main__":
    main()

"""Loading log files into the store: JSON Lines, plain or compressed, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines, decode_trailer
from taplogs.sources.compressed import open_decompressed
from taplogs.sources.sqlite import SqliteStore, UnstorableEntry

_BATCH_BYTES = 1024 * 1024
_LONGEST_LINE = 64 * 1024 * 1024
_REASONS_KEPT = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass
class LoadReport:
    """What became of the lines of a file: (line number from 1, reason) of the first 20 refused, and how many were."""

    added: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    refused_total: int = 0

    def refuse(self, number: int, reason: str) -> None:
        """Count a line that was not taken."""
        self.refused_total += 1
        if len(self.refused) < _REASONS_KEPT:
            self.refused.append((number, reason))


@dataclass(frozen=True)
class _Line:
    number: int
    text: bytes


def load_file(store: SqliteStore, path: Path) -> LoadReport:
    """Add the entries of a file to `store`; an entry whose id is there already stays as it is.

    Raises TaplogsError where the file cannot be read to its end; what came before it is in the store then.
    """
    report = LoadReport()
    with open_decompressed(path) as file:
        for batch in _batches(_lines(file, report)):
            _load(store, batch, report)
    return report


def _load(store: SqliteStore, batch: list[_Line], report: LoadReport) -> None:
    try:
        entries = decode_lines(b"".join(line.text for line in batch))
        added = store.add(entries)
    except (MalformedBody, UnstorableEntry):
        for line in batch:
            _load_line(store, line, report)
        return
    report.added += added
    report.duplicates += len(entries) - added


def _load_line(store: SqliteStore, line: _Line, report: LoadReport) -> None:
    try:
        added = store.add([decode_entry(line.text)])
    except UnstorableEntry as fault:
        report.refuse(line.number, f"the entry has {fault}")
    except MalformedBody as fault:
        if decode_trailer(line.text) is None:  # the end of a saved stream is no entry, and no fault
            report.refuse(line.number, fault.reason)
    else:
        report.added += added
        report.duplicates += 1 - added


def _batches(lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    batch: list[_Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.text)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _lines(file: BinaryIO, report: LoadReport) -> Iterator[_Line]:
    """Yield the lines that are not blank; one that is too long for the memory is refused here."""
    number = 0
    while text := file.readline(_LONGEST_LINE):
        number += 1
        if len(text) == _LONGEST_LINE and not text.endswith(b"\n"):
            report.refuse(number, f"longer than {_LONGEST_LINE // 1024 // 1024} MiB")
            while text and not text.endswith(b"\n"):
                text = file.readline(_LONGEST_LINE)
            continue
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if text.strip():
            yield _Line(number, text)

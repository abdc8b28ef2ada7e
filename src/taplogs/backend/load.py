"""Loading log files into the store: JSON Lines, plain or compressed, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines, decode_trailer
from taplogs.core.entry import LogEntry
from taplogs.sources.compressed import content
from taplogs.sources.file_input import FileInput
from taplogs.sources.file_lines import line_blocks, without_mark
from taplogs.sources.sqlite import UnstorableEntry

_REASONS_KEPT = 20


class Loadable(Protocol):
    """What entries can be added to."""

    def add(self, entries: Iterable[LogEntry]) -> int:
        """Store those entries whose id is not here yet, all of them or none; return how many were new."""
        ...


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


def load_file(store: Loadable, path: Path) -> LoadReport:
    """Add the entries of a file to `store`; an entry whose id is there already stays as it is.

    Raises TaplogsError where the file cannot be read to its end; what came before it is in the store then.
    """
    report = LoadReport()
    file = FileInput(path)
    with file.open() as opened, closing(content(opened, file.name)) as chunks:
        for number, block in line_blocks(without_mark(chunks), report.refuse):
            _load(store, number, block, report)
    return report


def _load(store: Loadable, number: int, block: bytes, report: LoadReport) -> None:
    try:
        entries = decode_lines(block)
        added = store.add(entries)
    except (MalformedBody, UnstorableEntry):
        for place, line in enumerate(block.split(b"\n"), number):
            if line.strip():
                _load_line(store, place, line, report)
        return
    report.added += added
    report.duplicates += len(entries) - added


def _load_line(store: Loadable, number: int, line: bytes, report: LoadReport) -> None:
    try:
        added = store.add([decode_entry(line)])
    except UnstorableEntry as fault:
        report.refuse(number, f"the entry has {fault}")
    except MalformedBody as fault:
        if decode_trailer(line) is None:  # the end of a saved stream is no entry, and no fault
            report.refuse(number, fault.reason)
    else:
        report.added += added
        report.duplicates += 1 - added

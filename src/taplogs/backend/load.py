"""Loading log files into the store: every format that files are read in as a source, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from taplogs.core.entry import LogEntry
from taplogs.sources.file_faults import FileFault, FileFaults, damaged
from taplogs.sources.file_input import FileInput
from taplogs.sources.file_reading import entries_in
from taplogs.sources.protocol import UnstorableEntry

_REASONS_KEPT = 20
_BATCH = 5000


class Loadable(Protocol):
    """What entries can be added to."""

    def add(self, entries: Iterable[LogEntry]) -> int:
        """Store those entries whose id is not here yet, all of them or none; return how many were new."""
        ...


@dataclass
class LoadReport:
    """What became of the entries of a file, and what in it was refused: the first 20 with their reasons."""

    added: int = 0
    duplicates: int = 0
    refused: FileFaults = field(default_factory=lambda: FileFaults(most_named=_REASONS_KEPT))


def load_file(store: Loadable, path: Path) -> LoadReport:
    """Add the entries of a file to `store`; an entry whose id is there already stays as it is.

    Raises TaplogsError where the file cannot be read to its end; what came before it is in the store then.
    """
    report = LoadReport()
    batch: list[LogEntry] = []
    try:
        for entries in entries_in(FileInput(path), report.refused):
            batch += entries
            if len(batch) >= _BATCH:
                full, batch = batch, []
                _load(store, path, full, report)
        if reason := report.refused.cut(str(path)):
            raise damaged(str(path), reason)
    finally:
        _load(store, path, batch, report)
    return report


def _load(store: Loadable, path: Path, entries: list[LogEntry], report: LoadReport) -> None:
    try:
        added = store.add(entries)
    except UnstorableEntry as fault:
        if len(entries) > 1:
            for entry in entries:
                _load(store, path, [entry], report)
        else:
            report.refused.add(FileFault(str(path), "entry", repr(entries[0].id), f"it has {fault}"))
        return
    report.added += added
    report.duplicates += len(entries) - added

"""The records and the table of an export, held against its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from taplogs.audit.canonical import well_formed
from taplogs.audit.evidence_file import Watched
from taplogs.audit.findings import Findings
from taplogs.audit.manifest import File, Manifest
from taplogs.audit.merkle import MerkleTree
from taplogs.audit.records_check import Expected, Segment, repeated
from taplogs.audit.records_reading import Reading
from taplogs.audit.records_table import TableForm
from taplogs.audit.segment_processes import checked
from taplogs.audit.table_check import table_findings
from taplogs.core.decoding import MalformedBody, decode_entry
from taplogs.core.export_names import MANIFEST, RECORDS, TABLE
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import VerificationFailed

_BLOCK = 1 << 20


class ContentsCheck:
    """The records and the table of an export, held against its manifest."""

    def __init__(self, path: Path, manifest: Manifest, findings: Findings, processes: int) -> None:
        self._path = path
        self._manifest = manifest
        self._findings = findings
        self._processes = processes

    def check(self, names: set[str]) -> set[str]:
        """Check the files that are there, and name those that are not; return which were checked to their end."""
        files = {file.name: file for file in self._manifest.files if file.name in (RECORDS, TABLE)}
        for name in sorted(names & {RECORDS, TABLE} - set(files)):
            self._findings.add("file_unexpected", name, "the manifest does not name it")
        for name in sorted(set(files) - names):
            self._findings.add("file_missing", name, "the manifest names it, and it is not there")
        checked_names: set[str] = set()
        with ExitStack() as opened:
            handles = {}
            for name in sorted(set(files) & names):
                try:
                    handles[name] = opened.enter_context(Watched(self._path / name))
                except VerificationFailed as error:
                    self._findings.add("file_unreadable", name, error.message)
            if RECORDS in handles:
                self._records(files[RECORDS], handles[RECORDS].file, files.get(TABLE), handles.get(TABLE))
                checked_names = {RECORDS, TABLE} & set(handles) if self._manifest.csv else {RECORDS}
            for name, handle in handles.items():
                if handle.has_changed():
                    self._findings.add("file_changed", name, "it was changed while it was read")
        return checked_names

    def _records(self, told: File, file: BinaryIO, told_table: File | None, table: Watched | None) -> None:
        csv = self._manifest.csv
        form = TableForm(csv.formula_guard, csv.byte_order_mark) if csv and table else None
        reading = Reading(file)
        expected = Expected(_window_of(self._manifest), form)
        tree, summary = MerkleTree(), _Summary(self._findings)
        for segment in checked(reading.pieces(), file.fileno(), expected, self._processes):
            for height, digest in segment.subtrees:
                tree.append_subtree(height, digest)
            summary.add(segment)
        if reading.fault:
            self._findings.add("record_malformed", RECORDS, reading.fault)
        if reading.is_whole:
            self._compare(RECORDS, told, reading.bytes, reading.sha256)
            if told.rows != reading.lines:
                counts = f"it has {reading.lines:,} lines, the manifest says {told.rows:,}"
                self._findings.add("file_rows", RECORDS, counts)
        if reading.fault:  # all else would but follow from it
            summary.has_table = False
        else:
            if tree.root().hex() != self._manifest.merkle.root:
                self._findings.add("merkle_root", RECORDS, "the Merkle root of its lines is another one")
            self._compare_ends(summary)
            self._name_repeated(summary, file)
        if table and told_table and form and csv:
            self._table(told_table, table.file, file, form, summary)
            if summary.guarded_cells != csv.guarded_cells and summary.has_table:
                counts = f"{summary.guarded_cells:,} cells are guarded, not {csv.guarded_cells:,}"
                self._findings.add("table_guard", TABLE, counts)

    def _compare(self, name: str, told: File, length: int, digest: str) -> None:
        if told.bytes != length:
            self._findings.add("file_size", name, f"it has {length:,} bytes, the manifest says {told.bytes:,}")
        if told.sha256 != digest:
            self._findings.add("file_digest", name, "its SHA-256 is not that of the manifest")

    def _compare_ends(self, summary: _Summary) -> None:
        completeness, company = self._manifest.completeness, self._manifest.source.company_id
        for name, told, found in (
            ("first", completeness.first, summary.first),
            ("last", completeness.last, summary.last),
        ):
            if (told and (told.timestamp, told.id)) != (found and tuple(map(well_formed, found))):
                self._findings.add(
                    "completeness_ends", f"{MANIFEST}:completeness.{name}", f"it is not the {name} record"
                )
        if not summary.rows and self._manifest.previous:  # it has that of the chain so far, which alone can tell
            return
        (one,) = summary.companies if len(summary.companies) == 1 else (None,)
        if company != (one and well_formed(one)):
            self._findings.add("source_company", f"{MANIFEST}:source.companyId", "it is not the company of the records")

    def _name_repeated(self, summary: _Summary, file: BinaryIO) -> None:
        hashes = repeated(iter(summary.ids), summary.rows)
        if not hashes:
            return
        seen: dict[str, int] = {}
        for row, line in _rows(file):
            try:
                entry_id = decode_entry(line).id
            except MalformedBody:
                continue
            if hash(entry_id) in hashes and seen.setdefault(entry_id, row) != row:
                self._findings.add(
                    "record_repeated", f"{RECORDS}:{row}", f"{entry_id!r} is the id of record {seen[entry_id]:,} too"
                )

    def _table(self, told: File, table: BinaryIO, records: BinaryIO, form: TableForm, summary: _Summary) -> None:
        digest, length = sha256(), 0
        while block := table.read(_BLOCK):
            digest.update(block)
            length += len(block)
        self._compare(TABLE, told, length, digest.hexdigest())
        if summary.has_table:
            self._findings.add_all(table_findings(table, records, form, summary.tables))
        else:
            message = f"it cannot be derived: {RECORDS} has lines that are no records"
            self._findings.add("table_derivation", TABLE, message)


class _Summary:
    """The segments of a file, put together."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.rows = 0
        self.first: tuple[str, str] | None = None
        self.last: tuple[str, str] | None = None
        self.ids: list[bytes] = []
        self.companies: set[str | None] = set()
        self.guarded_cells = 0
        self.tables: list[tuple[int, bytes]] = []
        self.has_table = True

    def add(self, segment: Segment) -> None:
        """Add the next segment, and compare its first record with the last one before it."""
        if self.last is not None and segment.first is not None and segment.first <= self.last:
            self._findings.add(
                "record_order",
                f"{RECORDS}:{segment.first_row}",
                f"{segment.first[1]!r} does not come after {self.last[1]!r}",
            )
        self.rows += segment.rows
        self.first = self.first or segment.first
        self.last = segment.last or self.last
        self.ids.append(segment.ids)
        self.companies |= segment.companies
        self.guarded_cells += segment.guarded_cells
        self.tables.append(segment.table)
        self.has_table = self.has_table and segment.table_is_whole
        self._findings.add_all(segment.findings, segment.beyond)


def _rows(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    yield from enumerate((line.removesuffix(b"\n") for line in file), 1)


def _window_of(manifest: Manifest) -> Window:
    """Return the period; one that is none, which has been named, holds nothing against the records."""
    period = manifest.period
    try:
        since = parse_timestamp(period.requested_since) if period.requested_since else None
        return Window(since, parse_timestamp(period.effective_until))
    except ValueError:
        return Window()

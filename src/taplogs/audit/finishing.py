"""From records to an export: the table is derived, the manifest written and signed, and all get their final names."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from taplogs import __version__
from taplogs.audit.canonical import well_formed
from taplogs.audit.chain import PreviousExport
from taplogs.audit.export import Export
from taplogs.audit.manifest import (
    INTERVAL,
    MERKLE_ALGORITHM,
    ORDER,
    SCHEMA,
    Completeness,
    File,
    Key,
    Manifest,
    Merkle,
    Period,
    Query,
    Redaction,
    Source,
    Table,
    Tool,
)
from taplogs.audit.records_table import COLUMNS, RecordsTable, TableForm
from taplogs.core.export_names import MANIFEST, RECORDS, SIGNATURE, TABLE
from taplogs.core.gap import Gap
from taplogs.whole_file import open_unless_link, replace_file

_BLOCK = 1 << 20

Sign = Callable[[bytes, str], bytes]
"""Takes the bytes of a manifest and a comment that is signed too; returns the text of the signature."""


class Ending(Struct, frozen=True):
    """What is known of an export only at its end: the second count, and what is missing of it."""

    finished_at: str
    count_after: int | None
    gaps: tuple[Gap, ...]


class Finished(Struct, frozen=True):
    """The manifest of an export, and its bytes."""

    manifest: Manifest
    text: bytes


class Finisher:
    """Makes the files of an export out of its records."""

    def __init__(
        self,
        export: Export,
        method: str,
        *,
        form: TableForm | None,
        key_id: str | None,
        previous: PreviousExport | None,
        sign: Sign | None,
    ) -> None:
        """Take the rest of what the manifest says.

        `method` is how values were hidden, `key_id` the API key, masked; `form` None is no table, `sign` None is no
        signature.
        """
        self._export = export
        self._method = method
        self._form = form
        self._key_id = key_id
        self._previous = previous
        self._sign = sign

    def finish(self, ending: Ending, told: Callable[[int], None]) -> Finished:
        """Give the export its final names, and return its manifest; raises OSError.

        `told` hears how many more rows of the table were derived. Until the very end the folder keeps what was there,
        and all that another run needs to finish.
        """
        folder = self._export.folder
        for name in (MANIFEST, SIGNATURE, TABLE):
            (folder.partial / name).unlink(missing_ok=True)
        self._export.records.sync()
        files = [self._export.records.described(RECORDS)]
        table = None
        if self._form:
            try:
                file, table = _derive(folder.partial, self._form, files[0].rows, told)
            except OSError:
                (folder.partial / TABLE).unlink(missing_ok=True)  # of a full disk it takes the most
                raise
            files.append(file)
        manifest = self._manifest(ending, files, table)
        text = manifest.encode()
        names = [file.name for file in files] + [MANIFEST]
        if self._sign:
            comment = f"taplogs export {manifest.export_id} sequence {manifest.sequence}"
            replace_file(folder.partial / SIGNATURE, self._sign(text, comment), durable=True)
            names.append(SIGNATURE)
        replace_file(folder.partial / MANIFEST, text, durable=True)
        folder.publish(names)
        return Finished(manifest, text)

    def _manifest(self, ending: Ending, files: list[File], table: Table | None) -> Manifest:
        beginning, previous = self._export.beginning, self._previous
        question = beginning.question
        progress = self._export.progress
        companies = {company and well_formed(company) for company in progress.companies}
        if not companies and previous:  # the next export of the chain is still held to it
            companies = {previous.company}
        return Manifest(
            schema=SCHEMA,
            export_id=beginning.export_id,
            sequence=previous.link.sequence + 1 if previous else 1,
            tool=_tool(),
            source=Source(
                question.source, question.environment, self._key_id, companies.pop() if len(companies) == 1 else None
            ),
            period=Period(
                beginning.requested_since,
                beginning.requested_until,
                beginning.effective_until,
                INTERVAL,
                beginning.time_zone,
                beginning.clock_skew_ms,
            ),
            query=Query(question.filters, ORDER),
            started_at=beginning.started_at,
            finished_at=ending.finished_at,
            completeness=self._completeness(ending, files[0].rows),
            redaction=Redaction(
                question.profile,
                question.profile_sha256,
                f"{self._method} of this export alone" if beginning.pseudonym_key else self._method,
                None if beginning.pseudonym_key else question.key_fingerprint,
                {rule: count for rule, count in sorted(progress.redacted.items()) if count},
            ),
            csv=table,
            files=files,
            merkle=Merkle(MERKLE_ALGORITHM, files[0].rows, self._export.records.root),
            previous=previous.link if previous else None,
        )

    def _completeness(self, ending: Ending, rows: int) -> Completeness:
        progress = self._export.progress
        after = ending.count_after
        late = None if after is None or ending.gaps else max(0, after - rows)
        return Completeness(
            status="incomplete" if ending.gaps else "complete",
            rows=rows,
            backend_count_before=self._export.beginning.count_before,
            backend_count_after=after,
            late_arrivals=late,
            pages=progress.pages,
            end_seen=progress.end_seen,
            first=_told(progress.first),
            last=_told(progress.last),
            duplicates_dropped=progress.duplicates_dropped,
            retries=progress.retries,
            gaps=list(ending.gaps),
        )


def missing(export: Export, count_after: int | None) -> tuple[Gap, ...]:
    """Return what an export lacks that was read to its end: what the source left out, and by its counts."""
    beginning, progress = export.beginning, export.progress
    counts = [count for count in (beginning.count_before, count_after) if count is not None]
    came = export.records.rows + progress.duplicates_dropped
    if not counts or came >= min(counts):
        return export.left_out
    reason = f"the backend counts {min(counts):,} entries, and {came:,} came"
    return (*export.left_out, Gap(beginning.requested_since, beginning.effective_until, reason))


class _Measured:
    """A file that is written, with its length and digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0
        self.digest = sha256()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.bytes += len(data)
        self.digest.update(data)


def _derive(partial: Path, form: TableForm, rows: int, told: Callable[[int], None]) -> tuple[File, Table]:
    """Write the table of the records, and return what the manifest says of it; raises OSError."""
    table = RecordsTable(form)
    with open(partial / RECORDS, "rb", opener=open_unless_link) as records, (partial / TABLE).open("xb") as file:
        out = _Measured(file)
        out.write(table.heading)
        while block := records.read(_BLOCK) + records.readline():
            out.write(table.rows(block))
            told(block.count(b"\n"))
        file.flush()
        os.fsync(file.fileno())
    described = File(TABLE, out.bytes, rows, out.digest.hexdigest())
    return described, Table(form.formula_guard, table.guarded_cells, form.byte_order_mark, list(COLUMNS))


def _told(key: Key | None) -> Key | None:
    return key and Key(key.timestamp, well_formed(key.id))


def _tool() -> Tool:
    import platform

    return Tool("taplogs", __version__, platform.python_version(), f"{platform.system()} {platform.machine()}")

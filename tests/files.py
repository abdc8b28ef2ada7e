"""Files as a source: entries written in every format that is read, and a source opened over what was written."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from msgspec import Raw
from msgspec.structs import replace

from faulty_server import Told
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import MEMBERS, LogEntry, encode_entries, encode_entry
from taplogs.output.json_text import compact
from taplogs.output.spreadsheet import CsvRows, csv_header
from taplogs.sources.file_input import spool_in
from taplogs.sources.file_names import inputs_named
from taplogs.sources.file_source import FileSource, open_files
from taplogs.sources.protocol import LogSource

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@contextmanager
def opened(
    *paths: Path | str,
    stdin: BinaryIO | None = None,
    strict: bool = False,
    verify: Callable[[Path], None] | None = None,
    spool_folder: Path | None = None,
    told: Told | None = None,
    is_followed: bool = False,
) -> Iterator[LogSource]:
    """Give the source that `--source` is for these paths, and close it."""
    source = open_files(
        [str(path) for path in paths],
        stdin=stdin,
        strict=strict,
        verify=verify,
        spool_folder=lambda: spool_folder or _nowhere(),
        events=told or Told(),
        clock=lambda: NOW,
        is_followed=is_followed,
    )
    try:
        yield source
    finally:
        source.close()


@contextmanager
def with_little_memory(
    folder: Path, *paths: Path | str, stdin: BinaryIO | None = None, in_memory: int = 5000
) -> Iterator[FileSource]:
    """Give a source that keeps next to nothing in the memory: all sorting is done in files of `folder`."""
    spool = spool_in(lambda: folder)
    inputs = inputs_named([str(path) for path in paths], stdin=stdin, spool=spool, verify=None)
    source = FileSource(inputs, strict=False, spool=spool, events=Told(), clock=lambda: NOW, in_memory=in_memory)
    try:
        yield source
    finally:
        source.close()


def _nowhere() -> Path:
    raise AssertionError("a temporary file was made")


def json_lines(entries: Sequence[LogEntry]) -> bytes:
    return encode_entries(list(entries))


def json_array(entries: Sequence[LogEntry]) -> bytes:
    return b"[" + b",".join(map(encode_entry, entries)) + b"]\n"


def indented_array(entries: Sequence[LogEntry]) -> bytes:
    return json.dumps([json.loads(encode_entry(entry)) for entry in entries], indent=2).encode()


def pages(entries: Sequence[LogEntry]) -> bytes:
    """Two replies of the list endpoint, one after the other."""
    half = len(entries) // 2
    return b"".join(
        b'{"totalLogs":%d,"nextCursor":null,"logs":%s,"serverTime":"2026-11-01T00:00:00Z"}\n'
        % (len(entries), json_array(part).strip())
        for part in (entries[:half], entries[half:])
    )


def csv_table(entries: Sequence[LogEntry], *, guarded: bool = True, byte_order_mark: bool = False) -> bytes:
    rows = CsvRows(MEMBERS, EndpointTemplates(), guarded=guarded)
    return csv_header(MEMBERS, byte_order_mark=byte_order_mark) + rows.encoded(entries)


def raw_csv(entries: Sequence[LogEntry]) -> bytes:
    return csv_table(entries, guarded=False)


def as_csv_keeps_it(entry: LogEntry) -> LogEntry:
    """Return an entry as a table holds it: an empty text is none, a payload has no needless white space."""
    optional = ("ip_address", "user_agent", "client_id", "company_id", "created_at", "updated_at")
    emptied = {name: getattr(entry, name) or None for name in optional}
    payloads = {name: Raw(compact(bytes(getattr(entry, name)))) for name in ("request_payload", "response_payload")}
    return replace(entry, **emptied, **payloads)


def in_two_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


def in_two_frames(content: bytes) -> bytes:
    half = len(content) // 2
    skipped = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00abc"
    return skipped + zstandard.compress(content[:half]) + zstandard.compress(content[half:])


class Piped(io.RawIOBase):
    """A stream that cannot go back, as a pipe is one; a few bytes come at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)[:1000]
        found = self._content.read(len(target))
        target[: len(found)] = found
        return len(found)


def piped(content: bytes) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(Piped(content)))

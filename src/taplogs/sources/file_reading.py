"""One reading of files, one after the other: each in the format that its content shows, each id once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from taplogs.core.entry import LogEntry
from taplogs.core.export_names import MANIFEST, TABLE
from taplogs.core.query import Order
from taplogs.errors import TaplogsError
from taplogs.sources.compressed import EndsEarly, content
from taplogs.sources.file_documents import BrokenDocument, Cut, entries_of_documents, is_document
from taplogs.sources.file_faults import FileFault, FileFaults, damaged
from taplogs.sources.file_input import FileInput, Input, Signature
from taplogs.sources.file_lines import Refuse, entries_of_lines, whole_lines, without_mark
from taplogs.sources.file_place import Place
from taplogs.sources.file_table import entries_of_table, is_table, table_has_guard
from taplogs.sources.seen_ids import SeenIds
from taplogs.sources.sorting import sort_key

_HEAD = 1 << 16
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MOST_MANIFEST_BYTES = 16 << 20

Key = tuple[str, str]


class Known(Struct, frozen=True):
    """What a whole reading has shown of one input: how many entries, the first and last of all, and their order."""

    signature: Signature
    entries: int
    least: Key | None
    greatest: Key | None
    is_ascending: bool
    is_descending: bool

    def is_in(self, order: Order) -> bool:
        """Return whether the entries are in this order."""
        return self.is_descending if order is Order.NEWEST_FIRST else self.is_ascending

    @property
    def span(self) -> tuple[Key, Key]:
        """The keys of the first and the last entry in time; two that are before all others where there are none."""
        return (self.least or ("", ""), self.greatest or ("", ""))


class _End(Struct, frozen=True):
    """Where the reading of an input ended, and what the input was like when it began."""

    source: Input
    signature: Signature
    place: Place


class _Form(Struct, frozen=True):
    formula_guard: bool = msgspec.field(name="formulaGuard")


class _Manifest(Struct, frozen=True):
    csv: _Form | None = None


class Reading:
    """Reads all entries of some inputs, in the order in which they are there."""

    def __init__(
        self, inputs: Sequence[Input], *, strict: bool, is_unique: bool = False, is_followed: bool = False
    ) -> None:
        """`is_unique`: an earlier reading has shown that no id occurs twice. `is_followed`: another one comes."""
        self.faults = FileFaults(strict=strict)
        self.known: list[Known] = []
        self.empty: list[str] = []
        self._inputs = inputs
        self._ends: list[_End] = []
        self._is_followed = is_followed
        self._seen = None if is_unique else SeenIds()
        self._shape = _Shape()

    @property
    def repeated(self) -> int:
        """How many entries were left out because their id had occurred."""
        return self._seen.repeated if self._seen else 0

    def batches(self) -> Iterator[list[LogEntry]]:
        """Yield the entries; raises TaplogsError. `known`, `empty` (names) and `faults` are complete at the end."""
        for source in self._inputs:
            yield from self._of(source)

    def goes_on(self) -> bool:
        """Return whether nothing has changed since but that lines were appended; raises TaplogsError."""
        return all(end.signature == end.source.signature() or end.place.is_in(end.source) for end in self._ends)

    def arrived(self) -> Iterator[list[LogEntry]]:
        """Yield the entries that were appended since the last reading, where it goes on; raises TaplogsError."""
        for end in self._ends:
            if end.place.offset:
                for entries in entries_in(end.source, self.faults, end.place):
                    yield self._seen.first_ones(entries) if self._seen else entries

    def close(self) -> None:
        """Forget which ids have occurred."""
        if self._seen:
            self._seen.close()

    def may_be(self, order: Order) -> bool:
        """Return whether each of the inputs, as far as they are read, is in this order and no id has occurred twice."""
        now = self._shape.known(())
        return not self.repeated and all(known.is_in(order) for known in [*self.known, now])

    def _of(self, source: Input) -> Iterator[list[LogEntry]]:
        signature = source.signature()
        shape = self._shape = _Shape()
        self.faults.begin()
        found = 0
        place = Place()
        for read in entries_in(source, self.faults, place if self._is_followed and source.may_grow() else None):
            found += len(read)
            entries = self._seen.first_ones(read) if self._seen else read
            shape.add(entries)
            yield entries
        if not found and (reason := self.faults.cut(source.name)):
            raise damaged(source.name, reason)
        if not found and (fault := self.faults.first):
            raise TaplogsError(
                f"{source.name} holds no entries: {fault.place_within}: {fault.reason}",
                "accepted: JSON Lines, a JSON array, or CSV with the columns of taplogs; plain, gzip or zstd",
            )
        if not found:
            self.empty.append(source.name)
        self.known.append(shape.known(signature))
        self._ends.append(_End(source, signature, place if found else Place()))


class _Shape:
    """The order of entries as they are read."""

    def __init__(self) -> None:
        self._entries = 0
        self._last: Key | None = None
        self._least: Key | None = None
        self._greatest: Key | None = None
        self._ascending = True
        self._descending = True

    def add(self, entries: Sequence[LogEntry]) -> None:
        if not entries:
            return
        keys = list(map(sort_key, entries))
        least, greatest = min(keys), max(keys)
        self._least = least if self._least is None else min(least, self._least)
        self._greatest = greatest if self._greatest is None else max(greatest, self._greatest)
        if self._ascending or self._descending:
            pairs = list(pairwise(keys if self._last is None else [self._last, *keys]))
            self._ascending = self._ascending and all(before < after for before, after in pairs)
            self._descending = self._descending and all(before > after for before, after in pairs)
        self._last = keys[-1]
        self._entries += len(entries)

    def known(self, signature: Signature) -> Known:
        return Known(signature, self._entries, self._least, self._greatest, self._ascending, self._descending)


def entries_in(source: Input, faults: FileFaults, place: Place | None = None) -> Generator[list[LogEntry], None, None]:
    """Yield all entries of one input, repeated ids too, as far as it goes; raises TaplogsError.

    `place` is for one that grows: the end of it may be half written, which is no fault. JSON Lines are read from there,
    and it is moved to the end of the last whole line.
    """
    start, before = (place.offset, place.line - 1) if place else (0, 0)

    def refuse(unit: str) -> Refuse:
        return lambda number, reason: faults.add(FileFault(source.name, unit, before + number, reason))

    def cut(reason: str) -> None:
        if place is None:
            faults.add_cut(source.name, reason)

    with source.open() as file, closing(_content_from(file, start, source.name)) as chunks:
        head, whole = _begun(without_mark(_until_cut(chunks, cut)))
        if head.startswith(_UTF16):
            raise TaplogsError(
                f"{source.name} is in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8; PowerShell's > writes such files"
            )
        if not start and is_document(head):
            try:
                yield from entries_of_documents(whole, refuse("element"), cut)
            except BrokenDocument as fault:
                raise damaged(source.name, fault) from None
            return
        if not start and is_table(head):
            guard = partial(_has_guard, source)
            rows = whole if place is None else whole_lines(whole, Place())  # it is read from its heading each time
            yield from entries_of_table(rows, refuse("line"), guard, is_growing=place is not None)
        else:
            yield from entries_of_lines(whole if place is None else whole_lines(whole, place), refuse("line"))


def _content_from(file: BinaryIO, start: int, name: str) -> Generator[bytes, None, None]:
    if start:
        file.seek(start)
    return content(file, name)


def _until_cut(chunks: Iterator[bytes], cut: Cut) -> Iterator[bytes]:
    try:
        yield from chunks
    except EndsEarly as fault:
        cut(str(fault))


def _begun(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return what is enough of a file to tell its format, and all of it."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _HEAD:
            break
    return head, chain([head], chunks)


def _has_guard(source: Input) -> bool:
    """Return whether a table has the guard: its export's manifest tells, or else whether there is text without it."""
    if isinstance(source, FileInput) and source.path.name == TABLE:
        told = _guard_by_manifest(source.path.with_name(MANIFEST))
        if told is not None:
            return told
    with source.open() as file, closing(content(file, source.name)) as chunks:
        return table_has_guard(without_mark(_until_cut(chunks, _ignore)))


def _ignore(_reason: str) -> None:
    """A second look at a table does not tell again that it ends early."""


def _guard_by_manifest(path: Path) -> bool | None:
    try:
        with path.open("rb") as file:
            manifest = msgspec.json.decode(file.read(_MOST_MANIFEST_BYTES), type=_Manifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return manifest.csv.formula_guard if manifest.csv else None

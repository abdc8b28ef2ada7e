"""Entries in any order -> the order of a query, in bounded memory: sorted runs in a temporary file, then merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from typing import BinaryIO

from msgspec import Raw
from msgspec.structs import replace

from taplogs.core.decoding import decode_lines
from taplogs.core.entry import NULL, LogEntry, encode_entries, has_payload
from taplogs.core.query import LogQuery, Order
from taplogs.sources.file_input import Spool, unkept

IN_MEMORY = 16 * 1024 * 1024
"""About how many bytes of entries are sorted at once."""

_ENTRY_BYTES = 1200
"""What an entry takes besides its payloads and its URL, with all of its other texts."""

_BATCH = 1000
_STEPS = (16 * 1024, 256 * 1024)
"""The least and the most that is read of a run at once. What is read of all of them takes several times its size."""

sort_key = attrgetter("timestamp", "id")


class Sorter:
    """Takes the entries that match a query, in any order, and gives them in the query's, up to its limit."""

    def __init__(self, query: LogQuery, spool: Spool, in_memory: int = IN_MEMORY) -> None:
        self._query = query
        self._spool = spool
        self._in_memory = in_memory
        self._reverse = query.order is Order.NEWEST_FIRST
        self._kept: list[LogEntry] = []
        self._size = 0
        self._last: tuple[str, str] | None = None
        self._file: BinaryIO | None = None
        self._runs: list[tuple[int, int]] = []

    @property
    def is_full(self) -> bool:
        """Whether the memory is about to be used up, or was."""
        return bool(self._runs) or self._size > self._in_memory // 2

    def add(self, entries: list[LogEntry]) -> None:
        """Take entries that match the query; raises TaplogsError where they cannot be kept."""
        limit = self._query.limit
        if limit is not None:
            entries = self._within_limit(entries, limit)
        entries = [detached(entry, payloads=self._query.payloads) for entry in entries]
        self._kept += entries
        self._size += sum(map(_size, entries))
        if limit is not None and len(self._kept) > 2 * limit + _BATCH:
            self._sort()
        if self._size > self._in_memory:
            self._spill()

    def batches(self) -> Iterator[list[LogEntry]]:
        """Yield all entries in order; none is taken after that."""
        self._sort()
        if self._file is None:
            while self._kept:
                yield self._kept[:_BATCH]
                del self._kept[:_BATCH]
            return
        step = min(max(self._in_memory // 8 // max(len(self._runs), 1), _STEPS[0]), _STEPS[1])
        runs: list[Iterable[LogEntry]] = [_run(self._file, *place, step) for place in self._runs]
        merged = heapq.merge(*runs, self._kept, key=sort_key, reverse=self._reverse)
        remaining = islice(merged, self._query.limit)
        while batch := list(islice(remaining, _BATCH)):
            yield batch

    def close(self) -> None:
        """Remove the temporary file."""
        self._kept = []
        if self._file is not None:
            with suppress(OSError):  # on a full disk, what could not be written is tried again
                self._file.close()

    def _within_limit(self, entries: list[LogEntry], limit: int) -> list[LogEntry]:
        """Return without those that cannot be among the first: they come after the last one that is kept."""
        last = self._last
        if last is not None and self._reverse:
            entries = [entry for entry in entries if sort_key(entry) > last]
        elif last is not None:
            entries = [entry for entry in entries if sort_key(entry) < last]
        if len(entries) <= limit:
            return entries
        return sorted(entries, key=sort_key, reverse=self._reverse)[:limit]

    def _sort(self) -> None:
        limit = self._query.limit
        self._kept.sort(key=sort_key, reverse=self._reverse)
        if limit is not None and len(self._kept) >= limit:
            del self._kept[limit:]
            self._size = sum(map(_size, self._kept))
            self._last = sort_key(self._kept[-1]) if self._kept else ("", "")

    def _spill(self) -> None:
        self._sort()
        if self._size <= self._in_memory:  # the limit has made room
            return
        self._file = self._file or self._spool()
        try:
            start = self._file.seek(0, 2)
            for first in range(0, len(self._kept), _BATCH):
                self._file.write(encode_entries(self._kept[first : first + _BATCH]))
            self._file.flush()
            self._runs.append((start, self._file.tell()))
        except OSError as error:
            raise unkept(error) from error
        self._kept, self._size = [], 0


def detached(entry: LogEntry, *, payloads: bool) -> LogEntry:
    """Return an entry that can be kept: payloads are views of the block that they were read in, and hold all of it."""
    request = entry.request_payload.copy() if payloads and has_payload(entry.request_payload) else NULL
    response = entry.response_payload.copy() if payloads and has_payload(entry.response_payload) else NULL
    return replace(entry, request_payload=request, response_payload=response)


def _size(entry: LogEntry) -> int:
    return _ENTRY_BYTES + len(entry.request_url) + _length(entry.request_payload) + _length(entry.response_payload)


def _length(payload: Raw) -> int:
    return len(memoryview(payload))


def _run(file: BinaryIO, position: int, end: int, step: int) -> Iterator[LogEntry]:
    rest = b""
    while position < end:
        file.seek(position)
        found = file.read(min(step + len(rest), end - position))
        position += len(found)
        text = rest + found
        cut = text.rfind(b"\n") + 1
        rest = text[cut:]
        yield from decode_lines(text[:cut])

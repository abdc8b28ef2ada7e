"""Files as a source: JSON Lines, JSON, CSV, compressed or not; exports; standard input.

Nothing of a file is indexed. Each query reads all of it, in constant memory; what the last whole reading has shown of
unchanged files (their order, that no id occurs twice, when they begin and end) saves the next one work.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import EntryNotFound
from taplogs.sources.file_faults import FileFaults
from taplogs.sources.file_input import Input, Spool, spool_in
from taplogs.sources.file_names import Verify, inputs_named
from taplogs.sources.file_reading import Known, Reading, entries_in
from taplogs.sources.protocol import SourceEvents
from taplogs.sources.sorting import IN_MEMORY, Sorter, sort_key

if TYPE_CHECKING:
    from taplogs.core.stats import Grouping, Summary

_BATCH = 1000
_MOST_NAMED = 3


def open_files(
    paths: Sequence[str],
    *,
    stdin: BinaryIO | None,
    strict: bool,
    verify: Verify | None,
    spool_folder: Callable[[], Path],
    events: SourceEvents,
    clock: Callable[[], datetime],
    is_followed: bool = False,
) -> FileSource:
    """Return the files of these names as one source: files, patterns, folders of exports, `-` for `stdin`.

    `strict`: what is no entry is an error. `verify` raises VerificationFailed for an export that is not what it says;
    None reads it all the same. What does not fit into the memory goes into temporary files in `spool_folder`.
    `is_followed`: they are read again and again, so what is half written yet is no fault. Of a window whose end lies
    ahead, `batches` gives each entry once: to a query that differs from the last one in a later window only, what has
    come since.
    Raises UsageError for names that mean nothing, TaplogsError for what cannot be read.
    """
    spool = spool_in(spool_folder)
    inputs = inputs_named(paths, stdin=stdin, spool=spool, verify=verify)
    return FileSource(inputs, strict=strict, spool=spool, events=events, clock=clock, is_followed=is_followed)


class FileSource:
    """A LogSource over files and streams."""

    def __init__(
        self,
        inputs: Sequence[Input],
        *,
        strict: bool,
        spool: Spool,
        events: SourceEvents,
        clock: Callable[[], datetime],
        is_followed: bool = False,
        in_memory: int = IN_MEMORY,
    ) -> None:
        """`in_memory`: about how many bytes of entries are sorted without a temporary file."""
        self._inputs = inputs
        self._strict = strict
        self._spool = spool
        self._events = events
        self._clock = clock
        self._is_followed = is_followed
        self._in_memory = in_memory
        self._known: list[Known] = []
        self._is_unique = False
        self._told: set[str] = set()
        self._followed: tuple[LogQuery, Reading] | None = None

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them; raises TaplogsError."""
        return chain.from_iterable(self.batches(query))

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists; the first one comes when all files have been read."""
        if self._is_followed and self._lies_ahead(query):
            yield from self._arrived(query)
            return
        if query.limit == 0 or (self._knows() and self._lies_outside(query)):
            return
        if query.any_order and query.limit is None:
            yield from map(query.select, self._read())
            return
        if not self._is_ordered(query):
            with closing(Sorter(query, self._spool, self._in_memory)) as sorter:
                if self._gather(query, sorter, may_give_up=not self._knows()):
                    yield from sorter.batches()
                    return
        if self._is_ordered(query):
            yield from self._as_it_is(query)
            return
        with closing(Sorter(query, self._spool, self._in_memory)) as sorter:
            self._gather(query, sorter, may_give_up=False)
            yield from sorter.batches()

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id, the first one; raises EntryNotFound."""
        faults = FileFaults(strict=self._strict)
        for source in self._inputs:
            with closing(entries_in(source, faults)) as batches:
                for batch in batches:
                    for entry in batch:
                        if entry.id == entry_id:
                            return entry
        self._tell(faults)
        raise EntryNotFound(f"no entry has the id {entry_id!r}")

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit; raises TaplogsError."""
        return sum(len(query.select(batch)) for batch in self._read())

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit; raises TaplogsError."""
        from taplogs.core.stats import fold

        return fold(map(query.select, self._read()), grouping)

    def now(self) -> datetime:
        """Return what time it is here, aware, in UTC."""
        return self._clock()

    @property
    def tells_time(self) -> bool:
        """Whether `now` goes by a clock of the source's own: never, it is this machine's."""
        return False

    def growing(self) -> list[str]:
        """Return the names of the files that lines may be appended to; raises TaplogsError."""
        return [source.name for source in self._inputs if source.may_grow()]

    def close(self) -> None:
        """Remove what was kept of streams."""
        if self._followed:
            self._followed[1].close()
        for source in self._inputs:
            source.close()

    def _lies_ahead(self, query: LogQuery) -> bool:
        """Return whether a query is one of those that follow a source: for all of a window that is not over yet."""
        window = query.window
        is_open = window.since is not None and window.until is not None and window.until > self._clock()
        return is_open and query.order is Order.OLDEST_FIRST and query.limit is None

    def _arrived(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield what matches and was not given yet: all of it at first, then what was appended to the files."""
        last, self._followed = self._followed, None
        if last and _begins_later(query, last[0]) and last[1].goes_on():
            reading = last[1]
            batches = self._told_of(reading, reading.arrived())
        else:
            if last:
                last[1].close()
            reading = self._reading_of(self._inputs, is_unique=False)
            batches = self._whole(reading)
        with closing(Sorter(query, self._spool, self._in_memory)) as sorter:
            for batch in batches:
                sorter.add(query.select(batch))
            self._followed = (query, reading)
            yield from sorter.batches()

    def _gather(self, query: LogQuery, sorter: Sorter, *, may_give_up: bool) -> bool:
        """Have `sorter` take all that matches, and return whether it has; raises TaplogsError.

        `may_give_up`: what is in order already needs no sorting, but only a whole reading can tell. So where it seems
        to be in order and is too much for the memory, the rest is only looked at.
        """
        reading = self._reading()
        gives_up = False
        for batch in self._read(reading):
            if not gives_up:
                gives_up = may_give_up and sorter.is_full and reading.may_be(query.order)
            if not gives_up:
                sorter.add(query.select(batch))
            elif not reading.may_be(query.order):
                break
        return not gives_up

    def _is_ordered(self, query: LogQuery) -> bool:
        """Return whether all files are known to be in the order of a query."""
        return self._knows() and self._is_unique and all(known.is_in(query.order) for known in self._known)

    def _as_it_is(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield what matches out of files that are each in the query's order: one after the other, or merged."""
        is_descending = query.order is Order.NEWEST_FIRST
        parts = [(known, source) for known, source in zip(self._known, self._inputs, strict=True) if known.entries]
        parts.sort(key=lambda part: part[0].span, reverse=is_descending)
        chosen = [self._chosen(query, source) for _, source in parts]
        spans = [known.span for known, _ in parts]
        if is_descending:
            spans.reverse()
        if all(before[1] < after[0] for before, after in pairwise(spans)):
            batches: Iterator[list[LogEntry]] = chain.from_iterable(chosen)
        else:
            streams = map(chain.from_iterable, chosen)
            batches = _cut(heapq.merge(*streams, key=sort_key, reverse=is_descending))
        left = query.limit
        for batch in batches:
            yield batch[:left]
            if left is not None and (left := left - len(batch)) <= 0:
                return

    def _chosen(self, query: LogQuery, source: Input) -> Iterator[list[LogEntry]]:
        for batch in self._reading_of([source], is_unique=True).batches():
            self._events.receive(len(batch))
            yield query.select(batch)

    def _reading(self) -> Reading:
        return self._reading_of(self._inputs, is_unique=self._knows() and self._is_unique)

    def _reading_of(self, inputs: Sequence[Input], *, is_unique: bool) -> Reading:
        return Reading(inputs, strict=self._strict, is_unique=is_unique, is_followed=self._is_followed)

    def _read(self, reading: Reading | None = None) -> Iterator[list[LogEntry]]:
        """Yield all entries of all files, in the order of the files; tells once what was left out."""
        with closing(reading or self._reading()) as chosen:
            yield from self._whole(chosen)

    def _whole(self, reading: Reading) -> Iterator[list[LogEntry]]:
        if self._knows():
            self._events.expect(sum(known.entries for known in self._known))
        yield from self._told_of(reading, reading.batches())
        self._is_unique = not reading.repeated
        self._known = reading.known

    def _told_of(self, reading: Reading, batches: Iterator[list[LogEntry]]) -> Iterator[list[LogEntry]]:
        for batch in batches:
            self._events.receive(len(batch))
            yield batch
        self._tell(reading.faults, reading.repeated, reading.empty)

    def _tell(self, faults: FileFaults, repeated: int = 0, empty: Sequence[str] = ()) -> None:
        """Tell what was left out, the same only once."""
        for message in self._new(faults.messages()):
            self._events.leave_out(message)
        notices = [_empty(empty)] if empty else []
        if repeated:
            entries = "1 entry is" if repeated == 1 else f"{repeated:,} entries are"
            notices.append(f"{entries} left out: the id had occurred before")
        for message in self._new(notices):
            self._events.notice(message)

    def _new(self, messages: Sequence[str]) -> list[str]:
        """Return those messages that were not told yet."""
        new = [message for message in messages if message not in self._told]
        self._told.update(new)
        return new

    def _knows(self) -> bool:
        """Return whether the last whole reading still holds: no file has changed since."""
        return bool(self._known) and [known.signature for known in self._known] == [
            source.signature() for source in self._inputs
        ]

    def _lies_outside(self, query: LogQuery) -> bool:
        """Return whether no entry is within the query's window."""
        window = query.window
        return all(
            known.least is None
            or known.greatest is None
            or known.greatest[0] < window.since_text
            or (window.until is not None and known.least[0] >= window.until_text)
            for known in self._known
        )


def _begins_later(query: LogQuery, last: LogQuery) -> bool:
    """Return whether a query differs from the last one in its window only, which begins no earlier."""
    return query.within(last.window) == last and query.window.since_text >= last.window.since_text


def _empty(names: Sequence[str]) -> str:
    """Return that files hold no entries, in words."""
    if len(names) == 1:
        return f"{names[0]} holds no entries"
    more = f", and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"{len(names):,} files hold no entries: {', '.join(names[:_MOST_NAMED])}{more}"


def _cut(entries: Iterator[LogEntry]) -> Iterator[list[LogEntry]]:
    while batch := list(islice(entries, _BATCH)):
        yield batch

"""The logging backend over HTTP as a LogSource."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec.structs import replace

from taplogs.core.decoding import Page, decode_entry, decode_page
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import BackendError, EntryNotFound, UsageError
from taplogs.sources.connection import Connection, NotFound, Parameters
from taplogs.sources.pages import MOST_PER_PAGE, Progress, frozen, is_in_order, just_after, pages, refuse_other_order
from taplogs.sources.parameters import is_exact
from taplogs.sources.protocol import SourceEvents
from taplogs.sources.slices import cut, read_in_parallel
from taplogs.sources.stream import StreamsRefused, stream_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from taplogs.core.stats import Grouping, Summary

_PER_PAGE = 500
_PAGES_PER_SLICE = 4
_MOST_SLICES = 1000
_NOTABLE_SKEW = timedelta(seconds=5)
_ABSURD_SKEW = timedelta(days=3650)


class RemoteSource:
    """Entries from a logging backend. A long listing is one stream, or several slices of time read at once."""

    def __init__(
        self, connection: Connection, events: SourceEvents, *, clock: Callable[[], datetime], parallel: int = 4
    ) -> None:
        """`clock` returns this machine's time, aware; `parallel` is how many slices are read at once."""
        self._connection = connection
        self._events = events
        self._clock = clock
        self._parallel = parallel
        self._skew: timedelta | None = None
        self._tells_time = False
        self._streams = True

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them."""
        for batch in self.batches(query):
            yield from batch

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists, one for each page or piece of a stream."""
        left = query.limit
        with closing(self._arriving(query)) as arriving:
            for batch in arriving:
                self._events.receive(len(batch))
                matching = query.select(batch)
                if left is not None and len(matching) >= left:
                    yield matching[:left]
                    return
                yield matching
                left = left - len(matching) if left is not None else None

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        if not entry_id:
            raise UsageError("an entry's id is empty", "taplogs list shows the ids")
        segment = quote(entry_id, safe="", errors="surrogatepass")
        if set(segment) == {"."}:
            segment = segment.replace(".", "%2E")
        try:
            return self._connection.fetch(f"{self._connection.address.logs_url}/{segment}", [], decode_entry)
        except NotFound as error:
            raise EntryNotFound(
                f"no entry has the id {entry_id!r}", f"'taplogs list' shows ids; the backend said: {error.message}"
            ) from None

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match, or None where a filter is not the backend's own."""
        if not is_exact(query):
            return None
        page = next(pages(replace(query, payloads=False), self._fetch_page, 1)).page
        return page.total if all(map(query.matches, page.entries)) else None

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit."""
        from taplogs.core.stats import fold

        return fold(self.batches(grouping.query(query)), grouping)

    def now(self) -> datetime:
        """Return the backend's time, aware, in UTC: this machine's corrected by the skew between the two."""
        if self._skew is None:
            next(pages(LogQuery(payloads=False), self._fetch_page, 1))
            self._skew = self._skew or timedelta()  # a backend that does not tell its time is not asked again
        return self._clock() + self._skew

    @property
    def tells_time(self) -> bool:
        """Whether `now`, once it was asked, goes by the backend's clock: it has told its time."""
        return self._tells_time

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def _arriving(self, query: LogQuery) -> Generator[list[LogEntry], None, None]:
        size = _page_size(query)
        paging = pages(query, self._fetch_page, size)
        first = next(paging)
        refuse_other_order(query.order, first.entries)
        if first.page.total is not None:
            self._events.expect(_to_read(query, first.page.total))
        yield first.entries
        if not first.more:
            return
        if self._is_long(query, first):
            yield from self._rest(query, first, paging, size)
        else:
            for progress in paging:
                yield progress.entries

    def _is_long(self, query: LogQuery, first: Progress) -> bool:
        wanted = query.limit if is_exact(query) and query.limit is not None else first.page.total
        enough = wanted is None or wanted > _PAGES_PER_SLICE * len(first.entries)
        return enough and bool(first.entries) and _goes_on_in_time(query.order, first.entries)

    def _rest(
        self, query: LogQuery, first: Progress, paging: Iterator[Progress], size: int
    ) -> Generator[list[LogEntry], None, None]:
        """Yield what follows the first page: as one stream, else as slices of pages at once, else page by page.

        Slices hide how long each page is on its way. A stream has no such pauses, and one costs both sides least.
        """
        window = self._window_beyond(query, first)
        if _is_empty(window):
            return
        if self._streams:
            try:
                yield from _unseen(first.entries, stream_entries(self._connection, query.within(window)))
            except StreamsRefused:
                self._streams = False
            else:
                return
        if self._parallel > 1 and self._keeps_to(query.within(window)):
            window = replace(window, since=window.since or self._oldest(query))
            if window.since is not None and window.until is not None and not _is_empty(window):
                yield from _unseen(first.entries, self._slices(query, window, first, size))
                return
        for progress in paging:
            yield progress.entries

    def _slices(
        self, query: LogQuery, window: Window, first: Progress, size: int
    ) -> Generator[list[LogEntry], None, None]:
        pieces = ceil(_remaining(first, window) / (size * _PAGES_PER_SLICE))
        pieces = min(_MOST_SLICES, max(2 * self._parallel, pieces))
        yield from read_in_parallel(
            cut(window, pieces, query.order),
            lambda piece: self._read_slice(query.within(piece), size),
            self._parallel,
        )

    def _window_beyond(self, query: LogQuery, first: Progress) -> Window:
        """Return the window that the first page leaves; only its start may be open."""
        last = first.entries[-1].instant
        if query.order is Order.OLDEST_FIRST:
            return Window(last, frozen(query.window, query.order, first.page).until or self._clock())
        return Window(query.window.since, just_after(last))

    def _keeps_to(self, query: LogQuery) -> bool:
        """Return whether the backend heeds the window, beyond which there are entries: else slices are all alike."""
        entries = next(pages(replace(query, payloads=False), self._fetch_page, 1)).page.entries
        return all(query.window.contains(entry.timestamp) for entry in entries)

    def _oldest(self, query: LogQuery) -> datetime | None:
        """Return when the oldest entry was made; that of the newest, from a backend that knows one order only."""
        probe = replace(query, order=Order.OLDEST_FIRST, payloads=False)
        entries = next(pages(probe, self._fetch_page, 1)).page.entries
        return entries[0].instant if entries else None

    def _read_slice(self, query: LogQuery, size: int) -> Iterator[list[LogEntry]]:
        within = LogQuery(window=query.window)  # a backend may ignore the bounds; no entry is in two slices
        for progress in pages(query, self._fetch_page, size):
            yield within.select(progress.entries)

    def _fetch_page(self, parameters: Parameters) -> Page:
        try:
            page = self._connection.fetch(self._connection.address.logs_url, parameters, decode_page)
        except NotFound as error:
            raise BackendError(
                f"there is no log endpoint here: {error.message}",
                "the base URL may lack its path, such as /v1; TapTalent itself publishes no log endpoint today",
            ) from None
        if page.server_time is not None:
            self._measure_skew(parse_timestamp(page.server_time))
        return page

    def _measure_skew(self, server_time: datetime) -> None:
        """Take the skew anew from every page: in a run that lasts, either clock may be set right; told is the first."""
        skew = server_time - self._clock()
        if abs(skew) > _ABSURD_SKEW:  # no clock to go by
            return
        known, self._skew, self._tells_time = self._skew, skew, True
        if known is None and abs(skew) > _NOTABLE_SKEW:
            direction = "ahead of" if skew > timedelta() else "behind"
            self._events.notice(
                f"the backend's clock is {abs(skew).total_seconds():.0f} s {direction} this machine's; "
                "relative times follow the backend's"
            )


def _goes_on_in_time(order: Order, entries: list[LogEntry]) -> bool:
    """Return whether `entries` are sorted by time and not all of one: what follows them lies beyond their last."""
    return entries[0].timestamp != entries[-1].timestamp and is_in_order(order, entries)


def _remaining(first: Progress, window: Window) -> float:
    """Return how many entries follow the first page: the backend tells, or they are as dense as the page is."""
    if first.page.total is not None:
        return first.page.total - len(first.entries)
    if window.since is None or window.until is None:
        return 0.0
    span = abs(first.entries[-1].instant - first.entries[0].instant)
    return len(first.entries) * ((window.until - window.since) / span)


def _is_empty(window: Window) -> bool:
    return window.since is not None and window.until is not None and window.since >= window.until


def _to_read(query: LogQuery, total: int) -> int:
    """Return how many of `total` entries answer `query`, or may have to be read to find those that do."""
    return total if query.limit is None or not is_exact(query) else min(total, query.limit)


def _page_size(query: LogQuery) -> int:
    if query.limit is not None and is_exact(query):
        return max(1, min(query.limit, MOST_PER_PAGE))
    return _PER_PAGE


def _unseen(
    first: list[LogEntry], batches: Generator[list[LogEntry], None, None]
) -> Generator[list[LogEntry], None, None]:
    """Yield `batches`, which begin at the last timestamp of `first`, without the entries of `first`."""
    last = first[-1].timestamp
    seen = {entry.id for entry in first if entry.timestamp == last}
    with closing(batches):
        for batch in batches:
            yield [entry for entry in batch if entry.id not in seen]

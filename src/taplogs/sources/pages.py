"""Paging through one window: by cursor or by page number, each entry once, whatever the backend does at the seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.decoding import Page
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import BackendError
from taplogs.sources.connection import Parameters
from taplogs.sources.parameters import backend_parameters

MILLISECOND = timedelta(milliseconds=1)

MOST_PER_PAGE = 1000
"""What the contract allows."""

FetchPage = Callable[[Parameters], Page]


class Progress(Struct, frozen=True):
    """One page as it was taken: its new entries, the reply itself, and whether more may follow."""

    entries: list[LogEntry]
    page: Page
    more: bool


def pages(query: LogQuery, fetch: FetchPage, size: int) -> Iterator[Progress]:
    """Yield the pages of `query`, `size` entries at most in each, until the backend has no more.

    The window's upper bound is frozen with the first reply, so that entries which arrive meanwhile move nothing.
    Entries that a page repeats from the one before are dropped. Raises BackendError for a backend that goes in
    circles.
    """
    paging: Parameters = [("perPage", str(size))]
    number, received, previous = 1, 0, frozenset[str]()
    while True:
        page = fetch([*backend_parameters(query), *paging])
        if number == 1:
            query = query.within(frozen(query.window, query.order, page))
        received += len(page.entries)
        fresh = [entry for entry in page.entries if entry.id not in previous]
        by_cursor = paging[-1][0] == "cursor"
        ended = not page.entries or _is_past(query, page) or _was_last(page, number, received, size, by_cursor)
        if page.entries and not fresh:
            if page.next_cursor is not None or (page.total is not None and received <= page.total):
                raise BackendError(
                    "the backend sent the same page twice, so the listing cannot be completed",
                    "narrow the window with --since and --until, or ask for fewer entries with --limit",
                )
            ended = True
        yield Progress(fresh, page, more=not ended)
        if ended:
            return
        previous = frozenset(entry.id for entry in page.entries)
        number += 1
        if page.next_cursor is None:
            paging = [("perPage", str(size)), ("pageNumber", str(number))]
        else:
            left = (page.total or 0) - received
            wanted = left if size < left <= min(2 * size, MOST_PER_PAGE) else size  # no short page at the end
            paging = [("perPage", str(wanted)), ("cursor", page.next_cursor)]


def frozen(window: Window, order: Order, page: Page) -> Window:
    """Return `window` with an upper bound: its own, or the server's time when it sent its first page."""
    if window.until is not None:
        return window
    if page.server_time is not None:
        return replace(window, until=parse_timestamp(page.server_time) + MILLISECOND)
    if order is Order.NEWEST_FIRST and page.entries:
        return replace(window, until=max(entry.instant for entry in page.entries) + MILLISECOND)
    return window


def _was_last(page: Page, number: int, received: int, size: int, by_cursor: bool) -> bool:
    """Return whether nothing follows. Without cursor and total only an empty page says so: `size` may be capped."""
    if page.next_cursor is not None or by_cursor:
        return page.next_cursor is None
    if page.total is not None:
        return received >= page.total
    return number == 1 and page.server_time is not None and len(page.entries) < size


def _is_past(query: LogQuery, page: Page) -> bool:
    """Return whether a whole page lies beyond the window: the backend ignores the bound, and goes on for ever."""
    if query.order is Order.NEWEST_FIRST:
        return query.window.since is not None and all(e.timestamp < query.window.since_text for e in page.entries)
    return query.window.until is not None and all(e.timestamp >= query.window.until_text for e in page.entries)

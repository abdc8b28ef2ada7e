"""Paging through one window: by cursor or by page number, each entry once, whatever the backend does at the seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.decoding import Page
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import BackendError
from taplogs.sources.parameters import backend_parameters

if TYPE_CHECKING:
    from taplogs.sources.connection import Parameters

MOST_PER_PAGE = 1000
"""What the contract allows."""

_MOST_EMPTY_PAGES = 1000

FetchPage = Callable[["Parameters"], Page]


class OtherOrder(BackendError):
    """A backend sends its entries in the other order than it was asked for."""


class Progress(Struct, frozen=True):
    """One page as it was taken: its new entries, the reply itself, and whether more may follow."""

    entries: list[LogEntry]
    page: Page
    more: bool


def pages(query: LogQuery, fetch: FetchPage, size: int) -> Iterator[Progress]:
    """Yield the pages of `query`, `size` entries at most in each, until the backend has no more.

    The window's upper bound is frozen with the first reply, so that entries which arrive meanwhile move nothing.
    Entries that a page repeats from the one before are dropped. Raises BackendError for a backend that goes in
    circles: each page is compared with the one before and with the last whose number is a power of two, which finds
    a circle of any length (Brent 1980).
    """
    paging: Parameters = [("perPage", str(size))]
    number, given, announced, empty = 1, 0, 0, 0
    before = anchor = _Mark(frozenset(), None)
    while True:
        page = fetch([*backend_parameters(query), *paging])
        if number == 1:
            announced = page.total or 0
            query = query.within(frozen(query.window, query.order, page))
        mark = _Mark(frozenset(entry.id for entry in page.entries), page.next_cursor)
        fresh = unseen(page.entries, before.ids)
        given += len(fresh)
        by_cursor = paging[-1][0] == "cursor"
        ended = _is_past(query, page) or _was_last(page, given, by_cursor)
        if number > 1 and (mark.repeats(before) or mark.repeats(anchor)):
            if page.entries and (
                page.next_cursor is not None or fresh or given < announced or len(page.entries) == size
            ):
                raise BackendError(
                    "the backend sent the same page twice, so the listing cannot be completed",
                    "narrow the window with --since and --until, or ask for fewer entries with --limit",
                )
            ended = True
        yield Progress(fresh, page, more=not ended)
        if ended:
            return
        empty = 0 if page.entries else empty + 1
        if empty > _MOST_EMPTY_PAGES:
            raise BackendError(
                f"the backend sent {empty} pages without an entry, one after the other",
                "narrow the window with --since and --until",
            )
        before = mark
        anchor = anchor if number & (number - 1) else mark
        number += 1
        if page.next_cursor is None:
            paging = [("perPage", str(size)), ("pageNumber", str(number))]
        else:
            left = (page.total or 0) - given
            wanted = left if size < left <= min(2 * size, MOST_PER_PAGE) else size  # no short page at the end
            paging = [("perPage", str(wanted)), ("cursor", page.next_cursor)]


def unseen(entries: list[LogEntry], ids: frozenset[str]) -> list[LogEntry]:
    """Return those of `entries` whose id is not among `ids`, each once."""
    own = {entry.id: entry for entry in reversed(entries)}
    if len(own) == len(entries) and ids.isdisjoint(own):
        return entries
    return [entry for entry in reversed(own.values()) if entry.id not in ids]


def frozen(window: Window, order: Order, page: Page) -> Window:
    """Return `window` with an upper bound: its own, or the server's time when it sent its first page.

    Newest first it is no earlier than the newest entry, which the backend may have dated by another clock: a bound
    within the first page would move the pages that follow.
    """
    if window.until is not None:
        return window
    moments = [parse_timestamp(page.server_time)] if page.server_time is not None else []
    if order is Order.NEWEST_FIRST and page.entries:
        moments.append(parse_timestamp(max(entry.timestamp for entry in page.entries)))
    return replace(window, until=just_after(max(moments))) if moments else window


def just_after(instant: datetime) -> datetime | None:
    """Return the next millisecond, the bound that still admits `instant`; None where time ends: nothing is later."""
    try:
        return instant + timedelta(milliseconds=1)
    except OverflowError:
        return None


def refuse_other_order(order: Order, entries: list[LogEntry]) -> None:
    """Raise OtherOrder for a page wholly in the other order: its end is where the listing ought to begin."""
    other = Order.NEWEST_FIRST if order is Order.OLDEST_FIRST else Order.OLDEST_FIRST
    if entries and entries[0].timestamp != entries[-1].timestamp and is_in_order(other, entries):
        wanted, sent = ("oldest", "newest") if order is Order.OLDEST_FIRST else ("newest", "oldest")
        raise OtherOrder(
            f"the backend was asked for the {wanted} entries first and sends the {sent} first",
            "it does not know the parameter 'order' of the contract",
        )


def is_in_order(order: Order, entries: list[LogEntry]) -> bool:
    """Return whether `entries` are sorted by time."""
    times = [entry.timestamp for entry in entries]
    return times == sorted(times, reverse=order is Order.NEWEST_FIRST)


class _Mark(Struct, frozen=True):
    """What a page is known by again: its entries or, without any, where it says to go on."""

    ids: frozenset[str]
    next_cursor: str | None

    def repeats(self, other: _Mark) -> bool:
        """Return whether this page brings nothing beyond `other`."""
        return self.ids <= other.ids if self.ids else self.next_cursor == other.next_cursor


def _was_last(page: Page, given: int, by_cursor: bool) -> bool:
    """Return whether nothing follows. A page with a cursor may be empty: a backend may filter what it has read.

    Without cursor and total only an empty page says that it was the last: a short one may be what the backend caps
    its pages at.
    """
    if page.next_cursor is not None:
        return False
    if by_cursor or not page.entries:
        return True
    return page.total is not None and given == page.total  # a total below what came already is a lie


def _is_past(query: LogQuery, page: Page) -> bool:
    """Return whether a whole page lies beyond the window: the backend ignores the bound, and goes on for ever."""
    if not page.entries:
        return False
    if query.order is Order.NEWEST_FIRST:
        return query.window.since is not None and all(e.timestamp < query.window.since_text for e in page.entries)
    return query.window.until is not None and all(e.timestamp >= query.window.until_text for e in page.entries)

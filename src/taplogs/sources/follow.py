"""Following a source: the last entries, then new ones as they arrive, each exactly once.

Entries may become visible late and out of order, so every poll reads again what the overlap covers, and leaves out the
ids that were given already. One rule keeps that right: every id given at or after the *floor* is remembered, and no
poll reads below the floor. So the memory may be bounded (the floor rises) and clocks may be set back (the floor stays)
without an entry being given twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.sources.pages import OtherOrder, just_after
from taplogs.sources.protocol import LogSource

_AHEAD = timedelta(days=366)
"""How far into the future entries may be dated. It is a bound, so that no source sets one of its own."""


class Pace(Struct, frozen=True):
    """How a source is followed: a poll every `interval`, each reading `overlap` again.

    About `most_ids` ids are remembered, half of them at least. Where the overlap holds more, less of it is read.
    """

    interval: timedelta = timedelta(seconds=2)
    overlap: timedelta = timedelta(minutes=1)
    most_ids: int = 100_000


class Follower:
    """Reads what matches a query, and then what arrives, until the end of the query's window."""

    def __init__(
        self,
        source: LogSource,
        query: LogQuery,
        pace: Pace,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
        notice: Callable[[str], None],
    ) -> None:
        """`monotonic` returns seconds on a clock that never goes back, `sleep` waits so many, `notice` tells the user.

        The order and the limit of `query` are not looked at.
        """
        self._source = source
        self._query = query
        self._pace = pace
        self._monotonic = monotonic
        self._sleep = sleep
        self._notice = notice
        self._started = monotonic()
        self._seen: dict[str, str] = {}
        self._forget_beyond = pace.most_ids
        self._is_cut = False
        self._order = Order.OLDEST_FIRST
        self._moment = source.now()
        self._floor = max(query.window.since or datetime.min.replace(tzinfo=UTC), self._moment - pace.overlap)

    def first(self, last: int | None) -> Iterator[list[LogEntry]]:
        """Yield what is there, oldest first: the `last` so many entries, or all of the window for None."""
        before = Window(self._query.window.since, self._floor)
        has_before = before.since is None or before.since < self._floor
        if last is None:
            newest = None
            for batch in self._oldest_first(before) if has_before else ():
                newest = batch[-1] if batch else newest
                yield batch
            yield from self.poll()
            if not self._seen:
                self._begin_after(newest)
            return
        # The newer part first: whatever appears in the meantime, the two parts meet at the floor and nowhere overlap.
        recent = deque((entry for batch in self.poll() for entry in batch), maxlen=max(last, 1))
        older: list[LogEntry] = []
        if has_before and (len(recent) < last or not recent):
            rest = replace(self._query, window=before, order=Order.NEWEST_FIRST, limit=max(last - len(recent), 1))
            older = list(self._source.search(rest))
            if not recent:
                self._begin_after(older[0] if older else None)
        shown = [*reversed(older), *recent]
        yield shown[len(shown) - last :] if last < len(shown) else shown

    def _begin_after(self, newest: LogEntry | None) -> None:
        """Have the floor be no later than just after the newest entry there is: the clock may have been ahead of time.

        Nothing was seen at or above the floor, so it may be lowered as far as nothing was given.
        """
        least = self._query.window.since or datetime.min.replace(tzinfo=UTC)
        self._floor = min(self._floor, just_after(newest.instant) or self._floor if newest else least)

    def arriving(self) -> Iterator[list[LogEntry]]:
        """Yield what arrives, until the end of the window; `first` comes before."""
        until = self._query.window.until
        while until is None or self._moment < until:
            wait = self._started + self._pace.interval.total_seconds() - self._monotonic()
            if until is not None:
                wait = min(wait, (until - self._source.now()).total_seconds())
            self._sleep(max(0.0, wait))
            yield from self.poll()

    def poll(self) -> Iterator[list[LogEntry]]:
        """Yield what was not given yet, oldest first, as the source has it now."""
        self._started = self._monotonic()
        moment: datetime | None = None
        start = max(self._floor, self._moment - self._pace.overlap)
        end = self._query.window.until or _far_after(max(start, self._moment))
        for batch in self._oldest_first(Window(start, end)):
            moment = moment or self._began()
            fresh = self._unseen(batch)
            if fresh and len(self._seen) > self._forget_beyond:  # but nothing that this poll has yet to come to
                self._forget(min(format_timestamp(moment), *(entry.timestamp for entry in batch)))
            if fresh:
                yield fresh
        self._moment = moment or self._began()
        if len(self._seen) > self._pace.most_ids:
            self._forget(format_timestamp(self._moment))

    def _began(self) -> datetime:
        """Return when this poll began, by the source's clock as the source's last answer told it."""
        return self._source.now() - timedelta(seconds=self._monotonic() - self._started)

    def _unseen(self, batch: list[LogEntry]) -> list[LogEntry]:
        fresh = []
        for entry in batch:
            if entry.id not in self._seen:
                self._seen[entry.id] = entry.timestamp
                fresh.append(entry)
        return fresh

    def _oldest_first(self, window: Window) -> Iterator[list[LogEntry]]:
        """Yield what the source has within a window; from a backend that knows the other order only, as one batch."""
        query = replace(self._query, window=window, order=self._order, limit=None)
        if self._order is Order.OLDEST_FIRST:
            try:
                yield from self._source.batches(query)
            except OtherOrder:
                self._order = Order.NEWEST_FIRST
                query = replace(query, order=self._order)
            else:
                return
        yield sorted(self._source.search(query), key=lambda entry: entry.sort_key)

    def _forget(self, position: str) -> None:
        """Forget the older half of the ids, of what is dated before `position`: the floor never passes it."""
        times = sorted(self._seen.values())
        cut = min(times[-(self._pace.most_ids // 2)], position)
        self._seen = {name: timestamp for name, timestamp in self._seen.items() if timestamp >= cut}
        self._forget_beyond = max(self._pace.most_ids, 2 * len(self._seen))
        self._floor = max(self._floor, parse_timestamp(cut))
        kept = self._source.now() - self._floor
        if kept < self._pace.overlap and not self._is_cut:
            self._is_cut = True
            self._notice(
                f"so many entries arrive that only the last {kept.total_seconds():.1f} s are read "
                f"again, not {self._pace.overlap.total_seconds():g} s: what becomes visible later than that is missed"
            )


def _far_after(instant: datetime) -> datetime | None:
    try:
        return instant + _AHEAD
    except OverflowError:
        return None

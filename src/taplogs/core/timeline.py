"""Entries counted over time, in memory that the length of the time bounds, and spread over buckets of a chart.

Counts are kept by the second while all entries lie within two hours, by the minute within ten days, by the quarter of
an hour beyond: every zone's days and hours begin on a quarter.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Generic, TypeVar

from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp

Kind = TypeVar("Kind", bound=Hashable)

_SECOND, _MINUTE = 19, 16
_QUARTER = 0
_BY_SECOND_UP_TO = timedelta(hours=2)
_BY_MINUTE_UP_TO = timedelta(days=10)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
"""The ends of the calendar, as far as entries reach."""
_QUARTERS = ("00", "15", "30", "45")

_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
)
_DAYS = (1, 2, 7, 14, 28, 91, 182, 364, 3640, 36400, 364000, 3640000, 7280000)


class Timeline(Generic[Kind]):
    """How many entries of each kind there were, second by second or coarser. A kind is anything with a hash."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Kind]] = Counter()
        self._length = _SECOND
        self.first: str | None = None
        self.last: str | None = None

    def add(self, timestamps: Sequence[str], kinds: Iterable[Kind]) -> None:
        """Count entries: their canonical timestamps and, in the same order, their kinds."""
        if timestamps:
            self.reach(min(timestamps), max(timestamps))
            size = self.prefix
            self._count(Counter(zip([text[:size] for text in timestamps], kinds, strict=True)))

    def add_counts(self, counts: Iterable[tuple[str, Kind, int]]) -> None:
        """Count what was counted elsewhere: by the first `prefix` characters of timestamps that were reached before."""
        self._count(Counter({(text, kind): number for text, kind, number in counts}))

    def reach(self, first: str, last: str) -> None:
        """Make sure that the timeline goes from `first` to `last`, and is coarse enough for that."""
        if self.first is None or self.last is None:
            self.first, self.last = first, last
        elif first >= self.first and last <= self.last:
            return
        self.first, self.last = min(first, self.first), max(last, self.last)
        span = parse_timestamp(self.last) - parse_timestamp(self.first)
        length = _SECOND if span <= _BY_SECOND_UP_TO else _MINUTE if span <= _BY_MINUTE_UP_TO else _QUARTER
        if length != self._length:
            self._length = length
            counts, self._counts = self._counts, Counter()
            size = self.prefix
            for (text, kind), number in counts.items():
                self._count(Counter({(text[:size], kind): number}))

    @property
    def prefix(self) -> int:
        """How many characters of a timestamp tell entries apart here."""
        return self._length or _MINUTE

    def spread(self, boundaries: Sequence[str]) -> list[Counter[Kind]]:
        """Return the counts between each two `boundaries`, canonical timestamps, and nothing from outside."""
        buckets: list[Counter[Kind]] = [Counter() for _ in boundaries[1:]]
        for (text, kind), number in self._counts.items():
            index = bisect_right(boundaries, _moment(text)) - 1
            if 0 <= index < len(buckets):
                buckets[index][kind] += number
        return buckets

    def __eq__(self, other: object) -> bool:
        """Return whether the counts are the same."""
        return isinstance(other, Timeline) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _count(self, counts: Counter[tuple[str, Kind]]) -> None:
        if self._length == _QUARTER:
            for (text, kind), number in counts.items():
                self._counts[_quarter(text), kind] += number
        else:
            self._counts.update(counts)


def _quarter(minute: str) -> str:
    return f"{minute[:14]}{_QUARTERS[int(minute[14:16]) // 15]}"


def _moment(text: str) -> str:
    """Return the canonical timestamp that a second, minute or quarter begins with."""
    return f"{text}:00.000Z" if len(text) == _MINUTE else f"{text}.000Z"


def covered(window: Window, timeline: Timeline[Kind], now: datetime) -> Window:
    """Return `window` with two bounds: from the first entry where it has no start, to now where it has no end.

    A window with neither ends with the last entry. `now` is aware.
    """
    first = parse_timestamp(timeline.first) if timeline.first else now
    last = parse_timestamp(timeline.last) if timeline.last else now
    since = window.since or min(first, _before(window.until) if window.until else first)
    until = window.until or (now if window.since else _after(last))
    since = min(since, _before(_LAST))
    return Window(since, max(until, _after(since)))


def _before(instant: datetime) -> datetime:
    return max(instant, _FIRST + _MILLISECOND) - _MILLISECOND


def _after(instant: datetime) -> datetime:
    return min(instant, _LAST - _MILLISECOND) + _MILLISECOND


def buckets(window: Window, zone: tzinfo, most: int) -> list[datetime]:
    """Return the boundaries of at most `most` buckets that cover a bounded window, one more than there are buckets.

    The buckets are of a round length, and begin where people's clocks in `zone` are round: on whole quarters, hours,
    days, and Mondays. A day on which the clocks change has one bucket more or less, or a shorter one.
    """
    since, until = _bounds(window)
    try:
        since.astimezone(zone), until.astimezone(zone)
    except OverflowError:  # where the calendar ends
        zone = UTC
    span = until - since
    for step in (*_STEPS, *map(timedelta, _DAYS)):
        if span <= step * (most - 1):
            by_clock = step <= _STEPS[-1]
            boundaries = (_clock_boundaries if by_clock else _day_boundaries)(since, until, zone, step)
            if len(boundaries) <= most + 1:
                return boundaries
    raise ValueError(f"{most} buckets are too few")


def even_buckets(window: Window, number: int) -> list[str]:
    """Return the boundaries of `number` equal parts of a bounded window, as canonical timestamps."""
    since, until = _bounds(window)
    step = (until - since) / number
    return [format_timestamp(since + step * index) for index in range(number)] + [window.until_text]


def _bounds(window: Window) -> tuple[datetime, datetime]:
    if window.since is None or window.until is None:
        raise ValueError("only a window with two bounds can be divided")
    return window.since, window.until


def _clock_boundaries(since: datetime, until: datetime, zone: tzinfo, step: timedelta) -> list[datetime]:
    """Step from the midnight of the zone before the window, by elapsed time, and anew from each midnight."""
    midnight, following = _midnight(since, zone, 0), _midnight(since, zone, 1)
    moment = min(midnight + step * ((since - midnight) // step), following)
    boundaries = [moment]
    while moment < until:
        if moment >= following:
            following = _midnight(moment, zone, 1)
        moment = following if following - moment <= step else moment + step
        boundaries.append(moment)
    return boundaries


def _day_boundaries(since: datetime, until: datetime, zone: tzinfo, step: timedelta) -> list[datetime]:
    ordinal, days = since.astimezone(zone).toordinal(), step.days
    offset = ordinal % days if days % 7 else (ordinal - 1) % days  # ordinal 1 was a Monday
    boundaries = [_midnight(since, zone, -offset)]
    while boundaries[-1] < until:
        offset -= days
        moment = _midnight(since, zone, -offset)
        if moment > boundaries[-1]:  # some zones have skipped a whole day
            boundaries.append(moment)
    return boundaries


def _midnight(instant: datetime, zone: tzinfo, days: int) -> datetime:
    """Return when the day begins that is so many after that of `instant`; the end of the calendar where it ends."""
    local = instant.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        return (local + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return _LAST if days > 0 else _FIRST

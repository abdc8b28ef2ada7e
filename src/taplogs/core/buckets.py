"""Windows with two bounds, and the buckets of time that they are divided into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp

_MINUTE = timedelta(minutes=1)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)
"""The ends of the calendar, as far as entries reach."""

_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
)
_DAYS = (1, 2, 7, 14, 28, 91, 182, 364, 3640, 36400, 364000, 3640000, 7280000)


def covered(window: Window, timeline: Timeline[Any], now: datetime) -> Window:
    """Return `window` with two bounds: from the first entry where it has no start, to now where it has no end.

    A window with neither ends with the last entry. One that goes by entries is a minute long at least: of a single
    entry nobody can say how many there are a minute. `now` is aware.
    """
    first = parse_timestamp(timeline.first) if timeline.first else now
    last = parse_timestamp(timeline.last) if timeline.last else now
    until = window.until or (now if window.since else _after(last))
    since = window.since or min(first, max(until, _FIRST + _MINUTE) - _MINUTE)
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

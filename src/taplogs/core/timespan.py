"""Time expressions -> instants and half-open windows in UTC. `now` and the time zone are always passed in.

Seconds, minutes and hours are elapsed time. Days, weeks and months are steps on the calendar of the time zone: `1d`
before 09:00 is 09:00 the day before, whether that day had 23, 24 or 25 hours, and `1mo` before 31 March is the last
day of February; `+1d` goes the other way. A local time that a clock change skips is moved forward by the change; of
one that occurs twice, the first is meant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cached_property

from msgspec import Struct

from taplogs.core.timestamp import ceil_to_millisecond, format_timestamp, from_epoch
from taplogs.errors import UsageError

ACCEPTED = (
    "accepted: 30s 15m 2h 2d 1w 1mo (also 1d12h, '2d ago'), +10m or 'in 10m' ahead, now, today, yesterday, monday, "
    "2026-11-01, 2026-11-01T10:00, 2026-11-01T10:00:00+01:00, @1762000000"
)

_STEP = r"[0-9]{1,9}(?:mo|s|m|h|d|w)"
_STEPS = rf"(?:{_STEP})+"
_OFFSET = rf"(?P<ahead>\+|in )(?P<later>{_STEPS})\Z|-?(?P<before>{_STEPS})(?: ago)?\Z"
# Patterns are text, compiled by re when they are first used: most runs need none or one of them.
_DATE_TIME = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[t ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?P<offset>z|[+-][0-9]{2}:?[0-9]{2})?)?\Z"
)
_EPOCH = r"@(-?[0-9]{1,14}(?:\.[0-9]{1,9})?)\Z"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Window(Struct, frozen=True, dict=True):
    """A half-open span `[since, until)` of aware UTC instants; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None

    def contains(self, timestamp: str) -> bool:
        """Return whether a canonical timestamp lies within the window."""
        return self.since_text <= timestamp and (self.until is None or timestamp < self.until_text)

    @property
    def length(self) -> timedelta:
        """How long the window is; raises ValueError where it lacks a bound."""
        if self.since is None or self.until is None:
            raise ValueError("a window without bounds has no length")
        return self.until - self.since

    @cached_property
    def since_text(self) -> str:
        """The lower bound as a canonical timestamp, rounded up to the millisecond; empty without one."""
        return format_timestamp(ceil_to_millisecond(self.since)) if self.since else ""

    @cached_property
    def until_text(self) -> str:
        """The upper bound as a canonical timestamp, rounded up to the millisecond; empty without one."""
        return format_timestamp(ceil_to_millisecond(self.until)) if self.until else ""


UNBOUNDED = Window()
"""The window that everything lies in."""


def parse_window(since: str | None, until: str | None, *, now: datetime, zone: tzinfo) -> Window:
    """Return the window between two time expressions; raises UsageError, also where it would be empty."""
    window = Window(
        parse_instant(since, now=now, zone=zone, option="--since") if since is not None else None,
        parse_instant(until, now=now, zone=zone, option="--until") if until is not None else None,
    )
    if window.since and window.until and window.since >= window.until:
        raise UsageError(
            f"--since {since} ({window.since_text}) is not before --until {until} ({window.until_text})",
            "the window starts with --since and ends before --until",
        )
    return window


def parse_instant(text: str, *, now: datetime, zone: tzinfo, option: str = "time") -> datetime:
    """Return the aware UTC instant that a time expression names.

    `now` is aware; `zone` is where naive times and the names of days are read. Raises UsageError.
    """
    expression = " ".join(text.split()).lower()
    try:
        instant = (
            _named_day(expression, now, zone)
            or _beside_now(expression, now, zone)
            or _epoch(expression)
            or _date_time(expression, zone)
        )
        if instant is not None:
            instant = instant.astimezone(UTC)
            ceil_to_millisecond(instant)  # as a bound it must have a canonical text
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} {text!r} is not a time that exists: {error}", ACCEPTED) from None
    if instant is None:
        raise UsageError(f"{option} {text!r} is not understood", _advice(expression))
    return instant


def is_relative(text: str | None) -> bool:
    """Return whether an expression depends on what time it is now."""
    return text is not None and not re.match(r"\s*(?:@|[0-9]{4}-)", text)


def _named_day(expression: str, now: datetime, zone: tzinfo) -> datetime | None:
    if expression == "now":
        return now
    today = now.astimezone(zone).date()
    if expression == "today":
        days = 0
    elif expression == "yesterday":
        days = 1
    elif expression in _WEEKDAYS:
        days = (today.weekday() - _WEEKDAYS.index(expression) - 1) % 7 + 1
    else:
        return None
    return datetime.combine(today - timedelta(days=days), time(), zone)


def _beside_now(expression: str, now: datetime, zone: tzinfo) -> datetime | None:
    match = re.match(_OFFSET, expression)
    if not match:
        return None
    sign = 1 if match["ahead"] else -1
    steps = dict.fromkeys(("mo", "w", "d", "h", "m", "s"), 0)
    for number, unit in re.findall(r"([0-9]+)([a-z]+)", match["later"] or match["before"]):
        steps[unit] += sign * int(number)
    wall_clock = now.astimezone(zone).replace(tzinfo=None)
    if steps["mo"]:
        from dateutil.relativedelta import relativedelta

        wall_clock += relativedelta(months=steps["mo"])
    wall_clock += timedelta(weeks=steps["w"], days=steps["d"])
    on_calendar = steps["mo"] or steps["w"] or steps["d"]
    start = wall_clock.replace(tzinfo=zone).astimezone(UTC) if on_calendar else now
    return start.astimezone(UTC) + timedelta(hours=steps["h"], minutes=steps["m"], seconds=steps["s"])


def _epoch(expression: str) -> datetime | None:
    match = re.match(_EPOCH, expression)
    return from_epoch(float(match[1])) if match else None


def _date_time(expression: str, zone: tzinfo) -> datetime | None:
    match = re.match(_DATE_TIME, expression)
    if not match:
        return None
    instant = datetime.fromisoformat(expression.upper().replace(" ", "T"))
    return instant if match["offset"] else instant.replace(tzinfo=zone)


def _advice(expression: str) -> str:
    if re.match(r"[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}", expression):
        return "day and month are not guessed; write the date as 2026-11-01"
    return ACCEPTED

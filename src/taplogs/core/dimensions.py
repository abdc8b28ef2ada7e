"""What entries can be grouped by: each dimension is a function of one field of an entry."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import UsageError

Key = str | int | None
"""The value of a dimension: None where the field has none."""

Group = tuple[Key, ...]
"""The keys of one group, one for each dimension that entries are grouped by."""

_MOST_REMEMBERED = 10_000
_SECOND = timedelta(seconds=1)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Dimension(Struct, frozen=True):
    """`field` is the attribute of an entry, `key` what makes the group's key of it (None: it is the key).

    `name` is what it is called on the command line, `member` in JSON. `is_time`: its groups have an order in time.
    """

    name: str
    member: str
    field: str
    key: Callable[[str], Key] | None = None
    is_time: bool = False


_PLAIN = {
    "method": ("method", "method"),
    "status": ("statusCode", "status_code"),
    "client": ("clientId", "client_id"),
    "company": ("companyId", "company_id"),
    "ip": ("ipAddress", "ip_address"),
    "user-agent": ("userAgent", "user_agent"),
}
_OF_TIME = ("hour", "day", "weekday", "hour-of-day")

DIMENSION_NAMES = ("endpoint", "method", "status", "class", *list(_PLAIN)[2:], *_OF_TIME)


def dimensions_named(text: str, templates: EndpointTemplates, zone: tzinfo) -> tuple[Dimension, ...]:
    """Return the one or two dimensions of a comma-separated list; raises UsageError.

    `hour` and `day` are those of the calendar in `zone`; the key of an hour is the canonical timestamp it begins at.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in DIMENSION_NAMES]
    if unknown or not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        reason = f"there is no {unknown[0]!r}" if unknown else "one, or two that differ"
        raise UsageError(f"--by {text!r} is not understood: {reason}", f"accepted: {', '.join(DIMENSION_NAMES)}")
    return tuple(_dimension(name, templates, zone) for name in names)


def endpoint_dimension(templates: EndpointTemplates) -> Dimension:
    """Return the dimension of endpoint templates."""
    return Dimension("endpoint", "endpoint", "request_url", templates.of_url)


def _dimension(name: str, templates: EndpointTemplates, zone: tzinfo) -> Dimension:
    if name in _PLAIN:
        return Dimension(name, *_PLAIN[name])
    if name == "endpoint":
        return endpoint_dimension(templates)
    if name == "class":
        return Dimension("class", "statusClass", "status_code", status_class)
    key = {"hour": _hour, "day": _day, "weekday": _weekday, "hour-of-day": _hour_of_day}[name]
    member = {"hour-of-day": "hourOfDay"}.get(name, name)
    return Dimension(name, member, "timestamp", _ClockKeys(zone, key), is_time=True)


def status_class(status: int | str) -> str:
    """Return `4xx` for 404."""
    return f"{int(status) // 100}xx"


class _ClockKeys:
    """Makes keys of timestamps. An hour of UTC that is within one hour of the zone is looked up once."""

    def __init__(self, zone: tzinfo, key: Callable[[datetime], str]) -> None:
        self._zone = zone
        self._key = key
        self._of_hour: dict[str, str | None] = {}

    def __call__(self, timestamp: str) -> str:
        hour = timestamp[:13]
        if hour not in self._of_hour:
            if len(self._of_hour) >= _MOST_REMEMBERED:
                self._of_hour.clear()
            first, last = self._of(f"{hour}:00:00.000Z"), self._of(f"{hour}:59:59.999Z")
            self._of_hour[hour] = first if first == last else None
        return self._of_hour[hour] or self._of(timestamp)

    def _of(self, timestamp: str) -> str:
        instant = parse_timestamp(timestamp)
        try:
            return self._key(instant.astimezone(self._zone))
        except OverflowError:  # where the calendar ends
            return self._key(instant)


def _hour(local: datetime) -> str:
    """Return when the hour began: by the clock, or where the clock was set to within it, then."""
    instant = local.astimezone(UTC).replace(microsecond=0)
    start = instant - timedelta(minutes=local.minute, seconds=local.second)

    def is_now(moment: datetime) -> bool:
        return moment.astimezone(local.tzinfo).utcoffset() == local.utcoffset()

    if not is_now(start):
        seconds = range((instant - start) // _SECOND)
        start += _SECOND * bisect_left(seconds, True, key=lambda second: is_now(start + _SECOND * second))
    return format_timestamp(start)


def _day(local: datetime) -> str:
    return local.date().isoformat()


def _weekday(local: datetime) -> str:
    return _WEEKDAYS[local.weekday()]


def _hour_of_day(local: datetime) -> str:
    return f"{local.hour:02}:00"


def in_order(groups: Iterable[Group]) -> list[Group]:
    """Return groups sorted by their keys: statuses as numbers, weekdays from Monday on, nothing at the end."""
    return sorted(groups, key=lambda group: [_rank(key) for key in group])


def _rank(key: Key) -> tuple[bool, int, str]:
    if isinstance(key, int):
        return False, key, ""
    return key is None, _WEEKDAYS.index(key) if key in _WEEKDAYS else 0, key or ""

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

    `name` is what it is called on the command line, `member` in JSON. `is_time`: its groups have an order in time;
    `recurs`: each of them comes again, as Mondays do.
    """

    name: str
    member: str
    field: str
    key: Callable[[str], Key] | None = None
    is_time: bool = False
    recurs: bool = False


def dimensions_named(text: str, templates: EndpointTemplates, zone: tzinfo) -> tuple[Dimension, ...]:
    """Return the one or two dimensions of a comma-separated list; raises UsageError.

    `hour` and `day` are those of the calendar in `zone`; the key of an hour is the canonical timestamp it begins at.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in DIMENSION_NAMES]
    if unknown or not 1 <= len(names) <= 2 or len(set(names)) < len(names):
        reason = f"there is no {unknown[0]!r}" if unknown else "one, or two that differ"
        raise UsageError(f"--by {text!r} is not understood: {reason}", f"accepted: {', '.join(DIMENSION_NAMES)}")
    return tuple(_DIMENSIONS[name](templates, zone) for name in names)


def endpoint_dimension(templates: EndpointTemplates) -> Dimension:
    """Return the dimension of endpoint templates."""
    return Dimension("endpoint", "endpoint", "request_url", templates.of_url)


def status_class(status: int | str) -> str:
    """Return `4xx` for 404."""
    return f"{int(status) // 100}xx"


class _ClockKeys:
    """Makes keys of timestamps. Ten minutes that lie within one hour of the zone are looked up once."""

    def __init__(self, zone: tzinfo, key: Callable[[datetime], str]) -> None:
        self._zone = zone
        self._key = key
        self._of_block: dict[str, str | None] = {}

    def __call__(self, timestamp: str) -> str:
        block = timestamp[:15]
        if block not in self._of_block:
            if len(self._of_block) >= _MOST_REMEMBERED:
                self._of_block.clear()
            first, last = self._of(f"{block}0:00.000Z"), self._of(f"{block}9:59.999Z")
            self._of_block[block] = first if first == last else None
        return self._of_block[block] or self._of(timestamp)

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


_DIMENSIONS: dict[str, Callable[[EndpointTemplates, tzinfo], Dimension]] = {
    "endpoint": lambda templates, _: endpoint_dimension(templates),
    "method": lambda *_: Dimension("method", "method", "method"),
    "status": lambda *_: Dimension("status", "statusCode", "status_code"),
    "class": lambda *_: Dimension("class", "statusClass", "status_code", status_class),
    "client": lambda *_: Dimension("client", "clientId", "client_id"),
    "company": lambda *_: Dimension("company", "companyId", "company_id"),
    "ip": lambda *_: Dimension("ip", "ipAddress", "ip_address"),
    "user-agent": lambda *_: Dimension("user-agent", "userAgent", "user_agent"),
    "hour": lambda _, zone: _of_time("hour", "hour", _ClockKeys(zone, _hour)),
    "day": lambda _, zone: _of_time("day", "day", _ClockKeys(zone, _day)),
    "weekday": lambda _, zone: _of_time("weekday", "weekday", _ClockKeys(zone, _weekday), recurs=True),
    "hour-of-day": lambda _, zone: _of_time("hour-of-day", "hourOfDay", _ClockKeys(zone, _hour_of_day), recurs=True),
}
DIMENSION_NAMES = tuple(_DIMENSIONS)


def _of_time(name: str, member: str, key: Callable[[str], Key], *, recurs: bool = False) -> Dimension:
    return Dimension(name, member, "timestamp", key, is_time=True, recurs=recurs)

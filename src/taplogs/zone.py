"""Which time zone times are read and shown in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taplogs.errors import UsageError

_LOCAL_ZONE = "/etc/localtime"
_POSIX_RULE = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?[0-9]"
"""The beginning of a rule in TZ, such as `CET-1CEST,M3.5.0,M10.5.0/3` (POSIX.1-2017, section 8.3)."""


def time_zone(name: str | None, origin: str, environ: Mapping[str, str]) -> tzinfo:
    """Return the zone of an IANA name; without one the zone of TZ, or of this machine.

    `origin` says in words where the name came from. Raises UsageError.
    """
    if name and name.lower() != "local":
        return _named(name, origin)
    variable = environ.get("TZ", "").removeprefix(":")
    if not variable or variable.startswith("/"):
        return _of_file(Path(variable or _LOCAL_ZONE))
    try:
        return _named(variable, "environment TZ")
    except UsageError:
        if re.match(_POSIX_RULE, variable):
            return _of_this_machine()
        raise


def _of_file(path: Path) -> tzinfo:
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return _of_this_machine()


def _of_this_machine() -> tzinfo:
    """Return the zone as the C library has understood it."""
    from dateutil.tz import tzlocal

    return tzlocal()


def in_zone(instant: datetime, zone: tzinfo) -> datetime:
    """Return an aware instant in `zone`; in UTC where the calendar ends before that, as on 0001-01-01."""
    try:
        return instant.astimezone(zone)
    except OverflowError:
        return instant.astimezone(UTC)


def _named(name: str, origin: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{name!r} ({origin}) is not a time zone", "accepted: an IANA name such as Europe/Berlin or UTC, or local"
        ) from None

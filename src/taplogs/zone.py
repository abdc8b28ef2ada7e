"""Which time zone times are read and shown in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from taplogs.errors import UsageError

_LOCAL_ZONE = Path("/etc/localtime")


def time_zone(name: str | None, environ: Mapping[str, str]) -> tzinfo:
    """Return the zone of an IANA name; without one the zone of TZ, or of this machine. Raises UsageError."""
    if name and name.lower() != "local":
        return _named(name, "--tz")
    if environ.get("TZ"):
        return _named(environ["TZ"].removeprefix(":"), "TZ")
    try:
        with _LOCAL_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        from dateutil.tz import tzlocal

        return tzlocal()


def _named(name: str, origin: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{origin} {name!r} is not a time zone", "accepted: an IANA name such as Europe/Berlin or UTC, or local"
        ) from None

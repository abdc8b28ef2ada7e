"""Instants as this product writes them: RFC 3339 in UTC with exactly three digits of a second.

The canonical text `2026-11-01T10:00:00.000Z` is what entries carry. All of them have the same width, so text order
is time order, and neither filters nor sorting nor SQL need to parse it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\Z"
)
_MILLISECONDS_FROM = 100_000_000_000
"""Epoch numbers from here on are milliseconds: as seconds this would be the year 5138, as milliseconds it is 1973."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def format_timestamp(instant: datetime) -> str:
    """Return the canonical text of an aware `instant`; a fraction below a millisecond is dropped."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def parse_timestamp(text: str) -> datetime:
    """Return the aware UTC instant of a canonical text, or of any RFC 3339 date-time (section 5.6).

    Raises ValueError where `text` is not one, or names a moment that does not exist.
    """
    if not _RFC3339.match(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from None


def from_epoch(number: float) -> datetime:
    """Return the aware UTC instant of epoch seconds, or of milliseconds where the number is too large for seconds.

    Raises ValueError where no year between 1 and 9999 fits.
    """
    try:
        milliseconds = round(number if abs(number) >= _MILLISECONDS_FROM else number * 1000)
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ValueError(f"{number!r} is not an epoch time") from error


def ceil_to_millisecond(instant: datetime) -> datetime:
    """Return the first whole millisecond that is not before `instant`.

    Entries have whole milliseconds, so a bound rounded up admits exactly the entries that the unrounded bound does.
    Raises OverflowError within the last millisecond of the year 9999.
    """
    excess = instant.microsecond % 1000
    return instant if excess == 0 else instant - timedelta(microseconds=excess) + _MILLISECOND


def is_canonical(text: str) -> bool:
    """Return whether `text` has the shape of a canonical timestamp; whether that moment exists is not looked at."""
    return len(text) == 24 and text[10::13] == "TZ" and text[19] == "."


def are_canonical(texts: list[str]) -> bool:
    """Return whether `is_canonical` holds for all `texts`; for many, this takes a fraction of the time."""
    if set(map(len, texts)) - {24}:
        return False
    row = "".join(texts)
    return row[10::24].count("T") == row[19::24].count(".") == row[23::24].count("Z") == len(texts)

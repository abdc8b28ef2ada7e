"""What a window is compared with (the one before it, or one that is named), and what became of groups between them."""

from __future__ import annotations

from datetime import datetime, tzinfo
from enum import StrEnum

from taplogs.core.timespan import Window, parse_window
from taplogs.core.timestamp import ceil_to_millisecond
from taplogs.errors import UsageError

BEFORE = "before"
_ACCEPTED = "accepted: --compare alone (the window before, of the same length), or --compare 2026-11-01..2026-11-08"


class Mark(StrEnum):
    """What became of a group between two windows."""

    NEW = "new"
    GROWN = "grown"
    SHRUNK = "shrunk"
    VANISHED = "vanished"


def compared_window(text: str, window: Window, *, now: datetime, zone: tzinfo) -> Window:
    """Return the window that `text` names, to compare `window` with, which has two bounds; raises UsageError."""
    if text == BEFORE:
        if window.since is None or window.until is None:
            raise UsageError("--compare needs a window that begins somewhere", "give --since, such as --since 1d")
        if window.since >= window.until:
            raise UsageError("--compare needs a window that has begun", "give --since, such as --since 1d")
        since, until = ceil_to_millisecond(window.since), ceil_to_millisecond(window.until)
        try:
            return Window(since - (until - since), since)
        except OverflowError:
            raise UsageError("--compare: the window before would begin before the year 1", _ACCEPTED) from None
    first, separator, last = text.partition("..")
    if not separator or not first.strip() or not last.strip():
        raise UsageError(f"--compare takes A..B, not {text!r}", _ACCEPTED)
    try:
        return parse_window(first, last, now=now, zone=zone)
    except UsageError as error:
        raise UsageError(f"--compare {text!r}: {error.message}", error.hint) from None

"""Lengths of time as people type them: latencies such as `800ms` or `1.5s`, and waits such as `1m30s`."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from taplogs.errors import UsageError

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_LATENCY = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(ms|s|m)"
_DURATION = r"(?:[0-9]{1,9}(?:\.[0-9]{1,6})?(?:ms|s|m|h))+"
_LONGEST = 10**12


def exact_milliseconds(text: str) -> Decimal | None:
    """Return the milliseconds of a number with its unit (ms, s, m), exactly; None where `text` is not that."""
    match = re.fullmatch(_LATENCY, text.strip().lower())
    if not match:
        return None
    milliseconds = Decimal(match[1]) * _MILLISECONDS[match[2]]
    return milliseconds if milliseconds < _LONGEST else None


def parse_duration(text: str, *, least: timedelta, option: str = "duration") -> timedelta:
    """Return the elapsed time that a text such as `500ms`, `2s` or `1m30s` names, from `least` to a day.

    Raises UsageError.
    """
    expression = "".join(text.split()).lower()
    if re.fullmatch(_DURATION, expression):
        parts = re.findall(r"([0-9.]+)([a-z]+)", expression)
        milliseconds = sum(Decimal(number) * _MILLISECONDS[unit] for number, unit in parts)
        if least / timedelta(milliseconds=1) <= milliseconds <= 24 * _MILLISECONDS["h"]:
            return timedelta(milliseconds=float(milliseconds))
    raise UsageError(
        f"{option} {text!r} is not a length of time that it takes",
        f"accepted: {least / timedelta(seconds=1):g}s to 24h, such as 500ms, 2s or 1m30s",
    )

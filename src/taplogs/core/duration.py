"""Lengths of time as people type latencies: `800ms`, `1.5s`, `2m`."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ms": 1, "s": 1000, "m": 60_000}
_LONGEST = 10**12


def exact_milliseconds(text: str) -> Decimal | None:
    """Return the milliseconds of a number with its unit (ms, s, m), exactly; None where `text` is not that."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(ms|s|m)", text.strip().lower())
    if not match:
        return None
    milliseconds = Decimal(match[1]) * _UNITS[match[2]]
    return milliseconds if milliseconds < _LONGEST else None

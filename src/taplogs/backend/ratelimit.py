"""How many requests a key may make: a token bucket for each."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from taplogs.errors import UsageError

_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class RateLimit:
    """So many requests in so many seconds. All of them may come at once; they come back evenly."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limit that `100/min` names (units: s, sec, min, h); raises UsageError."""
        match = re.fullmatch(r"\s*([1-9][0-9]{0,8})\s*/\s*([a-z]+)\s*", text, re.IGNORECASE)
        if not match or match[2].lower() not in _UNITS:
            raise UsageError(f"the rate limit {text!r} is not understood", "accepted: 10/s, 10/sec, 100/min, 1000/h")
        return cls(int(match[1]), _UNITS[match[2].lower()])


class RateLimiter:
    """Counts the requests of each key against one limit; threads may share it."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        """`clock` returns seconds from any fixed point."""
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_for(self, key: str) -> float:
        """Take a request of `key`: return 0 where it is granted, else the seconds until one will be."""
        rate = self._limit.requests / self._limit.seconds
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.get(key, (float(self._limit.requests), now))
            tokens = min(tokens + max(now - then, 0.0) * rate, float(self._limit.requests))
            granted = tokens >= 1.0
            self._buckets[key] = (tokens - 1.0 if granted else tokens, now)
        return 0.0 if granted else (1.0 - tokens) / rate

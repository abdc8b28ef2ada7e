"""What passes through the gateway, counted; any thread may look at it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper ends, inclusive, of the buckets that durations are counted in; the last bucket has none. In seconds."""

KNOWN_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
OTHER = "other"
"""What other methods are counted as: clients may make up as many as they like."""


class TrafficCounts:
    """Counts since the start. Written by one thread; a reader may see one request in one count and not yet in another.

    `requests` are by method and status; `durations` by method, status class and bucket; `seconds` is the sum of them
    by method and status class. `upstream_faults` are by their kind: refused, timeout, broken.
    """

    def __init__(self) -> None:
        self.running = 0
        self.connections = 0
        self.requests: Counter[tuple[str, int]] = Counter()
        self.durations: Counter[tuple[str, str, int]] = Counter()
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.upstream_faults: Counter[str] = Counter()

    def ended(self, method: str, status: int, seconds: float) -> None:
        """Take note of a request that was answered, or broke off."""
        name = method if method in KNOWN_METHODS else OTHER
        group = f"{status // 100}xx"
        self.requests[name, status] += 1
        self.durations[name, group, bisect_left(BOUNDS, seconds)] += 1
        self.seconds[name, group] += seconds

    def upstream_failed(self, kind: str) -> None:
        """Take note that the upstream did not answer."""
        self.upstream_faults[kind] += 1

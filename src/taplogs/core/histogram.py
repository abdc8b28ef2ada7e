"""Latencies in classes that double or so: 1, 2, 5, 10, 20, 50 … milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

from msgspec import Struct


class Bin(Struct, frozen=True):
    """How many requests took from `low` up to, but not including, `high` milliseconds."""

    low: int
    high: int
    requests: int


def histogram(latencies: Iterable[tuple[int, int]]) -> list[Bin]:
    """Return the bins from the first that holds a latency to the last one; `latencies`: milliseconds, how many."""
    latencies = list(latencies)
    if not latencies:
        return []
    longest = max(latency for latency, _ in latencies)
    edges = [0]
    for power in count():
        edges += [step * 10**power for step in (1, 2, 5)]
        if edges[-1] > longest:
            break
    requests = [0] * len(edges)
    for latency, number in latencies:
        requests[bisect_right(edges, latency) - 1] += number
    bins = [Bin(low, high, number) for low, high, number in zip(edges, edges[1:], requests, strict=False)]
    held = [index for index, item in enumerate(bins) if item.requests]
    return bins[held[0] : held[-1] + 1]

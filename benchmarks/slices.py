"""Slices: how much sooner a listing is complete where several pages are on their way at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from environments import Environments
from figure import Figure, Target
from measure import result_of
from servers import filled_store, late_backend

_ROUNDS = 3
_ENTRIES = 80_000
_MILLISECONDS = 50
_SLICES = 4


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield how many times as fast four slices are as one, at 50 ms a page, and in how much memory."""
    store = filled_store(environments, scratch, _ENTRIES)
    times: dict[int, list[float]] = {1: [], _SLICES: []}
    peak = 0
    with late_backend(environments, store, _MILLISECONDS) as url:
        for _ in range(rounds or _ROUNDS):
            for parallel, seconds in times.items():
                pulled = result_of(environments.script("pull_pages.py", url, str(parallel), str(_ENTRIES)))
                seconds.append(pulled["seconds"])
                peak = max(peak, pulled["peak_bytes"])
    one, several = (median(seconds) for seconds in times.values())
    measured = f"{one:.2f} s against {several:.2f} s, {_ENTRIES:,} entries, {_MILLISECONDS} ms a page"
    yield Figure(f"{_SLICES} slices, as fast as one", one / several, "×", measured, Target(3.5, at_least=True))
    yield Figure("memory of that", peak / 1e6, "MB", "the most resident of all rounds", Target(60))

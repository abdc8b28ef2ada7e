"""Counting: a million stored entries by the fold and in SQL, and a backend's against merely pulling them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from environments import Environments
from figure import Figure, Target
from measure import in_turns, result_of
from servers import filled_store, reference_backend

_ROUNDS = 5
_STORED = 1_000_000
_PULLED = 200_000
_SLICES = 4


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield what `stats --by endpoint` costs."""
    yield from _in_a_store(environments, scratch, rounds or _ROUNDS)
    yield from _over_http(environments, scratch, rounds or _ROUNDS)


def _in_a_store(environments: Environments, scratch: Path, rounds: int) -> Iterator[Figure]:
    store = filled_store(environments, scratch, _STORED)
    times: dict[str, list[float]] = {"fold": [], "sql": []}
    peaks = dict.fromkeys(times, 0)
    for _ in range(rounds):
        for way, seconds in times.items():
            counted = result_of(environments.script("fold_store.py", str(store), str(_STORED), way))
            seconds.append(counted["seconds"])
            peaks[way] = max(peaks[way], counted["peak_bytes"])
    folded, in_sql = (median(seconds) for seconds in times.values())
    what = f"{_STORED:,} entries by endpoint"
    yield Figure(f"{what}, by the fold", folded, "s", f"the best of {rounds}: {min(times['fold']):.2f} s", Target(3))
    yield Figure("memory of that", peaks["fold"] / 1e6, "MB", "the most resident of all rounds", Target(80))
    yield Figure("the store's own answer, against the fold", in_sql / folded, "×", f"{in_sql:.2f} s")


def _over_http(environments: Environments, scratch: Path, rounds: int) -> Iterator[Figure]:
    with reference_backend(environments, filled_store(environments, scratch, _PULLED)) as variables:
        url = variables["TAPLOGS_BASE_URL"]
        pull = environments.script("pull_pages.py", url, str(_SLICES), str(_PULLED), "summaries")
        commands = [
            environments.command("stats", "--by", "endpoint", "-o", "json", variables=variables),
            replace(pull, environ={**pull.environ, **variables}),
        ]
        counted, pulled = in_turns(commands, rounds)
    measured = f"{counted.seconds:.2f} s against {pulled.seconds:.2f} s, {_PULLED:,} entries"
    yield Figure("stats over HTTP, against a bare pull", counted.seconds / pulled.seconds, "×", measured, Target(1.3))
    yield Figure("memory of that stats", counted.peak_bytes / 1e6, "MB", "the most resident of all rounds", Target(80))

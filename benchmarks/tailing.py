"""Tailing: how long after the backend has an entry `tail` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from environments import Environments
from figure import Figure, Target
from measure import result_of
from servers import filled_store, reference_backend

_ENTRIES = 20_000
_SHOWN = 50
_INTERVAL = 1.0

_REQUEST = 0.1
"""What the request itself may take, and drawing, in intervals: a poll begins at most one interval after the last."""


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield the median and the worst time until an entry is shown, in intervals; `rounds` are the entries."""
    store = filled_store(environments, scratch, _ENTRIES)
    shown = rounds or _SHOWN
    with reference_backend(environments, store) as variables:
        command = environments.script("time_tail.py", str(store), str(_INTERVAL), str(shown))
        seconds = result_of(replace(command, environ={**command.environ, **variables}))
    measured = f"{median(seconds):.2f} s, {max(seconds):.2f} s at worst, {shown} entries, a poll every {_INTERVAL:g} s"
    yield Figure(
        "tail shows an entry after", median(seconds) / _INTERVAL, "intervals", measured, Target(0.5 + _REQUEST)
    )
    yield Figure("… at worst", max(seconds) / _INTERVAL, "intervals", "", Target(1 + _REQUEST))

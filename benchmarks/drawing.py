"""Drawing: a long table against the same entries written as plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from environments import Environments
from figure import Figure, Target
from measure import result_of

_ROUNDS = 7
_ROWS = 20_000


def figures(environments: Environments, _scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield what a row of a table costs beyond a plain line."""
    times = result_of(environments.script("draw_rows.py", str(_ROWS), str(rounds or _ROUNDS)))
    table, plain = (times[name] / _ROWS * 1e6 for name in ("table", "plain"))
    measured = f"{table:.1f} µs against {plain:.1f} µs, {_ROWS:,} rows, 120 columns, colour"
    yield Figure("a row of a table, beyond a plain line", table - plain, "µs", measured, Target(10))

"""Groups in the order they are read in: the most first, what changed most first, or along time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from taplogs.core.comparison import Mark
from taplogs.core.dimensions import Dimension, Group, in_order
from taplogs.core.stats import Figures
from taplogs.errors import chosen

Measure = Callable[[Figures], float | None]

MEASURES: dict[str, Measure] = {
    "count": lambda figures: figures.requests,
    "errors": lambda figures: figures.error_rate,
    "p50": lambda figures: figures.percentile(50),
    "p90": lambda figures: figures.percentile(90),
    "p95": lambda figures: figures.percentile(95),
    "p99": lambda figures: figures.percentile(99),
    "max": lambda figures: figures.longest,
}
_TELLING = 20
"""Of fewer requests the p95 is one of the slowest two: not worth a headline."""

_KEY = "key"
SORTS = (*MEASURES, _KEY)


class Ranked(Struct, frozen=True):
    """One group, and what it was in the window that is compared with: None without comparison."""

    group: Group
    figures: Figures
    before: Figures | None = None

    @property
    def mark(self) -> Mark | None:
        """Whether the group is new or has vanished."""
        if self.before is None or (self.before.requests and self.figures.requests):
            return None
        return Mark.NEW if self.figures.requests else Mark.VANISHED


def sort_for(text: str | None, dimensions: Sequence[Dimension], *, is_comparison: bool) -> str:
    """Return how to sort: as `text` says, else time along time, the rest by count; raises UsageError."""
    if text is None:
        return _KEY if all(dimension.is_time for dimension in dimensions) and not is_comparison else "count"
    return chosen("--sort", text, SORTS)


def ranked(groups: Mapping[Group, Figures], sort: str) -> list[Ranked]:
    """Return the groups sorted by a measure, the greatest first, or by their keys; unknown values come last."""
    rows = [Ranked(group, groups[group]) for group in in_order(groups)]
    return rows if sort == _KEY else _descending(rows, lambda row: MEASURES[sort](row.figures))


def compared(groups: Mapping[Group, Figures], before: Mapping[Group, Figures], sort: str, scale: float) -> list[Ranked]:
    """Return the groups of both windows, those whose measure changed most first.

    `scale` is what a count of the window before is to be multiplied with, where the two differ in length.
    """
    nothing = Figures()
    rows = [
        Ranked(group, groups.get(group, nothing), before.get(group, nothing))
        for group in in_order({**groups, **before})
    ]
    if sort == _KEY:
        return rows
    measure = MEASURES[sort]

    def change(row: Ranked) -> float:
        was = (measure(row.before) if row.before else None) or 0
        return abs((measure(row.figures) or 0) - was * (scale if sort == "count" else 1))

    return _descending(rows, change)


def slowest(groups: Mapping[Group, Figures]) -> Ranked | None:
    """Return the group with the greatest p95 of those with 20 requests or more, if any has; None without latencies."""
    timed = {group: figures for group, figures in groups.items() if figures.timed}
    telling = {group: figures for group, figures in timed.items() if figures.timed >= _TELLING}
    return next(iter(ranked(telling or timed, "p95")), None)


def _descending(rows: list[Ranked], value: Callable[[Ranked], float | None]) -> list[Ranked]:
    def key(row: Ranked) -> tuple[bool, float]:
        number = value(row)
        return number is None, -(number or 0)

    return sorted(rows, key=key)

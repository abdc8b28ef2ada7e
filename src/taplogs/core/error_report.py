"""What is told of groups of errors: which are shown, how large a part each is, and when its errors were."""

from __future__ import annotations

from collections import Counter

from taplogs.core.buckets import even_buckets
from taplogs.core.comparison import Mark
from taplogs.core.error_comparison import RankedGroup, compared_groups, ranked_groups, sorted_groups
from taplogs.core.error_groups import ErrorGroups, ErrorKey
from taplogs.core.timespan import Window


class Trends:
    """The errors of groups in equal parts of a window: as many as asked for, or as finely as their times are known."""

    def __init__(self, groups: ErrorGroups, window: Window, parts: int) -> None:
        """`window` has two bounds."""
        self._groups = groups
        self.parts = max(1, min(parts, window.length // groups.timeline.step))
        *self.starts, end = even_buckets(window, self.parts)
        # An error is counted at the beginning of its step: what is before the window is rounded, not from outside.
        self._counts = groups.timeline.spread(["", *self.starts[1:], end])

    def of(self, key: ErrorKey) -> list[int]:
        """Return how many errors a group has in each part; none at all where the window has none of them."""
        group = self._groups.get(key)
        return [counts[group.number] for counts in self._counts] if group else [0] * self.parts


class ErrorReport:
    """Groups in their order, of a window with two bounds, and beside an earlier one where there is one."""

    def __init__(
        self,
        groups: ErrorGroups,
        window: Window,
        earlier: ErrorGroups | None = None,
        earlier_window: Window | None = None,
        *,
        order: str = "count",
        top: int | None = None,
    ) -> None:
        """`order` is one of `SORTS`. `top`: how many groups are shown, and of the vanished ones as many once more."""
        self.groups, self.window = groups, window
        self.earlier, self.earlier_window = earlier, earlier_window
        self._factor = window.length / earlier_window.length if earlier_window else 1.0
        ranked = compared_groups(groups, earlier, self._factor) if earlier else ranked_groups(groups)
        vanished = [item for item in ranked if item.mark is Mark.VANISHED]
        present = [item for item in ranked if item.mark is not Mark.VANISHED]
        self.shown = [item for part in (present, vanished) for item in sorted_groups(part, order)[: top or None]]
        self.hidden = len(ranked) - len(self.shown)
        self.marks = Counter(item.mark for item in ranked if item.mark)

    @property
    def change(self) -> float | None:
        """By which part of itself the rate of all errors has changed; None if unknown."""
        expected = self.earlier.total * self._factor if self.earlier else 0
        return self.groups.total / expected - 1 if expected else None

    def share(self, item: RankedGroup) -> float | None:
        """Return which part of all errors of the window a group is; None without errors."""
        return item.count / self.groups.total if self.groups.total else None

"""Groups of errors beside those of another window: which are new, grown, shrunk or vanished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.comparison import Mark
from taplogs.core.error_groups import ErrorGroup, ErrorGroups

LEAST_DIFFERENCE = 10
"""How many errors more or less than at the earlier rate there are to be for a group to have grown or shrunk."""

LEAST_FACTOR = 2.0
"""How many times the earlier rate is growth; its inverse is shrinking."""


class RankedGroup(Struct, frozen=True):
    """A group as it is reported: `count` in the window, `before` in the earlier one (None where none was read).

    `expected` is the count that the earlier rate would have given in the time of the window.
    """

    group: ErrorGroup
    count: int
    before: int | None = None
    expected: float = 0.0
    mark: Mark | None = None

    @property
    def change(self) -> float | None:
        """By which part of itself the rate has changed: 1.0 is twice as many, -1.0 none any more; None if unknown."""
        return self.count / self.expected - 1 if self.before else None


def ranked_groups(groups: ErrorGroups) -> list[RankedGroup]:
    """Return the groups of one window."""
    return [RankedGroup(group, group.count) for group in groups.groups]


def compared_groups(groups: ErrorGroups, earlier: ErrorGroups, factor: float) -> list[RankedGroup]:
    """Return the groups of a window marked by what they were earlier, and those that have vanished.

    `factor`: how many times as long as the earlier window this one is. Where a window has more groups than are told
    apart, one that is missing may be among the others: then nothing is called vanished, or new.
    """
    counted = {group.key: group.count for group in earlier.groups}
    compared = [_compared(group, counted.get(group.key, 0), factor) for group in groups.groups]
    if earlier.overflowed:
        compared = [replace(item, mark=None) if item.mark is Mark.NEW else item for item in compared]
    vanished = [] if groups.overflowed else [group for group in earlier.groups if groups.get(group.key) is None]
    return compared + [RankedGroup(group, 0, group.count, group.count * factor, Mark.VANISHED) for group in vanished]


def _compared(group: ErrorGroup, before: int, factor: float) -> RankedGroup:
    expected = before * factor
    return RankedGroup(group, group.count, before, expected, _mark(group.count, before, expected))


def _mark(count: int, before: int, expected: float) -> Mark | None:
    if before == 0:
        return Mark.NEW
    if count >= LEAST_FACTOR * expected and count - expected >= LEAST_DIFFERENCE:
        return Mark.GROWN
    if count * LEAST_FACTOR <= expected and expected - count >= LEAST_DIFFERENCE:
        return Mark.SHRUNK
    return None


_KEYS: dict[str, Callable[[RankedGroup], Any]] = {
    "count": lambda item: item.count,
    "last": lambda item: item.group.last,
    "first": lambda item: item.group.first,
    "clients": lambda item: len(item.group.clients),
    "change": lambda item: (item.mark in (Mark.NEW, Mark.GROWN), abs(item.count - item.expected)),
}
SORTS = tuple(_KEYS)
"""The orders of groups: most errors, latest, earliest, most clients; new and grown ones, by how many errors more."""


def sorted_groups(ranked: Sequence[RankedGroup], order: str) -> list[RankedGroup]:
    """Return groups in one of `SORTS`; the ones that have vanished come last."""
    result = sorted(ranked, key=lambda item: item.group.key)
    result.sort(key=lambda item: (item.count, item.group.last), reverse=True)
    result.sort(key=_KEYS[order], reverse=order != "first")
    return sorted(result, key=lambda item: item.mark is Mark.VANISHED)


def new_groups(groups: ErrorGroups, earlier: ErrorGroups) -> list[ErrorGroup]:
    """Return the groups of a window that an earlier one has none of, the most errors first."""
    new = [item for item in compared_groups(groups, earlier, 1.0) if not item.before and item.count]
    return [item.group for item in sorted_groups(new, "count")]

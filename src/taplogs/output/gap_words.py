"""What is missing of a window, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from taplogs.core.gap import Gap

_MOST_TOLD = 2


def gap_words(gaps: Sequence[Gap], shown: Callable[[str], str] = str) -> str:
    """Return what is missing and why: the first gaps, and how many more there are.

    `shown` makes words of a canonical timestamp.
    """
    parts = [f"{gap.reason}{_from(gap, shown)} until {shown(gap.until)}" for gap in gaps[:_MOST_TOLD]]
    more = len(gaps) - _MOST_TOLD
    return "; ".join(parts) + (f"; and {more:,} more" if more > 0 else "")


def _from(gap: Gap, shown: Callable[[str], str]) -> str:
    return f" from {shown(gap.since)}" if gap.since else ""

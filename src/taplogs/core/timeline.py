"""Entries counted over time, in memory that is bounded by the length of the time, or by a number.

Counts are kept by the second while all entries lie within two hours, by the minute within ten days, by the quarter of
an hour beyond: every zone's days and hours begin on a quarter. Where that would be more counts than a given number,
they are kept by the day, by two days, by four and so on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from datetime import date, timedelta
from typing import Generic, TypeVar

from taplogs.core.timestamp import parse_timestamp

Kind = TypeVar("Kind", bound=Hashable)

_SECOND, _MINUTE, _QUARTER, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(minutes=15), timedelta(days=1)
_PREFIXES = {_SECOND: 19, _MINUTE: 16, _QUARTER: 16}
_DAY_PREFIX = 10
_COARSER = {_SECOND: _MINUTE, _MINUTE: _QUARTER, _QUARTER: _DAY}
_LONGEST = timedelta(days=2**22)
"""More than the calendar has."""
_BY_SECOND_UP_TO = timedelta(hours=2)
_BY_MINUTE_UP_TO = timedelta(days=10)
_QUARTERS = ("00", "15", "30", "45")
_BEGINNING = "0001-01-01T00:00:00.000Z"
"""Completes the beginning of a timestamp to the first moment that begins so."""


class Timeline(Generic[Kind]):
    """How many entries of each kind there were, second by second or coarser. A kind is anything with a hash."""

    def __init__(self, most_counts: int | None = None) -> None:
        """`most_counts`: how many are kept before time is told less finely; None where there are few kinds."""
        self._counts: Counter[tuple[str, Kind]] = Counter()
        self._most_counts = most_counts
        self.step = _SECOND
        """How finely entries are told apart."""
        self.first: str | None = None
        self.last: str | None = None

    def add(self, timestamps: Sequence[str], kinds: Iterable[Kind]) -> None:
        """Count entries: their canonical timestamps and, in the same order, their kinds."""
        if timestamps:
            self.reach(min(timestamps), max(timestamps))
            size = self.prefix
            counts = Counter(zip([text[:size] for text in timestamps], kinds, strict=True))
            self.add_counts((text, kind, number) for (text, kind), number in counts.items())

    def add_counts(self, counts: Iterable[tuple[str, Kind, int]]) -> None:
        """Count what was counted elsewhere: by the first `prefix` characters of timestamps that were reached before."""
        for text, kind, number in counts:
            self._counts[self._beginning(text), kind] += number
        if self._most_counts is not None and len(self._counts) > self._most_counts and self.step < _LONGEST:
            self._coarsen(_COARSER.get(self.step, 2 * self.step))

    def reach(self, first: str, last: str) -> None:
        """Make sure that the timeline goes from `first` to `last`, and is coarse enough for that."""
        if self.first is None or self.last is None:
            self.first, self.last = first, last
        elif first >= self.first and last <= self.last:
            return
        self.first, self.last = min(first, self.first), max(last, self.last)
        span = parse_timestamp(self.last) - parse_timestamp(self.first)
        step = _SECOND if span <= _BY_SECOND_UP_TO else _MINUTE if span <= _BY_MINUTE_UP_TO else _QUARTER
        if step > self.step:
            self._coarsen(step)

    @property
    def prefix(self) -> int:
        """How many characters of a timestamp tell entries apart here."""
        return _PREFIXES.get(self.step, _DAY_PREFIX)

    def spread(self, boundaries: Sequence[str]) -> list[Counter[Kind]]:
        """Return the counts between each two `boundaries`, canonical timestamps, and nothing from outside."""
        buckets: list[Counter[Kind]] = [Counter() for _ in boundaries[1:]]
        for (text, kind), number in self._counts.items():
            index = bisect_right(boundaries, text + _BEGINNING[len(text) :]) - 1
            if 0 <= index < len(buckets):
                buckets[index][kind] += number
        return buckets

    def _coarsen(self, step: timedelta) -> None:
        self.step = step
        counts, self._counts = self._counts, Counter()
        size = self.prefix
        self.add_counts((text[:size], kind, number) for (text, kind), number in counts.items())

    def _beginning(self, text: str) -> str:
        """Return what the step begins with that `prefix` characters of a timestamp lie in."""
        if self.step < _QUARTER:
            return text
        if self.step == _QUARTER:
            return f"{text[:14]}{_QUARTERS[int(text[14:16]) // 15]}"
        ordinal = date.fromisoformat(text).toordinal()
        return date.fromordinal(max(1, ordinal - ordinal % self.step.days)).isoformat()

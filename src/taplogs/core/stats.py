"""Folds over entries: what is counted of them, and the figures that are made of the counts.

Latencies are whole milliseconds, so counting how often each occurs is enough for exact percentiles: by nearest rank,
the least one that at least so many percent of the known ones do not exceed. The memory goes with how many different
groups and latencies there are, not with how many entries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, islice
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.bounded_text import LONGEST, bounded_text
from taplogs.core.dimensions import Dimension, Group, Key
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.timeline import Timeline

OTHERS = "(others)"
"""The key of what was counted together because there were too many groups."""

MOST_COUNTS = 500_000
"""How many different combinations of group, status and latency are kept apart."""

_BATCH = 5000


class Grouping(Struct, frozen=True):
    """By which dimensions entries are counted (none: all together), and whether over time as well.

    `ends`: the timeline tells at least when the first and the last of them were.
    """

    dimensions: tuple[Dimension, ...] = ()
    timeline: bool = False
    ends: bool = False

    def query(self, query: LogQuery) -> LogQuery:
        """Return `query` for all entries to count, with what of them is counted."""
        fields = {"status_code", "latency_ms", *(dimension.field for dimension in self.dimensions)}
        if self.timeline or self.ends:
            fields.add("timestamp")
        return replace(query, limit=None, payloads=False, fields=frozenset(fields), any_order=True)


class Figures:
    """What is told of a number of entries: how they ended and how long they took."""

    def __init__(self, counts: Iterable[tuple[int, int | None, int]] = ()) -> None:
        """`counts`: status, latency in milliseconds or None, and how many entries had both."""
        self.requests = 0
        self.classes: Counter[int] = Counter()
        latencies: Counter[int] = Counter()
        for status, latency, number in counts:
            self.requests += number
            self.classes[status // 100] += number
            if latency is not None:
                latencies[latency] += number
        self.latencies = sorted(latencies.items())

    def ratio(self, *classes: int) -> float | None:
        """Return the share of the entries whose status begins with one of these digits; None without entries."""
        return sum(self.classes[digit] for digit in classes) / self.requests if self.requests else None

    @property
    def errors(self) -> int:
        """How many entries have a status of 4xx or 5xx."""
        return self.classes[4] + self.classes[5]

    @property
    def error_rate(self) -> float | None:
        """The share of 4xx and 5xx; None without entries."""
        return self.ratio(4, 5)

    @cached_property
    def _ranks(self) -> list[int]:
        return list(accumulate(number for _, number in self.latencies))

    @property
    def timed(self) -> int:
        """How many entries have a known latency."""
        return self._ranks[-1] if self._ranks else 0

    def percentile(self, percent: int) -> int | None:
        """Return the latency in milliseconds of that percentile by nearest rank; None where no latency is known."""
        if not self.timed:
            return None
        rank = -(-percent * self.timed // 100)
        return self.latencies[bisect_left(self._ranks, max(1, rank))][0]

    @property
    def longest(self) -> int | None:
        """The greatest latency in milliseconds; None where none is known."""
        return self.latencies[-1][0] if self.latencies else None


class Summary:
    """Entries counted by group, status and latency, and over time by status class.

    Strangers choose how many groups and latencies there are; the memory is bounded all the same. Beyond
    `MOST_COUNTS` latencies are rounded to two digits (`is_rounded`), and where that is not enough, the smaller half
    of the groups is counted as one, `OTHERS` (`is_merged`), then half of the rest, and so on.
    """

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping
        self.counts: Counter[tuple[Any, ...]] = Counter()
        self.timeline: Timeline[int] = Timeline()
        self.is_merged = False
        self.is_rounded = False
        self._total: Figures | None = None

    def add(self, entries: Sequence[LogEntry]) -> None:
        """Count entries."""
        statuses = [entry.status_code for entry in entries]
        fields = [map(attrgetter(dimension.field), entries) for dimension in self.grouping.dimensions]
        self.add_columns(fields, statuses, [entry.latency_ms for entry in entries])
        if self.grouping.timeline:
            self.timeline.add([entry.timestamp for entry in entries], [status // 100 for status in statuses])
        elif self.grouping.ends and entries:
            times = [entry.timestamp for entry in entries]
            self.timeline.reach(min(times), max(times))

    def add_columns(
        self, fields: Sequence[Iterable[Any]], statuses: Iterable[int], latencies: Iterable[int | None]
    ) -> None:
        """Count entries by group: the fields of the dimensions, statuses and latencies, each in the same order."""
        keys = [
            map(_bounded, values if dimension.key is None else map(dimension.key, values))
            for dimension, values in zip(self.grouping.dimensions, fields, strict=True)
        ]
        self.counts.update(zip(*keys, statuses, latencies, strict=True))
        self._stay_bounded()

    def add_counts(self, counts: Iterable[tuple[Any, ...]]) -> None:
        """Count what was counted elsewhere: the keys of a group, status, latency, and how many entries there are."""
        remaining = iter(counts)
        while batch := list(islice(remaining, _BATCH)):
            for *keys, status, latency, number in batch:
                self.counts[*map(_bounded, keys), status, latency] += number
            self._stay_bounded()

    def renamed(self, names: Mapping[int, Mapping[Key, Key]]) -> Summary:
        """Return the same counts under other keys; `names` says of some dimensions, by number, what a key becomes."""
        summary = Summary(self.grouping)
        summary.timeline = self.timeline
        summary.is_merged, summary.is_rounded = self.is_merged, self.is_rounded
        for (*keys, status, latency), number in self.counts.items():
            for place, renamed in names.items():
                keys[place] = renamed.get(keys[place], keys[place])
            summary.counts[*keys, status, latency] += number
        return summary

    @property
    def total(self) -> Figures:
        """The figures of all entries."""
        if self._total is None:
            self._total = Figures((*combination[-2:], number) for combination, number in self._final())
        return self._total

    def groups(self) -> dict[Group, Figures]:
        """Return the figures of each group."""
        counted: dict[Group, list[tuple[int, int | None, int]]] = {}
        for (*keys, status, latency), number in self._final():
            counted.setdefault(tuple(keys), []).append((status, latency, number))
        return {group: Figures(counts) for group, counts in counted.items()}

    def _final(self) -> Iterable[tuple[tuple[Any, ...], int]]:
        if self.is_rounded:
            self._recount()
        return self.counts.items()

    def _stay_bounded(self) -> None:
        self._total = None
        if len(self.counts) > MOST_COUNTS:
            self.is_rounded = True
            self._recount()
            while len(self.counts) > MOST_COUNTS // 2 and self._merge():
                self.is_merged = True

    def _merge(self) -> bool:
        """Count the smaller half of the groups as one; return whether there were any to be merged."""
        others = (OTHERS,) * len(self.grouping.dimensions)
        sizes: Counter[Group] = Counter()
        for (*keys, _, _), number in self.counts.items():
            sizes[tuple(keys)] += number
        sizes.pop(others, None)
        smaller = {group for group, _ in sizes.most_common()[len(sizes) // 2 :]}
        self._recount(lambda group: others if group in smaller else group)
        return bool(smaller)

    def _recount(self, group_of: Callable[[Group], Group] = lambda group: group) -> None:
        counts: Counter[tuple[Any, ...]] = Counter()
        for (*keys, status, latency), number in self.counts.items():
            counts[*group_of(tuple(keys)), status, _rounded(latency)] += number
        self.counts = counts


def fold(batches: Iterable[Sequence[LogEntry]], grouping: Grouping) -> Summary:
    """Return the entries of `batches` counted: how a summary is made where a source cannot make it itself."""
    summary = Summary(grouping)
    for batch in batches:
        summary.add(batch)
    return summary


def _bounded(key: Key) -> Key:
    return bounded_text(key) if isinstance(key, str) and len(key) > LONGEST else key


def _rounded(latency: int | None) -> int | None:
    return None if latency is None else int(float(f"{latency:.1e}"))

"""Roll-ups: entries counted by month, group and latency, and by quarter of an hour and status.

Counts add up and can be taken away again, so they stay exact, whatever is added and removed.
"""

from __future__ import annotations

import sqlite3
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from taplogs.sources.sqlite_damage import stored

ALL_TIME = 0
"""The month that stands for all of them."""

QUARTER = 900_000
"""A quarter of an hour in milliseconds."""

Group = tuple[int, int, int, int, int]
"""What entries are counted by: the codes of place and method, the status, the codes of client and company."""

_COLUMNS = "month, place, method, status, client, company"
_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST_HELD = 100_000
_MOST = 2**62
_SIZES = {"B": 2**8, "H": 2**16, "I": 2**32, "Q": 2**64}


class Tally:
    """Counts that are to be added to the roll-ups, or taken away from them; `flush` does so."""

    def __init__(self, connection: sqlite3.Connection, sign: int = 1) -> None:
        """`sign`: 1 to add, -1 to take away."""
        self._connection = connection
        self._sign = sign
        self._counts: Counter[tuple[int, Group, int | None]] = Counter()
        self._quarters: Counter[tuple[int, int]] = Counter()
        self._months = _MonthsOfDays()

    def count(self, moments: Sequence[int], groups: Iterable[Group], latencies: Iterable[int | None]) -> None:
        """Count entries: moments, groups and latencies in the same order."""
        months = self._months
        groups = list(groups)
        self._counts.update(zip([months[moment // _DAY] for moment in moments], groups, latencies, strict=True))
        statuses = [group[2] for group in groups]
        self._quarters.update(zip([moment // QUARTER for moment in moments], statuses, strict=True))
        if len(self._counts) + len(self._quarters) > _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Bring the roll-ups up to date."""
        changes: dict[tuple[int, Group], dict[int | None, int]] = {}
        for (month, group, latency), number in self._counts.items():
            for key in ((month, group), (ALL_TIME, group)):
                histogram = changes.setdefault(key, {})
                histogram[latency] = histogram.get(latency, 0) + self._sign * number
        for (month, group), histogram in sorted(changes.items()):
            _change(self._connection, (month, *group), histogram)
        self._connection.executemany(
            "INSERT INTO quarters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
            [(*key, self._sign * number) for key, number in sorted(self._quarters.items())],
        )
        if self._sign < 0:
            self._connection.execute("DELETE FROM quarters WHERE number = 0")
        self._counts.clear()
        self._quarters.clear()


def _change(connection: sqlite3.Connection, key: tuple[int, ...], histogram: Mapping[int | None, int]) -> None:
    row = connection.execute(
        f"SELECT number, latencies FROM counts WHERE ({_COLUMNS}) = (?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own columns
        key,
    ).fetchone()
    number = sum(histogram.values())
    merged = {latency: change for latency, change in histogram.items() if latency is not None}
    with stored("a roll-up"):
        if row:
            number += row[0]
            for latency, count in pairs_of(row[1]):
                merged[latency] = merged.get(latency, 0) + count
        if not 0 <= number < _MOST:
            raise ValueError(f"it counts {number:,} entries")
        content = histogram_of({latency: count for latency, count in merged.items() if count})
    if number:
        connection.execute("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*key, number, content))
    else:
        connection.execute(f"DELETE FROM counts WHERE ({_COLUMNS}) = (?, ?, ?, ?, ?, ?)", key)  # noqa: S608 - our own columns


def histogram_of(counts: Mapping[int, int]) -> bytes:
    """Return how often each latency occurs: two type codes, the steps from each latency to the next, the counts."""
    if not counts:
        return b""
    latencies = sorted(counts)
    steps = [latencies[0], *(high - low for low, high in pairwise(latencies))]
    codes, contents = zip(*map(_packed, (steps, [counts[latency] for latency in latencies])), strict=True)
    return "".join(codes).encode("ascii") + b"".join(contents)


def pairs_of(histogram: bytes) -> Iterator[tuple[int, int]]:
    """Return each latency with how often it occurs; raises sqlite3.DatabaseError where the content is damaged."""
    if not histogram:
        return iter(())
    with stored("a roll-up"):
        steps, counts = (array(code) for code in histogram[:2].decode("ascii") if code in _SIZES)
        number = (len(histogram) - 2) // (steps.itemsize + counts.itemsize)
        steps.frombytes(histogram[2 : 2 + number * steps.itemsize])
        counts.frombytes(histogram[2 + number * steps.itemsize :])
        if len(steps) != len(counts):
            raise ValueError("it has not as many counts as latencies")
    if sys.byteorder == "big":
        steps.byteswap()
        counts.byteswap()
    return zip(accumulate(steps), counts, strict=True)


def _packed(numbers: list[int]) -> tuple[str, bytes]:
    most = max(numbers)
    code = next(code for code, size in _SIZES.items() if most < size)
    packed = array(code, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return code, packed.tobytes()


def month_of(moment: int) -> int:
    """Return the number of a month: twelve times the year, and 1 for January."""
    instant = _EPOCH + moment * _MILLISECOND
    return instant.year * 12 + instant.month


def start_of(month: int) -> int:
    """Return the moment at which a month begins."""
    year, index = divmod(month - 1, 12)
    if year > 9999:
        return (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND + 1
    return (datetime(year, index + 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND


class _MonthsOfDays(dict[int, int]):
    def __missing__(self, day: int) -> int:
        month = self[day] = month_of(day * _DAY)
        return month

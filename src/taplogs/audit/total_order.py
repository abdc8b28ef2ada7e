"""The total order of records: by timestamp, then id, each key once, whatever a backend does within one timestamp."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from operator import attrgetter, lt

from taplogs.audit.manifest import Key
from taplogs.core.entry import LogEntry
from taplogs.errors import BackendError

_MOST_HELD = 20_000
"""So many entries of one timestamp are sorted; those beyond have to come in order, so that memory stays bounded."""

_HINT = "the contract asks for the order (timestamp, id) with 'order=asc'; without it no complete export can be told"

_key = attrgetter("timestamp", "id")
_timestamp = attrgetter("timestamp")


class TotalOrder:
    """Puts batches, oldest first, into strictly ascending order of (timestamp, id).

    The entries of the last timestamp are held back until a later one comes: what is given out ends with all entries
    of its timestamp, however the backend mixes those. `duplicates` counts the entries whose key came twice.
    """

    def __init__(self, after: Key | None = None, most_held: int = _MOST_HELD) -> None:
        """`after`: entries up to this key, and this one, were given out by an earlier run, and are left out."""
        self.duplicates = 0
        self._most_held = most_held
        self._given = (after.timestamp, after.id) if after else ("", "")
        self._earlier_run = after is not None
        self._held: list[LogEntry] = []

    def sort(self, batches: Iterable[list[LogEntry]]) -> Iterator[list[LogEntry]]:
        """Yield batches, none empty, strictly ascending; raises BackendError where time goes backwards."""
        for batch in batches:
            if ready := self._ready(batch):
                yield ready
        if self._held:
            yield self._held
            self._held = []

    def _ready(self, batch: list[LogEntry]) -> list[LogEntry]:
        """Return what can be given out now that `batch` has come."""
        if self._earlier_run:
            batch = self._left_by_earlier_run(batch)
        if not batch:
            return batch
        entries = self._held + batch
        times = list(map(_timestamp, entries))
        if all(map(lt, times, islice(times, 1, None))) and times[0] > self._given[0]:  # as most batches are
            self._held = entries[-1:]
            self._given = _key(entries[-2]) if len(entries) > 1 else self._given
            return entries[:-1]
        keys = list(map(_key, entries))
        if not all(map(lt, keys, islice(keys, 1, None))):
            entries = self._sorted(entries, keys)
            keys = list(map(_key, entries))
        if keys[0] <= self._given:
            entries = self._beyond_given(entries)
            if not entries:
                return entries
            keys = list(map(_key, entries))
        ready = bisect_left(keys, (keys[-1][0], ""))
        if len(keys) - ready > self._most_held:
            ready = len(keys)
        self._held = entries[ready:]
        if ready:
            self._given = keys[ready - 1]
        return entries[:ready]

    def _left_by_earlier_run(self, batch: list[LogEntry]) -> list[LogEntry]:
        """Return what the earlier run did not give out; as soon as time has passed its last entry, that is all."""
        if batch and batch[-1].timestamp > self._given[0]:
            self._earlier_run = False
        return [entry for entry in batch if _key(entry) > self._given]

    def _sorted(self, entries: list[LogEntry], keys: list[tuple[str, str]]) -> list[LogEntry]:
        for before, after in pairwise(keys):
            if after[0] < before[0]:
                raise _backwards(before, after)
        by_key = dict(zip(reversed(keys), reversed(entries), strict=True))  # of two with one key the first stays
        self.duplicates += len(entries) - len(by_key)
        return [by_key[key] for key in sorted(by_key)]

    def _beyond_given(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Return the entries after the last one given out, which may come again but must not be gone behind."""
        if _key(entries[0]) < self._given:
            raise _backwards(self._given, _key(entries[0]))
        self.duplicates += 1
        return entries[1:]


def _backwards(before: tuple[str, str], after: tuple[str, str]) -> BackendError:
    return BackendError(
        f"the backend's entries are out of order: {after[1]!r} ({after[0]}) comes after {before[1]!r} ({before[0]})",
        _HINT,
    )

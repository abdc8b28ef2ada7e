"""A source whose entries are redacted before anybody sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from taplogs.core.bounded_text import LONGEST_WHOLE
from taplogs.core.entry import NULL, LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.redact import Redactor
from taplogs.sources.protocol import LogSource

if TYPE_CHECKING:
    from taplogs.core.dimensions import Dimension, Key
    from taplogs.core.stats import Grouping, Summary

_REDACTED: dict[str, Any] = {
    "request_payload": NULL,
    "response_payload": NULL,
    "request_url": "",
    "method": "",
    "ip_address": None,
    "user_agent": None,
    "client_id": None,
    "company_id": None,
}
"""The attributes of entries that a profile may change, and what they are where there is nothing."""

_ANY_HOST = "https://host"
_NOTHING = LogEntry(id="", timestamp="", method="", request_url="", status_code=0)

_PAYLOADS = frozenset({"request_payload", "response_payload"})
_MOST_REMEMBERED = 5_000_000
"""So many characters, each text counted as at least so many as it takes to hold one."""

_LEAST_COUNTED = 100


class RedactedSource:
    """Another source, its entries redacted.

    Filters look at what was sent, not at what is shown: who filters for a value finds its entries and does not see it.
    """

    def __init__(self, source: LogSource, redactor: Redactor) -> None:
        """`source` is closed with this one."""
        self._source = source
        self._redactor = redactor

    def search(self, query: LogQuery) -> Iterator[LogEntry]:
        """Yield the entries that match, in the query's order, at most `query.limit` of them."""
        for batch in self.batches(query):
            yield from batch

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        """Yield the same entries in lists, each as soon as the source has it; a list may be empty."""
        redact_all = self._redaction_of(query)
        for batch in self._source.batches(query):
            yield redact_all(batch)

    def _redaction_of(self, query: LogQuery) -> Callable[[list[LogEntry]], list[LogEntry]]:
        """Return what redacts entries as far as the reader of `query` looks at them."""
        if query.fields is None and query.payloads:
            return self._redactor.redact_all
        read = _REDACTED.keys() - _PAYLOADS if query.fields is None else _REDACTED.keys() & query.fields
        if not read:
            return lambda batch: batch
        unread = {name: nothing for name, nothing in _REDACTED.items() if name not in read}
        if query.fields is not None and read.isdisjoint(_PAYLOADS):
            return _FewFields(self._redactor, sorted(read), unread).redact_all
        return lambda batch: self._redactor.redact_all(_without(batch, unread))

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        return self._redactor.redact(self._source.get(entry_id))

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit, or None where only reading them all would tell."""
        return self._source.count(query)

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit: by what redaction leaves of them.

        The source counts by what was sent, as quickly as it can; the keys of the groups are redacted then. Of a key
        that was cut, nobody can tell what stood in the rest.
        """
        summary = self._source.summarise(query, grouping)
        hidden = [number for number, part in enumerate(grouping.dimensions) if part.field in _REDACTED]
        if not hidden:
            return summary
        keys = {number: {counted[number] for counted in summary.counts} for number in hidden}
        if any(isinstance(key, str) and len(key) > LONGEST_WHOLE for several in keys.values() for key in several):
            from taplogs.core.stats import fold

            return fold(self.batches(grouping.query(query)), grouping)
        return summary.renamed(
            {number: self._redacted_keys(grouping.dimensions[number], keys[number]) for number in hidden}
        )

    def _redacted_keys(self, dimension: Dimension, keys: set[Key]) -> dict[Key, Key]:
        """Return what redaction leaves of each key that is a text."""
        from taplogs.core.stats import OTHERS

        texts = [key for key in keys if isinstance(key, str) and key != OTHERS]
        # A path alone could be taken for a host: //jobs
        place = _ANY_HOST if dimension.field == "request_url" else ""
        entries = self._redactor.redact_all(
            [replace(_NOTHING, **{dimension.field: place + text if text.startswith("/") else text}) for text in texts]
        )
        left = [getattr(entry, dimension.field) for entry in entries]
        return dict(zip(texts, map(dimension.key, left) if dimension.key else left, strict=True))

    def now(self) -> datetime:
        """Return what time it is at the source, aware, in UTC."""
        return self._source.now()

    @property
    def tells_time(self) -> bool:
        """Whether `now`, once it was asked, goes by a clock of the source's own."""
        return self._source.tells_time

    def close(self) -> None:
        """Release connections and files."""
        self._source.close()


class _FewFields:
    """Redacts the fields of entries that are read to be counted. Many entries hold the same: that is redacted once."""

    def __init__(self, redactor: Redactor, fields: Sequence[str], unread: dict[str, Any]) -> None:
        """`fields` are those that are read, `unread` are all others that a profile may change."""
        self._redactor = redactor
        self._fields = fields
        self._unread = unread
        self._held = attrgetter(*fields)
        self._changes: dict[Any, dict[str, Any] | None] = {}
        self._remembered = 0

    def redact_all(self, batch: list[LogEntry]) -> list[LogEntry]:
        """Return all entries, redacted where it is looked at, in their order."""
        held = list(map(self._held, batch))
        if not self._changes.keys() >= set(held):
            self._learn(dict(zip(held, batch, strict=True)))
        changes = map(self._changes.__getitem__, held)
        return [replace(entry, **change) if change else entry for entry, change in zip(batch, changes, strict=True)]

    def _learn(self, examples: dict[Any, LogEntry]) -> None:
        if self._remembered > _MOST_REMEMBERED:
            self._changes.clear()
            self._remembered = 0
        new = {held: entry for held, entry in examples.items() if held not in self._changes}
        entries = self._redactor.redact_all(_without(list(new.values()), self._unread))
        for held, entry in zip(new, entries, strict=True):
            self._remembered += sum(max(_LEAST_COUNTED, len(text)) for text in _texts(held))
            is_changed = self._held(entry) != held
            self._changes[held] = {name: getattr(entry, name) for name in self._fields} if is_changed else None


def _texts(held: Any) -> list[str]:
    """Return the texts of one field, or of several."""
    return [text or "" for text in (held if isinstance(held, tuple) else (held,))]


def _without(batch: list[LogEntry], unread: dict[str, Any]) -> list[LogEntry]:
    """Return entries without what nobody looks at: a source may have sent it all the same."""
    if any(getattr(entry, name) is not nothing for entry in batch for name, nothing in unread.items()):
        return [replace(entry, **unread) for entry in batch]
    return batch

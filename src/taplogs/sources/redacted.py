"""A source whose entries are redacted before anybody sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from taplogs.core.entry import NULL, LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.redact import Redactor
from taplogs.sources.protocol import LogSource

if TYPE_CHECKING:
    from taplogs.core.stats import Grouping, Summary

_REDACTED: dict[str, Any] = {
    "request_payload": NULL,
    "response_payload": NULL,
    "request_url": "",
    "ip_address": None,
    "user_agent": None,
    "client_id": None,
    "company_id": None,
}
"""The attributes of entries that a profile may change, and what they are where there is nothing."""


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
        unread = _unread(query)
        if len(unread) == len(_REDACTED):
            yield from self._source.batches(query)
            return
        for batch in self._source.batches(query):
            yield self._redactor.redact_all(_without(batch, unread) if unread else batch)

    def get(self, entry_id: str) -> LogEntry:
        """Return the entry with this id; raises EntryNotFound."""
        return self._redactor.redact(self._source.get(entry_id))

    def count(self, query: LogQuery) -> int | None:
        """Return how many entries match regardless of the limit, or None where only reading them all would tell."""
        return self._source.count(query)

    def summarise(self, query: LogQuery, grouping: Grouping) -> Summary:
        """Return all entries that match, counted, regardless of the limit: by what redaction leaves of them."""
        if not any(dimension.field in _REDACTED for dimension in grouping.dimensions):
            return self._source.summarise(query, grouping)
        from taplogs.core.stats import fold

        return fold(self.batches(grouping.query(query)), grouping)

    def now(self) -> datetime:
        """Return what time it is at the source, aware, in UTC."""
        return self._source.now()

    def close(self) -> None:
        """Release connections and files."""
        self._source.close()


def _unread(query: LogQuery) -> dict[str, Any]:
    """Return what need not be redacted because the reader of `query` does not look at it, and what empties it."""
    if query.fields is not None:
        return {name: nothing for name, nothing in _REDACTED.items() if name not in query.fields}
    return {} if query.payloads else {"request_payload": NULL, "response_payload": NULL}


def _without(batch: list[LogEntry], unread: dict[str, Any]) -> list[LogEntry]:
    """Return entries without what nobody looks at: a source may have sent it all the same."""
    if any(getattr(entry, name) is not nothing for entry in batch for name, nothing in unread.items()):
        return [replace(entry, **unread) for entry in batch]
    return batch

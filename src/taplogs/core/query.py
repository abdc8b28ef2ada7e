"""LogQuery: which entries are asked for, as data. Commands build one, sources answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property
from itertools import compress
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from taplogs.core.entry import LogEntry
from taplogs.core.filters import (
    ClientFilter,
    CompanyFilter,
    EndpointFilter,
    Filter,
    GrepFilter,
    IpFilter,
    LatencyFilter,
    MethodFilter,
    StatusFilter,
    UrlFilter,
    UserAgentFilter,
)
from taplogs.core.timespan import UNBOUNDED, Window

_timestamp = attrgetter("timestamp")


class Order(StrEnum):
    """The direction of the total order (timestamp, id)."""

    NEWEST_FIRST = "desc"
    OLDEST_FIRST = "asc"


class LogQuery(Struct, frozen=True, dict=True):
    """Filters combined with AND, a window, an order, and how many entries at most (None: all of them).

    `payloads` says whether the reader looks into the two payloads; without it a source may leave them out. Where
    `fields` names the only attributes of entries that it looks at, a source may leave all others empty. With
    `any_order` it only adds up: a source that has no order of its own need not sort.
    """

    window: Window = UNBOUNDED
    status: StatusFilter | None = None
    method: MethodFilter | None = None
    endpoint: EndpointFilter | None = None
    url: UrlFilter | None = None
    latency: LatencyFilter | None = None
    ip: IpFilter | None = None
    user_agent: UserAgentFilter | None = None
    client: ClientFilter | None = None
    company: CompanyFilter | None = None
    grep: GrepFilter | None = None
    order: Order = Order.NEWEST_FIRST
    limit: int | None = None
    payloads: bool = True
    fields: frozenset[str] | None = None
    any_order: bool = False

    @property
    def filters(self) -> Iterator[Filter]:
        """The filters that are set, cheap ones first."""
        values = (getattr(self, name) for name in self.__struct_fields__)
        return (value for value in values if isinstance(value, Filter))

    def matches(self, entry: LogEntry) -> bool:
        """Return whether `entry` passes every filter and lies within the window."""
        return self.window.contains(entry.timestamp) and all(check(entry) for check in self._checks)

    def select(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Return those of `entries` that match, in their order."""
        entries = self._within_window(entries)
        checks = self._checks
        if not checks:
            return entries
        if len(checks) == 1:
            return list(filter(checks[0], entries))
        return [entry for entry in entries if all(check(entry) for check in checks)]

    def _within_window(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Return the entries of the window; mostly all are, which two of them tell."""
        if self.window == UNBOUNDED or not entries:
            return entries
        contains = self.window.contains
        times = list(map(_timestamp, entries))
        if contains(min(times)) and contains(max(times)):
            return entries
        return list(compress(entries, map(contains, times)))

    @cached_property
    def _checks(self) -> list[Callable[[LogEntry], bool]]:
        return [filter_.matches for filter_ in self.filters]

    @property
    def needs_payloads(self) -> bool:
        """Whether answering needs the payloads: the reader wants them, or a filter looks into them."""
        return self.payloads or self.grep is not None

    def within(self, window: Window) -> LogQuery:
        """Return the same query over another window."""
        return replace(self, window=window)

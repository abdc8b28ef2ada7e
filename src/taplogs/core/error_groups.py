"""A fold over entries: repeated errors counted together, and retry storms found, in one pass and bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct

from taplogs.core.bounded_text import bounded_text
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.failure_reason import failure_reason
from taplogs.core.filters import StatusFilter, status_range
from taplogs.core.timeline import Timeline
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import UsageError

MOST_GROUPS = 10_000
"""How many groups are told apart; what comes beyond is counted together by its status."""

MOST_CLIENTS = 1000
"""How many clients of a group are told apart."""

STORM_REQUESTS = 10
"""The least number of same requests that is a retry storm."""

STORM_PAUSE = 300.0
"""The longest time between two requests of a retry storm, in seconds."""

OTHER = "{other}"
"""The message of the groups of what was beyond the bounds."""

HASH_LENGTH = 8

_MOST_CLIENTS_IN_ALL = 200_000
_MOST_BURSTS = 20_000
_MOST_MOMENTS = 200_000
_EXAMPLES = 3
_STORMS_KEPT = 3
_FIRST_ERROR, _LAST_ERROR = 400, 599


class ErrorKey(NamedTuple):
    """What the entries of a group have in common."""

    method: str
    endpoint: str
    status: int
    code: str
    message: str

    @property
    def hash(self) -> str:
        """The short name of the group: eight hexadecimal digits, the same in every run."""
        digest = blake2b(digest_size=HASH_LENGTH // 2)
        for field in self:
            text = str(field).encode("utf-8", "surrogatepass")
            digest.update(b"%d:%s" % (len(text), text))
        return digest.hexdigest()

    @property
    def is_other(self) -> bool:
        """Whether this is what was beyond the bounds: no entry alone has this key."""
        return self == _other_key(self.status)


class Client(NamedTuple):
    """Who sent requests: a client by its id, or where it has none by its address."""

    client_id: str | None
    ip_address: str | None

    @property
    def name(self) -> str:
        """The one of them that there is."""
        return self.client_id or self.ip_address or ""


class Storm(NamedTuple):
    """A client that sent the same request again and again; times are canonical, `example_id` is of the newest entry."""

    client: Client
    requests: int
    first: str
    last: str
    example_id: str

    @property
    def seconds(self) -> float:
        """How long it took from the first request to the last."""
        return (parse_timestamp(self.last) - parse_timestamp(self.first)).total_seconds()


class ErrorGroup(Struct):
    """Errors that are the same. `first` and `last` are canonical times, `example_ids` those of the newest entries.

    `clients`: how many entries each client caused. `more_clients`: there were more clients than are told apart.
    `storms` are the largest of `storm_count`, of which all together had `storm_requests`.
    """

    key: ErrorKey
    number: int
    first: str
    last: str
    count: int = 0
    clients: dict[Client, int] = {}
    more_clients: bool = False
    example_ids: list[str] = []
    storms: list[Storm] = []
    storm_count: int = 0
    storm_requests: int = 0

    def top_clients(self, number: int) -> list[tuple[Client, int]]:
        """Return the most affected clients, each with how many entries it caused."""
        return sorted(self.clients.items(), key=lambda item: (-item[1], item[0].name))[:number]


class _Burst(Struct):
    """A request that is being repeated, from its newest entry back to the oldest so far."""

    group: ErrorGroup
    client: Client
    example_id: str
    last: str
    first: str
    seconds: float
    requests: int = 1


class ErrorGroups:
    """The groups of entries that come newest first."""

    def __init__(self, templates: EndpointTemplates) -> None:
        """`templates` say which URLs are of the same endpoint."""
        self.total = 0
        self.overflowed = False
        """Whether there were more groups than are told apart."""
        self.timeline: Timeline[int] = Timeline(_MOST_MOMENTS)
        """When there were errors, by the number of their group."""
        self._groups: dict[ErrorKey, ErrorGroup] = {}
        self._templates = templates
        self._bursts: OrderedDict[int, _Burst] = OrderedDict()
        self._clients_left = _MOST_CLIENTS_IN_ALL
        self._minute = ""
        self._minute_seconds = 0.0

    @property
    def groups(self) -> Sequence[ErrorGroup]:
        """The groups, the one seen last first."""
        return list(self._groups.values())

    def get(self, key: ErrorKey) -> ErrorGroup | None:
        """Return the group with this key."""
        return self._groups.get(key)

    def add(self, entries: Iterable[LogEntry]) -> None:
        """Count those of `entries` that are errors; all of them are older than what was added before."""
        timestamps: list[str] = []
        numbers: list[int] = []
        for entry in entries:
            if _FIRST_ERROR <= entry.status_code <= _LAST_ERROR:
                group = self._group_of(entry)
                client = _client_of(entry)
                self._count(group, entry, client)
                if client:
                    self._follow(group, entry, client)
                timestamps.append(entry.timestamp)
                numbers.append(group.number)
        self.total += len(timestamps)
        self.timeline.add(timestamps, numbers)
        if timestamps:
            self._close_quiet(self._seconds(timestamps[-1]))

    def finish(self) -> ErrorGroups:
        """Take note that no more entries come, and return the groups."""
        while self._bursts:
            self._close(self._bursts.popitem(last=False)[1])
        return self

    def _group_of(self, entry: LogEntry) -> ErrorGroup:
        key = error_key(entry, self._templates)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                self.overflowed = True
                key = _other_key(entry.status_code)
                group = self._groups.get(key)
            if group is None:
                group = ErrorGroup(key, len(self._groups), entry.timestamp, entry.timestamp)
                self._groups[key] = group
        return group

    def _count(self, group: ErrorGroup, entry: LogEntry, client: Client | None) -> None:
        group.count += 1
        group.first, group.last = min(group.first, entry.timestamp), max(group.last, entry.timestamp)
        if len(group.example_ids) < _EXAMPLES:
            group.example_ids.append(entry.id)
        if not client:
            return
        if client in group.clients:
            group.clients[client] += 1
        elif len(group.clients) < MOST_CLIENTS and self._clients_left:
            group.clients[client] = 1
            self._clients_left -= 1
        else:
            group.more_clients = True

    def _follow(self, group: ErrorGroup, entry: LogEntry, client: Client) -> None:
        seconds = self._seconds(entry.timestamp)
        request = hash((group.number, client, entry.request_url, bytes(entry.request_payload)))
        burst = self._bursts.get(request)
        if burst is not None and burst.seconds - seconds <= STORM_PAUSE:
            burst.requests += 1
            burst.first = entry.timestamp
            burst.seconds = seconds
        else:
            if burst is not None:
                self._close(burst)
            burst = _Burst(group, client, entry.id, entry.timestamp, entry.timestamp, seconds)
            self._bursts[request] = burst
        self._bursts.move_to_end(request)

    def _close_quiet(self, seconds: float) -> None:
        """Close the bursts that have come to their beginning, and the quietest where there are too many."""
        while self._bursts:
            request, burst = next(iter(self._bursts.items()))
            if burst.seconds - seconds <= STORM_PAUSE and len(self._bursts) <= _MOST_BURSTS:
                return
            self._close(burst)
            del self._bursts[request]

    def _close(self, burst: _Burst) -> None:
        if burst.requests < STORM_REQUESTS:
            return
        group = burst.group
        group.storm_count += 1
        group.storm_requests += burst.requests
        group.storms.append(Storm(burst.client, burst.requests, burst.first, burst.last, burst.example_id))
        group.storms.sort(key=lambda storm: (storm.requests, storm.last), reverse=True)
        del group.storms[_STORMS_KEPT:]

    def _seconds(self, timestamp: str) -> float:
        minute = timestamp[:16]
        if minute != self._minute:
            self._minute, self._minute_seconds = minute, parse_timestamp(f"{minute}:00Z").timestamp()
        return self._minute_seconds + float(timestamp[17:23])


def _client_of(entry: LogEntry) -> Client | None:
    if entry.client_id:
        return Client(bounded_text(entry.client_id), None)
    return Client(None, bounded_text(entry.ip_address)) if entry.ip_address else None


def _other_key(status: int) -> ErrorKey:
    return ErrorKey("*", "*", status, "", OTHER)


def error_key(entry: LogEntry, templates: EndpointTemplates) -> ErrorKey:
    """Return the key of the group that an entry with an error belongs to."""
    code, message = failure_reason(entry)
    endpoint = bounded_text(templates.of_url(entry.request_url))
    return ErrorKey(bounded_text(entry.method), endpoint, entry.status_code, code, message)


def group_errors(batches: Iterable[list[LogEntry]], templates: EndpointTemplates) -> ErrorGroups:
    """Return the groups of the errors among entries that come newest first."""
    groups = ErrorGroups(templates)
    for batch in batches:
        groups.add(batch)
    return groups.finish()


def only_errors(status: StatusFilter | None) -> StatusFilter:
    """Return the part of a filter that errors can pass; raises UsageError where none can."""
    if status is None or not status.wanted:
        return StatusFilter(("error",), status.unwanted if status else ())
    wanted = [term for term in map(_errors_of, status.wanted) if term]
    if not wanted:
        raise UsageError(f"--status {status} holds no errors", "errors are 4xx and 5xx")
    return StatusFilter(tuple(dict.fromkeys(wanted)), status.unwanted)


def _errors_of(term: str) -> str | None:
    """Return the part of a status term that is errors, as a term; None where it has none."""
    low, high = status_range(term)
    first, last = max(low, _FIRST_ERROR), min(high, _LAST_ERROR)
    if first > last:
        return None
    return term if (first, last) == (low, high) else f"{first}-{last}"

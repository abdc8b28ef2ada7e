"""The demo's entries: two weeks of a Partner API in use, with incidents to be found.

Every UTC hour is made from a seed of its own. So the same hour always holds the same entries with the same ids,
whenever it is asked for, and entries that are added later never change those that were there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from random import Random

import msgspec
from msgspec import Raw

from taplogs.backend.envelope import envelope
from taplogs.backend.sample_calls import (
    BAD_PHONE,
    BULK_FETCH,
    CLIENTS,
    CREATE_CANDIDATE,
    ENDPOINTS,
    EXPIRED_KEY,
    INTERNAL,
    JOB_CANDIDATES,
    UNAVAILABLE,
    Client,
    Endpoint,
    Failure,
    Payload,
)
from taplogs.backend.sample_people import candidate, candidate_id, job_id
from taplogs.core.entry import NULL, LogEntry
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.sources.sqlite import SqliteStore

SEED = "taplogs demo 1"
"""Part of the demo's file name: change it with anything that changes the entries of an hour."""

DEMO_SIZE = 20_000
_BASE_URL = "https://partner-api.taptalent.io/v1/partner"
_HOUR = timedelta(hours=1)
_HOUR_MILLISECONDS = 3_600_000
_STALE_AFTER = timedelta(minutes=10)

_DAILY_RHYTHM = (14, 12, 11, 11, 13, 18, 30, 48, 66, 80, 84, 78, 66, 74, 84, 82, 72, 58, 44, 34, 28, 23, 19, 16)
"""Requests in each hour of a day (UTC), incidents not counted."""

_WEEKLY_RHYTHM = (1.1, 1.15, 1.1, 1.05, 0.95, 0.4, 0.35)
"""Monday to Sunday, as a factor on the daily rhythm."""

_ERROR_SHARE = 0.03
_UNKNOWN_LATENCY_SHARE = 0.006


@dataclass(frozen=True)
class _Call:
    """One request before it is written down: `offset` is in milliseconds from the start of the hour."""

    offset: int
    client: Client
    endpoint: Endpoint
    failure: Failure | None = None
    body: Payload | None = None
    latency: int | None = None


def sample_entries(since_hour: datetime, until: datetime) -> Iterator[LogEntry]:
    """Yield the demo's entries, oldest first, from the start of the hour of `since_hour` to `until`, both aware."""
    hour, last = _start_of_hour(since_hour), format_timestamp(until)
    while hour <= until:
        yield from (entry for entry in _entries_of(hour) if entry.timestamp <= last)
        hour += _HOUR


def fill_demo(store: SqliteStore, now: datetime, stale_after: timedelta = _STALE_AFTER) -> None:
    """Have `store` hold the newest 20,000 of the demo's entries up to `now`, unless its newest is younger than stale.

    Processes may do so at once: both add the same entries, and each is kept once.
    """
    newest = store.newest()
    if newest is not None and parse_timestamp(newest) > now - stale_after:
        return
    first_hour = _start_of_hour(parse_timestamp(newest)) if newest else None
    batches: list[list[LogEntry]] = []
    hour = _start_of_hour(now)
    while sum(map(len, batches)) < DEMO_SIZE and (first_hour is None or hour >= first_hour):
        batches.append(list(sample_entries(hour, min(now, hour + _HOUR - timedelta(milliseconds=1)))))
        hour -= _HOUR
    store.add(entry for batch in reversed(batches) for entry in batch)
    store.prune(DEMO_SIZE)


def _entries_of(hour: datetime) -> list[LogEntry]:
    rng = Random(f"{SEED} {hour:%Y-%m-%dT%H}")  # noqa: S311 - made to be repeated, not to be unpredictable
    calls = [*_background(rng, hour), *_incidents(rng, hour)]
    entries = [_entry(rng, hour, number, call) for number, call in enumerate(calls)]
    return sorted(entries, key=lambda entry: entry.sort_key)


def _background(rng: Random, hour: datetime) -> Iterator[_Call]:
    mean = _DAILY_RHYTHM[hour.hour] * _WEEKLY_RHYTHM[hour.weekday()]
    for _ in range(max(1, round(rng.gauss(mean, math.sqrt(mean))))):
        client = rng.choices(CLIENTS, [client.weight for client in CLIENTS])[0]
        endpoint = rng.choices(ENDPOINTS, [endpoint.weight for endpoint in ENDPOINTS])[0]
        failure = rng.choice(endpoint.failures) if rng.random() < _ERROR_SHARE else None
        yield _Call(rng.randrange(_HOUR_MILLISECONDS), client, endpoint, failure)


def _incidents(rng: Random, hour: datetime) -> Iterator[_Call]:
    """Each kind once a day, within three hours of the day, so that any two days hold all of them."""
    expired_key, loop, outage = _incident_hours(hour.date())
    if hour.hour == expired_key:
        yield from _expired_key(rng)
    elif hour.hour == loop:
        yield from _loop(rng)
    elif hour.hour == outage:
        yield from _outage(rng)


def _incident_hours(day: date) -> tuple[int, int, int]:
    rng = Random(f"{SEED} incidents {day}")  # noqa: S311
    return rng.choice((7, 8, 9)), rng.choice((11, 12, 13)), rng.choice((15, 16, 17))


def _expired_key(rng: Random) -> Iterator[_Call]:
    """A client goes on for six minutes after its key has expired."""
    start = rng.randrange(_HOUR_MILLISECONDS - 360_000)
    for _ in range(rng.randrange(95, 106)):
        offset = start + rng.randrange(360_000)
        yield _Call(offset, CLIENTS[3], rng.choice(ENDPOINTS), EXPIRED_KEY, latency=rng.randrange(4, 19))


def _loop(rng: Random) -> Iterator[_Call]:
    """A script posts the same candidate with a bad phone number over and over."""
    body = {**candidate(rng), "phone": "555 0100 (mobile)"}
    offset = rng.randrange(20_000)
    while offset < _HOUR_MILLISECONDS:
        yield _Call(offset, CLIENTS[4], CREATE_CANDIDATE, BAD_PHONE, body, latency=rng.randrange(40, 120))
        offset += rng.randrange(12_000, 16_000)


def _outage(rng: Random) -> Iterator[_Call]:
    """A search index fails for an hour; the clients that use it try again and again."""
    for _ in range(rng.randrange(150, 171)):
        endpoint = BULK_FETCH if rng.random() < 0.75 else JOB_CANDIDATES
        fails = rng.random() < 0.4
        failure = (UNAVAILABLE if rng.random() < 0.85 else INTERNAL) if fails else None
        latency = endpoint.latency(rng) + (2500 if fails else 0)
        client = rng.choice(CLIENTS[:4])
        yield _Call(rng.randrange(_HOUR_MILLISECONDS), client, endpoint, failure, latency=latency)


def _entry(rng: Random, hour: datetime, number: int, call: _Call) -> LogEntry:
    endpoint, failure = call.endpoint, call.failure
    instant = hour + timedelta(milliseconds=call.offset)
    logged = format_timestamp(instant + timedelta(milliseconds=rng.randrange(2, 40)))
    body = call.body or (endpoint.body(rng) if endpoint.body else None)
    known = rng.random() >= _UNKNOWN_LATENCY_SHARE
    return LogEntry(
        id=blake2b(f"{SEED} {hour:%Y-%m-%dT%H} {number}".encode(), digest_size=6).hexdigest(),
        timestamp=format_timestamp(instant),
        method=endpoint.method,
        request_url=_BASE_URL + endpoint.path(rng),
        status_code=failure.status if failure else endpoint.success,
        latency_ms=(call.latency or endpoint.latency(rng)) if known else None,
        request_payload=NULL if body is None else Raw(msgspec.json.encode(body)),
        response_payload=_response_payload(rng, call, body),
        ip_address=rng.choice(call.client.addresses),
        user_agent=call.client.user_agent,
        client_id=call.client.client_id,
        company_id=call.client.company_id,
        created_at=logged,
        updated_at=logged,
    )


def _response_payload(rng: Random, call: _Call, body: Payload | None) -> Raw:
    """The platform keeps the body of a response only where its status is not 200."""
    failure, reply = call.failure, call.endpoint.reply
    if failure:
        message = failure.message.format(job=job_id(rng), candidate=candidate_id(rng), seconds=rng.randrange(1, 60))
        return Raw(envelope(failure.status, failure.code, message, dict(failure.details)))
    if reply:
        return Raw(msgspec.json.encode(reply(rng, body or {})))
    return NULL


def _start_of_hour(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

"""Entries and queries that hypothesis makes, and the answers that every source must give to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from serving import log_entry
from taplogs.core.dimensions import DIMENSION_NAMES, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
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
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping, Summary, fold
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp

MIDNIGHT = datetime(2026, 10, 31, 23, 59, 58, tzinfo=UTC)
"""Two seconds before the end of a day, a month, and an hour."""

HOSTILE = (
    "",
    " ",
    "a",
    "A",
    "ä",
    "Ä",
    "İ",
    "ß",
    "%",
    "_",
    "a%b",
    "=1+1",
    "'=1+1",
    "'; DROP TABLE entries; --",
    '"quoted", and, more',
    "two\nlines",
    "\r",
    "tab\t",
    "\x00",
    "\x1b[31mred",
    "\u202egnp",
    "\u2028",
    "\ufeff",
    "\\N",
    "NULL",
    "null",
    "🙂",
    "{id}",
    "(others)",
)
PAYLOADS = (
    b"null",
    b"{}",
    b"[]",
    b'""',
    b'"text"',
    b"0",
    b"-0.0",
    b"1e400",
    b"12345678901234567890123",
    b'{"email":"ada@example.com","n":1.10}',
    b'{"a":"\\u0000\\ud83d\\ude42"}',
    '{"ü":"Ärger"}'.encode(),
    b"[" * 200 + b"]" * 200,
    b'{"error":{"code":"INVALID_REQUEST","message":"a\\nb"}}',
)
PATHS = (
    "/v1/partner/jobs",
    "/v1/partner/jobs/17",
    "/v1/partner/jobs/18?q=/jobs/3&A=1",
    "/v1/partner/candidates/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "/",
    "",
    "//x",
    "/v1#17",
    "/[",
    "/%7Bid%7D",
)

_texts = st.none() | st.sampled_from(HOSTILE)
_moments = st.sampled_from(
    (
        timedelta(),
        timedelta(milliseconds=1),
        timedelta(milliseconds=1999),
        timedelta(seconds=2),
        timedelta(seconds=3),
        timedelta(hours=5),
        timedelta(days=40),
    )
).map(lambda offset: format_timestamp(MIDNIGHT + offset))
_urls = st.sampled_from(PATHS).map("https://partner-api.taptalent.io{}".format) | st.sampled_from(HOSTILE)
_ids = st.sampled_from(HOSTILE[1:]) | st.uuids().map(str) | st.integers(0, 99).map("{:02}".format)


def _entry(values: dict[str, Any]) -> LogEntry:
    made = replace(log_entry(), **values)
    return replace(made, created_at=values["created_at"] or made.timestamp)


entries = st.lists(
    st.fixed_dictionaries(
        {
            "id": _ids,
            "timestamp": _moments,
            "method": st.sampled_from(("GET", "POST", "get", "BREW", "")),
            "request_url": _urls,
            "status_code": st.sampled_from((0, 99, 200, 204, 304, 404, 422, 500, 599, 999)),
            "latency_ms": st.none() | st.sampled_from((0, 1, 499, 500, 501, 2**53 - 1)),
            "request_payload": st.sampled_from(PAYLOADS).map(Raw),
            "response_payload": st.sampled_from(PAYLOADS).map(Raw),
            "ip_address": st.sampled_from((None, "192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1", " 192.0.2.3", "x")),
            "user_agent": _texts,
            "client_id": _texts,
            "company_id": st.sampled_from((None, "", "ours", "theirs")),
            "created_at": st.none() | _moments,
            "updated_at": st.none() | _moments,
        }
    ).map(_entry),
    max_size=25,
    unique_by=lambda entry: entry.id,
)
"""Entries with few different values, so that filters find some of them, and some share an instant."""


def _one_of(kind: type[Filter], *texts: str) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(texts).map(lambda text: kind.parse([text]))


_bounds = st.none() | st.sampled_from(
    [
        MIDNIGHT + offset
        for offset in (timedelta(), timedelta(microseconds=500), timedelta(seconds=2), timedelta(days=9))
    ]
)

queries = st.builds(
    LogQuery,
    window=st.builds(Window, _bounds, _bounds),
    status=_one_of(StatusFilter, "4xx", "ok,!204", "!5xx", "200-404", "999"),
    method=_one_of(MethodFilter, "GET", "!POST", "get,post,!GET"),
    endpoint=_one_of(EndpointFilter, "/v1/partner/jobs/{id}", "/v1/partner/*", "!/v1/**", "/"),
    url=_one_of(UrlFilter, "jobs", "A=1", "!%", "ä"),
    latency=_one_of(LatencyFilter, ">500ms", "<=500ms", "0ms-1ms", "!>1s", ">0.5ms"),
    ip=_one_of(IpFilter, "192.0.2.0/24", "!192.0.2.1", "2001:db8::/32", "::ffff:192.0.2.2"),
    user_agent=_one_of(UserAgentFilter, "a", "A", "ä", "Ä", "!%", "_", "i̇", "drop table"),
    client=_one_of(ClientFilter, "a", "!A", "\\N", "ä"),
    company=_one_of(CompanyFilter, "ours", "!ours"),
    grep=_one_of(GrepFilter, "ada@", "^https", "[Rr]ed", "Ärger"),
    order=st.sampled_from(Order),
    limit=st.none() | st.integers(0, 4),
)
"""Queries of a few filters, most of which are off."""

groupings = st.builds(
    lambda names, zone, timeline: Grouping(
        dimensions_named(",".join(names), EndpointTemplates(), ZoneInfo(zone)) if names else (), timeline
    ),
    st.lists(st.sampled_from(DIMENSION_NAMES), max_size=2, unique=True),
    st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu")),
    st.booleans(),
)


def answer(stored: Sequence[LogEntry], query: LogQuery, *, limited: bool = True) -> list[LogEntry]:
    """Return what `query` is answered with where these entries are stored."""
    newest_first = query.order is Order.NEWEST_FIRST
    found = query.select(sorted(stored, key=lambda entry: entry.sort_key, reverse=newest_first))
    return found[: query.limit] if limited else found


def counted(stored: Sequence[LogEntry], query: LogQuery, grouping: Grouping) -> Summary:
    """Return the summary that `query` is answered with where these entries are stored."""
    return fold([answer(stored, query, limited=False)], grouping)


def moments_of(summary: Summary, stored: Sequence[LogEntry]) -> Any:
    """Return what a summary counts over time, at the moments of these entries."""
    grid = sorted({entry.timestamp for entry in stored})
    return summary.timeline.step, summary.timeline.spread(grid) if grid else None

"""What the tests of the core draw their examples from: JSON values, entries, texts that are almost right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.entry import NULL, LogEntry

law = settings(deadline=None, max_examples=150)
"""How thoroughly a law is tried; a shared machine is no reason to fail, so there is no deadline."""

texts = st.text(max_size=30)


def instants_between(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    """Return a strategy for instants in UTC; hypothesis itself takes bounds without a zone."""
    return st.datetimes(first.replace(tzinfo=None), last.replace(tzinfo=None), timezones=st.just(UTC))


instants = instants_between(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
timestamps = instants.map(lambda instant: f"{instant.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON value, lone surrogates included."""

_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)

json_texts = st.one_of(
    json_values.map(json.dumps),
    json_values.map(lambda value: json.dumps(value, separators=(",", ":"))),
    json_values.map(lambda value: json.dumps(value, indent=1)),
    _numbers,
    _numbers.map(lambda number: f'{{"a": [{number}], "a": {number}}}'),
)
"""Any JSON value as text: compact, with blanks, over several lines, numbers no float holds, equal names."""

payloads = json_texts.map(lambda text: Raw(text.encode()))

optional_texts = st.none() | texts

entries = st.builds(
    LogEntry,
    id=texts,
    timestamp=timestamps,
    method=st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")) | texts,
    request_url=texts,
    status_code=st.integers(0, 999),
    latency_ms=st.none() | st.integers(0, 2**53 - 1),
    request_payload=st.just(NULL) | payloads,
    response_payload=st.just(NULL) | payloads,
    ip_address=optional_texts,
    user_agent=optional_texts,
    client_id=optional_texts,
    company_id=optional_texts,
    created_at=st.none() | timestamps,
    updated_at=st.none() | timestamps,
)
"""Entries of any content, as far as the model allows."""


def entry(**fields: Any) -> LogEntry:
    """Return an entry of which only `fields` matter."""
    plain: dict[str, Any] = {
        "id": "log_1",
        "timestamp": "2026-07-15T12:34:56.789Z",
        "method": "GET",
        "request_url": "https://partner-api.taptalent.io/v1/partner/jobs?pageNumber=1",
        "status_code": 200,
    }
    return LogEntry(**(plain | fields))

"""Entries -> columns of a block that ClickHouse takes, and back: every byte of them as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Raw

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import NULL, LogEntry, has_payload
from taplogs.core.timestamp import is_canonical
from taplogs.sources.clickhouse_connection import Columns

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = 60_000
_MOST_REMEMBERED = 10_000

_INSTANT = "DateTime64(3, 'UTC')"
_MAYBE = "LowCardinality(Nullable(String))"
_TYPES = {
    "id": "String",
    "timestamp": _INSTANT,
    "method": "LowCardinality(String)",
    "request_url": "String",
    "endpoint": "LowCardinality(String)",
    "status_code": "UInt16",
    "latency_ms": "Nullable(UInt64)",
    "ip_address": _MAYBE,
    "user_agent": _MAYBE,
    "client_id": _MAYBE,
    "company_id": _MAYBE,
    "created_at": f"Nullable({_INSTANT})",
    "updated_at": f"Nullable({_INSTANT})",
    "request_payload": "String",
    "response_payload": "String",
}
"""The columns that are inserted, with their types: asking for them would be a question more for each block."""

FORMATS = {"request_payload": "bytes", "response_payload": "bytes"}
"""Payloads are bytes: nobody looks into them here."""

_EMPTY = dict.fromkeys(LogEntry.__struct_fields__, "NULL") | {
    "id": "''",
    "timestamp": "toDateTime64(0, 3, 'UTC')",
    "method": "''",
    "request_url": "''",
    "status_code": "0",
    "request_payload": "''",
    "response_payload": "''",
}


def insertable(entries: Sequence[LogEntry], endpoint: Callable[[str], str]) -> dict[str, tuple[str, Sequence[Any]]]:
    """Return each column with its type and its values; raises ValueError that says what cannot be held."""
    columns: dict[str, Sequence[Any]] = {
        name: [getattr(entry, name) for entry in entries] for name in LogEntry.__struct_fields__
    }
    for name in ("timestamp", "created_at", "updated_at"):
        columns[name] = [None if text is None else milliseconds(text) for text in columns[name]]
    for name in FORMATS:
        columns[name] = [bytes(payload) if has_payload(payload) else b"" for payload in columns[name]]
    columns["endpoint"] = list(map(endpoint, columns["request_url"]))
    _check_integers(columns["status_code"], 2**16)
    _check_integers(columns["latency_ms"], 2**63)
    _check_texts(columns)
    return {name: (kind, columns[name]) for name, kind in _TYPES.items()}


def _check_integers(values: Iterable[int | None], end: int) -> None:
    if not all(value is None or 0 <= value < end for value in values):
        raise ValueError("an integer beyond what its column holds")


def _check_texts(columns: Mapping[str, Sequence[Any]]) -> None:
    try:
        for name, kind in _TYPES.items():
            if "String" in kind and name not in FORMATS:
                "".join(filter(None, columns[name])).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate, which UTF-8 cannot hold") from None


def selected(fields: Iterable[str]) -> str:
    """Return what to select for each field of an entry: the column, or a constant where nobody looks at it."""
    wanted = set(fields)
    return ", ".join(name if name in wanted else f"{_EMPTY[name]} AS no_{name}" for name in LogEntry.__struct_fields__)


def entries_of(columns: Columns) -> list[LogEntry]:
    """Return the entries of a block whose columns are the fields of an entry, in their order."""
    if not columns:
        return []
    # Positions as in LogEntry: 1 timestamp, 6 and 7 the payloads, 12 and 13 created and updated.
    made: list[Sequence[Any]] = list(columns)
    texts: dict[int | None, str | None] = {None: None}
    texts |= {number: canonical(number) for number in {*made[1], *made[12], *made[13]} if number is not None}
    for index in (1, 12, 13):
        made[index] = [texts[number] for number in made[index]]
    for index in (6, 7):
        made[index] = [Raw(text) if text else NULL for text in made[index]]
    return [LogEntry(*row) for row in zip(*made, strict=True)]


def milliseconds(text: str) -> int:
    """Return a canonical timestamp as milliseconds since 1970; raises ValueError where it is not one."""
    if not is_canonical(text):
        raise ValueError(f"the time {text!r}, which is not canonical")
    return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND


def canonical(number: int) -> str:
    """Return milliseconds since 1970 as a canonical timestamp."""
    minute, rest = divmod(number, _MINUTE)
    return f"{_minute(minute)}{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=_MOST_REMEMBERED)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).isoformat()[:17]


def default_endpoint() -> Callable[[str], str]:
    """Return what makes an endpoint of a URL by the rules alone, without templates of anybody's own."""
    return EndpointTemplates().of_url

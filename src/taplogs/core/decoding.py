"""What backends and files send -> LogEntry. Every variant that is understood stands in the tables of this module.

The contract's own shape is decoded in one go; a body that is not of that shape is taken again, member by member, by
the lenient reading below. Both give the same entries or a `MalformedBody` that says what was wrong and where.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from msgspec import Raw, Struct

from taplogs.core.entry import NULL, LogEntry
from taplogs.core.timestamp import format_timestamp, from_epoch, is_canonical, parse_timestamp

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "logId"),
    "timestamp": ("timestamp", "time", "requestedAt"),
    "method": ("method", "httpMethod"),
    "request_url": ("requestUrl", "url", "endpoint"),
    "status_code": ("statusCode", "status"),
    "latency_ms": ("latencyMs", "latency", "responseTime"),
    "request_payload": ("requestPayload",),
    "response_payload": ("responsePayload",),
    "ip_address": ("ipAddress", "ip"),
    "user_agent": ("userAgent",),
    "client_id": ("clientId",),
    "company_id": ("companyId",),
    "created_at": ("createdAt",),
    "updated_at": ("updatedAt",),
}
"""The names under which a field may arrive, the contract's own first."""

_LIST_NAMES = ("logs", "data")
_TOTAL_NAMES = ("totalLogs", "total")


class MalformedBody(ValueError):
    """A body that does not hold entries. `truncated`: it stops in the middle, so asking again may help."""

    def __init__(self, reason: str, *, truncated: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.truncated = truncated


class Page(Struct, frozen=True):
    """One reply of the list endpoint; `server_time` is a canonical timestamp."""

    entries: list[LogEntry]
    total: int | None = None
    next_cursor: str | None = None
    server_time: str | None = None


class Trailer(Struct, frozen=True, rename="camel"):
    """The last record of an NDJSON stream: how many entries went before it."""

    end: bool
    count: int
    server_time: str | None = None


class _StrictPage(Struct, frozen=True, rename="camel"):
    logs: list[LogEntry]
    total_logs: int | None = None
    next_cursor: str | None = None
    server_time: str | None = None


_page_decoder = msgspec.json.Decoder(_StrictPage)
_entry_decoder = msgspec.json.Decoder(LogEntry)
_trailer_decoder = msgspec.json.Decoder(Trailer)


def decode_page(body: bytes) -> Page:
    """Return the entries of a list reply in any of the known envelopes; raises MalformedBody."""
    text = _utf8(body)
    try:
        page = _page_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _lenient_page(text)
    if not _all_canonical(page.logs):
        return _lenient_page(text)
    return Page(page.logs, page.total_logs, page.next_cursor, _instant(page.server_time))


def decode_entry(body: bytes) -> LogEntry:
    """Return the one entry of a JSON object; raises MalformedBody."""
    text = _utf8(body)
    try:
        entry = _entry_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _lenient_entry(_load(text), "the entry")
    if not _all_canonical([entry]):
        return _lenient_entry(_load(text), "the entry")
    return entry


def decode_lines(chunk: bytes) -> list[LogEntry]:
    """Return the entries of JSON Lines. `chunk` ends at a line feed or at the end; raises MalformedBody."""
    _utf8(chunk)
    try:
        entries = _entry_decoder.decode_lines(chunk)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return [decode_entry(line) for line in chunk.split(b"\n") if line.strip()]
    if not _all_canonical(entries):
        return [decode_entry(line) for line in chunk.split(b"\n") if line.strip()]
    return entries


def decode_trailer(line: bytes) -> Trailer | None:
    """Return the closing record of an NDJSON stream, or None where `line` is not one."""
    try:
        trailer = _trailer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return trailer if trailer.end else None


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedBody(f"not UTF-8 at byte {error.start}", truncated=error.end == len(body)) from None


def _all_canonical(entries: list[LogEntry]) -> bool:
    stamps = [entry.timestamp for entry in entries]
    stamps += [entry.created_at for entry in entries if entry.created_at is not None]
    stamps += [entry.updated_at for entry in entries if entry.updated_at is not None]
    if not all(map(is_canonical, stamps)):
        return False
    try:
        msgspec.convert(stamps, list[datetime])
    except msgspec.ValidationError:
        return False
    return True


def _load(text: str) -> Any:
    """Parse any JSON, lone surrogates included, that msgspec has refused; raises MalformedBody."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        ends_early = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        raise MalformedBody(f"not JSON: {error.msg} at character {error.pos}", truncated=ends_early) from None
    except RecursionError:
        raise MalformedBody("JSON nested too deeply") from None
    except ValueError as error:
        raise MalformedBody(f"not JSON: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _lenient_page(text: str) -> Page:
    document = _load(text)
    if isinstance(document, list):
        return Page(_lenient_entries(document))
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object or an array of entries, got {_kind(document)}")
    items = _first(document, _LIST_NAMES)
    if not isinstance(items, list):
        names = " or ".join(f'"{name}"' for name in _LIST_NAMES)
        found = ", ".join(f'"{name}"' for name in list(document)[:5]) or "nothing"
        raise MalformedBody(f"expected an array under {names}, found {found}")
    total = _first(document, _TOTAL_NAMES)
    cursor = document.get("nextCursor")
    return Page(
        _lenient_entries(items),
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        str(cursor) if isinstance(cursor, str | int) and cursor != "" else None,
        _instant(document.get("serverTime")),
    )


def _lenient_entries(items: list[Any]) -> list[LogEntry]:
    return [_lenient_entry(item, f"entry {number}") for number, item in enumerate(items, 1)]


def _lenient_entry(item: Any, place: str) -> LogEntry:
    if not isinstance(item, dict):
        raise MalformedBody(f"{place} is {_kind(item)}, not an object")
    identity = _first(item, _NAMES["id"])
    if isinstance(identity, str | int) and not isinstance(identity, bool):
        place = f"{place} (id {identity})"
    fields: dict[str, Any] = {}
    for field, names in _NAMES.items():
        name = next((name for name in names if name in item), None)
        if name is None:
            if field in _REQUIRED:
                raise MalformedBody(f'{place} has no "{names[0]}"')
            continue
        try:
            fields[field] = _READERS[field](item[name])
        except ValueError as error:
            raise MalformedBody(f'{place}: "{name}" {error}') from None
    return LogEntry(**fields)


_REQUIRED = frozenset({"id", "timestamp", "method", "request_url", "status_code"})


def _identifier(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _string(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}, not a string")  # noqa: TRY004 - a fault of the data, told as one
    return value


def _optional(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else reader(value)


def _timestamp(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format_timestamp(from_epoch(value))
    return format_timestamp(parse_timestamp(_string(value)))


def _status(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 999:
        raise ValueError(f"is {_excerpt(value)}, not an HTTP status")
    return value


def _milliseconds(value: Any) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise ValueError(f"is {_excerpt(value)}, not a number of milliseconds")
    return round(value)


def _payload(value: Any) -> Raw:
    return NULL if value is None else Raw(json.dumps(value, separators=(",", ":")).encode("ascii"))


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "id": _identifier,
    "timestamp": _timestamp,
    "method": _string,
    "request_url": _string,
    "status_code": _status,
    "latency_ms": _optional(_milliseconds),
    "request_payload": _payload,
    "response_payload": _payload,
    "ip_address": _optional(_string),
    "user_agent": _optional(_string),
    "client_id": _optional(_identifier),
    "company_id": _optional(_identifier),
    "created_at": _optional(_timestamp),
    "updated_at": _optional(_timestamp),
}


def _instant(value: Any) -> str | None:
    """Return a server's own time in canonical form, or None where it sends nonsense: it is advice, not data."""
    try:
        return None if value is None else _timestamp(value)
    except ValueError:
        return None


def _first(document: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((document[name] for name in names if name in document), None)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {str: "a string", int: "a number", float: "a number", list: "an array", dict: "an object"}
    return kinds[type(value)]


def _excerpt(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"

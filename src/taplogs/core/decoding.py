"""What backends and files send -> LogEntry. Every variant that is understood stands in the tables of this module.

The contract's own shape is decoded in one go; a body that is not of that shape is taken again, member by member, by
the lenient reading below. Both give the same entries or a `MalformedBody` that says what was wrong and where.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import are_canonical, format_timestamp, from_epoch, parse_timestamp

NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "logId"),
    "timestamp": ("timestamp", "time", "requestedAt"),
    "method": ("method", "httpMethod"),
    "request_url": ("requestUrl", "url", "endpoint"),
    "status_code": ("statusCode", "status"),
    "latency_ms": ("latencyMs", "latency", "responseTime"),
    "ip_address": ("ipAddress", "ip"),
    "user_agent": ("userAgent",),
    "client_id": ("clientId",),
    "company_id": ("companyId",),
    "created_at": ("createdAt",),
    "updated_at": ("updatedAt",),
}
"""The names under which a field may arrive, the contract's own first."""

REQUIRED = frozenset({"id", "timestamp", "method", "request_url", "status_code"})
_PAYLOADS = {"request_payload": "requestPayload", "response_payload": "responsePayload"}

_LIST_NAMES = ("logs", "data")
_TOTAL_NAMES = ("totalLogs", "total")


_T = TypeVar("_T")


class MalformedBody(ValueError):
    """A body that does not hold entries. `truncated`: it stops in the middle, so asking again may help."""

    def __init__(self, reason: str, *, truncated: bool = False) -> None:
        self.reason = reason if len(reason) <= 500 else f"{reason[:500]}…"
        super().__init__(self.reason)
        self.truncated = truncated


class Page(Struct, frozen=True):
    """One reply of the list endpoint; `server_time` is a canonical timestamp."""

    entries: list[LogEntry]
    total: int | None = None
    next_cursor: str | None = None
    server_time: str | None = None


class Trailer(Struct, frozen=True, rename="camel"):
    """The last record of an NDJSON stream: how many entries went before it; `server_time` is a canonical timestamp."""

    end: bool
    count: int
    server_time: str | None = None


class _StrictPage(Struct, frozen=True, rename="camel"):
    logs: list[LogEntry]
    total_logs: int | None = None
    next_cursor: str | None = None
    server_time: str | None = None


class _SentTrailer(Struct, frozen=True, rename="camel"):
    end: bool
    count: int
    server_time: Any = None


_NOT_STRICT = (msgspec.DecodeError, ValueError, RecursionError)
"""What sends a body to the lenient reading, which then says what is wrong with it, if anything is."""

_PIECE = 4096
_MOST_SHOWN = 40

_page_decoder = msgspec.json.Decoder(_StrictPage)
_entry_decoder = msgspec.json.Decoder(LogEntry)
_trailer_decoder = msgspec.json.Decoder(_SentTrailer)


def decode_page(body: bytes) -> Page:
    """Return the entries of a list reply in any of the known envelopes; raises MalformedBody."""
    _refuse_other_than_utf8(body)
    try:
        page = _page_decoder.decode(body)
        entries = _canonical(page.logs, body)
        if page.total_logs is None:
            _refuse_other_names(_TOTAL_NAMES, body)
    except _NOT_STRICT:
        return _leniently(_lenient_page, _utf8(body))
    return Page(entries, _total(page.total_logs), page.next_cursor or None, _instant(page.server_time))


def decode_entry(body: bytes) -> LogEntry:
    """Return the one entry of a JSON object; raises MalformedBody."""
    _refuse_other_than_utf8(body)
    try:
        return _canonical([_entry_decoder.decode(body)], body)[0]
    except _NOT_STRICT:
        return _leniently(_lenient_document, _utf8(body))


def decode_lines(chunk: bytes) -> list[LogEntry]:
    """Return the entries of JSON Lines. `chunk` ends at a line feed or at the end; raises MalformedBody."""
    _refuse_other_than_utf8(chunk)
    try:
        return _canonical(_entry_decoder.decode_lines(chunk), chunk)
    except _NOT_STRICT:
        return [decode_entry(line) for line in chunk.split(b"\n") if line.strip()]


def decode_trailer(line: bytes) -> Trailer | None:
    """Return the closing record of an NDJSON stream, or None where `line` is not one."""
    try:
        trailer = _trailer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return Trailer(True, trailer.count, _instant(trailer.server_time)) if trailer.end else None


def _refuse_other_than_utf8(body: bytes) -> None:
    """Raise MalformedBody where `body` is not UTF-8, which msgspec does not see within payloads.

    In small pieces: one text of a whole page may take four times its bytes, and leaves holes in the memory.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), _PIECE):
            decoder.decode(body[start : start + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        _utf8(body)  # says where


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data"
        raise MalformedBody(f"not UTF-8 at byte {error.start}", truncated=cut) from None


def _canonical(entries: list[LogEntry], body: bytes) -> list[LogEntry]:
    """Return what the strict reading of `body` gave, with canonical times; ValueError where that is not all of it."""
    if any(entry.latency_ms is None for entry in entries):
        _refuse_other_names(NAMES["latency_ms"], body)
    if any(entry.ip_address is None for entry in entries):
        _refuse_other_names(NAMES["ip_address"], body)
    return entries if have_canonical_times(entries) else list(map(_with_canonical_times, entries))


def _refuse_other_names(names: tuple[str, ...], body: bytes) -> None:
    """Raise ValueError where `body` may hold an optional field under another name: the strict reading skips it."""
    if any(b'"%s"' % name.encode("ascii") in body for name in names[1:]):
        raise ValueError(f"a variant of {names[0]}")


def have_canonical_times(entries: list[LogEntry]) -> bool:
    """Return whether all times of all entries are canonical timestamps of moments that exist."""
    stamps = [entry.timestamp for entry in entries]
    stamps += [entry.created_at for entry in entries if entry.created_at is not None]
    stamps += [entry.updated_at for entry in entries if entry.updated_at is not None]
    if not are_canonical(stamps):
        return False
    try:
        msgspec.convert(stamps, list[datetime])
    except msgspec.ValidationError:
        return False
    return True


def _with_canonical_times(entry: LogEntry) -> LogEntry:
    times = {name: getattr(entry, name) for name in ("timestamp", "created_at", "updated_at")}
    return replace(entry, **{name: _timestamp(text) for name, text in times.items() if text is not None})


def _load(text: str) -> Any:
    """Parse any JSON, lone surrogates included, that msgspec has refused; raises MalformedBody."""
    try:
        return _json.decode(text)
    except json.JSONDecodeError as error:
        ends_early = error.msg.startswith("Unterminated string") or _CUT.match(text, error.pos) is not None
        raise MalformedBody(f"not JSON: {error.msg} at character {error.pos}", truncated=ends_early) from None
    except ValueError as error:
        raise MalformedBody(f"not JSON: {error}") from None


_CUT = re.compile(
    r"(?:-|t|tr|tru|f|fa|fal|fals|n|nu|nul"  # the start of a value
    r"|(?<=[0-9])(?:\.|[eE][+-]?)"  # the middle of a number
    r"|\\?u[0-9a-fA-F]{0,4}"  # the middle of an escape
    r"|[ \t\r\n]*)\Z"
)
"""What is left of a text that stops in the middle, from where json finds its fault."""


def _integer(digits: str) -> int | float:
    """Read an integer of JSON; one that no field could take, and Python would not read, becomes an infinite float."""
    return int(digits) if len(digits) <= 640 else float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_json = json.JSONDecoder(parse_int=_integer, parse_constant=_refuse_constant)


def _elements(text: str) -> Iterator[str]:
    """Yield the texts of what an array or object holds, names and values alike; `text` is valid JSON."""
    position = _next_element(text, _next_element(text, 0) + 1)
    while text[position] not in "]}":
        _, end = _json.raw_decode(text, position)
        yield text[position:end]
        position = _next_element(text, end)


def _next_element(text: str, position: int) -> int:
    while text[position] in " \t\n\r,:":
        position += 1
    return position


def _members(text: str) -> dict[str, str]:
    """Return the names of an object with the texts of their values; the last of equal names counts."""
    elements = _elements(text)
    return {json.loads(name): value for name, value in zip(elements, elements, strict=True)}


def _leniently(read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except RecursionError:
        raise MalformedBody("JSON nested too deeply") from None


def _lenient_document(text: str) -> LogEntry:
    return _lenient_entry(_load(text), text, "the entry")


def _lenient_page(text: str) -> Page:
    document = _load(text)
    if isinstance(document, list):
        return Page(_lenient_entries(document, text))
    if not isinstance(document, dict):
        raise MalformedBody(f"expected an object or an array of entries, got {_kind(document)}")
    name = next((name for name in _LIST_NAMES if name in document), "")
    items = document.get(name)
    if not isinstance(items, list):
        names = " or ".join(f'"{name}"' for name in _LIST_NAMES)
        found = ", ".join(f'"{name}"' for name in list(document)[:5]) or "nothing"
        raise MalformedBody(f"expected an array under {names}, found {found}")
    total = _first(document, _TOTAL_NAMES)
    cursor = document.get("nextCursor")
    return Page(
        _lenient_entries(items, _members(text)[name]),
        _total(total),
        str(cursor) if isinstance(cursor, str | int) and cursor != "" else None,
        _instant(document.get("serverTime")),
    )


def _lenient_entries(items: list[Any], text: str) -> list[LogEntry]:
    numbered = enumerate(zip(items, _elements(text), strict=True), 1)
    return [_lenient_entry(item, element, f"entry {number}") for number, (item, element) in numbered]


def _lenient_entry(item: Any, text: str, place: str) -> LogEntry:
    """Return the entry that the parsed object `item` holds; `text` is the same object as it was sent."""
    if not isinstance(item, dict):
        raise MalformedBody(f"{place} is {_kind(item)}, not an object")
    identity = _first(item, NAMES["id"])
    if isinstance(identity, str | int) and not isinstance(identity, bool):
        place = f"{place} (id {str(identity)[:80]})"
    fields: dict[str, Any] = {}
    for field, name in _names_used(item, place).items():
        try:
            fields[field] = _READERS[field](item[name])
        except ValueError as error:
            raise MalformedBody(f'{place}: "{name}" {error}') from None
    payloads = {field: name for field, name in _PAYLOADS.items() if item.get(name) is not None}
    if payloads:
        members = _members(text)
        fields.update({field: Raw(members[name].encode()) for field, name in payloads.items()})
    return LogEntry(**fields)


def _names_used(item: dict[str, Any], place: str) -> dict[str, str]:
    used = {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in item), None)
        if name is not None:
            used[field] = name
        elif field in REQUIRED:
            raise MalformedBody(f'{place} has no "{names[0]}"')
    return used


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


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "id": _identifier,
    "timestamp": _timestamp,
    "method": _string,
    "request_url": _string,
    "status_code": _status,
    "latency_ms": _optional(_milliseconds),
    "ip_address": _optional(_string),
    "user_agent": _optional(_string),
    "client_id": _optional(_identifier),
    "company_id": _optional(_identifier),
    "created_at": _optional(_timestamp),
    "updated_at": _optional(_timestamp),
}


def _total(value: Any) -> int | None:
    """Return a backend's own count, or None where it cannot be one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


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
    if isinstance(value, list | dict):
        return _kind(value)
    if isinstance(value, str):
        text = json.dumps(value[:_MOST_SHOWN])
        return text if len(value) <= _MOST_SHOWN else f'{text[:-1]}…"'
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"

"""LogEntry: the one model of the product and its one JSON shape."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Raw, Struct

from taplogs.core.timestamp import parse_timestamp

if TYPE_CHECKING:
    from datetime import datetime

NULL = Raw(b"null")


class LogEntry(Struct, frozen=True, rename="camel", gc=False):
    """One API request as it was logged. The fields, in this order and in camelCase, are the JSON shape.

    `timestamp`, `created_at` and `updated_at` are canonical (see `core.timestamp`), `latency_ms` is in whole
    milliseconds or None where unknown. The payloads stay undecoded JSON; `Raw(b"null")` means there is none.
    `gc=False`: an entry holds no cycles, and a page of them need not be walked by the garbage collector.
    """

    id: str
    timestamp: str
    method: str
    request_url: str
    status_code: Annotated[int, Meta(ge=0, le=999)]
    latency_ms: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    request_payload: Raw = NULL
    response_payload: Raw = NULL
    ip_address: str | None = None
    user_agent: str | None = None
    client_id: str | None = None
    company_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def instant(self) -> datetime:
        """When the request was made, aware, in UTC."""
        return parse_timestamp(self.timestamp)

    @property
    def path(self) -> str:
        """The path of the request URL, without query and fragment; the whole text where it is not a URL."""
        return url_path(self.request_url)

    @property
    def sort_key(self) -> tuple[str, str]:
        """The total order of entries: timestamp, then id."""
        return (self.timestamp, self.id)


MEMBERS = tuple(field.encode_name for field in msgspec.structs.fields(LogEntry))
"""The members of the JSON shape, in their order."""

_encoder = msgspec.json.Encoder()
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_JSON_STRING = re.compile(_STRING)
_PLAIN_URL = r"https?://[A-Za-z0-9.:-]+(/[!-\"$->@-~]*)(?:[?#]|\Z)"
_STRING_OR_SPACE = re.compile(rf"({_STRING})|[ \t\r\n]+".encode("ascii"))


def encode_entry(entry: LogEntry) -> bytes:
    """Return `entry` as one line of compact JSON in UTF-8, without the line feed."""
    try:
        line = _encoder.encode(entry)
    except UnicodeEncodeError:
        line = _encode_with_surrogates(entry)
    if b"\n" in line or b"\r" in line:  # white space between the tokens of a payload; never within a string
        line = _STRING_OR_SPACE.sub(rb"\1", line)
    return line


def encode_entries(entries: list[LogEntry]) -> bytes:
    """Return `entries` as JSON Lines: each as `encode_entry` gives it, with its line feed."""
    try:
        lines = _encoder.encode_lines(entries)
    except UnicodeEncodeError:
        lines = b""
    if lines.count(b"\n") == len(entries) and b"\r" not in lines:
        return lines
    return b"".join([encode_entry(entry) + b"\n" for entry in entries])


def _encode_with_surrogates(entry: LogEntry) -> bytes:
    """Encode an entry with lone surrogates: UTF-8 cannot hold them, a JSON escape can."""
    members = []
    for field in msgspec.structs.fields(LogEntry):
        value = getattr(entry, field.name)
        text = bytes(value) if isinstance(value, Raw) else json.dumps(value).encode("ascii")
        members.append(f'"{field.encode_name}":'.encode("ascii") + text)
    return b"{" + b",".join(members) + b"}"


def has_payload(payload: Raw) -> bool:
    """Return whether `payload` is anything but JSON null."""
    return bytes(payload) != b"null"


def is_text(payload: Raw) -> bool:
    """Return whether `payload` is a JSON string: a body that was not JSON, kept as its text."""
    return bytes(payload).startswith(b'"')


def payload_text(payload: Raw) -> str:
    """Return a payload as people read it: a JSON string as its text, anything else as JSON without needless escapes.

    Only strings are looked into, so that numbers stay as they were sent and no depth of nesting is too deep.
    """
    text = bytes(payload).decode("utf-8")
    if is_text(payload):
        return str(json.loads(text))
    return _JSON_STRING.sub(_without_escapes, text) if "\\" in text else text


def _without_escapes(string: re.Match[str]) -> str:
    text = string[0]
    return json.dumps(json.loads(text), ensure_ascii=False) if "\\" in text else text


def url_path(url: str) -> str:
    """Return the path of `url`, or `url` itself up to its query where it cannot be parsed."""
    if plain := re.match(_PLAIN_URL, url):  # four times as fast as the parser
        return plain[1]
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0]
    return parts.path or "/"

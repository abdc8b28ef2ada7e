"""A body that passed, as the log keeps it: JSON as JSON, text as text, anything else by what identifies it."""

from __future__ import annotations

import codecs
import json
import re
import zlib
from typing import Any

import msgspec
from msgspec import Raw

from taplogs.core.entry import NULL
from taplogs.gateway.body import KeptBody
from taplogs.gateway.protocol import Headers

_TEXT_TYPE = re.compile(
    r"text/.+|application/(?:(?:.+\+)?(?:json|xml|yaml)|x-www-form-urlencoded|javascript|graphql|x-ndjson|json-seq|jsonl)"
)
_CHARSET = re.compile(r';\s*charset\s*=\s*(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_MULTIPART = "multipart/"
_PIECE = 64 * 1024


class _Unreadable(ValueError):
    """The body is not what its headers say, or they say nothing that is known here."""


def payload_of(body: KeptBody | None, headers: Headers, most: int) -> Raw:
    """Return a body as the payload of an entry, of which `most` bytes are kept; null where there is none.

    What is binary becomes `bodyType`, `bodySize` and `bodySha256`, those of the body as it was sent; what is too long
    has `bodyCut` beside, and where it is text, its beginning as `bodyBeginning`.
    """
    if body is None or not body.size:
        return NULL
    kind, charset, encodings = _described(headers)
    try:
        content, is_whole = _decoded(body.beginning, encodings, most)
        text = _text(content, kind, charset, is_whole=is_whole and body.is_whole)
    except _Unreadable:
        return _identified(body, kind, encodings, {} if body.is_whole else {"bodyCut": True})
    if not (is_whole and body.is_whole):
        return _identified(body, kind, encodings, {"bodyCut": True, "bodyBeginning": text})
    return Raw(text.encode("utf-8")) if _is_json(text) else Raw(_string(text))


def _described(headers: Headers) -> tuple[str, str | None, list[str]]:
    """Return the type without its parameters, the charset, and the encodings in the order of their application."""
    kind, charset = "", None
    encodings: list[str] = []
    for name, value in headers:
        match name.lower():
            case b"content-type":
                text = value.decode("latin-1")
                kind = text.partition(";")[0].strip().lower()
                named = _CHARSET.search(text)
                charset = (named[1] or named[2]) if named else None
            case b"content-encoding":
                encodings += [part.strip().lower() for part in value.decode("latin-1").split(",") if part.strip()]
    return kind, charset, encodings


def _decoded(content: bytes, encodings: list[str], most: int) -> tuple[bytes, bool]:
    """Return the content without its encodings, at most so many bytes, and whether that is all of it."""
    is_whole = True
    for encoding in reversed(encodings):
        if encoding == "identity":
            continue
        content, is_whole_now = _decompressed(content, encoding, most)
        is_whole = is_whole and is_whole_now
    return content, is_whole


def _decompressed(content: bytes, encoding: str, most: int) -> tuple[bytes, bool]:
    try:
        if encoding in ("gzip", "x-gzip"):
            return _inflated(content, 31, most)
        if encoding == "deflate":  # RFC 9110 means zlib's format; some send the bare one
            return _inflated(content, 15 if content[:1] == b"\x78" else -15, most)
        if encoding == "zstd":
            return _from_zstd(content, most)
    except zlib.error as error:
        raise _Unreadable from error
    raise _Unreadable


def _inflated(content: bytes, window: int, most: int) -> tuple[bytes, bool]:
    decompressor = zlib.decompressobj(window)
    found = decompressor.decompress(content, most + 1)
    if decompressor.unused_data:
        raise _Unreadable("there is more behind its end")
    return found[:most], decompressor.eof and len(found) <= most


def _from_zstd(content: bytes, most: int) -> tuple[bytes, bool]:
    import zstandard

    found = bytearray()
    try:
        with zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(content) as reader:
            while len(found) <= most and (piece := reader.read(min(_PIECE, most + 1 - len(found)))):
                found += piece
    except zstandard.ZstdError as error:
        raise _Unreadable from error
    return bytes(found[:most]), len(found) <= most


def _text(content: bytes, kind: str, charset: str | None, *, is_whole: bool) -> str:
    """Return content as text; raises _Unreadable for what is none. What was cut may end within a character."""
    if kind.startswith(_MULTIPART) or (kind and not _TEXT_TYPE.fullmatch(kind)):
        raise _Unreadable
    # JSON is UTF-8 whatever else is said (RFC 8259, section 8.1): read otherwise, its secrets would not be recognised.
    charset = "utf-8" if charset is None or "json" in kind or _is_json_in_utf_8(content) else charset
    try:
        codec = codecs.lookup(charset)
        if not codec._is_text_encoding or codec.incrementaldecoder is None:  # bz2 and the like unfold without a bound
            raise _Unreadable
        text = codec.incrementaldecoder().decode(content, is_whole)
        text.encode("utf-8")  # some codecs make surrogates, which nothing can hold
    except (LookupError, ValueError) as error:
        raise _Unreadable from error
    if "\0" in text:
        raise _Unreadable
    return text


def _is_json_in_utf_8(content: bytes) -> bool:
    try:
        return _is_json(content.decode("utf-8"))
    except UnicodeError:
        return False


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _is_odd_json(text)
    return True


def _is_odd_json(text: str) -> bool:
    """Return whether text is JSON that the quick reader does not take, such as a very long number."""
    try:
        json.loads(text, parse_int=float, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, OverflowError):
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _string(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _identified(body: KeptBody, kind: str, encodings: list[str], more: dict[str, Any]) -> Raw:
    """Return what identifies a body."""
    members: dict[str, Any] = {"bodyType": kind or "application/octet-stream"}
    if encodings:
        members["bodyEncoding"] = ", ".join(encodings)
    members |= {"bodySize": body.size, "bodySha256": body.digest, **more}
    return Raw(json.dumps(members).encode("ascii"))

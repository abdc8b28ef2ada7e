"""Canonical bytes: the one text of a manifest (RFC 8785), and the one line of a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from taplogs.core.apikey import mask_keys
from taplogs.core.entry import LogEntry, encode_entries
from taplogs.output.json_text import compact

if TYPE_CHECKING:
    from taplogs.core.redact import Redactor


def canonical_json(document: object) -> bytes:
    """Return `document` in the form of RFC 8785; its numbers are whole ones below 2^53, its member names ASCII.

    Within these bounds, which manifests and proofs keep to, the standard library writes strings and numbers as the RFC
    asks for, and sorts names as it does. Raises ValueError for a lone surrogate, which has no UTF-8.
    """
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def fault_of_json(error: ValueError | RecursionError) -> str:
    """Return in words for people why a text was not read as the document that it should be."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, msgspec.ValidationError):  # which names the member
        return str(error)
    return "it is not JSON"


def well_formed(text: str) -> str:
    """Return `text` with each lone surrogate, which neither UTF-8 nor a manifest can hold, as its escape `\\ud800`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def manifest_text(text: str, redactor: Redactor) -> str:
    """Return a text that strangers may have written as a manifest may hold it: redacted, no API key in it."""
    return well_formed(redactor.text(mask_keys(text)))


def record_lines(entries: Sequence[LogEntry]) -> list[bytes]:
    """Return each entry as its canonical line, without the line feed.

    That is its JSON shape with the members in their order and no white space between tokens. Payloads keep their
    numbers and strings as they were sent: nothing of the evidence is rewritten.
    """
    lines = encode_entries(list(entries)).split(b"\n")
    lines.pop()
    return lines if _are_compact(b",".join(lines)) else [compact(line) for line in lines]


def are_record_lines(block: bytes, entries: Sequence[LogEntry]) -> bool:
    """Return whether `block`, lines with their line feeds, is what `record_lines` makes of `entries`.

    It may also be False for entries that are very deep or hold lone surrogates: those are to be looked at one by one.
    """
    return encode_entries(list(entries)) == block and _are_compact(block[:-1].replace(b"\n", b","))


def _are_compact(values: bytes) -> bool:
    """Return whether no white space stands between tokens; in one look at all, which is how entries mostly come."""
    array = b"[%b]" % values
    try:
        return msgspec.json.format(array, indent=-1) == array
    except (msgspec.DecodeError, RecursionError):  # a lone surrogate, or very deep
        return False

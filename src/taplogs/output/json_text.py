"""JSON laid out anew, each token as it was sent: numbers keep their digits, strings their escapes."""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Raw

_INDENT = b"  "
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},:]|[^][{},:"\s]+', re.DOTALL)


def indented(text: bytes) -> bytes:
    """Return JSON over several lines, two spaces a level."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):  # a lone surrogate, or very deep
        return _laid_out(text)


def compact(text: bytes) -> bytes:
    """Return JSON on one line without white space between its tokens."""
    try:
        return msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return b"".join(_TOKEN.findall(text))


def encoded(value: object) -> bytes:
    """Return a member of an entry as JSON on one line."""
    if isinstance(value, Raw):
        text = bytes(value)
        return compact(text) if b"\n" in text or b"\r" in text else text
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate: JSON has an escape for it, UTF-8 has not
        return json.dumps(value).encode("ascii")


def _laid_out(text: bytes) -> bytes:
    parts: list[bytes] = []
    depth = 0
    opened = False
    for token in _TOKEN.findall(text):
        if token in b"]}":
            depth -= 1
            parts += [token] if opened else [b"\n", _INDENT * depth, token]
            opened = False
            continue
        if opened:
            parts += [b"\n", _INDENT * depth]
        opened = token in b"[{"
        depth += opened
        parts.append(b": " if token == b":" else token)
        if token == b",":
            parts += [b"\n", _INDENT * depth]
    return b"".join(parts)

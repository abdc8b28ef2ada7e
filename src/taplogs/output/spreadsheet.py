"""CSV as spreadsheets read it (RFC 4180), with foreign text kept from being run as a formula."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, has_payload
from taplogs.output.json_text import compact
from taplogs.output.table import DERIVED

# The full-width forms are read as their ASCII twins by some spreadsheets; a leading quote is guarded so that the
# guard can be taken off again without loss.
_FORMULA_START = frozenset("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
_NEEDS_QUOTES = r'[",\r\n]|^\s|\s$'

_FIELD_OF = {field.encode_name: field.name for field in msgspec.structs.fields(LogEntry)}


def guard(text: str) -> str:
    """Return a cell of foreign text with `'` before it where a spreadsheet would run it or take the `'` away."""
    return f"'{text}" if text[:1] in _FORMULA_START else text


def unguard(text: str) -> str:
    """Return what `guard` was given."""
    return text[1:] if text[:1] == "'" else text


def csv_header(members: Sequence[str]) -> bytes:
    """Return the heading line."""
    return (",".join(members) + "\r\n").encode("ascii")


def csv_row(entry: LogEntry, members: Sequence[str], templates: EndpointTemplates) -> bytes:
    """Return one entry as a line: null as an empty cell, payloads as compact JSON, text guarded."""
    values = [
        getattr(entry, _FIELD_OF[member]) if member in _FIELD_OF else DERIVED[member](entry, templates)
        for member in members
    ]
    line = ",".join(map(csv_cell, values)) + "\r\n"
    return line.encode("utf-8", "backslashreplace")


def csv_cell(value: object) -> str:
    """Return a value as a cell, quoted where it has to be: null is empty, numbers are as they are, text is guarded."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Raw):
        if not has_payload(value):
            return ""
        text = compact(bytes(value)).decode("utf-8")
        if _is_number(text):
            return text
    else:
        text = str(value)
    text = guard(text)
    return '"' + text.replace('"', '""') + '"' if re.search(_NEEDS_QUOTES, text) else text


def _is_number(text: str) -> bool:
    if text[:1] not in "-0123456789":
        return False
    try:
        return isinstance(json.loads(text), int | float)
    except ValueError:
        return False

"""Rows of a table -> LogEntry: as taplogs writes CSV, in any order of its columns, with any of the known names."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from taplogs.core.decoding import NAMES, REQUIRED, MalformedBody, decode_entry, decode_lines
from taplogs.core.entry import LogEntry
from taplogs.core.formula_guard import unguard

_PAYLOADS = frozenset({"requestPayload", "responsePayload"})
_NUMBERS = frozenset({*NAMES["status_code"], *NAMES["latency_ms"]})
_TIMES = frozenset({*NAMES["timestamp"], *NAMES["created_at"], *NAMES["updated_at"]})
_NEEDED = frozenset(name for field in REQUIRED for name in NAMES[field])
_KNOWN = frozenset({*_PAYLOADS, *(name for names in NAMES.values() for name in names)})
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)

_encoder = msgspec.json.Encoder()
_payload_decoder = msgspec.json.Decoder(Raw)


def is_heading(cells: Sequence[str]) -> bool:
    """Return whether cells name columns that entries can be made of."""
    return all(any(name in cells for name in NAMES[field]) for field in REQUIRED)


class _Column(Struct, frozen=True):
    """A column that is read: which cell it is, its name as JSON with a colon, and what its cells are."""

    place: int
    member: bytes
    name: str
    is_payload: bool
    may_be_number: bool
    is_required: bool

    @property
    def may_have_guard(self) -> bool:
        return not self.is_payload and self.name not in _NUMBERS

    @staticmethod
    def named(name: str, place: int) -> _Column:
        member = f'"{name}":'.encode("ascii")
        return _Column(place, member, name, name in _PAYLOADS, name in _NUMBERS | _TIMES, name in _NEEDED)


class RowDecoder:
    """Makes entries of rows: an empty cell is null, or an empty text where a field cannot be null."""

    def __init__(self, heading: Sequence[str]) -> None:
        """`heading` are the names of the columns; those that no entry has are not looked at."""
        self._width = len(heading)
        self._columns = [_Column.named(name, place) for place, name in enumerate(heading) if name in _KNOWN]
        self._texts = [column.place for column in self._columns if column.may_have_guard]

    def texts(self, row: Sequence[str]) -> list[str]:
        """Return the cells of a row that hold text, which may have the guard."""
        return [row[place] for place in self._texts if place < len(row)]

    def decode_all(self, rows: Sequence[Sequence[str]], *, guarded: bool) -> list[LogEntry]:
        """Return the entries of rows; raises MalformedBody."""
        return decode_lines(b"\n".join([self._as_json(row, guarded=guarded) for row in rows]))

    def decode(self, row: Sequence[str], *, guarded: bool) -> LogEntry:
        """Return the entry of a row; raises MalformedBody."""
        return decode_entry(self._as_json(row, guarded=guarded))

    def _as_json(self, row: Sequence[str], *, guarded: bool) -> bytes:
        if len(row) != self._width:
            raise MalformedBody(f"it has {len(row)} cells, and the heading {self._width}")
        members = []
        for column in self._columns:
            cell = row[column.place]
            if column.is_payload:
                value = _payload(column.name, cell)
            elif column.may_be_number and _NUMBER.match(cell):
                value = cell.encode("ascii")
            elif cell or column.is_required:
                value = _text(unguard(cell) if guarded else cell)
            else:
                continue
            members.append(column.member + value)
        return b"{" + b",".join(members) + b"}"


def _text(cell: str) -> bytes:
    try:
        return _encoder.encode(cell)
    except UnicodeEncodeError:
        raise MalformedBody("not UTF-8") from None


def _payload(name: str, cell: str) -> bytes:
    """Return a payload as JSON on one line: nothing in a cell can end it and begin another member."""
    try:
        text = cell.encode("utf-8") or b"null"
        bytes(_payload_decoder.decode(text))
    except UnicodeEncodeError:
        raise MalformedBody("not UTF-8") from None
    except RecursionError:
        raise MalformedBody(f'"{name}" is JSON nested too deeply') from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f'"{name}" is not JSON: {error}') from None
    return text.replace(b"\n", b" ")

"""CSV as spreadsheets read it (RFC 4180), with foreign text kept from being run as a formula.

A batch of entries is turned column by column: most columns are found harmless in one look, and the few cells that are
not are made once for all rows that repeat them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.formula_guard import FORMULA, STARTS, guard
from taplogs.output.json_text import compact
from taplogs.output.table import DERIVED

_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(LogEntry)}

_Cells = Callable[[list[Any]], list[str]]


def csv_header(members: Sequence[str], *, byte_order_mark: bool = False) -> bytes:
    """Return the heading line, after the mark by which Excel knows UTF-8 where it is asked for."""
    return _BYTE_ORDER_MARK * byte_order_mark + (",".join(members) + "\r\n").encode("ascii")


def csv_cell(value: object) -> str:
    """Return a value as a cell, quoted where it has to be: null is empty, numbers are as they are, text is guarded."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else _quoted(guard(str(value)))


class CsvRows:
    """Turns entries into rows: null is an empty cell, a payload compact JSON, a number as it is, text guarded.

    `guarded_cells` says of all rows so far how many cells got the guard.
    """

    def __init__(
        self, members: Sequence[str], templates: EndpointTemplates, *, guarded: bool = True, canonical: bool = False
    ) -> None:
        """`guarded`: text that a spreadsheet would run gets the guard.

        `canonical`: the payloads hold no needless white space, and need not be rid of it.
        """
        self.guarded_cells = 0
        self._guarded = guarded
        self._canonical = canonical
        self._columns = [self._column(member, templates) for member in members]

    def lines(self, entries: Sequence[LogEntry]) -> list[str]:
        """Return each entry as a line, without CR LF."""
        columns = [cells(list(map(value_of, entries))) for value_of, cells in self._columns]
        return list(map(",".join, zip(*columns, strict=True)))

    def encoded(self, entries: Sequence[LogEntry]) -> bytes:
        """Return the entries as lines in UTF-8; a lone surrogate, which UTF-8 has not, as `\\ud800`."""
        return b"".join([f"{line}\r\n".encode("utf-8", "backslashreplace") for line in self.lines(entries)])

    def _column(self, member: str, templates: EndpointTemplates) -> tuple[Callable[[LogEntry], object], _Cells]:
        """Return how the values of a member are got and how they become cells."""
        field = _FIELDS.get(member)
        if field is None:
            derive = DERIVED[member]
            return lambda entry: derive(entry, templates), self._texts
        kinds: dict[str, _Cells] = {
            "status_code": _numbers,
            "latency_ms": _numbers,
            "request_payload": self._payloads,
            "response_payload": self._payloads,
        }
        return attrgetter(field.name), kinds.get(field.name, self._texts)

    def _payloads(self, column: list[Raw]) -> list[str]:
        return _json_cells(map(str, column, repeat("utf-8")) if self._canonical else map(_compact_text, column))

    def _texts(self, column: list[str | None]) -> list[str]:
        texts = [text or "" for text in column]
        if _all_plain(texts):
            return texts
        distinct = set(texts)
        formulas = set(filter(FORMULA.match, distinct)) if self._guarded else set()
        self.guarded_cells += sum(map(formulas.__contains__, texts))
        cells = {text: _quoted(f"'{text}" if text in formulas else text) for text in distinct}
        return [cells[text] for text in texts]


def _all_plain(texts: list[str]) -> bool:
    """Return whether no cell can need quotes or the guard; this takes a fraction of what looking at each would."""
    together = "\n".join(texts)
    return not (
        '"' in together
        or "," in together
        or "\r" in together
        or together.count("\n") >= len(texts)
        or list(map(str.strip, texts)) != texts
        or list(map(str.lstrip, texts, repeat(STARTS))) != texts
    )


def _numbers(column: Iterable[int | None]) -> list[str]:
    return ["" if number is None else str(number) for number in column]


def _json_cells(texts: Iterable[str]) -> list[str]:
    """Return payloads as cells. None is guarded: JSON starts no formula, only a negative number starts with a sign."""
    return [
        "" if text == "null" else _in_quotes(text) if '"' in text or "," in text or "\r" in text else text
        for text in texts
    ]


def _compact_text(payload: Raw) -> str:
    text = bytes(payload)
    return "null" if text == b"null" else compact(text).decode("utf-8")


def _quoted(text: str) -> str:
    return _in_quotes(text) if _NEEDS_QUOTES.search(text) else text


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

"""The query string of the list endpoint -> what to search. The one place where it is validated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from taplogs.backend.cursor import decode_cursor
from taplogs.backend.envelope import invalid_request
from taplogs.core.filters import METHODS, MethodFilter, StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import ceil_to_millisecond, parse_timestamp
from taplogs.sources.sqlite_query import Position

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000
MAX_PAGE_NUMBER = 1_000_000_000

Value = TypeVar("Value")

_CLASSES = ("2xx", "3xx", "4xx", "5xx")
_FIELDS = ("full", "summary")
_ORDERS = tuple(order.value for order in Order)


@dataclass(frozen=True)
class Listing:
    """A request for entries: a query without limit, where to start in it, and how large a page is.

    `paged` says whether the caller asks for a page, so that a stream ends with it too.
    """

    query: LogQuery
    page_size: int
    offset: int
    after: Position | None
    paged: bool


def read_listing(arguments: MultiDict[str, str]) -> Listing:
    """Return what a query string asks for; names it does not know are ignored.

    Raises ApiError 400 that names everything wrong.
    """
    reader = _Reader(arguments)
    page_size = reader.single("perPage", _within(1, MAX_PAGE_SIZE))
    page_number = reader.single("pageNumber", _within(1, MAX_PAGE_NUMBER))
    order = Order(reader.single("order", _one_of(_ORDERS)) or Order.NEWEST_FIRST)
    after = reader.single("cursor", lambda text: decode_cursor(text, order))
    query = LogQuery(
        window=Window(reader.single("startDate", _instant), reader.single("endDate", _instant)),
        status=_status(reader.every("statusClass", _one_of(_CLASSES)), reader.every("statusCode", _within(100, 999))),
        method=_method(reader.every("method", _one_of(METHODS))),
        order=order,
        payloads=reader.single("fields", _one_of(_FIELDS)) != "summary",
    )
    if "cursor" in arguments and "pageNumber" in arguments:
        reader.faults["pageNumber"] = "cannot be combined with cursor"
    if reader.faults:
        raise invalid_request(reader.faults)
    size = page_size or DEFAULT_PAGE_SIZE
    return Listing(query, size, ((page_number or 1) - 1) * size, after, paged=bool(page_size or page_number))


class _Reader:
    """Reads parameters and collects what is wrong with them."""

    def __init__(self, arguments: MultiDict[str, str]) -> None:
        self._arguments = arguments
        self.faults: dict[str, str] = {}

    def single(self, name: str, convert: Callable[[str], Value]) -> Value | None:
        texts = self._arguments.getlist(name)
        if len(texts) > 1:
            self.faults[name] = "is given more than once"
            return None
        return next(iter(self.every(name, convert)), None)

    def every(self, name: str, convert: Callable[[str], Value]) -> list[Value]:
        values = []
        for text in self._arguments.getlist(name):
            try:
                values.append(convert(text))
            except ValueError as fault:
                self.faults[name] = str(fault)
        return values


def _within(low: int, high: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not re.fullmatch(r"0|[1-9][0-9]{0,17}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return convert


def _one_of(accepted: Iterable[str]) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in accepted:
            raise ValueError(f"must be one of {', '.join(accepted)}")
        return text

    return convert


def _instant(text: str) -> datetime:
    try:
        return ceil_to_millisecond(parse_timestamp(text))
    except (ValueError, OverflowError):
        hint = "; a + must be sent as %2B" if re.search(r" \d\d:\d\d\Z", text) else ""
        raise ValueError(f"must be an RFC 3339 time such as 2026-11-01T10:00:00Z{hint}") from None


def _status(classes: list[str], codes: list[int]) -> StatusFilter | None:
    terms = tuple(dict.fromkeys((*classes, *map(str, codes))))
    return StatusFilter(terms) if terms else None


def _method(methods: list[str]) -> MethodFilter | None:
    return MethodFilter(tuple(dict.fromkeys(methods))) if methods else None

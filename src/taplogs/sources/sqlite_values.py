"""What each value of a store must be by itself, as conditions of SQL: types, and bounds."""

from __future__ import annotations

from taplogs.sources.sqlite_words import WordKind

Values = dict[str, str]
"""Columns in words, and the condition that each of their values fulfils; it is never null."""

_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999 in milliseconds since 1970."""

_LONGEST = 2**53


def _is(column: str, *types: str) -> str:
    return f"typeof({column}) IN ({', '.join(map(repr, types))})"


def _number(column: str, low: int, high: int) -> str:
    return f"({_is(column, 'integer')} AND {column} BETWEEN {low} AND {high})"


def _since(column: str, moment: str) -> str:
    since = _number(f"{moment} + {column}", _FIRST, _LAST)
    return f"({_is(column, 'text', 'null')} OR {_is(column, 'integer')} AND {since})"


def _code(column: str) -> str:
    return _number(column, 0, 2**62)


_ID = f"({_is('id', 'text')} OR {_is('id', 'blob')} AND length(id) = 16)"
_LOGGED = "moment + iif(typeof(created) = 'integer', created, 0)"
_GROUP = {f"the code of the {name}": _code(name) for name in ("place", "method", "client", "company")}

VALUES: dict[str, Values] = {
    "entries": {
        "the time": _number("moment", _FIRST, _LAST),
        "the id": _ID,
        "the status": _number("status", 0, 999),
        "the latency": f"({_is('latency', 'null')} OR {_number('latency', 0, _LONGEST)})",
        "the URL": _is("url", "text"),
        **_GROUP,
        "the code of the address": _code("ip"),
        "the code of the user agent": _code("agent"),
        "the time of being logged": _since("created", "moment"),
        "the time of being changed": _since("updated", _LOGGED),
        "the number of the payloads": f"({_is('payloads', 'null')} OR {_number('payloads', 1, 2**62)})",
    },
    "ids": {"the id": _ID, "the time": _number("moment", _FIRST, _LAST)},
    "words": {"the kind": _number("kind", min(WordKind), max(WordKind)), "the word": _is("word", "text")},
    "places": {
        "the origin": f"({_is('origin', 'text')} AND (origin = '' OR origin GLOB 'http://?*' OR origin GLOB 'https://?*'))",
        "the endpoint": _is("endpoint", "text"),
    },
    "payload_blocks": {
        "the first number": _number("first", 1, 2**62),
        "the number of payloads": _number("number", 1, 2**32),
        "the content": _is("content", "blob"),
    },
    "payload_tail": {
        "the number": _number("number", 1, 2**62),
        "the payload of the request": _is("request", "blob", "null"),
        "the payload of the response": _is("response", "blob", "null"),
    },
    "counts": {
        "the month": f"({_number('month', 0, 0)} OR {_number('month', 13, 9999 * 12 + 12)})",
        **_GROUP,
        "the status": _number("status", 0, 999),
        "the count": _number("number", 1, 2**62),
        "the histogram of latencies": _is("latencies", "blob"),
    },
    "quarters": {
        "the quarter of an hour": _number("quarter", _FIRST // 900_000, _LAST // 900_000),
        "the status": _number("status", 0, 999),
        "the count": _number("number", 1, 2**62),
    },
    "origins": {"the name": _is("name", "text"), "the state": _is("state", "blob")},
    "traits": {"the note of the kinds of ids": _number("id_kinds", 0, 3)},
}

"""Rows of the table of entries -> entries, a batch at a time and column by column."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence, Set
from itertools import repeat
from operator import add
from typing import Any

from taplogs.core.entry import NULL, LogEntry
from taplogs.sources.sqlite_damage import stored
from taplogs.sources.sqlite_ids import id_text
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_words import NOTHING, Dictionary

_MOST_STATUS = 999

COLUMNS = {
    "moment": "0",
    "id": "''",
    "method": str(NOTHING),
    "place": "0",
    "url": "''",
    "status": "0",
    "latency": "NULL",
    "ip": str(NOTHING),
    "agent": str(NOTHING),
    "client": str(NOTHING),
    "company": str(NOTHING),
    "created": "NULL",
    "updated": "NULL",
    "payloads": "NULL",
}
"""The columns that entries are made of, and for each what stands in its place where nobody looks at it."""

_NEEDED = {
    "id": ("id",),
    "timestamp": ("moment",),
    "method": ("method",),
    "request_url": ("place", "url"),
    "status_code": ("status",),
    "latency_ms": ("latency",),
    "request_payload": ("payloads",),
    "response_payload": ("payloads",),
    "ip_address": ("ip",),
    "user_agent": ("agent",),
    "client_id": ("client",),
    "company_id": ("company",),
    "created_at": ("moment", "created"),
    "updated_at": ("moment", "created", "updated"),
}
ALL_FIELDS = frozenset(LogEntry.__struct_fields__)
SUMMARY_FIELDS = ALL_FIELDS - {"request_payload", "response_payload"}


def columns_for(fields: frozenset[str]) -> str:
    """Return what to select so that these fields of entries can be made; the others are left empty."""
    needed = {column for field in fields for column in _NEEDED[field]}
    return ", ".join(column if column in needed else constant for column, constant in COLUMNS.items())


class EntryReader:
    """Makes entries of rows, within one snapshot."""

    def __init__(
        self, connection: sqlite3.Connection, dictionary: Dictionary, moments: Moments, fields: frozenset[str]
    ) -> None:
        """`fields`: what the rows were selected for; all others are empty."""
        self._connection = connection
        self._dictionary = dictionary
        self._moments = moments
        self._fields = fields
        self._payloads = None
        if not fields.isdisjoint({"request_payload", "response_payload"}):
            from taplogs.sources.sqlite_payloads import PayloadReader

            self._payloads = PayloadReader(connection)

    def entries(self, rows: Sequence[tuple[Any, ...]]) -> list[LogEntry]:
        """Return the entries of rows of `columns_for`; raises sqlite3.DatabaseError where a row is damaged."""
        if not rows:
            return []
        columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
        coded = [columns[name] for name in ("method", "ip", "agent", "client", "company")]
        with stored("an entry"):
            _check(columns)
            words = self._dictionary.words(self._connection, (code for codes in coded for code in {*codes}))
            methods, ips, agents, clients, companies = ([words[code] for code in codes] for codes in coded)
            requests, responses = self._pairs(columns["payloads"])
            created, updated = self._logged(columns)
            made = map(
                LogEntry,
                map(id_text, columns["id"]),
                self._moments.texts(columns["moment"]) if "timestamp" in self._fields else repeat(""),
                methods if "method" in self._fields else repeat(""),
                self._urls(columns),
                columns["status"],
                columns["latency"],
                requests,
                responses,
                ips,
                agents,
                clients,
                companies,
                created,
                updated,
            )
            return list(made)

    def _urls(self, columns: dict[str, tuple[Any, ...]]) -> Iterable[str]:
        if "request_url" not in self._fields:
            return repeat("")
        places = self._dictionary.places(self._connection, {*columns["place"]})
        return [places[place].join(url) for place, url in zip(columns["place"], columns["url"], strict=True)]

    def _pairs(self, numbers: Iterable[int | None]) -> tuple[Iterable[Any], Iterable[Any]]:
        if self._payloads is None:
            return repeat(NULL), repeat(NULL)
        find, nothing = self._payloads.pair, (NULL, NULL)
        requests, responses = zip(*[nothing if number is None else find(number) for number in numbers], strict=True)
        return requests, responses

    def _logged(self, columns: dict[str, tuple[Any, ...]]) -> tuple[Iterable[str | None], Iterable[str | None]]:
        """Return when entries were logged, and last changed; mostly that was at once."""
        if self._fields.isdisjoint({"created_at", "updated_at"}):
            return repeat(None), repeat(None)
        created, bases = self._moved(columns["moment"], columns["created"])
        if "updated_at" not in self._fields:
            return created, repeat(None)
        at_once = {*columns["updated"]} == {0} and {*map(type, columns["created"])} == {int}
        updated = created if at_once else self._moved(bases, columns["updated"])[0]
        return created if "created_at" in self._fields else repeat(None), updated

    def _moved(
        self, bases: Sequence[int], values: Sequence[int | str | None]
    ) -> tuple[Sequence[str | None], Sequence[int]]:
        """Return times, stored as milliseconds since `bases` or as they are, and what others are counted from."""
        if {*map(type, values)} == {int}:
            moments = list(map(add, bases, values))
            return self._moments.texts(moments), moments
        if not {*map(type, values)} <= {int, str, type(None)}:
            raise TypeError("a time is neither a number nor a text")
        pairs = list(zip(bases, values, strict=True))
        text = self._moments.text
        return (
            [text(base + value) if isinstance(value, int) else value for base, value in pairs],
            [base + value if isinstance(value, int) else base for base, value in pairs],
        )


def _check(columns: dict[str, tuple[Any, ...]]) -> None:
    """Raise ValueError for what no entry has; anything else is found when it is looked up."""
    if not set(map(type, columns["url"])) == {str}:
        raise ValueError("a URL is no text")
    check_counted({*columns["status"]}, {*columns["latency"]})


def check_counted(statuses: Set[Any], latencies: Set[Any]) -> None:
    """Raise ValueError where one of these is no status of an entry, or no latency; TypeError where it is no number."""
    numbers = statuses | latencies - {None}
    if not {*map(type, numbers)} <= {int} or min(numbers, default=0) < 0 or max(statuses, default=0) > _MOST_STATUS:
        raise ValueError("a status or a latency is none")

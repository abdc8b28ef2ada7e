"""Entries -> rows: what is added to a store, in chunks of bounded memory within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from taplogs.core.entry import LogEntry
from taplogs.sources.protocol import Kept, UnstorableEntry
from taplogs.sources.sqlite_counts import Tally
from taplogs.sources.sqlite_ids import kinds_of, stored_ids
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_payloads import PayloadWriter
from taplogs.sources.sqlite_urls import UrlSplitter
from taplogs.sources.sqlite_words import Coder, WordKind

_CHUNK = 10_000
_AT_ONCE = 500
_COLUMNS = "moment, id, status, latency, method, place, url, ip, agent, client, company, created, updated, payloads"
_INSERT = f"INSERT INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * 14)}) ON CONFLICT DO NOTHING"  # noqa: S608 - our own columns


class EntryWriter:
    """Adds entries within one transaction. Of entries with the same id the first one is kept."""

    def __init__(self, connection: sqlite3.Connection, moments: Moments) -> None:
        self._connection = connection
        self._moments = moments
        self._coder = Coder(connection)
        self._splitter = UrlSplitter()
        self._payloads = PayloadWriter(connection)
        self._tally = Tally(connection)
        (self._id_kinds,) = connection.execute("SELECT id_kinds FROM traits").fetchone()

    def add(self, entries: Iterable[LogEntry], late_before: str = "") -> Kept:
        """Store those entries whose id is not here yet; those earlier than `late_before` count as late.

        Raises UnstorableEntry: the transaction is to be taken back then.
        """
        new = late = 0
        remaining = iter(entries)
        try:
            while chunk := list(islice(remaining, _CHUNK)):
                stored = self._add_chunk(chunk)
                new += len(stored)
                late += sum(entry.timestamp < late_before for entry in stored) if late_before else 0
            self._tally.flush()
        except UnicodeEncodeError:
            raise UnstorableEntry("a lone surrogate, which SQLite cannot hold") from None
        except OverflowError:
            raise UnstorableEntry("an integer beyond 64 bits, which SQLite cannot hold") from None
        return Kept(new, late)

    def _add_chunk(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Store a chunk, as if each entry of it were the first with its id, and where that fails, those that are."""
        self._connection.execute("SAVEPOINT chunk")
        if self._insert(entries):
            self._connection.execute("RELEASE chunk")
            return entries
        self._connection.execute("ROLLBACK TO chunk")
        self._connection.execute("RELEASE chunk")
        self._coder.forget()
        self._payloads.begin()
        entries = self._unknown(entries)
        self._insert(entries)
        return entries

    def _unknown(self, entries: list[LogEntry]) -> list[LogEntry]:
        first = {entry.id: entry for entry in reversed(entries)}
        ids = stored_ids(first)
        known: set[str | bytes] = set()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            statement = f"SELECT id FROM entries WHERE id IN ({marks})"  # noqa: S608 - only marks
            known.update(id_ for (id_,) in self._connection.execute(statement, some))
        unknown = {text for text, id_ in zip(first, ids, strict=True) if id_ not in known}
        return [entry for entry in entries if entry.id in unknown and first[entry.id] is entry]

    def _insert(self, entries: list[LogEntry]) -> bool:
        """Store entries and count them; return whether all of them were new, without counting them otherwise."""
        if not entries:
            return True
        moments = self._numbers([entry.timestamp for entry in entries])
        ids = stored_ids([entry.id for entry in entries])
        statuses = [entry.status_code for entry in entries]
        latencies = [entry.latency_ms for entry in entries]
        words = self._coder.words
        methods = words(WordKind.METHOD, [entry.method for entry in entries])
        ips = words(WordKind.IP, [entry.ip_address for entry in entries])
        agents = words(WordKind.AGENT, [entry.user_agent for entry in entries])
        clients = words(WordKind.CLIENT, [entry.client_id for entry in entries])
        companies = words(WordKind.COMPANY, [entry.company_id for entry in entries])
        split = [self._splitter.split(entry.request_url) for entry in entries]
        places = self._coder.places([place for place, _ in split])
        urls = [rest for _, rest in split]
        created = [self._since(base, entry.created_at) for base, entry in zip(moments, entries, strict=True)]
        updated = [
            self._since(base + since if isinstance(since, int) else base, entry.updated_at)
            for base, since, entry in zip(moments, created, entries, strict=True)
        ]
        payloads = self._payloads.numbers(
            [bytes(entry.request_payload) for entry in entries], [bytes(entry.response_payload) for entry in entries]
        )
        columns: Sequence[Sequence[Any]] = (
            *(moments, ids, statuses, latencies, methods, places, urls),
            *(ips, agents, clients, companies, created, updated, payloads),
        )
        cursor = self._connection.executemany(_INSERT, zip(*columns, strict=True))
        if cursor.rowcount != len(entries):
            return False
        self._tally.count(moments, list(zip(places, methods, statuses, clients, companies, strict=True)), latencies)
        self._learn(kinds_of(ids))
        return True

    def _numbers(self, timestamps: list[str]) -> list[int]:
        try:
            return self._moments.numbers(timestamps)
        except ValueError as error:
            raise UnstorableEntry(f"a timestamp that is no moment: {error}") from None

    def _since(self, base: int, text: str | None) -> int | str | None:
        """Return a time as the milliseconds since `base`, or as it is."""
        if text is None:
            return None
        try:
            return self._moments.number(text) - base
        except ValueError:
            return text

    def _learn(self, kinds: int) -> None:
        if self._id_kinds | kinds != self._id_kinds:
            self._id_kinds |= kinds
            self._connection.execute("UPDATE traits SET id_kinds = ?", (self._id_kinds,))

"""Entries -> rows: what is added to a store, in chunks of bounded memory within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import sub
from typing import Any

from taplogs.core.entry import LogEntry
from taplogs.sources.protocol import Kept, UnstorableEntry
from taplogs.sources.sqlite_counts import Tally
from taplogs.sources.sqlite_ids import TEXTS, UUIDS, kinds_of, stored_ids
from taplogs.sources.sqlite_moments import Moments
from taplogs.sources.sqlite_payloads import PayloadWriter
from taplogs.sources.sqlite_schema import kinds_of_ids
from taplogs.sources.sqlite_urls import UrlSplitter
from taplogs.sources.sqlite_words import Coder, WordKind

_CHUNK = 20_000
"""Ids come in any order; so many of them sorted are found in their table in half the time."""

_AT_ONCE = 500
_COLUMNS = "moment, id, status, latency, method, place, url, ip, agent, client, company, created, updated, payloads"
_INSERT = f"INSERT INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * 14)})"  # noqa: S608 - our own columns


class EntryWriter:
    """Adds entries within one transaction. Of entries with the same id the first one is kept."""

    def __init__(self, connection: sqlite3.Connection, moments: Moments) -> None:
        self._connection = connection
        self._moments = moments
        self._coder = Coder(connection)
        self._splitter = UrlSplitter()
        self._payloads = PayloadWriter(connection)
        self._tally = Tally(connection)
        self._id_kinds = kinds_of_ids(connection)

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
        """Store those entries of a chunk that are the first ones with their ids; return them."""
        keys = self._keys(entries)
        self._connection.execute("SAVEPOINT chunk")
        if not self._take(keys):  # mostly all of them are new
            self._connection.execute("ROLLBACK TO chunk")
            entries = self._unknown(entries)
            keys = self._keys(entries)
            self._take(keys)
        self._connection.execute("RELEASE chunk")
        if entries:
            self._insert(entries, keys)
        return entries

    def _keys(self, entries: list[LogEntry]) -> list[tuple[str | bytes, int]]:
        """Return the id and the moment of each entry."""
        try:
            moments = self._moments.numbers([entry.timestamp for entry in entries])
        except ValueError as error:
            raise UnstorableEntry(f"a timestamp that is no moment: {error}") from None
        return list(zip(stored_ids([entry.id for entry in entries]), moments, strict=True))

    def _take(self, keys: list[tuple[str | bytes, int]]) -> bool:
        """Store ids; return whether all of them were new."""
        kinds = kinds_of(entry_id for entry_id, _ in keys)
        self._learn(kinds)
        # In any other order than its own, a large table takes twice the time to find the place of each id.
        in_order = sorted(keys, key=_type_first) if kinds == UUIDS | TEXTS else sorted(keys)
        statement = "INSERT INTO ids VALUES (?, ?) ON CONFLICT DO NOTHING"
        return self._connection.executemany(statement, in_order).rowcount in (len(keys), -1)  # -1 where there are none

    def _unknown(self, entries: list[LogEntry]) -> list[LogEntry]:
        first = {entry.id: entry for entry in reversed(entries)}
        ids = stored_ids(first)
        known: set[str | bytes] = set()
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            statement = f"SELECT id FROM ids WHERE id IN ({marks})"  # noqa: S608 - only marks
            known.update(id_ for (id_,) in self._connection.execute(statement, some))
        unknown = {text for text, id_ in zip(first, ids, strict=True) if id_ not in known}
        return [entry for entry in entries if entry.id in unknown and first[entry.id] is entry]

    def _insert(self, entries: list[LogEntry], keys: list[tuple[str | bytes, int]]) -> None:
        ids, moments = zip(*keys, strict=True)
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
        created, updated = self._logged(moments, entries)
        payloads = self._payloads.numbers(
            [bytes(entry.request_payload) for entry in entries], [bytes(entry.response_payload) for entry in entries]
        )
        columns: Sequence[Sequence[Any]] = (
            *(moments, ids, statuses, latencies, methods, places, urls),
            *(ips, agents, clients, companies, created, updated, payloads),
        )
        self._connection.executemany(_INSERT, zip(*columns, strict=True))
        self._tally.count(moments, list(zip(places, methods, statuses, clients, companies, strict=True)), latencies)

    def _logged(self, moments: Sequence[int], entries: list[LogEntry]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return when entries were logged, as the milliseconds since `moments`, and when changed, since they were."""
        logged, changed = [entry.created_at for entry in entries], [entry.updated_at for entry in entries]
        created = self._since(moments, logged)
        if changed == logged and all(type(since) is int for since in created):
            return created, [0] * len(entries)
        bases = [base + since if isinstance(since, int) else base for base, since in zip(moments, created, strict=True)]
        return created, self._since(bases, changed)

    def _since(self, bases: Sequence[int], texts: Sequence[str | None]) -> Sequence[int | str | None]:
        """Return times as the milliseconds since `bases`, or as they are where they are none."""
        try:
            return list(map(sub, self._moments.numbers(texts), bases))  # type: ignore[arg-type]  # None is a TypeError
        except (TypeError, ValueError):
            return [self._one_since(base, text) for base, text in zip(bases, texts, strict=True)]

    def _one_since(self, base: int, text: str | None) -> int | str | None:
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


def _type_first(pair: tuple[str | bytes, int]) -> tuple[bool, str | bytes]:
    return isinstance(pair[0], bytes), pair[0]

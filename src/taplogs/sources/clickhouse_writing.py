"""Entries and states -> their tables in ClickHouse, without transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import blake2b

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.errors import ConfigurationError
from taplogs.sources.clickhouse_connection import ClickHouseConnection
from taplogs.sources.clickhouse_rows import insertable, milliseconds
from taplogs.sources.clickhouse_schema import Engine, Table
from taplogs.sources.protocol import UnstorableEntry

_ASKED_AT_ONCE = 64 * 1024
"""Bytes of ids in one question: a server takes a parameter of 128 KiB unless it is told otherwise."""

_SETTINGS = {"insert_distributed_sync": 1, "max_partitions_per_insert_block": 0}
"""An insert ends when the shards have it, else the next look for ids would miss it; a block may span all months."""

_REMOVALS = ""
"""The origin under which removals are counted; no other is empty."""


class ClickHouseWriter:
    """Writes to the tables of one address, which are there."""

    def __init__(self, connection: ClickHouseConnection) -> None:
        self._connection = connection
        self._templates = EndpointTemplates()

    def add(self, entries: Sequence[LogEntry]) -> list[LogEntry]:
        """Store those entries whose id is not here yet, as one block; return them. Raises UnstorableEntry.

        The block carries a token of its ids, by which ClickHouse passes over a block that it has: an insert whose
        answer was lost may be sent again. After a removal the tokens are others, so what was removed may come again.
        """
        first = {entry.id: entry for entry in reversed(entries)}
        try:
            here = self._stored(first)
            new = [entry for entry in dict.fromkeys(map(_identifier, entries)) if entry not in here]
            chosen = [first[entry_id] for entry_id in new]
            columns = insertable(chosen, self._templates.of_url)
        except UnicodeEncodeError:
            raise UnstorableEntry("a lone surrogate, which ClickHouse cannot hold") from None
        except ValueError as error:
            raise UnstorableEntry(f"{error}, which ClickHouse cannot hold") from None
        if chosen:
            self._connection.insert(
                self._connection.address.qualified, columns, insert_deduplication_token=self._token(new), **_SETTINGS
            )
        return chosen

    def states(self) -> dict[str, bytes]:
        """Return the last state of each origin."""
        return {origin: state for origin, (state, _) in self._versions().items() if origin != _REMOVALS}

    def store(self, states: Mapping[str, bytes]) -> None:
        """Store states in the place of those of the same origins."""
        versions = self._versions()
        version = 1 + max((number for _, number in versions.values()), default=0)
        self._connection.insert(
            self._connection.address.states,
            {
                "origin": ("String", list(states)),
                "state": ("String", list(states.values())),
                "version": ("UInt64", [version] * len(states)),
            },
            **_SETTINGS,
        )

    def remove_before(self, timestamp: str, states: Mapping[str, bytes], table: Table) -> int:
        """Store states, then remove the entries earlier than a canonical timestamp; return how many there were.

        In this order a run that is killed in between leaves entries that nobody counts on, which the next one removes.
        Raises ConfigurationError for a Distributed table, whose shards alone can remove entries.
        """
        address = self._connection.address
        condition = f"timestamp < reinterpret(toInt64({milliseconds(timestamp):d}), 'DateTime64(3, \\'UTC\\')')"
        if table.engine is Engine.DISTRIBUTED:
            raise ConfigurationError(
                f"{address} is a Distributed table: only the tables behind it can remove entries",
                f"ALTER TABLE … ON CLUSTER … DELETE WHERE timestamp < '{timestamp[:10]}' there, or give them a TTL",
            )
        rows = self._connection.rows(f"SELECT count() FROM {address.qualified} WHERE {condition}")  # noqa: S608 - a number
        removed = int(rows[0][0])
        self.store({**states, _REMOVALS: b""})
        if removed:
            self._connection.execute(f"ALTER TABLE {address.qualified} DELETE WHERE {condition}", mutations_sync=2)
        return removed

    def _stored(self, ids: Collection[str]) -> set[str]:
        """Return those ids that are in the table; the projection by id answers."""
        found: set[str] = set()
        statement = f"SELECT id FROM {self._connection.address.qualified} WHERE id IN {{ids:Array(String)}}"  # noqa: S608 - the value is a parameter
        for part in _parts(ids):
            found.update(row[0] for row in self._connection.rows(statement, {"ids": part}))
        return found

    def _token(self, ids: list[str]) -> str:
        removals = self._versions().get(_REMOVALS, (b"", 0))[1]
        digest = blake2b(digest_size=16)
        for entry_id in ids:
            digest.update(blake2b(entry_id.encode()).digest())
        return f"taplogs {removals} {digest.hexdigest()}"

    def _versions(self) -> dict[str, tuple[bytes, int]]:
        states = self._connection.address.states
        statement = f"SELECT origin, argMax(state, version), max(version) FROM {states} GROUP BY origin"  # noqa: S608 - our own table
        return {origin: (state.encode(), version) for origin, state, version in self._connection.rows(statement)}


def _identifier(entry: LogEntry) -> str:
    return entry.id


def _parts(ids: Collection[str]) -> Iterator[list[str]]:
    """Yield ids in lists that fit into one question each, escaped and quoted; an id on its own always goes."""
    part: list[str] = []
    size = 0
    for entry_id in ids:
        length = 2 * len(entry_id.encode()) + 3
        if part and size + length > _ASKED_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(entry_id)
        size += length
    if part:
        yield part

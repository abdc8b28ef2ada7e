"""Where recordings end: as entries in a store, made and stored by whoever calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from taplogs.core.entry import LogEntry
from taplogs.gateway.entries import EntryBuilder
from taplogs.gateway.recording import Recorded, decode_recorded
from taplogs.gateway.retention import Retention
from taplogs.sources.protocol import UnstorableEntry


class Written(Struct, frozen=True):
    """What became of a batch: how many entries are stored now, and the words for each that cannot be, which is lost."""

    stored: int
    refused: tuple[str, ...] = ()


class LogSink(Protocol):
    """What makes entries of recordings and stores them. A batch that is written a second time changes nothing."""

    def write(self, several: Sequence[bytes]) -> Written:
        """Store a batch of encoded recordings, all but what is refused; raises TaplogsError, OSError, sqlite3.Error."""
        ...

    def tend(self) -> int:
        """Do what else is to be done with the store now and then; return how many old entries were removed so far."""
        ...

    def close(self) -> None:
        """End; nothing is written after that."""
        ...


class Adding(Protocol):
    """A store, as far as it is written to."""

    def add(self, entries: Iterable[LogEntry]) -> int:
        """Store those entries whose id is not here yet, all of them or none; return how many were new."""
        ...


class StoreSink:
    """A LogSink that works here, in the thread that calls."""

    def __init__(self, store: Adding, builder: EntryBuilder, retention: Retention | None = None) -> None:
        """The store stays whoever's it is."""
        self._store = store
        self._builder = builder
        self._retention = retention

    def write(self, several: Sequence[bytes]) -> Written:
        """Store a batch of encoded recordings, all but what is refused."""
        refused: list[str] = []
        entries = self._built(list(map(decode_recorded, several)), refused)
        try:
            self._store.add(entries)
        except UnstorableEntry:
            entries = [entry for entry in entries if self._is_added(entry, refused)]
        return Written(len(entries), tuple(refused))

    def tend(self) -> int:
        """Remove what is old, a little of it."""
        if self._retention is None:
            return 0
        self._retention.tend()
        return self._retention.removed

    def close(self) -> None:
        """Nothing is held."""

    def _built(self, several: Sequence[Recorded], refused: list[str]) -> list[LogEntry]:
        """Return the entries of a batch; what cannot be made into one is refused, and not the others with it."""
        try:
            return self._builder.entries(several)
        except Exception as error:  # noqa: BLE001 - whatever strangers have sent, the writer goes on
            if len(several) > 1:
                return [entry for recorded in several for entry in self._built([recorded], refused)]
            refused.append(f"request {several[0].number} cannot be logged, and is lost: {type(error).__name__}")
            return []

    def _is_added(self, entry: LogEntry, refused: list[str]) -> bool:
        """Store one entry; return whether the store has a place for it."""
        try:
            self._store.add([entry])
        except UnstorableEntry as error:
            refused.append(f"the entry {entry.id} cannot be stored, and is lost: it holds {error}")
            return False
        return True

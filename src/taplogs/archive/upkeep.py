"""A store of the archive looked at, checked, and rid of what is old; nothing of it asks a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from taplogs.archive.coverage import since_only
from taplogs.archive.sync_state import SyncState, decode_state, encode_state
from taplogs.core.query import LogQuery
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import TaplogsError

if TYPE_CHECKING:
    from taplogs.sources.sqlite import SqliteStore

_FILES = ("", "-wal")
"""What a store's files are called after its name: SQLite keeps what was written last in a file of its own."""


class ArchiveStatus(Struct, frozen=True):
    """What there is in a store. `oldest` and `newest` are canonical timestamps, None in an empty store."""

    path: Path
    size: int
    entries: int
    oldest: str | None
    newest: str | None
    states: tuple[SyncState, ...]


def status_of(path: Path, store: SqliteStore) -> ArchiveStatus:
    """Return what there is in an open store; raises TaplogsError."""
    return ArchiveStatus(
        path,
        size_of(path),
        store.count(LogQuery()) or 0,
        store.oldest(),
        store.newest(),
        tuple(map(decode_state, store.states().values())),
    )


def size_of(path: Path) -> int:
    """Return how many bytes a store takes on the disk; raises OSError."""
    files = (path.with_name(path.name + ending) for ending in _FILES)
    return sum(file.stat().st_size for file in files if file.exists())


def faults_of(store: SqliteStore) -> Iterator[str]:
    """Yield what is wrong with a store, each in a sentence; nothing where it is sound."""
    yield from store.faults()
    for text in store.states().values():
        try:
            decode_state(text)
        except TaplogsError as error:
            yield error.message


def older_than(store: SqliteStore, timestamp: str) -> int:
    """Return how many entries are earlier than a canonical timestamp."""
    return store.count(LogQuery(window=Window(None, parse_timestamp(timestamp)))) or 0


def prune(store: SqliteStore, timestamp: str) -> int:
    """Remove the entries earlier than a canonical timestamp, for good: no sync pulls them again; return how many."""
    states = {name: _pruned(decode_state(text), timestamp) for name, text in store.states().items()}
    return store.remove_before(timestamp, {name: encode_state(state) for name, state in states.items()})


def _pruned(state: SyncState, timestamp: str) -> SyncState:
    return replace(
        state,
        covered=since_only(state.covered, timestamp),
        pruned_before=max(state.pruned_before, timestamp),
    )

"""What a store knows of a place that its entries were pulled from: how far, whose, and with which key."""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct

from taplogs.archive.coverage import Coverage
from taplogs.errors import TaplogsError

_SCHEMA = "taplogs.sync/1"


class SyncState(Struct, frozen=True, rename="camel"):
    """How far a store is in step with one source, for one profile. All times are canonical timestamps.

    `covered` is the time without a gap: every entry of it that the source had when it was read is in the store, unless
    it was pruned. `key` is masked. `late` counts the entries that became visible after their time had been read;
    `synced_at` is when a run last came to its end, by the source's clock.
    """

    source: str
    profile: str
    covered: Coverage = ()
    companies: tuple[str, ...] = ()
    key: str | None = None
    environment: str | None = None
    late: int = 0
    synced_at: str | None = None
    pruned_before: str = ""
    schema: str = _SCHEMA


def encode_state(state: SyncState) -> bytes:
    """Return a state as JSON, for the store."""
    return json.dumps(msgspec.to_builtins(state)).encode("ascii")  # not msgspec: an id may hold a lone surrogate


def decode_state(text: bytes) -> SyncState:
    """Return the state that a store holds; raises TaplogsError for one that is damaged, or of a newer taplogs."""
    try:
        found = json.loads(text)
        schema = found.get("schema") if isinstance(found, dict) else None
        if schema == _SCHEMA:
            return msgspec.convert(found, SyncState)
    except (ValueError, RecursionError) as error:
        raise TaplogsError(f"what the archive says of its last sync cannot be read: {error}") from None
    raise TaplogsError(
        f"the archive was synced by another version of taplogs: {schema!r}, not {_SCHEMA!r}", "upgrade taplogs"
    )

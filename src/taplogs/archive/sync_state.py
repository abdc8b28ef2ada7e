"""What a store knows of a place that its entries were pulled from: how far, whose, and with which key."""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct

from taplogs.archive.coverage import Coverage
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import TaplogsError

_SCHEMA = "taplogs.sync/1"


class Redaction(Struct, frozen=True, rename="camel"):
    """What entries were redacted by before they were stored: a profile's name, and the SHA-256 of its rules."""

    name: str
    sha256: str


class SyncState(Struct, frozen=True, rename="camel"):
    """How far a store is in step with one source, for one profile. All times are canonical timestamps.

    `covered` is the time without a gap: every entry of it that the source had when it was read is in the store, unless
    it was pruned. `key`, which is masked, and `environment` are those of the last run that came to its end; until one
    has, of the first. `late` counts the entries that became visible after their time had been read; `synced_at` is when
    a run last came to its end, by the source's clock. `redactions` are all that entries were stored with, the one of
    the last run at the end; a store of an earlier taplogs does not know them.
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
    redactions: tuple[Redaction, ...] = ()
    schema: str = _SCHEMA


class _Named(Struct):
    """What a state of any version says of itself."""

    schema: str


def encode_state(state: SyncState) -> bytes:
    """Return a state as JSON, for the store."""
    return json.dumps(msgspec.to_builtins(state)).encode("ascii")  # not msgspec: an id may hold a lone surrogate


def decode_state(text: bytes) -> SyncState:
    """Return the state that a store holds; raises TaplogsError for one that is damaged, or of a newer taplogs."""
    try:
        found = json.loads(text)
        schema = msgspec.convert(found, _Named).schema
        if schema == _SCHEMA:
            state = msgspec.convert(found, SyncState)
            _check(state)
            return state
    except (ValueError, RecursionError) as error:
        raise TaplogsError(
            f"what the archive says of its last sync cannot be read: {error}",
            "'taplogs archive verify', with the same --source, names all that is wrong, and says how to replace it",
        ) from None
    raise TaplogsError(
        f"the archive was synced by another version of taplogs: {schema!r}, not {_SCHEMA!r}", "upgrade taplogs"
    )


def _check(state: SyncState) -> None:
    """Raise ValueError where a time is not canonical, or a number or a span is none."""
    spans = [time for span in state.covered for time in (span.since, span.until)]
    for text in (*spans, state.synced_at, state.pruned_before):
        if text and format_timestamp(parse_timestamp(text)) != text:
            raise ValueError(f"{text!r} is not a canonical timestamp")
    if sorted({*spans}) != spans:
        raise ValueError("its spans of time are not in order")
    if state.late < 0:
        raise ValueError(f"{state.late} late entries")

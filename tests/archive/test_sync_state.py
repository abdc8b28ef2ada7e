"""What a store knows of a sync: it comes back as it was, and what cannot be read is told."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from taplogs.archive.coverage import Span
from taplogs.archive.sync_state import Redaction, SyncState, decode_state, encode_state
from taplogs.errors import TaplogsError

STATE = SyncState(
    "https://logs.example.com/v1/partner/logs",
    "team",
    covered=(Span("", "2026-11-01T00:00:00.000Z"), Span("2026-11-02T00:00:00.000Z", "2026-11-03T00:00:00.000Z")),
    companies=("acme", "lone \ud800 surrogate"),
    key="sk_test_…WXYZ",
    environment="test",
    late=3,
    synced_at="2026-11-03T00:00:00.000Z",
    pruned_before="2025-11-03T00:00:00.000Z",
    redactions=(Redaction("secrets", "0" * 64),),
)


@pytest.mark.parametrize("state", [SyncState("demo", "demo"), STATE])
def test_a_state_comes_back_as_it_was(state: SyncState) -> None:
    assert decode_state(encode_state(state)) == state


def test_a_state_of_an_earlier_taplogs_says_nothing_of_redaction() -> None:
    members = json.loads(encode_state(STATE))
    del members["redactions"]
    assert decode_state(json.dumps(members).encode()) == replace(STATE, redactions=())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"schema":"taplogs.sync/1"}', "cannot be read"),
        (encode_state(STATE).replace(b'"late": 3', b'"late": "x"'), "cannot be read"),
        (encode_state(STATE).replace(b"taplogs.sync/1", b"taplogs.sync/2"), "another version of taplogs"),
        *[(text, "cannot be read") for text in (b"[]", b"null", b"5", b"{}", b'{"schema": 5}')],
    ],
)
def test_what_cannot_be_read_is_told(text: bytes, words: str) -> None:
    with pytest.raises(TaplogsError, match=words):
        decode_state(text)


@pytest.mark.parametrize(
    "member",
    [
        {"syncedAt": "yesterday"},
        {"syncedAt": "2026-11-01T00:00:00Z"},
        {"prunedBefore": "2026-02-30T00:00:00.000Z"},
        {"prunedBefore": None},
        {"covered": 5},
        {"covered": [{"since": "2026-01-01T00:00:00.000Z", "until": "later"}]},
        {"covered": [{"since": "2026-01-02T00:00:00.000Z", "until": "2026-01-01T00:00:00.000Z"}]},
        {"companies": "company"},
        {"late": -1},
    ],
    ids=json.dumps,
)
def test_a_member_that_no_sync_writes_is_told(member: dict[str, object]) -> None:
    text = json.dumps(json.loads(encode_state(STATE)) | member).encode()
    with pytest.raises(TaplogsError, match="what the archive says of its last sync cannot be read"):
        decode_state(text)

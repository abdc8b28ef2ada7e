"""What is done to many entries at once gives what is done to each alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import log_entry, payload
from taplogs.core.entry import LogEntry, encode_entries, encode_entry
from taplogs.core.timestamp import are_canonical, is_canonical

ENTRIES = [
    log_entry(1),
    log_entry(2, request_payload=payload('{"a": "b\\nc"}')),
    log_entry(3, request_payload=payload('{\n"a":\r\n1}')),
    log_entry(4, request_payload=payload('{"a":\r1}')),
    log_entry(5, id="\ud800"),
]


@pytest.mark.parametrize("entries", [[], ENTRIES[:2], ENTRIES[1:3], [ENTRIES[3]], ENTRIES])
def test_many_entries_are_encoded_as_each_alone(entries: list[LogEntry]) -> None:
    assert encode_entries(entries) == b"".join(encode_entry(entry) + b"\n" for entry in entries)


CANONICAL = "2026-11-01T10:00:00.000Z"
NEARLY = [CANONICAL, CANONICAL[:-1], CANONICAL + "Z", "Z" + CANONICAL[:-1], CANONICAL.replace("T", " "), ""]


@given(st.lists(st.sampled_from(NEARLY) | st.text("T.Z0", min_size=24, max_size=24)))
def test_many_times_are_canonical_where_each_is(texts: list[str]) -> None:
    assert are_canonical(texts) == all(map(is_canonical, texts))

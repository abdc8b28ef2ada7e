"""The line of a record: its JSON shape without white space between tokens, nothing of its payloads rewritten."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import log_entry, payload
from taplogs.audit.canonical import record_lines
from taplogs.core.entry import MEMBERS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
json_texts = json_values.flatmap(
    lambda value: st.sampled_from(
        [json.dumps(value), json.dumps(value, indent=1), json.dumps(value, separators=(",", ":"), ensure_ascii=False)]
    )
)


@given(st.lists(json_texts, max_size=4))
def test_a_line_says_what_the_entry_does_without_white_space(texts: list[str]) -> None:
    lines = record_lines([log_entry(request_payload=payload(text)) for text in texts])
    payloads = [json.loads(line)["requestPayload"] for line in lines]
    assert payloads == list(map(json.loads, texts))
    for line, text in zip(lines, texts, strict=True):
        assert list(json.loads(line)) == list(MEMBERS)
        outside_strings = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line)
        assert not outside_strings.translate(None, b"{}[],:-0123456789truefalsn"), text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{ "a" : [ 1.50, 1e400, -0 ] }', '{"a":[1.50,1e400,-0]}'),
        ('{"a":1,\n\t"a":2}\r', '{"a":1,"a":2}'),
        (r'["\u00e9\/ x"]', r'["\u00e9\/ x"]'),
        (r'[ "\ud800" ]', r'["\ud800"]'),
        ("[" * 2000 + " " + "]" * 2000, "[" * 2000 + "]" * 2000),
    ],
)
def test_a_payload_keeps_its_numbers_and_escapes(sent: str, kept: str) -> None:
    entries = [log_entry(1), log_entry(2, response_payload=payload(sent)), log_entry(3)]
    lines = record_lines(entries)
    assert f'"responsePayload":{kept},'.encode() in lines[1]
    assert [lines[0], lines[2]] == record_lines([entries[0], entries[2]])


def test_no_entries_are_no_lines() -> None:
    assert record_lines([]) == []

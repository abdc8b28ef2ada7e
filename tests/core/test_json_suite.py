"""Payloads that nobody here wrote: the JSON parsing test suite, as payloads of entries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from json_suite import CASES
from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines, decode_page
from taplogs.core.entry import encode_entry, payload_text

ENTRY = '{"id":"a","timestamp":"2026-11-01T10:00:00.000Z","method":"GET","requestUrl":"/x","statusCode":400%s,"%s":'


def cases(prefix: str) -> list[Any]:
    return [pytest.param(payload, id=name) for name, payload in CASES.items() if name.startswith(prefix)]


def lines(payload: bytes) -> list[bytes]:
    """Return entries that hold `payload`: in either place, at the end and before other members, read either way."""
    return [
        (ENTRY % (extra, field)).encode() + payload + end
        for extra in ("", r',"unknown":"\ud800"')
        for field in ("requestPayload", "responsePayload")
        for end in (b"}", b',"userAgent":"x"}')
    ]


def as_value(text: bytes) -> Any:
    """Parse JSON with exact numbers and every one of equal names."""
    return json.loads(text, parse_int=str, parse_float=lambda number: ("float", number), object_pairs_hook=tuple)


def test_the_suite_is_all_there() -> None:
    counts = {prefix: len(cases(prefix)) for prefix in ("y_", "n_", "i_")}
    assert counts == {"y_": 95, "n_": 176, "i_": 22}


@pytest.mark.parametrize("payload", cases("y_"))
def test_valid_json_is_a_payload_and_keeps_its_value(payload: bytes) -> None:
    for line in lines(payload):
        entry = decode_entry(line)
        held = entry.request_payload if b'"requestPayload"' in line else entry.response_payload
        assert as_value(bytes(held)) == as_value(payload)
        value = json.loads(payload)
        shown = payload_text(held)
        assert shown == value if isinstance(value, str) else as_value(shown.encode()) == as_value(payload)
        encoded = encode_entry(entry)
        assert as_value(encoded) == as_value(encode_entry(decode_entry(encoded)))
        member = "requestPayload" if b'"requestPayload"' in line else "responsePayload"
        assert dict(as_value(encoded))[member] == as_value(payload)
        assert b"\n" not in encoded
        assert decode_page(b"[" + line + b"]").entries == [entry]


@pytest.mark.parametrize("payload", cases("n_"))
def test_invalid_json_is_refused_as_a_payload(payload: bytes) -> None:
    for line in lines(payload):
        with pytest.raises(MalformedBody):
            decode_entry(line)
        with pytest.raises(MalformedBody):
            decode_page(b'{"logs":[' + line + b"]}")
        with pytest.raises(MalformedBody):
            decode_lines(line.replace(b"\n", b" ") if payload.strip() == b"" else line)


@pytest.mark.parametrize("payload", cases("n_"))
def test_invalid_json_is_refused_as_a_body(payload: bytes) -> None:
    for read in (decode_page, decode_entry):
        with pytest.raises(MalformedBody):
            read(payload)


@pytest.mark.parametrize("payload", cases("i_"))
def test_doubtful_json_is_kept_or_refused(payload: bytes) -> None:
    for line in lines(payload):
        try:
            entry = decode_entry(line)
        except MalformedBody:
            continue
        assert decode_entry(encode_entry(entry)) == entry
        assert isinstance(payload_text(entry.request_payload), str)

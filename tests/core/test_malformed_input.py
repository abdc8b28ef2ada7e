"""Bodies that are cut, damaged or hostile: MalformedBody that says what and where, and nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from core_strategies import json_texts, law
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines, decode_page
from taplogs.core.entry import encode_entry, payload_text

SENT: dict[str, Any] = {
    "id": "log_2",
    "timestamp": "2026-11-01T10:00:00.000Z",
    "method": "POST",
    "requestUrl": "/v1/partner/jobs?q=é",
    "statusCode": 400,
    "latencyMs": 42,
}
LINE = (
    json.dumps(SENT, ensure_ascii=False).encode()[:-1]
    + (
        r',"requestPayload":{"a":[true,false,null,-1,1.5,-0.25e+10,2E-7,{}],"b":"\u00e9\ud83d\ude00\"\\\n 😀"},'
        '"responsePayload":"x","userAgent":null,"clientId":7}'
    ).encode()
)
GOOD = LINE.replace(b"log_2", b"log_1")


def reason(read: Callable[[bytes], object], sent: bytes) -> str:
    with pytest.raises(MalformedBody) as refused:
        read(sent)
    assert str(refused.value) == refused.value.reason
    return refused.value.reason


@pytest.mark.parametrize(
    ("read", "whole"),
    [
        (decode_entry, LINE),
        (decode_page, b'{"logs": [' + LINE + b"," + LINE + b'], "totalLogs": 2, "nextCursor": null}'),
        (decode_page, b"[" + LINE + b",\n" + LINE + b"]"),
        (decode_entry, LINE.replace(b"requestUrl", b"url").replace(b"-0.25e+10", rb'"\ud800"')),
    ],
    ids=["entry", "page", "bare array", "lenient"],
)
def test_a_body_cut_at_any_byte_is_known_to_be_truncated(read: Callable[[bytes], object], whole: bytes) -> None:
    assert read(whole)
    for length in range(len(whole)):
        with pytest.raises(MalformedBody) as refused:
            read(whole[:length])
        assert refused.value.truncated, whole[:length]


def test_lines_cut_at_any_byte_are_whole_entries_or_known_to_be_truncated() -> None:
    whole = GOOD + b"\n" + LINE + b"\n"
    complete = {0: 0, len(GOOD): 1, len(GOOD) + 1: 1, len(whole) - 1: 2, len(whole): 2}
    for length in range(len(whole) + 1):
        if length in complete:
            assert len(decode_lines(whole[:length])) == complete[length]
            continue
        with pytest.raises(MalformedBody) as refused:
            decode_lines(whole[:length])
        assert refused.value.truncated, whole[:length]


@law
@given(json_texts, st.data())
def test_whatever_a_payload_holds_a_cut_is_known(text: str, data: st.DataObject) -> None:
    head = LINE[:-1] + b',"responsePayload":'
    whole = head + text.encode() + b"}"
    cut = data.draw(st.integers(len(head), len(whole) - 1))
    with pytest.raises(MalformedBody) as refused:
        decode_entry(whole[:cut])
    assert refused.value.truncated, whole[:cut]


@pytest.mark.parametrize(
    "damaged",
    [
        LINE + b"}",
        LINE + b"x",
        LINE.replace(b"true", b"True"),
        LINE.replace(b'"method":', b'"method"'),
        LINE.replace(b"-1", b"-01"),
        LINE.replace(b"1.5", b"1."),
        LINE.replace(b"1.5", b".5"),
        LINE.replace(b"1.5", b"0x1"),
        LINE.replace(b"1.5", b"NaN"),
        LINE.replace(b"1.5", b"Infinity"),
        LINE.replace(b"1.5", b"-Infinity"),
        LINE.replace(b"{}]", b"{},]"),
        LINE.replace(rb"\u00e9", rb"\u00eg"),
        LINE.replace(rb"\u00e9", rb"\x41"),
        LINE.replace(b'"x"', b"'x'"),
        LINE.replace(b'"x"', b'"\x00"'),
        LINE.replace(b'"x"', b'"\t"'),
        LINE.replace(b'"x"', b'"x" // comment'),
        b"\xef\xbb\xbf" + LINE,
        LINE.replace(b", ", b",\xc2\xa0", 1),
        b"<html><body><h1>502 Bad Gateway</h1></body></html>",
        b"upstream connect error",
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_not_json_is_refused_and_not_taken_for_a_cut(damaged: bytes) -> None:
    for read, sent in ((decode_entry, damaged), (decode_page, b"[" + damaged + b"]"), (decode_lines, damaged)):
        with pytest.raises(MalformedBody, match=r"not JSON|not UTF-8") as refused:
            read(sent)
        assert not refused.value.truncated


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xe9"])
def test_what_is_not_utf8_is_refused_at_its_byte(bad: bytes) -> None:
    damaged = LINE.replace(b'"x"', b'"' + bad + b'"')
    place = LINE.index(b'"x"') + 1
    expected = f"not UTF-8 at byte {place}"
    assert reason(decode_entry, damaged) == expected
    assert reason(decode_lines, damaged) == expected
    assert reason(decode_page, damaged) == expected


def test_a_last_byte_that_is_never_utf8_is_no_cut() -> None:
    for ending, cut in ((b"\xff", False), (b"\xc3", True), (b"\xf0\x9f\x98", True)):
        with pytest.raises(MalformedBody) as refused:
            decode_entry(LINE[:-40] + ending)
        assert refused.value.truncated is cut


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"id": None}, '"id" is null, not a string'),
    ({"id": True}, '"id" is a boolean, not a string'),
    ({"id": ["x"]}, '"id" is an array, not a string'),
    ({"id": 1.5}, '"id" is a number, not a string'),
    ({"timestamp": None}, '"timestamp" is null, not a string'),
    ({"timestamp": "yesterday"}, "\"timestamp\" 'yesterday' is not an RFC 3339 time"),
    ({"timestamp": "2026-11-01T10:00:00.000"}, "is not an RFC 3339 time"),
    ({"timestamp": "2026-02-30T10:00:00.000Z"}, '"timestamp" day is out of range for month'),
    ({"timestamp": "2026-11-01T10:00:00.0٠0Z"}, "is not an RFC 3339 time"),
    ({"timestamp": "0000-01-01T00:00:00.000Z"}, '"timestamp" year 0 is out of range'),
    ({"timestamp": "0001-01-01T00:00:00.000+01:00"}, "is outside the years 1 to 9999"),
    ({"timestamp": 10**30}, "is not an epoch time"),
    ({"timestamp": 1e308}, "is not an epoch time"),
    ({"timestamp": False}, '"timestamp" is a boolean, not a string'),
    ({"method": 7}, '"method" is a number, not a string'),
    ({"requestUrl": {"path": "/"}}, '"requestUrl" is an object, not a string'),
    ({"statusCode": "200"}, '"statusCode" is "200", not an HTTP status'),
    ({"statusCode": 1000}, '"statusCode" is 1000, not an HTTP status'),
    ({"statusCode": -1}, '"statusCode" is -1, not an HTTP status'),
    ({"statusCode": 200.5}, '"statusCode" is 200.5, not an HTTP status'),
    ({"statusCode": True}, '"statusCode" is true, not an HTTP status'),
    ({"statusCode": None}, '"statusCode" is null, not an HTTP status'),
    ({"statusCode": [[1]]}, '"statusCode" is an array, not an HTTP status'),
    ({"latencyMs": -1}, '"latencyMs" is -1, not a number of milliseconds'),
    ({"latencyMs": "42"}, '"latencyMs" is "42", not a number of milliseconds'),
    ({"latencyMs": 2**53}, f'"latencyMs" is {2**53}, not a number of milliseconds'),
    ({"latencyMs": "x" * 500}, '…\", not a number of milliseconds'),
    ({"ipAddress": 3405803783}, '"ipAddress" is a number, not a string'),
    ({"userAgent": ["curl"]}, '"userAgent" is an array, not a string'),
    ({"clientId": 1.5}, '"clientId" is a number, not a string'),
    ({"companyId": {}}, '"companyId" is an object, not a string'),
    ({"createdAt": "soon"}, "\"createdAt\" 'soon' is not an RFC 3339 time"),
    ({"updatedAt": []}, '"updatedAt" is an array, not a string'),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), WRONG)
def test_a_wrong_value_is_named_with_its_entry(change: dict[str, Any], fault: str) -> None:
    damaged = json.dumps(SENT | change).encode()
    named = "" if "id" in change else " (id log_2)"
    alone, second, on_a_line = f"the entry{named}", f"entry 2{named}", f"the entry{named}"
    for read, sent, place in (
        (decode_entry, damaged, alone),
        (decode_page, b'{"logs":[' + GOOD + b"," + damaged + b"]}", second),
        (decode_page, b"[" + GOOD + b"," + damaged + b"]", second),
        (decode_lines, GOOD + b"\n" + damaged, on_a_line),
    ):
        words = reason(read, sent)
        if "id" not in change or change["id"] is not True:
            assert words.startswith(f"{place}: "), words
        assert fault in words


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e400", "1" + "0" * 400])
@pytest.mark.parametrize("field", ["timestamp", "statusCode", "latencyMs", "method", "createdAt"])
def test_a_number_too_large_for_its_field_is_refused(field: str, number: str) -> None:
    damaged = json.dumps(SENT | {field: "@"}).replace('"@"', number).encode()
    assert f'"{field}"' in reason(decode_entry, damaged)


@pytest.mark.parametrize("name", ["id", "timestamp", "method", "requestUrl", "statusCode"])
def test_a_field_that_must_be_there_is_named_with_its_entry(name: str) -> None:
    short = {key: value for key, value in SENT.items() if key != name}
    place = "entry 1" if name == "id" else "entry 1 (id log_2)"
    assert reason(decode_page, json.dumps({"logs": [short]}).encode()) == f'{place} has no "{name}"'


@pytest.mark.parametrize(
    ("value", "kind"),
    [("null", "null"), ("7", "a number"), ('"x"', "a string"), ("[]", "an array"), ("true", "a boolean")],
)
def test_what_is_no_object_is_no_entry(value: str, kind: str) -> None:
    assert reason(decode_entry, value.encode()) == f"the entry is {kind}, not an object"
    assert reason(decode_page, GOOD.join((b"[", b"," + value.encode() + b"]"))) == f"entry 2 is {kind}, not an object"


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("null", "expected an object or an array of entries, got null"),
        ("7", "expected an object or an array of entries, got a number"),
        ('"logs"', "expected an object or an array of entries, got a string"),
        ("{}", 'expected an array under "logs" or "data", found nothing'),
        ('{"items": [], "count": 0}', 'expected an array under "logs" or "data", found "items", "count"'),
        ('{"logs": {}}', 'expected an array under "logs" or "data", found "logs"'),
        ('{"data": null}', 'expected an array under "logs" or "data", found "data"'),
        ('{"error": {"code": "FORBIDDEN"}}', 'expected an array under "logs" or "data", found "error"'),
    ],
)
def test_an_unknown_envelope_is_refused_with_what_was_found(document: str, fault: str) -> None:
    assert reason(decode_page, document.encode()) == fault


@pytest.mark.parametrize(
    "change",
    [{"id": "x" * 10**6, "method": 1}, {"timestamp": "x" * 10**6}, {"latencyMs": "é" * 10**6}],
)
def test_the_reason_stays_short_whatever_a_stranger_sent(change: dict[str, Any]) -> None:
    assert len(reason(decode_entry, json.dumps(SENT | change).encode())) <= 501
    assert len(reason(decode_page, json.dumps({"x" * 10**6: 1}).encode())) <= 501


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"":'])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    for sent in (opening * 100_000, LINE[:-1] + b',"x":' + opening * 100_000, b'{"logs":' + opening * 100_000):
        for read in (decode_entry, decode_page, decode_lines):
            assert "nested too deeply" in reason(read, sent)


def test_at_no_depth_does_anything_but_a_malformed_body_come_out() -> None:
    """Just below the limit one reading succeeds where the next, a few calls deeper, would not."""
    refused = 0
    for depth in range(1, sys.getrecursionlimit() + 50):
        nested = b"[" * depth + rb'"\u0061"' + b"\n" + b"]" * depth
        for name in (b'"requestPayload"', b'"responsePayload"', b'"statusCode"', b'"x"', b'"userAgent":"\\ud800","x"'):
            line = LINE[:-1] + b"," + name + b":" + nested + b"}"
            try:
                read = decode_entry(line)
            except MalformedBody:
                refused += 1
            else:
                assert encode_entry(read)
                assert payload_text(read.request_payload)
    assert refused > sys.getrecursionlimit()


def test_a_payload_of_any_depth_is_encoded_on_one_line() -> None:
    deep = b"[" * 5000 + b"\n" + b"]" * 5000
    entry = decode_entry(LINE)
    line = encode_entry(type(entry)(entry.id, entry.timestamp, "GET", "/", 200, request_payload=Raw(deep)))
    assert line.count(b"[") == 5000
    assert b"\n" not in line

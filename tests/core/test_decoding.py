"""What backends send -> entries: the contract's own shape, every variant of it, and that both readings agree."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from core_strategies import entries, entry, json_texts, json_values, law
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.decoding import MalformedBody, Page, Trailer, decode_entry, decode_lines, decode_page, decode_trailer
from taplogs.core.entry import LogEntry, encode_entry

SENT: dict[str, Any] = {
    "id": "log_1",
    "timestamp": "2026-11-01T10:00:00.000Z",
    "method": "POST",
    "requestUrl": "https://partner-api.taptalent.io/v1/partner/jobs",
    "statusCode": 400,
    "latencyMs": 42,
    "requestPayload": {"title": "Engineer"},
    "responsePayload": {"error": {"code": "INVALID_REQUEST"}},
    "ipAddress": "203.0.113.7",
    "userAgent": "curl/8.5.0",
    "clientId": "client_1",
    "companyId": "company_1",
    "createdAt": "2026-11-01T10:00:00.100Z",
    "updatedAt": "2026-11-01T10:00:00.200Z",
}
READ = LogEntry(
    id="log_1",
    timestamp="2026-11-01T10:00:00.000Z",
    method="POST",
    request_url="https://partner-api.taptalent.io/v1/partner/jobs",
    status_code=400,
    latency_ms=42,
    request_payload=Raw(b'{"title":"Engineer"}'),
    response_payload=Raw(b'{"error":{"code":"INVALID_REQUEST"}}'),
    ip_address="203.0.113.7",
    user_agent="curl/8.5.0",
    client_id="client_1",
    company_id="company_1",
    created_at="2026-11-01T10:00:00.100Z",
    updated_at="2026-11-01T10:00:00.200Z",
)
REQUIRED = ("id", "timestamp", "method", "requestUrl", "statusCode")


def body(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def renamed(old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in SENT.items()}


def leniently(line: bytes) -> bytes:
    """Return the same object with an unknown member that only the lenient reading can read."""
    return line[:-1] + rb',"unknown":"\ud800"}'


def test_the_contracts_own_shape_is_read() -> None:
    assert decode_entry(body(SENT)) == READ
    assert decode_lines(body(SENT)) == [READ]
    assert decode_page(body({"logs": [SENT], "totalLogs": 1, "nextCursor": None})) == Page([READ], 1)


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("id", "_id"),
        ("id", "logId"),
        ("timestamp", "time"),
        ("timestamp", "requestedAt"),
        ("method", "httpMethod"),
        ("requestUrl", "url"),
        ("requestUrl", "endpoint"),
        ("statusCode", "status"),
        ("latencyMs", "latency"),
        ("latencyMs", "responseTime"),
        ("ipAddress", "ip"),
    ],
)
def test_a_field_may_come_under_another_name(name: str, variant: str) -> None:
    """Also where nothing else differs from the contract: an optional field must not be skipped without a word."""
    assert decode_entry(body(renamed(name, variant))) == READ
    assert decode_lines(body(SENT) + b"\n" + body(renamed(name, variant))) == [READ, READ]
    assert decode_page(body({"logs": [renamed(name, variant)]})) == Page([READ])


def test_the_contracts_own_name_wins_over_a_variant() -> None:
    both = SENT | {"url": "/other", "status": 500, "latency": 7, "ip": "10.0.0.1"}
    assert decode_entry(body(both)) == READ
    assert decode_entry(leniently(body(both))) == READ


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("timestamp", 1793527200, "2026-11-01T10:00:00.000Z"),
        ("timestamp", 1793527200.25, "2026-11-01T10:00:00.250Z"),
        ("timestamp", 1793527200250, "2026-11-01T10:00:00.250Z"),
        ("timestamp", "2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000Z"),
        ("timestamp", "2026-11-01T10:00:00.123456Z", "2026-11-01T10:00:00.123Z"),
        ("timestamp", "2026-11-01T11:00:00.000+01:00", "2026-11-01T10:00:00.000Z"),
        ("timestamp", "2026-11-01 10:00:00.000Z", "2026-11-01T10:00:00.000Z"),
        ("timestamp", "2026-11-01T10:00:00.000z", "2026-11-01T10:00:00.000Z"),
        ("createdAt", 1793527200, "2026-11-01T10:00:00.000Z"),
        ("updatedAt", "2026-11-01T10:00:00+00:00", "2026-11-01T10:00:00.000Z"),
        ("id", 7, "7"),
        ("id", 2**70, str(2**70)),
        ("clientId", 7, "7"),
        ("companyId", 12, "12"),
        ("latencyMs", 41.6, 42),
        ("latencyMs", 0.2, 0),
        ("latencyMs", None, None),
        ("statusCode", 0, 0),
        ("statusCode", 999, 999),
        ("createdAt", None, None),
        ("ipAddress", None, None),
    ],
)
def test_a_value_may_come_in_another_form(name: str, value: Any, expected: Any) -> None:
    line = encode_entry(decode_entry(body(SENT | {name: value})))
    assert json.loads(line) == SENT | {name: expected}
    assert encode_entry(decode_entry(leniently(body(SENT | {name: value})))) == line


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 40, '"' + "x" * 40 + '"'),
        ("x" * 41, '"' + "x" * 40 + '…"'),
        ('"' * 30, '"' + '\\"' * 30 + '"'),
        ("ä" * 500, '"' + "\\u00e4" * 40 + '…"'),
        (10**50, "1" + "0" * 39 + "…"),
        ([1] * 99, "an array"),
    ],
)
def test_a_wrong_value_is_shown_as_json_and_shortened_as_text(value: Any, shown: str) -> None:
    with pytest.raises(MalformedBody) as raised:
        decode_entry(body(SENT | {"statusCode": value}))
    assert raised.value.reason.endswith(f'"statusCode" is {shown}, not an HTTP status')


def test_what_need_not_be_there_may_be_missing() -> None:
    short = {name: SENT[name] for name in REQUIRED}
    expected = LogEntry(READ.id, READ.timestamp, READ.method, READ.request_url, READ.status_code)
    assert decode_entry(body(short)) == expected
    assert decode_entry(leniently(body(short))) == expected


def test_unknown_fields_are_left_out_and_do_not_fail() -> None:
    more = SENT | {"traceId": "x", "tags": [{"a": 1}], "": None, "latency_ms": 9, "Status": 1}
    assert decode_entry(body(more)) == READ
    assert decode_entry(leniently(body(more))) == READ


def test_a_payload_that_mentions_a_variant_is_a_payload_still() -> None:
    sent = SENT | {"latencyMs": None, "ipAddress": None, "requestPayload": {"latency": 9, "ip": "10.0.0.1", "total": 3}}
    read = decode_page(body({"logs": [sent]}))
    assert read.total is None
    assert json.loads(encode_entry(read.entries[0])) == sent


ENTRIES = [SENT, renamed("requestUrl", "url"), SENT | {"id": 7}]
ENTRIES_READ = [READ, READ, decode_entry(body(SENT | {"id": "7"}))]


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        ({"logs": ENTRIES, "totalLogs": 45, "nextCursor": "abc"}, Page(ENTRIES_READ, 45, "abc")),
        ({"data": ENTRIES, "total": 45, "nextCursor": "abc"}, Page(ENTRIES_READ, 45, "abc")),
        ({"data": ENTRIES, "total": 45}, Page(ENTRIES_READ, 45)),
        (ENTRIES, Page(ENTRIES_READ)),
        ([SENT], Page([READ])),
        ([], Page([])),
        ({"logs": []}, Page([])),
        ({"data": []}, Page([])),
        ({"logs": [SENT]}, Page([READ])),
        ({"logs": [SENT], "total": 45}, Page([READ], 45)),
        ({"logs": [SENT], "totalLogs": 45, "total": 46}, Page([READ], 45)),
        ({"logs": [SENT], "data": "something else"}, Page([READ])),
        ({"logs": [SENT], "nextCursor": ""}, Page([READ])),
        ({"data": [SENT], "nextCursor": ""}, Page([READ])),
        ({"data": [SENT], "nextCursor": 40}, Page([READ], None, "40")),
        ({"logs": [SENT], "totalLogs": "45"}, Page([READ])),
        ({"logs": [SENT], "totalLogs": True}, Page([READ])),
        ({"success": True, "logs": [SENT], "page": {"number": 1}}, Page([READ])),
        (
            {"logs": [SENT], "serverTime": "2026-11-01T10:00:00Z"},
            Page([READ], None, None, "2026-11-01T10:00:00.000Z"),
        ),
        ({"data": [SENT], "serverTime": 1793527200}, Page([READ], None, None, "2026-11-01T10:00:00.000Z")),
        ({"logs": [SENT], "serverTime": "now"}, Page([READ])),
        ({"logs": [SENT], "serverTime": "9999-12-31T23:59:59-23:00"}, Page([READ])),
        ({"logs": [SENT], "serverTime": [1]}, Page([READ])),
    ],
)
def test_an_envelope_is_read(envelope: Any, expected: Page) -> None:
    assert decode_page(body(envelope)) == expected
    assert decode_page(json.dumps(envelope, indent=2).encode()).total == expected.total


@law
@given(entries)
def test_the_strict_and_the_lenient_reading_agree(generated: LogEntry) -> None:
    line = encode_entry(generated)
    assert decode_entry(leniently(line)) == decode_entry(line)


@law
@given(st.lists(entries, max_size=4), st.none() | st.integers(0, 10**9), st.none() | st.text(max_size=5))
def test_the_readings_agree_on_pages(generated: list[LogEntry], total: int | None, cursor: str | None) -> None:
    head = body({"totalLogs": total, "nextCursor": cursor, "serverTime": "2026-11-01T10:00:00.000Z"})
    page = head[:-1] + b',"logs":[' + b",".join(map(encode_entry, generated)) + b"]}"
    assert decode_page(leniently(page)) == decode_page(page)


@law
@given(st.lists(entries, min_size=1, max_size=3))
def test_the_readings_agree_on_lines(generated: list[LogEntry]) -> None:
    lines = [encode_entry(one) for one in generated]
    strict = decode_lines(b"\n".join(lines))
    assert decode_lines(b"\n".join([*lines[:-1], leniently(lines[-1])])) == strict
    assert decode_lines(b"\r\n\r\n".join(map(leniently, lines))) == strict


@law
@given(json_texts.map(str.strip).filter(lambda text: text != "null"))
def test_a_payload_is_kept_to_the_byte_in_either_reading(text: str) -> None:
    """Numbers that no float holds, equal names, blanks and escapes are evidence; a second reader may see them."""
    line = body({name: SENT[name] for name in REQUIRED})[:-1] + f',"responsePayload" : {text} }}'.encode()
    assert bytes(decode_entry(line).response_payload) == text.encode()
    assert bytes(decode_entry(leniently(line)).response_payload) == text.encode()
    assert bytes(decode_page(b"[" + line + b"]").entries[0].response_payload) == text.encode()
    assert bytes(decode_page(b'{\t"data" :\r\n[\t' + line + b" ]\t}").entries[0].response_payload) == text.encode()


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 700, "1e400", "0.1" + "0" * 100 + "1", "-0.0", "1E+2"])
def test_a_number_that_python_cannot_hold_is_kept_in_a_payload(number: str) -> None:
    line = body(SENT | {"requestPayload": None}).replace(b"null", f'{{"n":{number}}}'.encode(), 1)
    for sent in (line, leniently(line)):
        read = decode_entry(sent)
        assert bytes(read.request_payload) == f'{{"n":{number}}}'.encode()
        assert decode_entry(encode_entry(read)) == read


def test_of_equal_names_the_last_counts_in_either_reading() -> None:
    line = body(SENT)[:-1] + b',"id":"log_2","requestPayload":[1],"requestPayload":[2]}'
    for sent in (line, leniently(line)):
        read = decode_entry(sent)
        assert (read.id, bytes(read.request_payload)) == ("log_2", b"[2]")


def test_a_lone_surrogate_is_read_in_any_field() -> None:
    read = decode_page(rb'{"logs":[' + body(SENT | {"userAgent": "a\ud800"}) + b"," + body(SENT) + b"]}")
    assert read.entries == [decode_entry(body(SENT | {"userAgent": "a\ud800"})), READ]
    assert read.entries[0].user_agent == "a\ud800"


@pytest.mark.parametrize(
    "chunk",
    [b"", b"\n", b"\n\n \r\n", b"\n" + body(SENT) + b"\n \n\n" + body(SENT)],
)
def test_empty_lines_are_no_entries(chunk: bytes) -> None:
    assert decode_lines(chunk) == [READ] * chunk.count(b"log_1")


def test_only_a_line_feed_ends_a_line() -> None:
    """U+2028, U+0085 and form feeds stand within strings, and many readers of lines split there."""
    strange = SENT | {"userAgent": "a\u2028b\u2029c\u0085d\x0ce\x1ff"}
    line = json.dumps(strange, ensure_ascii=False).encode()
    assert [one.user_agent for one in decode_lines(line + b"\n" + line)] == [strange["userAgent"]] * 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"end": True, "count": 3, "serverTime": READ.timestamp}, Trailer(True, 3, READ.timestamp)),
        ({"end": True, "count": 3, "serverTime": 1793527200}, Trailer(True, 3, READ.timestamp)),
        ({"end": True, "count": 0, "serverTime": "soon"}, Trailer(True, 0)),
        ({"end": True, "count": 0}, Trailer(True, 0)),
        ({"end": False, "count": 0}, None),
        ({"end": "yes", "count": 0}, None),
        ({"end": True}, None),
        (SENT, None),
        ([], None),
    ],
)  # fmt: skip
def test_the_trailer_of_a_stream_is_told_from_an_entry(line: Any, expected: Trailer | None) -> None:
    assert decode_trailer(body(line)) == expected


@pytest.mark.parametrize(
    "line", [b"", b'{"end":tru', b'{"end":true,"count":3', b"\xff", b'{"x":"\\ud800"}', b"[" * 10**5]
)
def test_what_is_no_trailer_is_none(line: bytes) -> None:
    assert decode_trailer(line) is None


@law
@given(json_values)
def test_any_json_is_a_page_or_a_malformed_body_and_nothing_else(value: Any) -> None:
    for wrapped in (value, {"logs": value}, {"data": [value]}, {"logs": [SENT, value], "totalLogs": value}):
        try:
            page = decode_page(body(wrapped))
        except MalformedBody as error:
            truncated = error.truncated
        else:
            truncated = not all(isinstance(one, LogEntry) for one in page.entries)
        assert not truncated


@law
@given(st.sampled_from(sorted(SENT)), json_values)
def test_any_value_of_a_field_is_read_or_refused_alike_by_both_readings(name: str, value: Any) -> None:
    sent = body(SENT | {name: value})
    outcomes = []
    for line in (sent, leniently(sent)):
        try:
            outcomes.append(encode_entry(decode_entry(line)).decode())
        except MalformedBody as error:
            outcomes.append(error.reason)
    assert outcomes[0] == outcomes[1]


@law
@given(st.binary(max_size=60) | st.text('{}[]":,0123456789.eE+-truefalsn\\u ', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for read in (decode_page, decode_entry, decode_lines):
        with suppress(MalformedBody):
            read(data)
    assert decode_trailer(data) is None


def test_a_page_is_decoded_alike_whether_alone_or_among_others() -> None:
    one = entry(latency_ms=None, ip_address="10.0.0.1")
    many = [one, *(entry(id=str(number), latency_ms=number) for number in range(200))]
    page = b'{"logs":[' + b",".join(map(encode_entry, many)) + b"]}"
    assert decode_page(page).entries == many

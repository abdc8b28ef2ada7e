"""LogEntry: its JSON shape to the letter, and that encoding loses nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from core_strategies import entries, entry, json_texts, json_values, law
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.decoding import decode_entry, decode_lines
from taplogs.core.entry import NULL, LogEntry, encode_entries, encode_entry, has_payload, payload_text, url_path

SHAPE = [
    "id",
    "timestamp",
    "method",
    "requestUrl",
    "statusCode",
    "latencyMs",
    "requestPayload",
    "responsePayload",
    "ipAddress",
    "userAgent",
    "clientId",
    "companyId",
    "createdAt",
    "updatedAt",
]
"""The fields of an entry, in the order in which they are documented."""


def as_value(text: bytes) -> Any:
    """Parse JSON with exact numbers and every one of equal names."""
    return json.loads(text, parse_int=str, parse_float=lambda number: ("float", number), object_pairs_hook=tuple)


def test_the_json_shape_is_the_documented_one() -> None:
    full = LogEntry(
        id="log_1",
        timestamp="2026-11-01T10:00:00.000Z",
        method="POST",
        request_url="https://partner-api.taptalent.io/v1/partner/jobs?draft=true",
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
    assert encode_entry(full).decode() == (
        '{"id":"log_1","timestamp":"2026-11-01T10:00:00.000Z","method":"POST",'
        '"requestUrl":"https://partner-api.taptalent.io/v1/partner/jobs?draft=true","statusCode":400,"latencyMs":42,'
        '"requestPayload":{"title":"Engineer"},"responsePayload":{"error":{"code":"INVALID_REQUEST"}},'
        '"ipAddress":"203.0.113.7","userAgent":"curl/8.5.0","clientId":"client_1","companyId":"company_1",'
        '"createdAt":"2026-11-01T10:00:00.100Z","updatedAt":"2026-11-01T10:00:00.200Z"}'
    )


def test_what_is_unknown_is_null_and_never_left_out() -> None:
    assert list(json.loads(encode_entry(entry()))) == SHAPE
    assert [name for name, value in json.loads(encode_entry(entry())).items() if value is None] == SHAPE[5:]


@law
@given(entries)
def test_an_entry_has_every_field_in_order_whatever_it_holds(generated: LogEntry) -> None:
    assert list(json.loads(encode_entry(generated))) == SHAPE


@law
@given(entries)
def test_an_encoded_entry_is_one_line_of_utf8(generated: LogEntry) -> None:
    line = encode_entry(generated)
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.decode("utf-8")


@law
@given(entries)
def test_encoding_and_decoding_gives_the_same_entry(generated: LogEntry) -> None:
    line = encode_entry(generated)
    decoded = decode_entry(line)
    assert encode_entry(decoded) == line
    for field in msgspec.structs.fields(LogEntry):
        before, after = getattr(generated, field.name), getattr(decoded, field.name)
        if isinstance(before, Raw):
            assert as_value(bytes(after)) == as_value(bytes(before))
        else:
            assert after == before


@law
@given(st.lists(entries, max_size=4))
def test_lines_of_entries_decode_to_the_same_entries(generated: list[LogEntry]) -> None:
    lines = [encode_entry(one) for one in generated]
    assert [encode_entry(one) for one in decode_lines(b"\n".join(lines))] == lines
    assert [encode_entry(one) for one in decode_lines(b"".join(line + b"\n" for line in lines))] == lines


@law
@given(st.lists(entries, max_size=4))
@example([entry(user_agent="\ud800"), entry()])
@example([entry(), entry(request_payload=Raw(b"[\n]"))])
@example([entry(), entry(request_payload=Raw(b"[\r]"))])
def test_many_entries_are_encoded_as_one_by_one(generated: list[LogEntry]) -> None:
    assert encode_entries(generated) == b"".join(encode_entry(one) + b"\n" for one in generated)


@law
@given(json_texts)
@example('{"a\\"b" : [ "\\\\" , "\\\\\\" " ] ,\r\n"c":\t" \\n "}')
@example('[\n"\\ud800"\n]')
@example("[" * 600 + "\n" + "]" * 600)
def test_a_payload_over_several_lines_keeps_its_value_and_its_strings(text: str) -> None:
    over_lines = f"\n{text}\r\n"
    line = encode_entry(entry(request_payload=Raw(over_lines.encode()), user_agent=" a \t\n b "))
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line)["userAgent"] == " a \t\n b "
    payload = bytes(decode_entry(line).request_payload)
    if len(text) < 1000:
        assert as_value(payload) == as_value(text.encode())
    assert payload.replace(b"\n", b"").count(b"[") == text.encode().count(b"[")


@pytest.mark.parametrize("field", ["id", "method", "request_url", "ip_address", "user_agent", "client_id"])
def test_a_lone_surrogate_is_kept_as_an_escape(field: str) -> None:
    """UTF-8 cannot hold it, and what a stranger sent is evidence."""
    hurt = entry(**{field: "a\ud800b"}, response_payload=Raw(b'["\\udfff"]'))
    line = encode_entry(hurt)
    assert rb'"a\ud800b"' in line
    assert rb'["\udfff"]' in line
    assert decode_entry(line) == hurt


@pytest.mark.parametrize("text", ["\u2028", "\u0085", "\x00\x1b[31m", "\u202e", "😀", '"\\/'])
def test_strange_characters_come_back_as_they_were(text: str) -> None:
    hurt = entry(request_url=text, user_agent=text)
    assert decode_lines(encode_entry(hurt) + b"\n" + encode_entry(hurt)) == [hurt, hurt]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://partner-api.taptalent.io/v1/partner/jobs?pageNumber=1#top", "/v1/partner/jobs"),
        ("https://partner-api.taptalent.io", "/"),
        ("https://partner-api.taptalent.io?x=1", "/"),
        ("/v1/partner/jobs?x=/y", "/v1/partner/jobs"),
        ("https://[::1]:8080/v1/x", "/v1/x"),
        ("https://[::1/v1/x?y", "https://[::1/v1/x"),
        ("no url", "no url"),
        ("/v1/a%2Fb;c=d", "/v1/a%2Fb;c=d"),
        ("", "/"),
    ],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert url_path(url) == path
    assert entry(request_url=url).path == path


almost_urls = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.from_regex(r"\A(https?|HTTP|ftp)?:?//?[a-z0-9.:@\[\]-]{0,12}/?[ -~\n\t]{0,20}\Z"),
    st.from_regex(r"\Ahttps?://[A-Za-z0-9.:-]{1,9}/[!-~]{0,12}[ -~\u00e9\ud800\u2028\x00\n]{0,3}\Z"),
)


@law
@given(almost_urls)
@example("http://a/b\\c?d")
@example("https://a.example:99999999/x")
@example("http://a/b\n")
@example("http://a/b\x00")
@example("https://:/x")
@example("https://--/;y#?z")
def test_the_path_of_any_text_is_the_one_that_the_parser_of_urls_finds(url: str) -> None:
    """Most URLs are plain, and are taken apart without the parser."""
    try:
        expected = urlsplit(url).path or "/"
    except ValueError:
        expected = url.partition("?")[0]
    assert url_path(url) == expected


def test_what_an_entry_tells_about_itself() -> None:
    one = entry(id="b", timestamp="2026-11-01T10:00:00.250Z", status_code=404)
    assert one.instant == datetime(2026, 11, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    assert one.sort_key < entry(id="c", timestamp="2026-11-01T10:00:00.250Z").sort_key
    assert one.sort_key < entry(id="a", timestamp="2026-11-01T10:00:00.251Z").sort_key


@pytest.mark.parametrize(
    ("payload", "expected"), [(b"null", False), (b"0", True), (b'""', True), (b"{}", True), (b"false", True)]
)
def test_only_null_is_no_payload(payload: bytes, expected: bool) -> None:
    assert has_payload(Raw(payload)) is expected
    assert has_payload(entry().request_payload) is False
    assert bytes(NULL) == b"null"


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (r'"line one\nline two"', "line one\nline two"),
        (r'{"name":"Zo\u00eb","path":"a\/b"}', '{"name":"Zoë","path":"a/b"}'),
        (r'["\ud83d\ude00"]', '["😀"]'),
        (r'["tab\tquote\"back\\slash"]', r'["tab\tquote\"back\\slash"]'),
        (r'[1.10,1e400,12345678901234567890.5,"\u00e9"]', '[1.10,1e400,12345678901234567890.5,"é"]'),
        ('{"a": [1, 2]}', '{"a": [1, 2]}'),
        ("null", "null"),
        (r'["\ud800"]', '["\ud800"]'),
    ],
)
def test_a_payload_reads_as_people_would_write_it(payload: str, text: str) -> None:
    assert payload_text(Raw(payload.encode())) == text


@law
@given(json_values)
def test_a_payload_reads_as_json_without_escapes(value: Any) -> None:
    expected = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    assert payload_text(Raw(json.dumps(value).encode())) == expected

"""Why an entry failed: the shapes that errors have, and payloads that are hostile."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from core_strategies import entry, json_texts, law
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.failure_reason import LONGEST_CODE, Reason, failure_reason, reason_text
from taplogs.core.message_folding import LONGEST_MESSAGE, fold_message


def reason(payload: Any, status: int = 422) -> Reason:
    """Return the reason of an entry whose response has this payload: a value, or the bytes of one."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return failure_reason(entry(status_code=status, response_payload=Raw(body)))


SHAPES: list[tuple[Any, str, str]] = [
    (
        {
            "error": {
                "code": "INVALID_REQUEST",
                "type": "invalid_request_error",
                "message": "The phone number is invalid.",
                "details": {"phone": "must be a number in E.164 format"},
            }
        },
        "INVALID_REQUEST",
        "The phone number is invalid. (phone: must be a number in E.164 format)",
    ),
    (
        {"error": {"code": "C", "message": "m", "details": {"b": "is long", "a": ["is short", "is odd"]}}},
        "C",
        "m (a: is short; is odd; b: is long)",
    ),
    ({"error": {"code": "C", "message": "m", "details": {}}}, "C", "m"),
    ({"error": {"type": "api_error", "message": "m"}}, "api_error", "m"),
    ({"error": {"code": 422, "status": "NOT_FOUND", "message": "m"}, "x": 1}, "NOT_FOUND", "m"),
    ({"error": {"code": "C"}, "message": "outside"}, "C", "outside"),
    ({"error": "Something went wrong with job 12"}, "", "Something went wrong with job {n}"),
    ({"error": "not_found"}, "not_found", ""),
    (
        {"error": "invalid_grant", "error_description": "The token has expired."},
        "invalid_grant",
        "The token has expired.",
    ),
    ({"statusCode": 404, "error": "Not Found", "message": "Cannot GET /jobs/12"}, "Not Found", "Cannot GET /jobs/{n}"),
    ({"errors": [{"code": "A", "message": "m", "field": "f"}, {"message": "n"}]}, "A", "f: m; n"),
    ({"errors": [{"message": "m", "extensions": {"code": "BAD_INPUT"}}]}, "BAD_INPUT", "m"),
    ({"errors": ["b", "a", "b"]}, "", "a; b"),
    ({"error": ["b", "a"]}, "", "a; b"),
    ([{"message": "m"}], "", "m"),
    ({"message": "Invalid", "errors": {"email": ["is taken"]}}, "", "Invalid (email: is taken)"),
    ({"message": "m"}, "", "m"),
    ({"code": "C", "message": "m"}, "C", "m"),
    ({"code": 1205, "message": "m"}, "1205", "m"),
    ({"code": 422, "message": "m"}, "", "m"),
    ({"code": True, "message": "m"}, "", "m"),
    ({"status": "error", "message": "m"}, "", "m"),
    (
        {
            "type": "https://example.com/probs/out-of-credit",
            "title": "You do not have enough credit.",
            "detail": "Your balance is 30, but that costs 50.",
            "status": 403,
            "instance": "/account/12345/msgs/abc",
        },
        "out-of-credit",
        "You do not have enough credit. Your balance is {n}, but that costs {n}.",
    ),
    ({"type": "about:blank", "title": "Not Found", "detail": "no such job"}, "", "Not Found: no such job"),
    (
        {"type": "https://example.com/probs/v#age", "title": "t", "errors": [{"detail": "d", "pointer": "#/age"}]},
        "age",
        "t (#/age: d)",
    ),
    ({"detail": "Not found."}, "", "Not found."),
    ({"detail": [{"loc": ["body", "items", 3, "phone"], "msg": "m", "type": "t"}]}, "", "body.items.{n}.phone: m"),
    ("The job 12 is gone", "", "The job {n} is gone"),
    ("422 Unprocessable", "", "Unprocessable"),
    ("<html><head><title>422 Bad &amp; Ugly</title></head><body><h1>x</h1>", "", "Bad & Ugly"),
    ("<!DOCTYPE html><body><H1 class='a'>Out <b>of</b>\n order</H1><p>x", "", "Out of order"),
    ("<p>Only &lt;text&gt;</p><p>here", "", "Only <text> here"),
    ("a < b", "", "a < b"),
    ({"a": 1, "b": "text"}, "", "{a: {n}, b: {value}}"),
    (5, "", "{n}"),
    (True, "", "true"),
    (None, "", ""),
    ({}, "", ""),
    ([], "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("payload", "code", "message"), SHAPES, ids=[json.dumps(shape[0])[:40] for shape in SHAPES])
def test_each_shape_of_an_error_gives_code_and_message(payload: Any, code: str, message: str) -> None:
    assert reason(payload) == (code, message)


def test_an_entry_without_payload_has_no_reason() -> None:
    assert failure_reason(entry(status_code=500)) == ("", "")


def test_details_are_a_few_in_the_order_of_their_fields() -> None:
    details = {f"field{letter}": "is bad" for letter in "zyxwvutsrqponmlkjihgfedcba"}
    message = reason({"error": {"message": "m", "details": details}}).message
    assert message.startswith("m (fielda: is bad; fieldb: is bad; ")
    assert "fieldk" not in message


def test_a_code_is_one_line_of_bounded_length() -> None:
    assert reason({"code": "a\n b" + "c" * 100}).code == "a b" + "c" * (LONGEST_CODE - 4) + "…"


HOSTILE = {
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep arrays": b"[" * 7_000 + b"]" * 7_000,
    "deep within details": b'{"details":' * 200 + b'"x"' + b"}" * 200,
    "lone surrogate": rb'{"error":{"code":"C\ud800","message":"a\udfffb"}}',
    "not UTF-8": b'"\xff\xfe',
    "not JSON": b'{"message": "m',
    "a number no float holds": b'{"code":' + b"9" * 10_000 + b',"message":"m"}',
    "an infinite number": b'{"message":1e999,"code":1e999}',
    "escapes": b'"' + rb"\u0041\n" * 200_000 + b'"',
    "half an escape": b'"' + b"a" * 4090 + rb"\u00411" * 9 + b'"',
    "open tags": b'"<html>' + b"<" * 1_000_000 + b'"',
    "open headings": b'"<html>' + b"<h1>" * 250_000 + b'"',
    "open titles": b'"<html>' + b"<title " * 150_000 + b'"',
    "quotes": b'{"message":"' + b"'a " * 300_000 + b'"}',
    "names": b"{" + b",".join(b'"message%d":"x"' % number for number in range(60_000)) + b"}",
    "members": b'{"code" ' + b'"code":"' * 100_000,
    "errors": b'{"errors":[' + b'{"message":"x","field":"y"},' * 500 + b"{}]}",
    "controls": rb'{"message":"\u001b[31m\u0000 \u202e"}',
    "wrong types": b'{"error":{"code":[],"message":{"x":1},"details":[[["x"]],5,null,{"y":null}]}}',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_hostile_payloads_end_soon_in_some_text(payload: bytes) -> None:
    begun = time.process_time()
    found = reason(payload)
    assert time.process_time() - begun < 0.5
    assert any(found)
    assert len(found.code) <= LONGEST_CODE
    assert len(found.message) <= LONGEST_MESSAGE


def test_of_a_huge_payload_the_beginning_is_read() -> None:
    details = {f"f{number}": "is bad" for number in range(100_000)}
    assert reason({"error": {"code": "C", "message": "Job 12", "details": details}}) == ("C", "Job {n}")


def test_a_control_character_is_kept_for_the_screen_to_escape() -> None:
    assert reason({"message": "a\x1b\u202eb"}).message == "a\x1b\u202eb"


@pytest.mark.parametrize(
    ("status", "payload", "text"),
    [
        (
            404,
            {"error": {"code": "NOT_FOUND", "message": "Job 12\n was not found."}},
            "NOT_FOUND Job 12 was not found.",
        ),
        (404, {"error": {"code": "NOT_FOUND"}}, "NOT_FOUND"),
        (404, {"message": "x" * 1000}, "x" * (LONGEST_MESSAGE - 1) + "…"),
        (404, None, None),
        (302, {"message": "m"}, None),
        (201, {"message": "m"}, None),
    ],
)
def test_the_reason_as_text_is_what_was_sent(status: int, payload: Any, text: str | None) -> None:
    body = Raw(json.dumps(payload).encode())
    assert reason_text(entry(status_code=status, response_payload=body)) == text


@law
@given(json_texts, st.integers(400, 599))
def test_any_json_has_a_reason_that_is_folded(text: str, status: int) -> None:
    found = reason(text.encode(), status)
    assert fold_message(found.message) == found.message
    assert len(found.code) <= LONGEST_CODE


@law
@given(st.binary(max_size=200))
def test_any_bytes_have_a_reason(payload: bytes) -> None:
    assert len(reason(payload).message) <= LONGEST_MESSAGE

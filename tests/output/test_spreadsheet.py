"""CSV parses back to what it was written from, and no spreadsheet runs what a stranger wrote."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import Command
from serving import Backend, log_entry, payload
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.formula_guard import guard, unguard
from taplogs.output.spreadsheet import CsvRows, csv_header

STARTS = "=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20"
FORMULA_LIKE = st.builds(str.__add__, st.sampled_from(["", *STARTS]), st.text(st.characters(codec="utf-8")))


def parsed(entry: LogEntry, *members: str) -> list[str]:
    """Return the cells of an entry's row, as the csv module reads them."""
    text = (csv_header(members) + CsvRows(members, EndpointTemplates()).encoded([entry])).decode()
    assert text.endswith("\r\n")
    heading, row = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert heading == list(members)
    return row


@given(FORMULA_LIKE)
def test_the_guard_can_be_taken_off_without_loss(text: str) -> None:
    assert unguard(guard(text)) == text


@given(FORMULA_LIKE)
def test_a_guarded_cell_starts_no_formula(text: str) -> None:
    assert guard(text)[:1] not in set(STARTS) - {"'"}
    assert guard(text).startswith("'") == (text[:1] != "" and text[:1] in STARTS)


@given(FORMULA_LIKE, FORMULA_LIKE)
def test_text_parses_back(agent: str, client: str) -> None:
    row = parsed(log_entry(user_agent=agent, client_id=client), "id", "userAgent", "clientId", "method")
    assert row[0::3] == ["entry-00001", "GET"]
    assert [unguard(cell) for cell in row[1:3]] == [agent, client]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "'=1",
        "＝1",
        "＋1",
        "－1",
        "＠1",
        "=cmd|' /C calc'!A0",
        "-",
        " =1",
        "\u00a0 =1",
        "\ufeff=1",
        "\x00",
    ],
)
def test_a_formula_is_guarded(text: str) -> None:
    assert parsed(log_entry(user_agent=text), "userAgent") == ["'" + text]


@pytest.mark.parametrize("text", ["Mozilla/5.0", "1-1", "a=b", " x", "", "0", "curl/8", "\u00a0", "http://=1"])
def test_what_is_no_formula_is_not_guarded(text: str) -> None:
    assert parsed(log_entry(user_agent=text, client_id="x"), "userAgent", "clientId") == [text, "x"]


@pytest.mark.parametrize("number", ["-5", "-5.5e-3", "5", "0", "-0", "1e400", "-123456789012345678901234567890"])
def test_a_number_is_never_guarded(number: str) -> None:
    assert parsed(log_entry(request_payload=payload(number)), "requestPayload") == [number]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("null", ""),
        ('{"a": [1, 2]}', '{"a":[1,2]}'),
        ('"=1+1"', '"=1+1"'),
        ("true", "true"),
        ('{"a":\n1}', '{"a":1}'),
        (r'["\ud800"]', r'["\ud800"]'),
        ('{"text": "a,\\"b\\"\\r\\n"}', '{"text":"a,\\"b\\"\\r\\n"}'),
    ],
)
def test_a_payload_is_compact_json(text: str, cell: str) -> None:
    assert parsed(log_entry(request_payload=payload(text)), "requestPayload", "id") == [cell, "entry-00001"]


def test_numbers_of_an_entry_are_plain_and_null_is_empty() -> None:
    entry = log_entry(status_code=404, latency_ms=None, ip_address=None)
    assert parsed(entry, "statusCode", "latencyMs", "ipAddress") == ["404", "", ""]


@pytest.mark.parametrize(
    "text", ["a,b", 'say "x"', "two\nlines", "two\r\nlines", " space ", "tab\tin", "é東🎉", "a\x00"]
)
def test_what_needs_quotes_gets_them(text: str) -> None:
    assert parsed(log_entry(user_agent=text), "id", "userAgent", "method") == ["entry-00001", text, "GET"]


def test_a_lone_surrogate_is_written_as_an_escape() -> None:
    assert parsed(log_entry(user_agent="a\ud800b"), "userAgent") == [r"a\ud800b"]


def test_the_whole_file_parses_back(taplogs: Command, backend: Backend) -> None:
    entries = [
        log_entry(number, user_agent=text, response_payload=payload(json.dumps({"said": text})), status_code=400)
        for number, text in enumerate(["=1", 'a "b", c', "x\r\ny", "'", "é", "-5"])
    ]
    backend.store.add(entries)
    finished = taplogs.at(backend).run("list", "-o", "csv", "--reverse")
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(finished.out, newline=""), strict=True))
    assert [unguard(row["userAgent"]) for row in rows] == [entry.user_agent for entry in entries]
    assert [json.loads(row["responsePayload"])["said"] for row in rows] == [entry.user_agent for entry in entries]

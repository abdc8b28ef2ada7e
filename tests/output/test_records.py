"""Figures for programs: valid JSON, CSV as a spreadsheet reads it, harmless on a terminal."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hostile import ODD
from hypothesis import example, given
from hypothesis import strategies as st

from command import assert_harmless
from taplogs.core.formula_guard import unguard
from taplogs.errors import UsageError
from taplogs.output.records import Record, report_format, write_records
from taplogs.output.terminal import Output, Screen

PIPE = Screen(is_terminal=False, width=None, color=False, unicode=True)
TERMINAL = Screen(is_terminal=True, width=80, color=False, unicode=True)
PLAIN = Screen(is_terminal=True, width=80, color=False, unicode=False)

foreign = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(ODD)
records = st.lists(
    st.fixed_dictionaries(
        {
            "client": st.none() | foreign,
            "requests": st.integers(0, 2**53),
            "ratio": st.none() | st.floats(0, 1),
            "mark": st.none() | st.just("new"),
        }
    ),
    min_size=1,
    max_size=5,
)


def written(
    form: str, document: Record, rows: list[Any], screen: Screen = PIPE, members: tuple[str, ...] = ()
) -> bytes:
    """Return what is written of a document and its records."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    write_records(form, document, rows, Output(stream, screen), members)
    stream.buffer.seek(0)
    return stream.buffer.read()


def cells(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


@given(records, st.sampled_from((PIPE, TERMINAL, PLAIN)))
@example([{"client": "\ud800", "requests": 1, "ratio": 0.1, "mark": None}], PIPE)
@example([{"client": "\x7f\x9b31m\u202e", "requests": 1, "ratio": 0.1, "mark": None}], TERMINAL)
def test_json_says_exactly_what_was_measured(rows: list[dict[str, Any]], screen: Screen) -> None:
    document = {"window": {"since": "2026-11-01T00:00:00.000Z"}, "groups": rows}
    assert json.loads(written("json", document, rows, screen)) == document
    lines = written("jsonl", document, rows, screen)
    assert [json.loads(line) for line in lines.split(b"\n")[:-1]] == rows
    assert lines.endswith(b"}\n")


@given(records)
@example([{"client": "=1+1", "requests": 1, "ratio": 0.1, "mark": None}])
@example([{"client": 'a"b,c\r\nd', "requests": 1, "ratio": 1e-7, "mark": None}])
def test_csv_reads_back_as_what_was_measured(rows: list[dict[str, Any]]) -> None:
    heading, *lines = cells(written("csv", {}, rows))
    assert heading == list(rows[0])
    for row, line in zip(rows, lines, strict=True):
        cell = dict(zip(heading, line, strict=True))
        readable = (row["client"] or "").encode("utf-8", "backslashreplace").decode()
        assert unguard(cell["client"]) == readable
        assert int(cell["requests"]) == row["requests"]
        assert (float(cell["ratio"]) if cell["ratio"] else None) == row["ratio"]
        assert cell["mark"] == (row["mark"] or "")


@given(st.sampled_from("=+-@\t\r\n'\uff1d"), foreign)
def test_a_spreadsheet_runs_no_formula_of_a_stranger(start: str, text: str) -> None:
    _, (cell,) = cells(written("csv", {}, [{"client": start + text}]))
    assert cell.startswith(f"'{start}")


def test_numbers_are_not_guarded() -> None:
    assert written("csv", {}, [{"change": -0.25, "requests": 12, "unknown": None}]) == (
        b"change,requests,unknown\r\n-0.25,12,\r\n"
    )


def test_what_is_no_plain_value_is_json_within_its_cell() -> None:
    _, row = cells(written("csv", {}, [{"ids": ["a", 1], "of": {"é": None}, "yes": True, "no": False}]))
    assert row == ['["a",1]', '{"é":null}', "true", "false"]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
@pytest.mark.parametrize("screen", [TERMINAL, PLAIN], ids=["unicode", "ascii"])
def test_what_is_written_to_a_terminal_is_harmless(form: str, screen: Screen) -> None:
    rows = [{"client": text, text: text} for text in ODD]
    data = b"".join(written(form, row, [row], screen) for row in rows)
    assert_harmless(data)
    assert screen.unicode or data.isascii()


def test_json_for_a_pipe_is_utf8_and_keeps_what_was_logged() -> None:
    row = {"client": "Zoë 😀 \u202e"}
    assert written("jsonl", row, [row]) == '{"client":"Zoë 😀 \u202e"}\n'.encode()
    assert written("json", row, [row]) == '{\n  "client": "Zoë 😀 \u202e"\n}\n'.encode()


@pytest.mark.parametrize(
    ("form", "expected"),
    [("json", b'{\n  "groups": []\n}\n'), ("jsonl", b""), ("csv", b"client,requests\r\n")],
)
def test_without_records_a_format_is_still_itself(form: str, expected: bytes) -> None:
    assert written(form, {"groups": []}, [], members=("client", "requests")) == expected


@pytest.mark.parametrize(
    ("name", "screen", "expected"),
    [
        (None, PIPE, "jsonl"),
        (None, TERMINAL, "table"),
        ("table", PIPE, "table"),
        ("json", TERMINAL, "json"),
        ("csv", PIPE, "csv"),
        ("JSON", PIPE, "json"),
    ],
)
def test_a_report_is_a_table_on_a_terminal_and_lines_in_a_pipe(name: str | None, screen: Screen, expected: str) -> None:
    assert report_format(name, screen) == expected


@pytest.mark.parametrize("name", ["", "xml", "jso", "har"])
def test_another_format_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError) as refused:
        report_format(name, PIPE)
    assert (refused.value.message, refused.value.hint) == (
        f"--output {name!r} is not understood",
        "accepted: table, json, jsonl, csv",
    )

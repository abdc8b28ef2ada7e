"""taplogs show: panels for people, documents for programs, several ids at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from command import Command
from serving import Backend, log_entry, payload, running_backend
from taplogs.core.entry import encode_entry

HUGE = json.dumps({"items": [{"number": number, "text": "x" * 40} for number in range(500)]})


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with entries that are worth a look."""
    with running_backend(tmp_path_factory.mktemp("shelf") / "logs.db") as running:
        running.store.add(
            [
                log_entry(
                    1,
                    id="refused",
                    method="POST",
                    request_url="https://partner-api.taptalent.io/v1/partner/jobs/42?dry=1",
                    status_code=422,
                    latency_ms=1240,
                    request_payload=payload('{"title":"Zürich \\u00e9","count":2}'),
                    response_payload=payload('{"error":{"code":"INVALID_REQUEST","details":{"title":"too odd"}}}'),
                ),
                log_entry(2, id="fine", latency_ms=None, ip_address=None, user_agent=None),
                log_entry(3, id="text", status_code=500, response_payload=payload('"line one\\nline two"')),
                log_entry(4, id="huge", status_code=400, response_payload=payload(HUGE)),
                log_entry(5, id="one-line", status_code=400, response_payload=payload(json.dumps("y" * 20_000))),
                log_entry(6, id="-dash/slash ?#%", status_code=404, response_payload=payload("null")),
            ]
        )
        yield running


def test_on_a_terminal_everything_is_in_three_panels(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "refused", columns=80, env={"TZ": "Europe/Berlin"})
    assert shown.code == 0
    assert shown.lines == [
        "╭─ Request ────────────────────────────────────────────────────────────────────╮",
        "│ POST https://partner-api.taptalent.io/v1/partner/jobs/42?dry=1               │",
        "│                                                                              │",
        "│ {                                                                            │",
        '│   "title": "Zürich \\u00e9",                                                  │',
        '│   "count": 2                                                                 │',
        "│ }                                                                            │",
        "╰──────────────────────────────────────────────────────────────────────────────╯",
        "╭─ Response ───────────────────────────────────────────────────────────────────╮",
        "│ 422 Unprocessable Entity   latency 1.24s                                     │",
        "│                                                                              │",
        "│ {                                                                            │",
        '│   "error": {                                                                 │',
        '│     "code": "INVALID_REQUEST",                                               │',
        '│     "details": {                                                             │',
        '│       "title": "too odd"                                                     │',
        "│     }                                                                        │",
        "│   }                                                                          │",
        "│ }                                                                            │",
        "╰──────────────────────────────────────────────────────────────────────────────╯",
        "╭─ Entry ──────────────────────────────────────────────────────────────────────╮",
        "│ id          refused                                                          │",
        "│ time        2026-11-01 01:00:01.000+01:00  (2026-11-01T00:00:01.000Z)        │",
        "│ endpoint    /v1/partner/jobs/{id}                                            │",
        "│ ip          192.0.2.1                                                        │",
        "│ user agent  python-requests/2.32.3                                           │",
        "│ client      client                                                           │",
        "│ company     company                                                          │",
        "│ created     2026-11-01 01:00:01.000+01:00  (2026-11-01T00:00:01.000Z)        │",
        "│ updated     2026-11-01 01:00:01.000+01:00  (2026-11-01T00:00:01.000Z)        │",
        "╰──────────────────────────────────────────────────────────────────────────────╯",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("entry_id", ["refused", "fine", "text", "one-line"])
def test_panels_fit_the_terminal(taplogs: Command, shelf: Backend, entry_id: str, columns: int) -> None:
    shown = taplogs.at(shelf).on_terminal("show", entry_id, "--full", columns=columns, rows=1000)
    assert max(map(len, shown.plain.splitlines())) <= columns
    assert {line[0] for line in shown.plain.splitlines()} <= set("╭│╰")
    assert {line[-1] for line in shown.plain.splitlines()} <= set("╮│╯")


def test_the_panels_of_a_dumb_terminal_have_its_width(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "fine", columns=60, env={"TERM": "dumb"})
    assert {len(line) for line in shown.plain.splitlines()} == {60}


def test_what_was_not_stored_is_said(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "fine")
    assert "no body" in shown.text
    assert "latency unknown" in shown.text
    assert "body not stored: the platform keeps none for status 200" in shown.text
    assert "│ ip          -  " in shown.text


def test_a_body_that_is_text_keeps_its_lines(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "text")
    lines = [line.strip("│ ") for line in shown.lines]
    assert lines[lines.index("line one") + 1] == "line two"


def test_json_is_highlighted_on_a_terminal_in_colour(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "refused", columns=80)
    (row,) = [number for number, line in enumerate(shown.screen.display) if '"count": 2' in line]
    colors = {shown.screen.buffer[row][column].fg for column in range(2, 20)}
    assert len(colors) > 1


@pytest.mark.parametrize(("entry_id", "told"), [("huge", "2,004 lines"), ("one-line", "1 lines, 20,000 bytes")])
def test_a_huge_body_is_folded(taplogs: Command, shelf: Backend, entry_id: str, told: str) -> None:
    shown = taplogs.at(shelf).on_terminal("show", entry_id, rows=300)
    assert f"… folded: {told}" in shown.text
    assert "--full shows everything" in shown.text
    assert len(shown.plain.splitlines()) < 120


def test_with_full_a_huge_body_is_whole(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "huge", "--full", rows=3000)
    assert '"number": 499,' in shown.text
    assert "folded" not in shown.text


def test_in_a_pipe_an_entry_is_indented_json(taplogs: Command, shelf: Backend) -> None:
    finished = taplogs.at(shelf).run("show", "refused")
    assert json.loads(finished.out) == json.loads(encode_entry(shelf.store.get("refused")))
    assert finished.out.startswith('{\n  "id": "refused",\n')
    assert '"title": "Zürich \\u00e9"' in finished.out


def test_json_on_a_terminal_is_asked_for(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).on_terminal("show", "refused", "-o", "json")
    assert json.loads(shown.plain)["id"] == "refused"


def test_panels_in_a_pipe_are_asked_for(taplogs: Command, shelf: Backend) -> None:
    finished = taplogs.at(shelf).here("show", "refused", "-o", "text")
    assert finished.out.startswith("╭─ Request ")
    assert "\x1b" not in finished.out


def test_several_entries_are_shown_in_the_order_asked_for(taplogs: Command, shelf: Backend) -> None:
    finished = taplogs.at(shelf).here("show", "text", "refused", "text")
    decoder = json.JSONDecoder()
    ids, rest = [], finished.out
    while rest:
        entry, end = decoder.raw_decode(rest)
        ids.append(entry["id"])
        rest = rest[end:].lstrip()
    assert ids == ["text", "refused", "text"]


def test_an_id_may_hold_any_character(taplogs: Command, shelf: Backend) -> None:
    finished = taplogs.at(shelf).here("show", "--", "-dash/slash ?#%")
    assert json.loads(finished.out)["id"] == "-dash/slash ?#%"


@pytest.mark.parametrize(
    ("entry_id", "option", "out"),
    [
        ("refused", "--request", '{\n  "title": "Zürich \\u00e9",\n  "count": 2\n}\n'),
        (
            "refused",
            "--response",
            '{\n  "error": {\n    "code": "INVALID_REQUEST",\n'
            '    "details": {\n      "title": "too odd"\n    }\n  }\n}\n',
        ),
        ("text", "--response", "line one\nline two\n"),
    ],
)
def test_a_bare_payload(taplogs: Command, shelf: Backend, entry_id: str, option: str, out: str) -> None:
    assert taplogs.at(shelf).here("show", entry_id, option).out == out


@pytest.mark.parametrize(("option", "hint"), [("--request", False), ("--response", True)])
def test_a_payload_that_is_not_there_is_told(taplogs: Command, shelf: Backend, option: str, hint: bool) -> None:
    finished = taplogs.at(shelf).here("show", "fine", option)
    assert (finished.code, finished.out) == (1, "")
    assert f"entry fine has no {option[2:]} payload" in finished.err
    assert ("stores a response only where the status is not 200" in finished.err) is hint


def test_an_empty_id_is_wrong_usage(taplogs: Command, shelf: Backend) -> None:
    finished = taplogs.at(shelf).here("show", "")
    assert finished.code == 2
    assert "id is empty" in finished.err


def test_an_entry_of_the_demo_is_shown(taplogs: Command) -> None:
    (entry_id,) = taplogs.here("list", "--demo", "-n", "1", "--status", "4xx").ids
    finished = taplogs.here("show", "--demo", entry_id)
    assert json.loads(finished.out)["id"] == entry_id


def test_an_empty_body_is_no_body(taplogs: Command, shelf: Backend) -> None:
    shown = taplogs.at(shelf).here("show", "-o", "text", "--", "-dash/slash ?#%")
    assert shown.out.count("no body") == 2

"""Whatever strangers wrote into a log, an error or a config file: the terminal shows it and does not obey it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from hostile import ENTRIES, MARKUP, ODD, SEQUENCES, hostile_entry

from command import KEY, Command, Shown, assert_harmless, screen_of
from faulty_server import FaultyServer, Request, Step, error_body, page, reply
from serving import log_entry, payload
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, encode_entry
from taplogs.output.detail import DetailView
from taplogs.output.documents import DOCUMENTS, write_curl
from taplogs.output.formats import FORMATS, Layout
from taplogs.output.terminal import Output, Screen

_TEXTS = (*SEQUENCES.values(), *MARKUP.values())
SOME = [hostile_entry(len(_TEXTS) - place, text) for place, text in enumerate(_TEXTS)]
BY_NUMBER = {str(number): entry for number, entry in enumerate(SOME, 1)}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    """A backend whose every entry is hostile; an entry is also found by its number."""

    def script(request: Request) -> list[Step]:
        number = request.target.rpartition("/")[2]
        if number in BY_NUMBER:
            return [reply(encode_entry(BY_NUMBER[number]))]
        return [reply(page(SOME))]

    with FaultyServer(script) as running:
        yield running


def at(taplogs: Command, server: FaultyServer) -> Command:
    return taplogs.with_env(TAPLOGS_BASE_URL=server.url, TAPLOGS_API_KEY=KEY)


def assert_untouched(shown: Shown) -> None:
    """Assert that the terminal is as it was: nothing but text and colours came to it."""
    assert_harmless(shown.raw)
    fresh = screen_of(b"", shown.screen.columns)
    for state in ("title", "icon_name", "mode", "margins", "charset", "g0_charset", "g1_charset", "tabstops"):
        assert getattr(shown.screen, state) == getattr(fresh, state), state
    assert shown.screen.cursor.x == 0


def values(entry: LogEntry) -> Any:
    return json.loads(encode_entry(entry))


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_table_on_a_terminal(taplogs: Command, server: FaultyServer, columns: int) -> None:
    shown = at(taplogs, server).on_terminal("list", "-n", "0", columns=columns, rows=500)
    assert shown.code == 0
    assert_untouched(shown)
    assert len(shown.plain.splitlines()) == len(SOME) + 1


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_on_a_terminal_parses_to_the_same_values(taplogs: Command, server: FaultyServer, form: str) -> None:
    shown = at(taplogs, server).on_terminal("list", "-n", "0", "-o", form, rows=3000)
    assert_untouched(shown)
    lines = shown.plain.splitlines()
    found = json.loads(shown.plain) if form == "json" else [json.loads(line) for line in lines]
    assert found == [values(entry) for entry in SOME]


def test_csv_on_a_terminal(taplogs: Command, server: FaultyServer) -> None:
    shown = at(taplogs, server).on_terminal("list", "-n", "0", "-o", "csv", rows=3000)
    assert shown.code == 0
    assert_untouched(shown)
    assert len(shown.plain.splitlines()) == len(SOME) + 1


@pytest.mark.parametrize("form", [["-o", "text"], ["-o", "text", "--full"], ["-o", "json"], ["--har"], ["--curl"]])
def test_entries_shown_on_a_terminal(taplogs: Command, server: FaultyServer, form: list[str]) -> None:
    shown = at(taplogs, server).on_terminal("show", *BY_NUMBER, *form, rows=6000)
    assert shown.code == 0
    assert_untouched(shown)


@pytest.mark.parametrize("form", ["--request", "--response"])
def test_payloads_shown_on_a_terminal(taplogs: Command, server: FaultyServer, form: str) -> None:
    shown = at(taplogs, server).on_terminal("show", *BY_NUMBER, form, rows=3000)
    assert shown.code == 0
    assert_untouched(shown)


def test_a_table_in_a_pipe_is_harmless_too(taplogs: Command, server: FaultyServer) -> None:
    finished = at(taplogs, server).here("list", "-n", "0", "-o", "table")
    assert_harmless(finished.out.encode())
    assert len(finished.out.splitlines()) == len(SOME) + 1


def test_json_lines_in_a_pipe_are_exact(taplogs: Command, server: FaultyServer) -> None:
    finished = at(taplogs, server).here("list", "-n", "0")
    assert [json.loads(line) for line in finished.out.split("\n")[:-1]] == [values(entry) for entry in SOME]


class Paper:
    """A terminal for `Output`, in memory."""

    def __init__(self, *, unicode: bool = True) -> None:
        self.bytes = io.BytesIO()
        self.text = io.TextIOWrapper(self.bytes, "utf-8", newline="\n", write_through=True)
        self.screen = Screen(is_terminal=True, width=100, color=True, unicode=unicode)
        self.output = Output(self.text, self.screen)

    @property
    def raw(self) -> bytes:
        self.text.flush()
        return self.bytes.getvalue()


@pytest.mark.parametrize("unicode", [True, False], ids=["utf-8", "ascii"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_naughty_string_in_every_format(form: str, unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    FORMATS[form]([ENTRIES], paper.output, Layout())
    assert_harmless(paper.raw)
    assert unicode or paper.raw.isascii()
    lines = paper.raw.count(b"\n")
    assert lines == len(ENTRIES) + {"table": 1, "json": 2, "jsonl": 0, "csv": 1}[form]


@pytest.mark.parametrize("unicode", [True, False], ids=["utf-8", "ascii"])
@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_every_naughty_string_as_json_parses_to_itself(form: str, unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    FORMATS[form]([ENTRIES], paper.output, Layout())
    text = paper.raw.decode()
    found = json.loads(text) if form == "json" else [json.loads(line) for line in text.split("\n")[:-1]]
    assert found == [values(entry) for entry in ENTRIES]


@pytest.mark.parametrize("columns", ["id,requestPayload,status", "id,userAgent,responsePayload"])
def test_chosen_members_parse_to_themselves(columns: str) -> None:
    paper = Paper()
    FORMATS["json"]([ENTRIES], paper.output, Layout(columns=columns))
    names = columns.replace("status", "statusCode").split(",")
    assert json.loads(paper.raw) == [{name: values(entry)[name] for name in names} for entry in ENTRIES]


@pytest.mark.parametrize("unicode", [True, False], ids=["utf-8", "ascii"])
@pytest.mark.parametrize("form", DOCUMENTS)
def test_every_naughty_string_in_every_document(form: str, unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    DOCUMENTS[form](ENTRIES, paper.output)
    assert_harmless(paper.raw)
    assert unicode or paper.raw.isascii()


@pytest.mark.parametrize("unicode", [True, False], ids=["utf-8", "ascii"])
def test_every_naughty_string_as_curl(unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    write_curl(ENTRIES, paper.output, lambda _url: True)
    assert_harmless(paper.raw)
    assert unicode or paper.raw.isascii()


@pytest.mark.parametrize("unicode", [True, False], ids=["utf-8", "ascii"])
def test_every_naughty_string_in_the_panels(unicode: bool) -> None:
    paper = Paper(unicode=unicode)
    view = DetailView(paper.text, paper.screen, UTC, EndpointTemplates(), full=True)
    for entry in ENTRIES:
        view.show(entry)
    assert_harmless(paper.raw)
    assert unicode or paper.raw.isascii()


def test_csv_in_a_pipe_parses_back_to_the_naughty_strings() -> None:
    paper = Paper()
    output = Output(paper.text, Screen(is_terminal=False, width=None, color=False, unicode=True))
    FORMATS["csv"]([ENTRIES], output, Layout(columns="userAgent"))
    rows = list(csv.reader(io.StringIO(paper.raw.decode(), newline="")))
    texts = [row[0] if row else "" for row in rows[1:]]
    expected = [text.encode("utf-8", "backslashreplace").decode() for text in ODD]
    assert [text[1:] if text.startswith("'") else text for text in texts] == expected


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markup_is_shown_as_it_is(taplogs: Command, server: FaultyServer, text: str) -> None:
    number = str([*BY_NUMBER.values()].index(next(entry for entry in SOME if entry.user_agent == text)) + 1)
    detail = at(taplogs, server).on_terminal("show", number, columns=120)
    assert f"user agent  {text}" in detail.text
    assert f"{text}" in detail.lines[1]
    listing = at(taplogs, server).here("list", "-o", "table", "--columns", "user-agent", "-n", "0")
    assert text in [line.rstrip() for line in listing.out.splitlines()]


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize("form", ["table", "json"])
def test_an_error_message_of_the_backend(taplogs: Command, form: str, status: int) -> None:
    text = "".join(SEQUENCES[name] for name in SEQUENCES if "surrogate" not in name)
    with FaultyServer([reply(error_body(text[:150], text[150:]), status)]) as server:
        shown = at(taplogs, server).on_terminal("list", "--max-wait", "0", "-o", form)
    assert shown.code in (4, 6)
    assert_untouched(shown)


def test_an_error_message_with_surrogates(taplogs: Command) -> None:
    with FaultyServer([reply(error_body("E", "\ud800 \udc9b"), 400)]) as server:
        shown = at(taplogs, server).on_terminal("list")
    assert shown.code == 6
    assert_untouched(shown)
    assert r"\ud800 \udc9b" in shown.text


@pytest.mark.parametrize(
    "body", [b"\x1b]0;owned\x07 \xff\xfe<b>\r\n\x9b31m", "\u202egpj.exe \u200b \U000e0041".encode()]
)
def test_a_page_that_is_not_from_the_backend(taplogs: Command, body: bytes) -> None:
    for status in (200, 400):
        with FaultyServer([reply(body, status, "text/html")]) as server:
            shown = at(taplogs, server).on_terminal("list")
        assert shown.code == 6
        assert_untouched(shown)


@pytest.mark.parametrize("value", ["\x1b]0;owned", "\x9b31m", "caf\xe9", "a\x7fb", "a\tb"])
@pytest.mark.parametrize(("name", "status"), [("Location", 302), ("Retry_After", 503), ("Content_Encoding", 200)])
def test_a_header_value(taplogs: Command, name: str, status: int, value: str) -> None:
    headers: dict[str, Any] = {name: value}
    with FaultyServer([reply(b"[]", status, **headers)]) as server:
        shown = at(taplogs, server).on_terminal("list", "--max-wait", "0", "--debug")
    assert shown.code == 6
    assert_untouched(shown)


def test_a_content_type(taplogs: Command) -> None:
    with FaultyServer([reply(b"[]x", content_type="text/\x9b31m")]) as server:
        shown = at(taplogs, server).on_terminal("list", "--debug")
    assert shown.code == 6
    assert_untouched(shown)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("name", [name for name in SEQUENCES if name != "nul" and "surrogate" not in name])
def test_an_id_given_on_the_command_line(taplogs: Command, name: str, form: str) -> None:
    text = SEQUENCES[name]
    with FaultyServer([reply(error_body("NOT_FOUND", "No."), 404)]) as server:
        finished = at(taplogs, server).here("show", text, "-o", form, "--debug")
    assert finished.code == 5
    if form == "json":
        assert_harmless(finished.err.encode())
        assert json.loads(finished.err.splitlines()[-1])["error"]["message"] == f"no entry has the id {text!r}"
    else:
        assert_harmless(finished.err.encode())


@pytest.mark.parametrize("option", ["--status", "--since", "--latency", "--columns", "--tz", "--output", "--limit"])
def test_an_offending_value_given_on_the_command_line(taplogs: Command, option: str) -> None:
    finished = taplogs.here("list", option, "\x1b]0;owned\x07\x9b31m\u202e")
    assert finished.code == 2
    assert_harmless(finished.err.encode())


def test_bytes_on_the_command_line_that_are_no_text(taplogs: Command) -> None:
    with FaultyServer([reply(error_body("NOT_FOUND", "No."), 404)]) as server:
        finished = at(taplogs, server).shell("taplogs show $'\\xff\\x9b'")
    assert finished.code == 5
    assert_harmless(finished.err.encode())
    assert server.requests[0].target == "/partner/logs/%ED%B3%BF%ED%B2%9B"


@pytest.mark.parametrize("command", ["list", "get base_url"])
def test_a_hostile_config_file(taplogs: Command, command: str) -> None:
    taplogs.configured(
        'profile = "a\\u001b]0;owned\\u0007"\n["profiles"."a\\u001b]0;owned\\u0007"]\nbase_url = "\\u202ex\\u009b31m"'
    )
    shown = taplogs.on_terminal("config", *command.split())
    assert shown.code == 0
    assert_untouched(shown)


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize("columns", [None, "id,requestPayload"])
def test_white_space_between_the_tokens_of_a_payload(form: str, columns: str | None) -> None:
    entries = [
        log_entry(number, request_payload=payload(text))
        for number, text in enumerate(('{\t"a"\r\n:\t[1,\t2]}', '{\t"é":\r\n\t"é\\t"}'))
    ]
    paper = Paper()
    FORMATS[form]([entries], paper.output, Layout(columns))
    assert_harmless(paper.raw)
    text = paper.raw.decode()
    found = json.loads(text) if form == "json" else [json.loads(line) for line in text.splitlines()]
    assert [item["requestPayload"] for item in found] == [{"a": [1, 2]}, {"é": "é\t"}]

"""taplogs list: formats, columns, order, filters, windows, and what goes to which stream."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from command import KEY, Command
from faulty_server import SILENCE, FaultyServer, page, reply
from serving import Backend, log_entry, payload
from taplogs.core.entry import encode_entry

NEWEST = "entry-00120"
WINDOW = ["--since", "2026-11-01T00:00:10Z", "--until", "2026-11-01T00:00:13Z"]


def members(backend: Backend, entry_id: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(encode_entry(backend.store.get(entry_id)))
    return entry


def test_in_a_pipe_entries_are_json_lines_newest_first(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list")
    assert finished.ids == [f"entry-{number:05}" for number in range(120, 70, -1)]
    assert finished.rows[0] == members(logs, NEWEST)


def test_on_a_terminal_entries_are_a_table(taplogs: Command, logs: Backend) -> None:
    shown = taplogs.at(logs).on_terminal("list", *WINDOW)
    assert re.sub(" +", " ", shown.text).splitlines() == [
        "from 2026-11-01 00:00:10+00:00 until 2026-11-01 00:00:13+00:00",
        "TIME METHOD URL STATUS LATENCY ID",
        *(
            f"2026-11-01 00:00:{n}.000 GET /v1/partner/jobs/{n}?perPage=20 {s} {n}0ms entry-000{n}"
            for n, s in ((12, 200), (11, 500), (10, 422))
        ),
    ]


def test_a_window_is_half_open(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", *WINDOW).ids == ["entry-00012", "entry-00011", "entry-00010"]


def test_reverse_is_oldest_first(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", *WINDOW, "--reverse").ids == ["entry-00010", "entry-00011", "entry-00012"]


def test_reverse_with_a_limit_shows_the_oldest(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", "--reverse", "-n", "2").ids == ["entry-00001", "entry-00002"]


def test_a_limit_of_0_shows_all(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "-n", "0")
    assert (len(finished.rows), finished.err) == (120, "")


def test_a_table_in_a_pipe_is_not_shortened_and_not_coloured(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", "-o", "table", *WINDOW, "--limit", "1")
    assert finished.out == (
        "TIME                     METHOD  URL                                                             STATUS"
        "  LATENCY  ID\n"
        "2026-11-01 00:00:12.000  GET     https://partner-api.taptalent.io/v1/partner/jobs/12?perPage=20     200"
        "    120ms  entry-00012\n"
    )


def test_json_is_one_array(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "-o", "json", *WINDOW)
    assert json.loads(finished.out) == [members(logs, f"entry-000{number}") for number in (12, 11, 10)]


def test_csv_has_a_heading_and_holds_the_members(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "-o", "csv", "-s", "404", "-n", "1")
    assert finished.out.count("\r\n") == finished.out.count("\n") == 2
    (row,) = csv.DictReader(io.StringIO(finished.out, newline=""))
    expected = members(logs, row["id"])
    assert list(row) == list(expected)
    assert json.loads(row["responsePayload"]) == expected["responsePayload"]
    rest = {name: str(value) for name, value in expected.items() if value is not None and name != "responsePayload"}
    assert {name: row[name] for name in rest} == rest
    assert {row[name] for name in expected.keys() - rest.keys() - {"responsePayload"}} == {""}


def test_csv_raw_leaves_a_formula_as_it_was_sent(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(user_agent="=1+1")])
    command = taplogs.at(backend)
    words = ("list", "-o", "csv", "--columns", "id,user-agent")
    assert command.here(*words).out == "id,userAgent\r\nentry-00001,'=1+1\r\n"
    assert command.here(*words, "--csv-raw").out == "id,userAgent\r\nentry-00001,=1+1\r\n"


def test_excel_gets_a_byte_order_mark(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    assert command.here("list", "-o", "csv", "--excel").out == "\ufeff" + command.here("list", "-o", "csv").out


@pytest.mark.parametrize("option", ["--csv-raw", "--excel"])
def test_options_of_csv_are_refused_where_none_is_written(taplogs: Command, option: str) -> None:
    finished = taplogs.here("list", "-o", "jsonl", option)
    assert (finished.code, finished.out) == (2, "")
    assert f"{option} is about CSV" in finished.err


@pytest.mark.parametrize(
    ("form", "out"),
    [("table", ""), ("jsonl", ""), ("json", "[]\n"), ("csv", "id,status\r\n".replace("status", "statusCode"))],
)
def test_an_empty_listing_is_empty_in_its_format(taplogs: Command, logs: Backend, form: str, out: str) -> None:
    columns = ["--columns", "id,status"]
    finished = taplogs.at(logs).here("list", "-o", form, "-s", "418", *columns)
    assert (finished.code, finished.out) == (0, out)
    assert finished.err == "no entries match (--status 418)\n"


def test_an_empty_window_says_so(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", "--since", "2027-01-01").err == (
        "no entries match (since 2027-01-01 00:00:00+00:00)\n"
    )


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("jsonl", '{"id":"entry-00012","statusCode":200,"requestUrl":"URL"}\n'),
        ("json", '[\n{"id":"entry-00012","statusCode":200,"requestUrl":"URL"}\n]\n'),
        ("csv", "id,statusCode,requestUrl\r\nentry-00012,200,URL\r\n"),
        ("table", "ID           STATUS  URL\nentry-00012     200  URL\n"),
    ],
)
@pytest.mark.parametrize("columns", ["id,status,url", "id, statusCode,requestUrl"])
def test_columns_are_chosen_and_ordered(
    taplogs: Command, logs: Backend, form: str, expected: str, columns: str
) -> None:
    finished = taplogs.at(logs).here("list", "-o", form, "--columns", columns, "-n", "1", *WINDOW)
    assert finished.out.replace("https://partner-api.taptalent.io/v1/partner/jobs/12?perPage=20", "URL") == expected


def test_every_column_of_a_table_can_be_shown(taplogs: Command, logs: Backend) -> None:
    names = "timestamp,method,url,status,latency,id,endpoint,reason,ip,user-agent,client-id,company-id,"
    names += "created-at,updated-at"
    finished = taplogs.at(logs).here("list", "-o", "table", "-n", "1", "--columns", names)
    heading, row = (re.split("  +", line) for line in finished.out.splitlines())
    assert dict(zip(heading, row, strict=True)) == {
        "TIME": "2026-11-01 00:02:00.000",
        "METHOD": "GET",
        "URL": "https://partner-api.taptalent.io/v1/partner/jobs/120?perPage=20",
        "STATUS": "200",
        "LATENCY": "1.20s",
        "ID": NEWEST,
        "ENDPOINT": "/v1/partner/jobs/{id}",
        "REASON": "-",
        "IP": "192.0.2.1",
        "USER AGENT": "python-requests/2.32.3",
        "CLIENT": "client",
        "COMPANY": "company",
        "CREATED": "2026-11-01 00:02:00.000",
        "UPDATED": "2026-11-01 00:02:00.000",
    }


def test_columns_without_payloads_do_not_fetch_them(taplogs: Command) -> None:
    with FaultyServer([reply(page([log_entry()]))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        taplogs.here("list", "-o", "table", env=env)
        taplogs.here("list", "--columns", "id,status", env=env)
        taplogs.here("list", "--columns", "id,responsePayload", env=env)
        taplogs.here("list", env=env)
    assert ["fields=summary" in request.target for request in server.requests] == [True, True, False, False]


@pytest.mark.parametrize(
    ("form", "out"),
    [
        ("table", "STATUS  REASON\n   201  -\n   200  -\n   500  E500 It went wrong.\n"),
        ("csv", "statusCode,reason\r\n201,\r\n200,\r\n500,E500 It went wrong.\r\n"),
        (
            "jsonl",
            '{"statusCode":201,"reason":null}\n{"statusCode":200,"reason":null}\n'
            '{"statusCode":500,"reason":"E500 It went wrong."}\n',
        ),
    ],
)
def test_the_reason_of_an_error_is_a_column(taplogs: Command, logs: Backend, form: str, out: str) -> None:
    window = ["--since", "2026-11-01T00:00:11Z", "--until", "2026-11-01T00:00:14Z"]
    assert taplogs.at(logs).here("list", *window, "-o", form, "--columns", "status,reason").out == out


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("UTC", "2026-11-01 00:00:12.000"),
        ("Europe/Berlin", "2026-11-01 01:00:12.000"),
        ("America/New_York", "2026-10-31 20:00:12.000"),
        ("Asia/Kolkata", "2026-11-01 05:30:12.000"),
    ],
)
def test_a_table_shows_times_in_the_zone_and_json_in_utc(
    taplogs: Command, logs: Backend, zone: str, local: str
) -> None:
    arguments = ("list", "-n", "1", *WINDOW, "--tz", zone)
    assert local in taplogs.at(logs).here(*arguments, "-o", "table").out
    assert taplogs.at(logs).here(*arguments).rows[0]["timestamp"] == "2026-11-01T00:00:12.000Z"
    assert "2026-11-01T00:00:12.000Z" in taplogs.at(logs).here(*arguments, "-o", "csv").out


def test_naive_times_are_read_in_the_zone(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "--since", "2026-11-01T01:01:59", "--tz", "Europe/Berlin")
    assert finished.ids == [NEWEST, "entry-00119"]


def test_the_window_is_told_on_a_terminal_only(taplogs: Command, logs: Backend) -> None:
    with open("/dev/null", "wb") as nowhere:  # noqa: PTH123 - a device, not a path of ours
        shown = taplogs.at(logs).on_terminal("list", "--since", "2026-11-01", "--tz", "Asia/Tokyo", stdout=nowhere)
    assert shown.lines[0] == "from 2026-11-01 00:00:00+09:00 until now"
    assert "from" not in taplogs.at(logs).run("list", "--since", "2026-11-01").err


def test_a_window_from_the_first_day_of_the_calendar_is_told(taplogs: Command, logs: Backend) -> None:
    shown = taplogs.at(logs).on_terminal("list", "--since", "0001-01-01T00:00Z", "-n", "1", "--tz", "America/New_York")
    assert shown.code == 0


def test_a_relative_window_is_resolved_by_the_clock_of_the_backend(taplogs: Command) -> None:
    entry = log_entry(timestamp="2030-01-01T11:30:00.000Z")
    with FaultyServer([reply(page([entry], serverTime="2030-01-01T12:00:00.000Z"))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.here("list", "--since", "1h", env=env)
    assert finished.ids == [entry.id]
    assert "ahead of this machine's" in finished.err
    assert "startDate=2030-01-01T11%3A00%3A00" in server.requests[-1].target


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv"])
def test_rows_appear_before_the_second_page_does(taplogs: Command, form: str) -> None:
    first = reply(page([log_entry(2)], totalLogs=2, nextCursor="next"))
    with FaultyServer([first], [SILENCE]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        with taplogs.start("list", "-n", "0", "-o", form, env=env) as process:
            assert process.stdout
            out = b""
            while b"entry-00002" not in out:
                out += os.read(process.stdout.fileno(), 65536) or pytest.fail("the listing ended")
            process.kill()


def test_standard_output_is_data_only(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", "-n", "2", "--debug", "--since", "2026-11-01")
    assert len(finished.rows) == 2
    assert "debug: GET " in finished.err
    assert "there are more" in finished.err


def test_repeated_options_add_up(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "-s", "404", "-s", "500,!500", "-n", "0")
    assert {row["statusCode"] for row in finished.rows} == {404}


def test_grep_looks_into_payloads(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("list", "--grep", "e422", "-n", "0", "--columns", "status")
    assert finished.rows == [{"statusCode": 422}] * 20


def test_templates_of_the_config_file_are_used_by_filter_and_column(taplogs: Command, logs: Backend) -> None:
    taplogs.configured('endpoint_templates = ["/v1/partner/{anything}/12"]')
    finished = taplogs.at(logs).here("list", "-o", "table", "-e", "/v1/partner/{anything}/12", "--columns", "endpoint")
    assert finished.out.split() == ["ENDPOINT", "/v1/partner/{anything}/12"]


def test_the_demo_needs_no_key_and_keeps_its_ids(taplogs: Command, tmp_path_factory: pytest.TempPathFactory) -> None:
    first = taplogs.here("list", "--demo", "--status", "4xx", "--since", "2d", "-n", "5")
    second = taplogs.here("list", "--source", "demo", "--status", "4xx", "--since", "2d", "-n", "5")
    assert first.code == 0
    assert len(first.ids) == 5
    assert set(first.ids) & set(second.ids)
    assert first.err.startswith("first use of the demo: making up 20,000 entries\n")
    assert "first use" not in second.err


def test_now_is_one_moment_in_a_run(taplogs: Command, backend: Backend) -> None:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
    backend.store.add([log_entry(timestamp=moment)])
    finished = taplogs.at(backend).here("list", "--since", "1h", "--until", "now")
    assert finished.ids == ["entry-00001"]


def test_a_payload_is_printed_as_it_was_sent(taplogs: Command, backend: Backend) -> None:
    text = '{"big":123456789012345678901234567890,"small":1.10,"a":1,"a":2,"text":"\\u00e9\\ud800"}'
    backend.store.add([log_entry(status_code=400, response_payload=payload(text))])
    assert text in taplogs.at(backend).here("list").out

"""taplogs errors: groups for people and programs, beside an earlier window, and the entries of one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import KEY, TESTS, Command, Finished, assert_harmless
from faulty_server import FaultyServer, page, reply
from serving import Backend, log_entry, payload, running_backend
from taplogs.backend.load import load_file
from taplogs.core.entry import LogEntry

REQUESTS_2015 = TESTS / "data" / "requests-2015.jsonl.gz"
IN_JQ = Path(__file__).with_name("error_groups.jq")


def failed(number: int, message: str = "It broke.", **fields: Any) -> LogEntry:
    error = payload(json.dumps({"error": {"code": "BROKEN", "message": message}}))
    return log_entry(number, **({"status_code": 500, "response_payload": error} | fields))


@pytest.fixture(scope="module")
def requests_2015(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over 5,000 real requests."""
    with running_backend(tmp_path_factory.mktemp("requests") / "logs.db") as running:
        load_file(running.store, REQUESTS_2015)
        yield running


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend with an hour of errors, and another one after it."""
    with running_backend(tmp_path_factory.mktemp("day") / "logs.db") as running:
        first = [failed(n, "same") for n in range(30)] + [failed(200, "gone")]
        first += [failed(300 + n, "grown", request_url="/x") for n in range(4)]
        second = [failed(3600 + n, "same", id=f"s{n}") for n in range(30)]
        second += [failed(3700 + 10 * n, "grown", id=f"h{n}", request_url="/x") for n in range(20)]
        second += [failed(3800, "born", status_code=422, client_id=None)]
        running.store.add(first + second)
        yield running


LATER = ["--since", "2026-11-01T01:00:00Z", "--until", "2026-11-01T02:00:00Z"]


def messages(finished: Finished) -> dict[str, dict[str, Any]]:
    return {row["message"]: row for row in finished.rows}


# ---- real requests


def test_the_numbers_of_real_requests_are_those_of_an_independent_count(
    taplogs: Command, requests_2015: Backend
) -> None:
    finished = taplogs.at(requests_2015).here("errors", "-o", "json")
    document = json.loads(finished.out)
    # gunzip -c tests/data/requests-2015.jsonl.gz | jq -s 'map(select(.statusCode >= 400)) | length,
    #   (group_by(.statusCode) | map([.[0].statusCode, length]))'
    statuses: dict[int, int] = {}
    for group in document["groups"]:
        statuses[group["statusCode"]] = statuses.get(group["statusCode"], 0) + group["requests"]
    assert (document["total"]["requests"], statuses) == (111, {404: 108, 500: 2, 403: 1})
    # gunzip -c tests/data/requests-2015.jsonl.gz | jq -n -c -f tests/cli/error_groups.jq | jq -c 'length, .[:3][]'
    assert len(document["groups"]) == 39
    monolithic, gif, login = document["groups"][:3]
    assert monolithic["endpoint"] == "/files/logstash/logstash-1.3.2-monolithic.jar"
    assert (monolithic["requests"], monolithic["clients"], monolithic["share"]) == (34, 1, 34 / 111)
    assert (monolithic["firstSeen"], monolithic["lastSeen"]) == ("2015-05-17T11:05:05.000Z", "2015-05-19T02:05:32.000Z")
    assert (gif["requests"], gif["clients"], gif["firstSeen"], gif["lastSeen"]) == (
        *(14, 12),
        *("2015-05-17T13:05:25.000Z", "2015-05-19T02:05:39.000Z"),
    )
    assert (login["endpoint"], login["requests"], login["clients"]) == ("/wp-login.php", 5, 5)
    assert monolithic["method"] == "GET"
    assert (monolithic["code"], monolithic["message"]) == ("", "")


def test_every_group_of_real_requests_is_one_that_jq_finds(taplogs: Command, requests_2015: Backend) -> None:
    lines = gzip.decompress(REQUESTS_2015.read_bytes())
    found = json.loads(subprocess.run(["jq", "-n", "-f", IN_JQ], input=lines, capture_output=True, check=True).stdout)
    rows = taplogs.at(requests_2015).here("errors").rows
    ours = [{name: row[name] for name in found[0]} for row in rows]

    def order(group: dict[str, Any]) -> list[Any]:
        return [group[name] for name in ("endpoint", "method", "statusCode")]

    assert sorted(ours, key=order) == sorted(found, key=order)


def test_the_entries_of_a_group_of_real_requests_are_those_it_counts(taplogs: Command, requests_2015: Backend) -> None:
    command = taplogs.at(requests_2015)
    group = command.here("errors", "--top", "1").rows[0]
    listed = command.here("errors", group["group"], "-n", "0").rows
    assert len(listed) == group["requests"] == 34
    assert [row["id"] for row in listed[:3]] == group["exampleIds"]
    assert {row["requestUrl"] for row in listed} == {"http://semicomplete.com" + group["endpoint"]}


# ---- the demo


def test_on_the_demo_the_loop_and_the_incident_are_at_the_top(taplogs: Command) -> None:
    rows = taplogs.here("errors", "--demo", "--since", "2d").rows
    loop, incident = rows[:2]
    assert (loop["statusCode"], loop["method"], loop["endpoint"]) == (422, "POST", "/v1/partner/candidates")
    assert loop["message"] == "The phone number is invalid. (phone: must be a number in E.164 format)"
    assert (loop["clients"], loop["topClients"][0]["clientId"]) == (1, "initech-import")
    assert loop["storms"][0]["requests"] > 200
    assert (loop["storms"][0]["clientId"], loop["storms"][0]["ipAddress"]) == ("initech-import", None)
    assert (incident["statusCode"], incident["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert incident["clients"] == 4


# ---- for programs


def test_in_a_pipe_a_group_is_one_json_line(taplogs: Command, logs: Backend) -> None:
    rows = taplogs.at(logs).run("errors").rows
    assert [(row["statusCode"], row["requests"], row["code"]) for row in rows] == [
        *((500, 20, "E500"), (422, 20, "E422"), (404, 20, "E404")),
    ]
    first = rows[0]
    assert first | {"group": "", "timeline": []} == {
        "group": "",
        "method": "GET",
        "endpoint": "/v1/partner/jobs/{id}",
        "statusCode": 500,
        "code": "E500",
        "message": "It went wrong.",
        "requests": 20,
        "share": 20 / 60,
        "firstSeen": "2026-11-01T00:00:05.000Z",
        "lastSeen": "2026-11-01T00:01:59.000Z",
        "clients": 1,
        "moreClients": False,
        "topClients": [{"clientId": "client", "ipAddress": None, "requests": 20}],
        "exampleIds": ["entry-00119", "entry-00113", "entry-00107"],
        "timeline": [],
        "storms": [],
        "stormCount": 0,
        "stormRequests": 0,
    }
    assert re.fullmatch("[0-9a-f]{8}", first["group"])
    assert sum(part["requests"] for part in first["timeline"]) == 20
    assert len(first["timeline"]) == 24


@pytest.mark.parametrize("since", ["2026-11-01T00:00:02.500Z", "2026-11-01T00:00:00Z", "2026-10-01", "2020-01-01"])
def test_the_trend_counts_every_error_of_the_window(taplogs: Command, logs: Backend, since: str) -> None:
    for row in taplogs.at(logs).here("errors", "--since", since, "--until", "2026-11-01T00:02:30Z").rows:
        assert sum(part["requests"] for part in row["timeline"]) == row["requests"]


def test_json_is_a_document_with_the_window(taplogs: Command, logs: Backend) -> None:
    document = json.loads(taplogs.at(logs).here("errors", "-o", "json", *LATER, "--since", "2026-11-01").out)
    assert {name: document[name] for name in document if name != "groups"} == {
        "window": {"since": "2026-11-01T00:00:00.000Z", "until": "2026-11-01T02:00:00.000Z"},
        "total": {"requests": 60},
    }
    assert document["groups"] == taplogs.at(logs).here("errors", *LATER, "--since", "2026-11-01").rows


def test_csv_has_a_row_for_each_group(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    rows = list(csv.DictReader(io.StringIO(command.here("errors", "-o", "csv").out, newline="")))
    assert [(row["statusCode"], row["requests"]) for row in rows] == [("500", "20"), ("422", "20"), ("404", "20")]
    assert list(rows[0]) == list(command.here("errors").rows[0])
    assert json.loads(rows[0]["exampleIds"]) == ["entry-00119", "entry-00113", "entry-00107"]


@pytest.mark.parametrize(
    ("form", "out"), [("table", ""), ("jsonl", ""), ("json", '"groups": []'), ("csv", "group,method,endpoint,")]
)
def test_no_errors_are_an_empty_report_in_its_format(taplogs: Command, logs: Backend, form: str, out: str) -> None:
    finished = taplogs.at(logs).here("errors", "-o", form, "--client-id", "nobody")
    assert (finished.code, finished.err) == (0, "no entries match (--status error, --client-id nobody)\n")
    assert out in finished.out
    assert bool(out) == bool(finished.out)


def test_no_errors_are_a_failure_where_that_is_asked_for(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("errors", "--client-id", "nobody", "--fail-on-empty")
    assert (finished.code, finished.out) == (3, "")
    assert finished.err.startswith("error: no entries match (--status error, --client-id nobody)\n")


# ---- which entries


def test_the_backend_is_asked_for_errors_alone(taplogs: Command) -> None:
    with FaultyServer([reply(page([failed(1)]))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        taplogs.here("errors", env=env)
        taplogs.here("errors", "--status", "!503", env=env)
        taplogs.here("errors", "--status", "2xx,404", env=env)
    times = "fields=summary"  # asks for the backend's time, which this one does not tell
    targets = [request.target for request in server.requests if times not in request.target]
    assert ["statusClass=4xx" in target and "statusClass=5xx" in target for target in targets] == [True, True, False]
    assert "statusCode=404" in targets[2]


def test_what_a_backend_sends_besides_is_no_error(taplogs: Command) -> None:
    with FaultyServer([reply(page([failed(3), failed(2, status_code=200), log_entry(1)]))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        assert [row["requests"] for row in taplogs.here("errors", env=env).rows] == [1]


@pytest.mark.parametrize(
    ("arguments", "statuses"),
    [
        ([], [500, 422, 404]),
        (["-s", "4xx"], [422, 404]),
        (["-s", "!422"], [500, 404]),
        (["-s", "200-404"], [404]),
        (["-s", "ok,5xx"], [500]),
        (["--grep", "E404"], [404]),
        (["--top", "1"], [500]),
        (["--top", "0"], [500, 422, 404]),
        (["--sort", "first"], [404, 422, 500]),
        (["--sort", "last"], [500, 422, 404]),
        (["--sort", "FIRST"], [404, 422, 500]),
    ],
)
def test_filters_order_and_number(taplogs: Command, logs: Backend, arguments: list[str], statuses: list[int]) -> None:
    assert [row["statusCode"] for row in taplogs.at(logs).here("errors", *arguments).rows] == statuses


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "2xx"], "--status 2xx holds no errors"),
        (["--sort", "size"], "--sort 'size' is not understood"),
        (["--sort", "change"], "--sort change needs an earlier window"),
        (["--compare"], "--compare needs a window that begins somewhere"),
        (["--compare", "--since", "+1h"], "--compare needs a window that has begun"),
        (["--compare", "1d..2d"], "--compare '1d..2d':"),
        (["-o", "yaml"], "--output 'yaml' is not understood"),
        (["--limit", "5"], "--limit is about the entries of a group"),
        (["--columns", "id"], "--columns is about the entries of a group"),
        (["xyz"], "'xyz' is not the hash of a group"),
        (["abc"], "'abc' is not the hash of a group"),
        (["123456789"], "'123456789' is not the hash of a group"),
        (["abcdef0"], "'abcdef0' is not the hash of a group"),
        (["--compare", "yesterday"], "--compare takes A..B, not 'yesterday'"),
        (["--compare", "9fc9f477"], "--compare takes A..B, not '9fc9f477'"),
        (["--compare", ""], "--compare takes A..B, not ''"),
        (["abcdef01", "--top", "3"], "--top is about the groups"),
        (["abcdef01", "--sort", "last"], "--sort is about the groups"),
        (["abcdef01", "--compare"], "--compare is about the groups"),
        (["abcdef01", "--columns", "nothing"], "--columns 'nothing'"),
        (["--top", "-1"], "Invalid value for '--top'"),
        (["--since", "2x"], "--since '2x' is not understood"),
    ],
)
def test_wrong_usage_is_told_before_a_key_is_looked_for(taplogs: Command, arguments: list[str], message: str) -> None:
    finished = taplogs.here("errors", *arguments)
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith(f"error: {message}")
    assert "\nhint: " in finished.err


# ---- beside an earlier window


def test_groups_are_marked_by_what_they_were_in_the_window_before(taplogs: Command, day: Backend) -> None:
    finished = taplogs.at(day).here("errors", *LATER, "--compare")
    rows = messages(finished)
    assert {name: (row["requests"], row["beforeRequests"], row["mark"]) for name, row in rows.items()} == {
        "grown": (20, 4, "grown"),
        "born": (1, 0, "new"),
        "same": (30, 30, None),
        "gone": (0, 1, "vanished"),
    }
    assert list(rows) == ["grown", "born", "same", "gone"]
    assert [row["requestsChangeRatio"] for row in rows.values()] == [4.0, None, 0.0, -1.0]
    assert rows["gone"]["share"] == 0
    assert rows["gone"]["lastSeen"] == "2026-11-01T00:03:20.000Z"
    assert {part["requests"] for part in rows["gone"]["timeline"]} == {0}


def test_another_window_can_be_named_and_rates_count(taplogs: Command, day: Backend) -> None:
    earlier = "2026-11-01T00:00:00Z..2026-11-01T00:30:00Z"
    document = json.loads(taplogs.at(day).here("errors", *LATER, "--compare", earlier, "-o", "json").out)
    assert document["comparedWindow"] == {"since": "2026-11-01T00:00:00.000Z", "until": "2026-11-01T00:30:00.000Z"}
    assert document["total"] == {"requests": 51, "beforeRequests": 35, "requestsChangeRatio": 51 / 70 - 1}
    same = next(group for group in document["groups"] if group["message"] == "same")
    assert (same["requests"], same["beforeRequests"], same["requestsChangeRatio"], same["mark"]) == (
        30,
        30,
        -0.5,
        "shrunk",
    )


def test_what_has_vanished_is_shown_beside_the_first_groups(taplogs: Command, day: Backend) -> None:
    finished = taplogs.at(day).here("errors", *LATER, "--compare", "--top", "1")
    assert list(messages(finished)) == ["grown", "gone"]
    assert finished.err.startswith("2 more groups. All of them:\n")


def test_a_window_without_end_ends_now_so_that_both_have_one_length(taplogs: Command) -> None:
    now = "2026-11-02T12:00:00.000Z"
    with FaultyServer([reply(page([], serverTime=now))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.here("errors", "--since", "2h", "--compare", "-o", "json", env=env)
    document = json.loads(finished.out)
    window, before = document["window"], document["comparedWindow"]
    assert before["since"] < before["until"] == window["since"] < window["until"]
    assert all("endDate=" in request.target for request in server.requests[-2:])


# ---- the entries of a group


@pytest.fixture
def group(taplogs: Command, logs: Backend) -> str:
    """The hash of the group of 404s."""
    found: str = taplogs.at(logs).here("errors", "-s", "404").rows[0]["group"]
    return found


def test_a_group_is_listed_as_entries(taplogs: Command, logs: Backend, group: str) -> None:
    listed = taplogs.at(logs).run("errors", group, "-n", "0")
    assert listed.out == taplogs.at(logs).run("list", "-s", "404", "-n", "0").out
    assert listed.err == ""


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_group_is_listed_in_every_format(taplogs: Command, logs: Backend, group: str, form: str) -> None:
    options = ["-o", form, "--columns", "id,status", "-n", "3"]
    assert (
        taplogs.at(logs).here("errors", group, *options).out == taplogs.at(logs).here("list", "-s", "404", *options).out
    )


def test_a_hash_may_be_in_capitals(taplogs: Command, logs: Backend, group: str) -> None:
    assert len(taplogs.at(logs).here("errors", group.upper()).rows) == 20


def test_a_listing_that_was_cut_says_how_to_go_on(taplogs: Command, logs: Backend, group: str) -> None:
    finished = taplogs.at(logs).here("errors", group, "--limit", "7")
    ids = finished.ids
    seen = [len(ids)]
    while "The next ones:\n" in finished.err:
        words = finished.err.splitlines()[-1].split()
        assert words[:3] == ["taplogs", "errors", group]
        finished = taplogs.at(logs).here(*words[1:])
        seen.append(len(finished.ids))
        ids += finished.ids
    assert seen == [7, 7, 6]
    assert ids == taplogs.at(logs).here("list", "-s", "404", "-n", "0").ids


def test_an_unknown_group_exits_5(taplogs: Command, logs: Backend, group: str) -> None:
    name = "0" * 8
    for arguments in ([name], [group, "--since", "2026-11-02"], [group, "-s", "5xx"]):
        finished = taplogs.at(logs).here("errors", *arguments)
        assert (finished.code, finished.out) == (5, "")
        assert finished.err.startswith(f"error: no error group {arguments[0]} in this window\nhint: ")
    assert taplogs.at(logs).here("errors", name, "-o", "json").error["code"] == "group_not_found"


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_full_disk_exits_1_with_one_line(taplogs: Command, logs: Backend, form: str) -> None:
    with Path("/dev/full").open("wb") as full:
        finished = taplogs.at(logs).run("errors", "-o", form, stdout=full)
    assert finished.code == 1
    assert "No space left on device" in finished.err
    assert finished.err.count("\n") == 1


def test_a_reader_that_goes_away_exits_141_in_silence(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, "abcdefghijklmnopqrstuvwxyz"[n % 26] * (1 + n // 26)) for n in range(1000)])
    finished = taplogs.at(backend).shell("taplogs errors | head -n 1 > /dev/null; echo ${PIPESTATUS[0]}")
    assert (finished.out, finished.err) == ("141\n", "")


# ---- for people


def test_a_group_is_a_block_of_lines(taplogs: Command, day: Backend) -> None:
    finished = taplogs.at(day).run("errors", "-o", "table", *LATER, "--tz", "Europe/Berlin")
    same, grown, born = (row["group"] for row in taplogs.at(day).here("errors", *LATER).rows)
    assert finished.out == (
        "51 errors in 3 groups\n"
        "a column of the trend is 3 min 45 s\n"
        "\n"
        f"{same}  500 GET /v1/partner/jobs/{{id}}  30   58.8 %  █\n"
        "          BROKEN  same\n"
        "          2026-11-01 02:00:00 to 2026-11-01 02:00:29, 1 client (client)\n"
        "          examples s29 s28 s27\n"
        "\n"
        f"{grown}  500 GET /x                     20   39.2 %  █▄\n"
        "          BROKEN  grown\n"
        "          2026-11-01 02:01:40 to 2026-11-01 02:04:50, 1 client (client)\n"
        "          retry storm: client sent the same request 20 times in 3 min 10 s, every 10 s\n"
        "          examples h19 h18 h17\n"
        "\n"
        f"{born}  422 GET /v1/partner/jobs/{{id}}   1    2.0 %  █\n"
        "          BROKEN  born\n"
        "          at 2026-11-01 02:03:20, 1 client (192.0.2.1)\n"
        "          examples entry-03800\n"
    )
    assert finished.err == ""


def test_beside_an_earlier_window_the_change_is_told(taplogs: Command, day: Backend) -> None:
    lines = taplogs.at(day).here("errors", "-o", "table", *LATER, "--compare").out.splitlines()
    assert lines[:3] == [
        "51 errors in 3 groups",
        "before: 35 errors, 1 new, 1 grown, 1 vanished",
        "a column of the trend is 3 min 45 s",
    ]
    told = [line.strip() for line in lines if " before " in line]
    assert told == ["grown, before 4, rate +400.0 %", "new, before 0", "before 30, rate 0.0 %", "vanished, before 1"]


def test_an_error_without_a_body_is_told_by_its_status(taplogs: Command, backend: Backend) -> None:
    entries = [log_entry(n, status_code=status) for n, status in enumerate((404, 599), 1)]
    backend.store.add(entries)
    out = taplogs.at(backend).here("errors", "-o", "table").out
    assert "\n          Not Found\n" in out
    assert "\n          no reason given\n" in out


def test_many_clients_are_named_by_the_most_affected(taplogs: Command, backend: Backend) -> None:
    clients = ["d", "c", "c", "b", "b", "b", "a", "e"]
    backend.store.add([failed(n, client_id=client) for n, client in enumerate(clients)])
    assert "5 clients (b, c, a, and others)" in taplogs.at(backend).here("errors", "-o", "table").out


def test_more_than_twenty_groups_are_cut_with_the_command_for_all(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, f"message {'abcdefghijklmnopqrstuvwxyz'[n]}") for n in range(26)])
    finished = taplogs.at(backend).here("errors", "-o", "table", "--sort", "last")
    assert finished.err == "6 more groups. All of them:\n  taplogs errors -o table --sort last --top 0\n"
    assert finished.out.count("examples") == 20
    assert len(taplogs.at(backend).here("errors").rows) == 26
    assert taplogs.at(backend).here("errors", "-o", "table", "--top", "0").out.count("examples") == 26


def test_on_a_terminal_the_report_fits_and_says_how_to_go_on(taplogs: Command, day: Backend) -> None:
    for columns in (40, 60, 80, 160):
        shown = taplogs.at(day).on_terminal("errors", *LATER, "--compare", columns=columns, rows=100)
        assert_harmless(shown.raw)
        assert shown.code == 0
        lines = shown.plain.splitlines()
        assert max(map(len, [line for line in lines if not line.startswith("  taplogs ")])) <= max(columns, 40)
        assert "taplogs errors" in lines[-1]
        assert "--compare" not in lines[-1]
        listed = taplogs.at(day).here(*lines[-1].split()[1:])
        assert len(listed.rows) == 20


def test_where_every_group_has_vanished_none_is_suggested(taplogs: Command, day: Backend) -> None:
    quiet = ["--since", "2026-11-01T03:00:00Z", "--until", "2026-11-01T04:00:00Z"]
    shown = taplogs.at(day).on_terminal("errors", *quiet, "--compare", "2026-11-01T01:00Z..2026-11-01T02:00Z")
    assert "0 errors in 0 groups" in shown.plain
    assert "3 vanished" in shown.plain
    assert "The entries of a group" not in shown.plain


def test_what_was_counted_together_is_not_suggested(taplogs: Command, backend: Backend) -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    backend.store.add([failed(n % 9000, str(n).translate(letters), id=f"e{n}") for n in range(10_010)])
    shown = taplogs.at(backend).on_terminal("errors", "--top", "1", rows=100)
    assert "{other}" in shown.plain
    assert "The entries of a group" not in shown.plain
    shown = taplogs.at(backend).on_terminal("errors", "--top", "2", rows=100)
    listed = taplogs.at(backend).here(*shown.plain.splitlines()[-1].split()[1:])
    assert len(listed.rows) == 1


def test_a_share_above_zero_is_not_shown_as_zero(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, "most", id=f"e{n}") for n in range(3000)] + [failed(3000, "rare")])
    out = taplogs.at(backend).here("errors", "-o", "table").out
    assert " 3,000  >99.9 %  " in out
    assert "     1   <0.1 %  " in out


def test_a_client_without_id_is_its_address(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, client_id=None, ip_address="192.0.2.9", request_url="/x") for n in range(12)])
    (row,) = taplogs.at(backend).here("errors").rows
    assert row["topClients"] == [{"clientId": None, "ipAddress": "192.0.2.9", "requests": 12}]
    storm = row["storms"][0]
    assert (storm["clientId"], storm["ipAddress"], storm["requests"]) == (None, "192.0.2.9", 12)


def test_the_status_gives_the_colour_and_no_color_none(taplogs: Command, day: Backend) -> None:
    coloured = taplogs.at(day).on_terminal("errors", *LATER).raw
    assert b"\x1b[31m500\x1b[0m" in coloured
    assert b"\x1b[33m422\x1b[0m" in coloured
    assert b"\x1b[" not in taplogs.at(day).on_terminal("errors", *LATER, env={"NO_COLOR": "1"}).raw


def test_without_unicode_there_is_none(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, "Zoë " + "x" * 300, request_url="/" + "long/" * 30) for n in range(12)])
    shown = taplogs.at(backend).on_terminal("errors", columns=80, env={"LC_ALL": "C"})
    assert shown.raw.isascii()
    assert r"Zo\xeb" in shown.plain
    assert "..." in shown.plain
    assert max(map(len, shown.plain.splitlines())) <= 80


def test_a_huge_name_or_endpoint_does_not_hide_the_rest(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(n, client_id="x" * 5000) for n in range(12)])
    backend.store.add([failed(20, "other", id="o", request_url="/" + "long/" * 1000)])
    shown = taplogs.at(backend).on_terminal("errors", columns=80)
    assert len(shown.lines) < 25
    piped = taplogs.at(backend).here("errors", "-o", "table").out
    assert "/" + "long/" * 150 in piped
    assert next(len(line) for line in piped.splitlines() if "{id}" in line) < 150


def test_wide_characters_are_wrapped_by_their_width(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(1, "電話番号が正しくありません。" * 8, client_id="美咲")])
    shown = taplogs.at(backend).on_terminal("errors", columns=60)
    assert all(line.startswith(" " * 10) for line in shown.plain.splitlines() if "電話" in line or "ありません" in line)
    assert "(美咲)" in shown.plain


def test_what_strangers_wrote_cannot_harm_the_terminal(taplogs: Command, backend: Backend) -> None:
    evil = "\x1b]0;owned\x07 \x9b31m \u202e [red]bold[/red] \x00 \ud800"
    error = payload(json.dumps({"error": {"code": evil, "message": evil, "details": {evil: evil}}}))
    fields = {"id": evil[:-2], "client_id": evil[:-2], "method": "GET\x1b[2J", "request_url": "/\x1b[31m"}
    backend.store.add([log_entry(1, status_code=400, response_payload=error, **fields)])
    for form in ([], ["-o", "json"], ["-o", "jsonl"], ["-o", "csv"]):
        assert_harmless(taplogs.at(backend).on_terminal("errors", *form).raw)
    piped = taplogs.at(backend).run("errors", "-o", "table").out
    assert all(character.isprintable() or character == "\n" for character in piped)
    assert taplogs.at(backend).run("errors").rows[0]["code"] == " ".join(evil.split())


def test_too_many_groups_are_told(taplogs: Command, backend: Backend) -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    backend.store.add([failed(n % 9000, str(n).translate(letters), id=f"e{n}") for n in range(10_010)])
    finished = taplogs.at(backend).here("errors", "--top", "1")
    assert finished.err.startswith("more than 10,000 groups of errors; those beyond are counted together as {other}\n")
    assert (finished.rows[0]["message"], finished.rows[0]["requests"]) == ("{other}", 10)

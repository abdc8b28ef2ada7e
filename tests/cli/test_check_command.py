"""taplogs check: verdicts, exit codes, what is printed and where, and new errors."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from command import KEY, Command, Finished, assert_harmless
from faulty_server import FaultyServer, error_body, reply
from serving import Backend, log_entry, payload, running_backend
from taplogs.core import stats
from taplogs.core.entry import LogEntry

HOUR = ["--since", "2026-11-01T01:00:00Z", "--until", "2026-11-01T02:00:00Z"]
"""A window that has an hour before it."""


def failed(number: int, status: int, code: str, url: str = "/v1/partner/jobs/7", **fields: Any) -> LogEntry:
    body = payload(json.dumps({"error": {"code": code, "message": f"{code} happened."}}))
    address = f"https://partner-api.taptalent.io{url}"
    return log_entry(number, request_url=address, status_code=status, response_payload=body, **fields)


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with two hours: OLD fails in both, NEW_JOB twice and NEW_KEY once in the second one only."""
    with running_backend(tmp_path_factory.mktemp("hours") / "logs.db") as running:
        running.store.add([log_entry(number) for number in (*range(10, 50), *range(3610, 3650))])
        running.store.add([failed(60, 404, "OLD"), failed(3660, 404, "OLD"), failed(3661, 404, "OLD")])
        running.store.add([failed(3670, 500, "NEW_JOB"), failed(3671, 500, "NEW_JOB")])
        running.store.add([failed(3680, 403, "NEW_KEY", "/v1/partner/api-key", method="POST")])
        yield running


def verdicts(finished: Finished) -> list[tuple[str, str]]:
    """Return what is asserted and the verdict of each line of JSON."""
    return [(row["measure"], row["verdict"]) for row in finished.rows]


def test_the_demo_has_more_errors_than_one_in_a_thousand(taplogs: Command) -> None:
    finished = taplogs.run("check", "--demo", "--max-error-rate", "0.1%")
    assert finished.code == 3
    assert re.search(r"^error rate +[0-9.]+ % +max 0.1 % +[0-9,]+  fail$", finished.out, re.MULTILINE)
    assert finished.err.endswith(
        "error: 1 of 1 assertion does not hold\nhint: to look further: taplogs errors --demo\n"
    )


def test_a_table_is_printed_in_a_pipe_too_what_fails_first(taplogs: Command, logs: Backend) -> None:
    limits = ["--max-p95", "1140ms", "--max-p99", "1.189s", "--max-error-rate", "50 %", "--max-server-error-rate", "1%"]
    finished = taplogs.at(logs).run("check", *limits)
    assert (finished.code, finished.out) == (
        3,
        "ASSERTION          MEASURED       LIMIT  REQUESTS  VERDICT\n"
        "server error rate    16.7 %     max 1 %       120  fail\n"
        "p99                   1.19s  max 1.189s       120  fail\n"
        "error rate           50.0 %    max 50 %       120  pass\n"
        "p95                   1.14s   max 1.14s       120  pass\n"
        "\n"
        "2 fail, 2 pass\n120 requests, 2026-11-01 00:00:01+00:00 to 2026-11-01 00:02:00+00:00\n",
    )
    assert finished.err == "error: 2 of 4 assertions do not hold\nhint: to look further: taplogs errors\n"


@pytest.mark.parametrize(
    ("option", "holds", "unmet"),
    [
        ("--max-error-rate", "50%", "49.99999999%"),
        ("--max-server-error-rate", "16.666666666667%", "16.666666666666%"),
        ("--max-p50", "600ms", "599.9ms"),
        ("--max-p90", "1.08s", "1.0799s"),
        ("--max-p95", "1140ms", "1139ms"),
        ("--max-p99", "0.02m", "1189ms"),
        ("--min-requests", "120", "121"),
    ],
)
def test_an_assertion_holds_up_to_its_limit(
    taplogs: Command, logs: Backend, option: str, holds: str, unmet: str
) -> None:
    codes = [taplogs.at(logs).here("check", option, limit).code for limit in (holds, unmet)]
    assert codes == [0, 3]


def test_a_check_that_holds_is_silent_on_standard_error(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).run("check", "--max-error-rate", "50%").err == ""


def test_what_is_measured_is_what_stats_measures(taplogs: Command, logs: Backend) -> None:
    limits = ["--max-error-rate", "0", "--max-server-error-rate", "0"]
    limits += [word for percent in (50, 90, 95, 99) for word in (f"--max-p{percent}", "0ms")]
    checked = taplogs.at(logs).here("check", *limits, "--by", "status", "-o", "jsonl").rows
    measured = json.loads(taplogs.at(logs).here("stats", "--by", "status", "-o", "json").out)
    figures = {None: measured["total"], **{group["statusCode"]: group for group in measured["groups"]}}
    assert len(checked) == 7 * 6
    for row in checked:
        assert row["measured"] == figures[row["statusCode"]][row["measure"]]


def test_filters_say_which_requests_are_meant(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("check", "--max-error-rate", "0", "--status", "!422,!5xx", "-o", "jsonl")
    assert (finished.code, finished.rows[0]["requests"]) == (3, 80)


# Too few


@pytest.mark.parametrize("allow", [False, True])
def test_too_few_requests_are_a_verdict_and_a_failure_unless_allowed(
    taplogs: Command, logs: Backend, allow: bool
) -> None:
    words = ["--max-error-rate", "100%", "--max-p95", "1ms", "--min-requests", "121"]
    finished = taplogs.at(logs).here("check", *words, *(["--allow-few"] if allow else []))
    assert finished.code == (0 if allow else 3)
    assert re.findall(r"^(\S.*?)  .* (\d+ of \d+)  (too few)$", finished.out, re.MULTILINE) == [
        ("error rate", "120 of 121", "too few"),
        ("p95", "120 of 121", "too few"),
    ]
    assert "\n2 too few\n120 requests, " in finished.out
    assert finished.err == (
        "2 of 2 assertions rest on too few requests, which --allow-few lets pass\n"
        if allow
        else "error: 2 of 2 assertions do not hold: too few requests for all\n"
        "hint: a longer window has more requests (--since); --allow-few lets too few pass\n"
    )


def test_what_fails_is_a_failure_where_too_few_are_allowed(taplogs: Command, logs: Backend) -> None:
    words = ["--max-error-rate", "0", "--min-requests", "21", "--by", "status"]
    finished = taplogs.at(logs).here("check", *words, "--allow-few")
    assert (finished.code, "\n1 fail, 6 too few\n" in finished.out) == (3, True)
    assert "error: 1 of 7 assertions does not hold\n" in finished.err
    both = taplogs.at(logs).here("check", *words)
    assert "error: 7 of 7 assertions do not hold: too few requests for 6\n" in both.err


@pytest.mark.parametrize(
    "option",
    [
        "--max-error-rate=100%",
        "--max-server-error-rate=100%",
        "--max-p50=1m",
        "--max-p99=1m",
        "--max-new-errors=9",
        "--min-requests=1",
    ],
)
def test_an_empty_window_is_never_a_pass(taplogs: Command, logs: Backend, option: str) -> None:
    finished = taplogs.at(logs).here("check", option, "--since", "2027-01-01", "--until", "2027-01-02")
    assert finished.code == 3
    assert re.search(r" 0 of 1  too few\n\n1 too few\n0 requests, 2027-01-01 .* to 2027-01-02 ", finished.out)
    assert finished.err.startswith("no entries match (since 2027-01-01")


def test_an_empty_store_is_never_a_pass(taplogs: Command, backend: Backend) -> None:
    assert taplogs.at(backend).here("check", "--max-error-rate", "100%").code == 3


def test_a_latency_that_is_not_known_is_not_a_latency(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(number, latency_ms=None if number > 3 else 10) for number in range(1, 11)])
    words = ["check", "--max-p95", "1s", "--max-error-rate", "0", "--min-requests", "4"]
    finished = taplogs.at(backend).here(*words, "-o", "jsonl")
    assert finished.code == 3
    assert [(row["measure"], row["verdict"], row["requests"]) for row in finished.rows] == [
        ("latencyP95Ms", "tooFew", 3),
        ("errorRatio", "pass", 10),
    ]


def test_min_requests_by_itself_is_asserted_of_each_group(taplogs: Command, hours: Backend) -> None:
    finished = taplogs.at(hours).here("check", "--min-requests", "3", "--by", "status", "-o", "jsonl")
    assert finished.code == 3
    assert [
        (row["scope"], row["statusCode"], row["measured"], row["limit"], row["verdict"]) for row in finished.rows
    ] == [
        ("group", 500, 2, 3, "tooFew"),
        ("group", 403, 1, 3, "tooFew"),
        ("all", None, 86, 3, "pass"),
        ("group", 200, 80, 3, "pass"),
        ("group", 404, 3, 3, "pass"),
    ]


# Groups


def test_each_assertion_is_made_of_all_and_of_each_endpoint(taplogs: Command, hours: Backend) -> None:
    words = ["--max-error-rate", "7%", "--max-p95", "1s", "--by", "endpoint", "-o", "table"]
    finished = taplogs.at(hours).run("check", *words)
    assert re.sub(" +", " ", finished.out).splitlines()[:7] == [
        "ASSERTION ENDPOINT MEASURED LIMIT REQUESTS VERDICT",
        "error rate /v1/partner/api-key 100.0 % max 7 % 1 fail",
        "error rate all 7.0 % max 7 % 86 pass",
        "p95 all 12ms max 1s 86 pass",
        "error rate /v1/partner/jobs/{id} 5.9 % max 7 % 85 pass",
        "p95 /v1/partner/jobs/{id} 12ms max 1s 85 pass",
        "p95 /v1/partner/api-key 12ms max 1s 1 pass",
    ]


def test_a_long_table_is_cut_and_machine_formats_are_not(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(number, client_id=f"client-{number}") for number in range(1, 61)])
    words = ["check", "--max-error-rate", "0", "--by", "client"]
    command = taplogs.at(backend)
    cut = command.here(*words)
    assert len(cut.out.splitlines()) == 1 + 50 + 3
    assert (cut.code, cut.err) == (0, "11 more lines; --top 0 shows all\n")
    assert "61 pass\n60 requests" in cut.out
    assert len(command.here(*words, "--top", "0").out.splitlines()) == 1 + 61 + 3
    assert len(command.here(*words, "--top", "2").out.splitlines()) == 1 + 2 + 3
    assert len(command.here(*words, "-o", "jsonl").rows) == 61


def test_what_was_rounded_or_merged_is_told(
    taplogs: Command, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "MOST_COUNTS", 20)
    backend.store.add(
        [log_entry(number, client_id=f"client-{number}", latency_ms=number * 111) for number in range(1, 101)]
    )
    finished = taplogs.at(backend).here("check", "--max-error-rate", "0", "--by", "client")
    assert finished.code == 0
    assert finished.err == (
        "so many different groups and latencies that the latencies are rounded to two digits\n"
        "so many different groups that the smallest are counted as one, (others)\n"
    )
    assert re.search(r"^error rate +\(others\) ", finished.out, re.MULTILINE)


# New errors


@pytest.mark.parametrize(
    ("words", "code", "measured"),
    [
        (["--max-new-errors", "0", *HOUR], 3, 2),
        (["--max-new-errors", "1", *HOUR], 3, 2),
        (["--max-new-errors", "2", *HOUR], 0, 2),
        (["--max-new-errors", "0", "--compare", *HOUR], 3, 2),
        (["--compare", "--max-new-errors", "0", *HOUR], 3, 2),
        (["--max-new-errors", "0", "--compare", "2026-11-01T00:00Z..2026-11-01T00:00:30Z", *HOUR], 3, 3),
        (["--max-new-errors", "0", "--compare", "2026-11-01T01:01:10Z..2026-11-01T02:00Z", *HOUR], 3, 1),
        (["--max-new-errors", "0", "--compare", "2026-11-01T00:00Z..2026-11-01T02:00Z", *HOUR], 0, 0),
        (["--max-new-errors", "0", "--status", "5xx", *HOUR], 3, 1),
        (["--max-new-errors", "0", "--status", "404", *HOUR], 0, 0),
        (["--max-new-errors", "0", "--status", "418", *HOUR], 0, 0),
        (["--max-new-errors", "0", "--endpoint", "/v1/partner/jobs/*", *HOUR], 3, 1),
    ],
)
def test_new_errors_are_groups_that_the_earlier_window_does_not_have(
    taplogs: Command, hours: Backend, words: list[str], code: int, measured: int
) -> None:
    finished = taplogs.at(hours).here("check", *words, "-o", "jsonl")
    assert (finished.code, finished.rows[0]["measured"]) == (code, measured)


def test_new_errors_are_named(taplogs: Command, hours: Backend) -> None:
    finished = taplogs.at(hours).run("check", "--max-new-errors", "0", *HOUR)
    assert re.sub(r"\b[0-9a-f]{8}\b", "HASH", finished.out).splitlines() == [
        "ASSERTION   MEASURED  LIMIT  REQUESTS  VERDICT",
        "new errors         2  max 0        45  fail",
        "",
        "new errors",
        "  HASH  500 GET /v1/partner/jobs/{id}  2x  NEW_JOB: NEW_JOB happened.",
        "  HASH  403 POST /v1/partner/api-key  1x  NEW_KEY: NEW_KEY happened.",
        "",
        "1 fail",
        "45 requests, 2026-11-01 01:00:00+00:00 to 2026-11-01 02:00:00+00:00",
    ]
    groups = json.loads(taplogs.at(hours).here("errors", *HOUR, "--compare", "-o", "json").out)["groups"]
    hashes = re.findall(r"^  ([0-9a-f]{8})  ", finished.out, re.MULTILINE)
    assert sorted(hashes) == sorted(group["group"] for group in groups if group["mark"] == "new")


def test_new_errors_are_those_of_each_endpoint(taplogs: Command, hours: Backend) -> None:
    words = ["check", "--max-new-errors", "1", *HOUR, "--by", "endpoint", "-o", "jsonl"]
    rows = taplogs.at(hours).here(*words).rows
    assert [(row["endpoint"], row["measured"], row["verdict"], row["requests"]) for row in rows] == [
        (None, 2, "fail", 45),
        ("/v1/partner/jobs/{id}", 1, "pass", 44),
        ("/v1/partner/api-key", 1, "pass", 1),
    ]
    assert [[error["code"] for error in row["newErrors"]] for row in rows] == [
        ["NEW_JOB", "NEW_KEY"], ["NEW_JOB"], ["NEW_KEY"]
    ]  # fmt: skip


def test_people_are_told_five_new_errors_and_programs_all(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(3600 + number, 422, f"E{chr(64 + number)}") for number in range(1, 9)])
    finished = taplogs.at(backend).here("check", "--max-new-errors", "7", *HOUR)
    lines = finished.out.splitlines()
    assert (finished.code, lines[1].split()[2], lines[9]) == (3, "8", "  and 3 more")
    row = taplogs.at(backend).here("check", "--max-new-errors", "7", *HOUR, "-o", "jsonl").rows[0]
    assert (row["measured"], len(row["newErrors"])) == (8, 8)


def test_beside_an_empty_window_every_error_is_new_and_that_is_told(taplogs: Command, hours: Backend) -> None:
    window = ["--since", "2026-11-01T00:00Z", "--until", "2026-11-01T01:00Z"]
    finished = taplogs.at(hours).here("check", "--max-new-errors", "0", *window)
    assert finished.code == 3
    assert finished.err.startswith("the window before has no requests, so that every error is new\n")


def test_no_request_with_an_error_is_not_too_few_requests(taplogs: Command, hours: Backend) -> None:
    words = ["--max-new-errors", "0", "--status", "418", "--min-requests", "45", *HOUR]
    assert taplogs.at(hours).here("check", *words).code == 0
    assert taplogs.at(hours).here("check", *words, "--min-requests", "46").code == 3


# Formats


def test_json_is_one_document_with_unrounded_numbers(taplogs: Command, hours: Backend) -> None:
    words = ["--max-error-rate", "0.1%", "--max-p95", "1.5s", "--max-new-errors", "5", "--min-requests", "3"]
    finished = taplogs.at(hours).run("check", *words, *HOUR, "--by", "class", "-o", "json")
    document = json.loads(finished.out)
    rows = document.pop("assertions")
    assert document == {
        "holds": False,
        "fail": 2,
        "tooFew": 3,
        "pass": 7,
        "requests": 45,
        "window": {"since": "2026-11-01T01:00:00.000Z", "until": "2026-11-01T02:00:00.000Z"},
        "comparedWindow": {"since": "2026-11-01T00:00:00.000Z", "until": "2026-11-01T01:00:00.000Z"},
        "gaps": [],
    }
    assert rows[0] == {
        "measure": "errorRatio",
        "scope": "all",
        "statusClass": None,
        "verdict": "fail",
        "measured": 5 / 45,
        "limit": 0.001,
        "bound": "max",
        "requests": 45,
        "neededRequests": 3,
        "newErrors": [],
    }
    by_measure = {row["measure"]: row for row in rows if row["scope"] == "all"}
    assert by_measure["latencyP95Ms"]["limit"] == 1500
    assert [error["code"] for error in by_measure["newErrorGroups"]["newErrors"]] == ["NEW_JOB", "NEW_KEY"]
    assert finished.error["code"] == "assertion"


def test_json_lines_and_csv_hold_the_same_findings(taplogs: Command, hours: Backend) -> None:
    words = ["check", "--max-new-errors", "1", "--max-p50", "9ms", *HOUR, "--by", "endpoint"]
    rows = taplogs.at(hours).here(*words, "-o", "jsonl").rows
    assert rows == json.loads(taplogs.at(hours).here(*words, "-o", "json").out)["assertions"]
    text = taplogs.at(hours).here(*words, "-o", "csv").out
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [list(row) for row in table] == [list(row) for row in rows]
    assert [(row["measure"], row["endpoint"], row["verdict"], row["measured"]) for row in table] == [
        (row["measure"], row["endpoint"] or "", row["verdict"], str(row["measured"])) for row in rows
    ]


def test_what_is_not_known_is_null_in_json(taplogs: Command, backend: Backend) -> None:
    (row,) = taplogs.at(backend).here("check", "--max-p95", "1s", "-o", "jsonl").rows
    assert (row["measured"], row["verdict"], row["requests"]) == (None, "tooFew", 0)


def test_hours_are_those_of_the_zone(taplogs: Command, hours: Backend) -> None:
    words = ["check", "--max-error-rate", "50%", "--by", "hour", "--tz", "Asia/Kolkata"]
    finished = taplogs.at(hours).here(*words)
    assert re.findall(r"^error rate +(2026\S+ \S+) ", finished.out, re.MULTILINE) == [
        "2026-11-01 06:00",
        "2026-11-01 05:00",
    ]
    assert finished.out.splitlines()[-1].startswith("86 requests, 2026-11-01 05:30:10+05:30 to ")


def test_without_standard_error_the_verdict_is_the_exit_code(taplogs: Command, logs: Backend) -> None:
    words = "taplogs check --max-error-rate 1% --github"
    finished = taplogs.at(logs).shell(f"{words} 2>&-")
    assert (finished.code, finished.err) == (3, "")
    assert "1 fail\n" in finished.out


def test_the_reader_of_the_table_may_go_away(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).shell("taplogs check --max-error-rate 1% | true; echo ${PIPESTATUS[0]}")
    assert (finished.out, finished.err) == ("141\n", "")


def test_a_check_that_holds_says_so_in_json(taplogs: Command, logs: Backend) -> None:
    words = ["check", "--max-error-rate", "50%", "-o", "json"]
    assert json.loads(taplogs.at(logs).here(*words).out)["holds"] is True
    few = json.loads(taplogs.at(logs).here(*words, "--min-requests", "999", "--allow-few").out)
    assert (few["holds"], few["tooFew"], few["pass"]) == (True, 1, 0)


# Terminals


def test_verdicts_are_green_yellow_and_red_on_a_terminal(taplogs: Command, hours: Backend) -> None:
    words = ["check", "--max-error-rate", "6%", "--min-requests", "2", "--by", "endpoint"]
    shown = taplogs.at(hours).on_terminal(*words, columns=120)
    assert shown.code == 3
    for painted in (b"\x1b[31mfail\x1b[0m", b"\x1b[33mtoo few\x1b[0m", b"\x1b[32mpass\x1b[0m"):
        assert shown.raw.count(painted) == 1
    plain = taplogs.at(hours).on_terminal(*words, env={"NO_COLOR": "1"})
    assert b"\x1b[3" not in plain.raw
    assert plain.text == shown.text


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_table_fits_its_terminal(taplogs: Command, hours: Backend, columns: int) -> None:
    words = ["check", "--max-server-error-rate", "0.1%", "--max-new-errors", "0", "--by", "endpoint", *HOUR]
    shown = taplogs.at(hours).on_terminal(*words, columns=columns)
    assert shown.code == 3
    assert max(map(len, shown.plain.splitlines()[:10])) <= columns
    assert sum(line.endswith((" too few", " pass", " fail")) for line in shown.lines) == 7


def test_a_terminal_without_unicode_gets_none(taplogs: Command, backend: Backend) -> None:
    backend.store.add([failed(3600, 500, "Kaputt—ä", "/v1/partner/jobs/ä")])
    words = ["check", "--max-new-errors", "0", "--by", "endpoint", "--github", *HOUR]
    shown = taplogs.at(backend).on_terminal(*words, columns=80, env={"LC_ALL": "C"})
    assert shown.raw.isascii()


def test_text_of_strangers_is_harmless_and_holds_no_command_for_a_ci(taplogs: Command, backend: Backend) -> None:
    evil = "\x1b]0;owned\x07\n::stop-commands::x\r##[add-mask]a ##vso[task.complete]\u202e"
    backend.store.add([failed(3600, 500, evil, f"/v1/{evil}"), failed(3601, 500, "B" + evil, "/v1/b", client_id=evil)])
    words = ["check", "--max-new-errors", "0", "--max-error-rate", "0", "--github", *HOUR]
    for by in ("endpoint", "status"):
        shown = taplogs.at(backend).on_terminal(*words, "--by", by)
        assert_harmless(shown.raw)
        finished = taplogs.at(backend).run(*words, "--by", by)
        for text in (finished.out, finished.err):
            assert "##" not in text
            lines = re.split(r"[\r\n]+", text)
            commands = [line for line in lines if line.lstrip().startswith("::")]
            assert all(re.match(r"::(error|warning|notice) title=taplogs check::", line) for line in commands)
        assert "::" not in finished.out.replace("::stop-commands::", "")


# Wrong usage, faults, hints


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A backend that keeps what it is asked."""
    with FaultyServer([reply(error_body("INTERNAL_ERROR", "Nobody should ask."), 500)]) as running:
        yield running


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("", "nothing is asserted", "--max-error-rate, --max-server-error-rate, --max-p50"),
        ("--by endpoint", "nothing is asserted", "--max-new-errors, --min-requests"),
        ("--max-error-rate 0.01", "--max-error-rate '0.01' is not in percent", "say 1% or 0.01%"),
        ("--max-error-rate 101%", "--max-error-rate '101%'", "0% to 100%"),
        ("--max-server-error-rate x", "--max-server-error-rate 'x'", "0% to 100%"),
        ("--max-p50 5", "--max-p50 '5'", "800ms, 1.5s, 2m"),
        ("--max-p90 1h", "--max-p90 '1h'", "800ms, 1.5s, 2m"),
        ("--max-p95 -1ms", "--max-p95 '-1ms'", "800ms, 1.5s, 2m"),
        ("--max-p99 soon", "--max-p99 'soon'", "800ms, 1.5s, 2m"),
        ("--max-p75 1s", "--max-p75", "--help"),
        ("--min-requests 0", "0 is not in the range x>=1", "--help"),
        ("--min-requests many", "'many'", "--help"),
        ("--max-new-errors -1 --since 1d", "-1 is not in the range x>=0", "--help"),
        ("--max-new-errors 0", "--max-new-errors needs a window that begins somewhere", "--since 1d"),
        ("--max-new-errors 0 --compare", "--max-new-errors needs a window that begins somewhere", "--since 1d"),
        ("--max-new-errors 0 --since 1d --compare x..y", "--compare 'x..y'", "accepted"),
        ("--max-new-errors 0 --since 1d --by client", "cannot be told by client", "endpoint, method, status, class"),
        ("--max-new-errors 0 --since 1d --by endpoint,hour", "cannot be told by hour", "endpoint, method"),
        ("--max-new-errors 0 --since 1d --status ok", "--status ok holds no errors", "4xx and 5xx"),
        ("--max-error-rate 1% --compare", "--compare is for new errors", "--max-new-errors 0"),
        ("--max-error-rate 1% --status ok", "with --status ok there is nothing for --max-error-rate", "'!404'"),
        ("--max-error-rate 1% --status 5xx", "nothing for --max-error-rate to measure", "leave --status out"),
        ("--max-server-error-rate 1% --status '!5xx'", "nothing for --max-server-error-rate", "leave --status out"),
        ("--max-error-rate 1% --by colour", "--by 'colour'", "endpoint, method"),
        ("--max-error-rate 1% --by endpoint,status,method", "--by", "endpoint, method"),
        ("--max-error-rate 1% -o xml", "--output 'xml' is not understood", "table, json, jsonl, csv"),
        ("--max-error-rate 1% --top -1", "-1 is not in the range", "--help"),
        ("--max-error-rate 1% --junit -", "--junit '-' is not a file", "report.xml"),
        ("--max-error-rate 1% --junit .", "--junit '.' is not a file", "report.xml"),
        ("--max-error-rate 1% --junit /nowhere/report.xml", "there is no folder /nowhere", "make the folder first"),
        ("--max-error-rate 1% --since 2x", "--since '2x'", "30s 15m"),
        ("--max-error-rate 1% --latency fast", "'fast'", ">500ms"),
    ],
)
def test_wrong_usage_exits_2_before_anything_is_sent(
    taplogs: Command, server: FaultyServer, arguments: str, message: str, hint: str
) -> None:
    env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
    finished = taplogs.here("check", *shlex.split(arguments), env=env)
    assert (finished.code, finished.out, server.requests) == (2, "", [])
    told, _, hinted = finished.err.partition("hint: ")
    assert message in told
    assert hint in hinted


def test_a_backend_that_fails_is_no_verdict(taplogs: Command, server: FaultyServer) -> None:
    env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
    finished = taplogs.here("check", "--max-error-rate", "100%", "--max-wait", "0", env=env)
    assert (finished.code, finished.out) == (6, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--max-error-rate 0 --by endpoint --top 3 --github", "taplogs errors"),
        ("--max-error-rate 0 --max-p95 1s --method GET,POST", "taplogs errors --method GET,POST"),
        ("--max-p95 1ms --max-p99=1ms --min-requests 3", "taplogs stats --by endpoint --sort p95"),
        ("--max-p50 1ms --allow-few -o table", "taplogs stats --by endpoint --sort p95"),
        ("--max-new-errors 0", "taplogs errors --compare"),
        ("--compare --max-new-errors 0", "taplogs errors --compare"),
        (
            "--max-new-errors=0 --max-p95=1m --compare 2026-10-01..2026-10-02",
            "taplogs errors --compare 2026-10-01..2026-10-02",
        ),
        ("--max-error-rate 0 --grep 'partner/(jobs|x)'", "taplogs errors --grep 'partner/(jobs|x)'"),
    ],
)
def test_the_hint_is_a_command_that_shows_what_is_wrong(
    taplogs: Command, hours: Backend, words: str, expected: str
) -> None:
    command = taplogs.at(hours)
    finished = command.here("check", *shlex.split(words), *HOUR)
    assert finished.code == 3
    hint = finished.err.partition("hint: to look further: ")[2].rstrip("\n")
    assert sorted(shlex.split(hint)) == sorted(shlex.split(expected) + HOUR)
    looked = command.here(*shlex.split(hint)[1:])
    assert looked.code == 0
    assert looked.out


def test_more_new_errors_than_are_told_apart_are_told(taplogs: Command, backend: Backend) -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    bodies = (json.dumps({"message": str(number).translate(letters)}) for number in range(10_010))
    backend.store.add(
        log_entry(number % 3000, id=f"e{number}", status_code=500, request_url="/x", response_payload=payload(body))
        for number, body in enumerate(bodies)
    )
    day = ["--since", "2026-11-01", "--until", "2026-11-02"]
    finished = taplogs.at(backend).here("check", *day, "--max-new-errors", "0")
    assert finished.code == 3
    assert finished.err.startswith("more than 10,000 groups of errors; those beyond are counted together as {other}\n")

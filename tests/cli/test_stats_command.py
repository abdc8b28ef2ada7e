"""taplogs stats: the panel, tables by group, comparison, formats for programs, and what goes to which stream."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
from datetime import datetime
from typing import Any

import pytest
from rich.cells import cell_len

from command import KEY, Command, Finished, Shown, assert_harmless
from faulty_server import FaultyServer, page, reply
from serving import Backend, log_entry
from taplogs.core.dimensions import DIMENSION_NAMES
from taplogs.core.entry import LogEntry
from taplogs.core.ranking import SORTS

WINDOW = ["--since", "2026-11-01T00:00:00Z", "--until", "2026-11-01T00:02:01Z"]
DAY = ["--since", "2026-11-01T00:00:00Z", "--until", "2026-11-02T00:00:00Z"]
HOSTILE = "\x1b[2J\x9b31m\u202e\r\n\t[red]日本=1+1\x7f"

FIGURES = [
    *("requests", "requestsPerMinute", "successes", "redirects", "clientErrors", "serverErrors"),
    *("successRatio", "redirectRatio", "clientErrorRatio", "serverErrorRatio", "errorRatio"),
    *("latencyKnownRequests", "latencyUnknownRequests"),
    *("latencyP50Ms", "latencyP90Ms", "latencyP95Ms", "latencyP99Ms", "latencyMaxMs"),
]
COMPARED = [
    *FIGURES,
    *(f"before{name[0].upper()}{name[1:]}" for name in FIGURES),
    *("requestsChangeRatio", "successRatioChange", "clientErrorRatioChange", "serverErrorRatioChange"),
    "errorRatioChange",
    *(f"latencyP{percent}ChangeMs" for percent in (50, 90, 95, 99)),
]


def mixed_entries() -> list[LogEntry]:
    """Return entries of three clients and two endpoints, some of unknown latency."""
    web = [log_entry(number, client_id="web", latency_ms=number) for number in range(1, 31)]
    app = [log_entry(number, client_id="app", status_code=404, latency_ms=500) for number in range(31, 51)]
    none = [
        log_entry(
            number,
            client_id=None,
            method="POST",
            status_code=503,
            latency_ms=None,
            request_url="https://partner-api.taptalent.io/v1/partner/candidates",
        )
        for number in range(51, 61)
    ]
    return [*web, *app, *none]


@pytest.fixture
def mixed(backend: Backend) -> Backend:
    """A running backend over `mixed_entries`."""
    backend.store.add(mixed_entries())
    return backend


def words(text: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in text.splitlines()]


def keys(finished: Finished, member: str) -> list[Any]:
    return [row[member] for row in finished.rows]


# --- the panel


def test_the_panel_tells_what_happened_and_how_fast(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("stats", "-o", "table", *WINDOW)
    assert finished.out.splitlines()[:9] == [
        "requests           120   59.5 a minute",
        "success             40   33.3 %",
        "redirects           20   16.7 %",
        "client errors       40   33.3 %",
        "server errors       20   16.7 %",
        "latency      p50 600ms  p90 1.08s  p95 1.14s  p99 1.19s  max 1.20s",
        "slowest      /v1/partner/jobs/{id}  p95 1.14s of 120",
        "",
        "requests, a column is 2 s",
    ]
    assert finished.out.splitlines()[-8:] == [
        "latency",
        "  10ms-20ms  1   0.8 % ▊",
        "  20ms-50ms  3   2.5 % ██▍",
        " 50ms-100ms  5   4.2 % ████",
        "100ms-200ms 10   8.3 % ████████",
        "200ms-500ms 30  25.0 % ████████████████████████",
        "500ms-1.00s 50  41.7 % ████████████████████████████████████████",
        "1.00s-2.00s 21  17.5 % ████████████████▊",
    ]
    assert (finished.code, finished.err) == (0, "")


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize(
    "env", [{}, {"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"TERM": "dumb", "LC_ALL": "C"}], ids=["", "plain", "ascii", "dumb"]
)
@pytest.mark.parametrize("arguments", [[], ["--by", "client,endpoint"], ["--by", "endpoint", "--compare"]], ids=str)
def test_every_line_fits_the_terminal(
    taplogs: Command, mixed: Backend, arguments: list[str], width: int, env: dict[str, str]
) -> None:
    shown = taplogs.at(mixed).on_terminal("stats", *WINDOW, *arguments, columns=width, env=env)
    assert shown.code == 0
    lines = shown.plain.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert len(lines) > 3
    assert (b"\x1b" in shown.raw) is not bool("NO_COLOR" in env or "TERM" in env)
    assert shown.raw.isascii() or "LC_ALL" not in env
    assert_harmless(shown.raw)


def test_the_panel_uses_the_width_of_the_terminal(taplogs: Command, logs: Backend) -> None:
    def columns(shown: Shown) -> int:
        (axis,) = [line for line in shown.lines if "└" in line]
        return len(axis.split("└")[1])

    day = [taplogs.at(logs).on_terminal("stats", *DAY, columns=width) for width in (80, 160)]
    assert [columns(shown) for shown in day] == [48, 96]


def test_unknown_latencies_are_counted_apart(taplogs: Command, mixed: Backend) -> None:
    panel = taplogs.at(mixed).here("stats", "-o", "table", *WINDOW).out
    assert (
        "latency      p50 25ms  p90 500ms  p95 500ms  p99 500ms  max 500ms\n             10 of unknown latency\n"
        in panel
    )
    assert "0ms-1ms" not in panel
    (row,) = taplogs.at(mixed).here("stats", *WINDOW).rows
    assert (row["latencyKnownRequests"], row["latencyUnknownRequests"], row["latencyP50Ms"]) == (50, 10, 25)


def test_where_no_latency_is_known_none_is_made_up(taplogs: Command, mixed: Backend) -> None:
    finished = taplogs.at(mixed).here("stats", "-o", "table", *WINDOW, "-s", "503")
    assert "latency      p50 -  p90 -  p95 -  p99 -  max -" in finished.out
    assert "slowest" not in finished.out
    assert finished.out.count("latency") == 2
    (row,) = taplogs.at(mixed).here("stats", *WINDOW, "-s", "503").rows
    assert {row[name] for name in FIGURES if name.endswith("Ms")} == {None}
    document = json.loads(taplogs.at(mixed).here("stats", *WINDOW, "-s", "503", "-o", "json").out)
    assert (document["latencyHistogram"], document["slowestEndpoint"]) == ([], None)


def test_errors_are_coloured_as_statuses_are(taplogs: Command, mixed: Backend) -> None:
    coloured = taplogs.at(mixed).here("stats", "-o", "table", *WINDOW, "--color", "always").out
    plain = taplogs.at(mixed).here("stats", "-o", "table", *WINDOW).out
    assert "\x1b[33m  33.3 %\x1b[0m" in coloured
    assert "\x1b[31m  16.7 %\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


# --- groups


def test_a_table_by_client(taplogs: Command, mixed: Backend) -> None:
    finished = taplogs.at(mixed).here("stats", "-o", "table", "--by", "client", *WINDOW)
    assert finished.out.splitlines() == [
        "CLIENT  REQUESTS    SHARE   ERRORS    P50    P95    P99",
        "web           30   50.0 %    0.0 %   15ms   29ms   30ms",
        "app           20   33.3 %  100.0 %  500ms  500ms  500ms",
        "-             10   16.7 %  100.0 %      -      -      -",
        "all           60  100.0 %   50.0 %   25ms  500ms  500ms",
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("endpoint", {"/v1/partner/jobs/{id}": 50, "/v1/partner/candidates": 10}),
        ("method", {"GET": 50, "POST": 10}),
        ("status", {200: 30, 404: 20, 503: 10}),
        ("class", {"2xx": 30, "4xx": 20, "5xx": 10}),
        ("client", {"web": 30, "app": 20, None: 10}),
        ("company", {"company": 60}),
        ("ip", {"192.0.2.1": 60}),
        ("user-agent", {"python-requests/2.32.3": 60}),
        ("hour", {"2026-11-01T00:00:00.000Z": 60}),
        ("day", {"2026-11-01": 60}),
        ("weekday", {"Sunday": 60}),
        ("hour-of-day", {"00:00": 60}),
    ],
)
def test_every_dimension_makes_groups(taplogs: Command, mixed: Backend, by: str, expected: dict[Any, int]) -> None:
    finished = taplogs.at(mixed).here("stats", "--by", by, *WINDOW)
    member = next(iter(finished.rows[0]))
    assert {row[member]: row["requests"] for row in finished.rows} == expected
    assert {row[member]: row["share"] for row in finished.rows} == {key: n / 60 for key, n in expected.items()}


def test_every_dimension_is_tried_here() -> None:
    (mark,) = test_every_dimension_makes_groups.pytestmark
    assert [by for by, _ in mark.args[1]] == list(DIMENSION_NAMES)


def test_two_dimensions_make_pairs(taplogs: Command, mixed: Backend) -> None:
    finished = taplogs.at(mixed).here("stats", "--by", "class,client", *WINDOW)
    assert [list(row.values())[:2] for row in finished.rows] == [["2xx", "web"], ["4xx", "app"], ["5xx", None]]
    table = taplogs.at(mixed).here("stats", "--by", "class,client", "-o", "table", *WINDOW).out
    assert [line[:3] for line in words(table)] == [
        ["CLASS", "CLIENT", "REQUESTS"],
        ["2xx", "web", "30"],
        ["4xx", "app", "20"],
        ["5xx", "-", "10"],
        ["all", "60", "100.0"],
    ]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("count", ["web", "app", None]),
        ("errors", ["app", None, "web"]),
        ("p50", ["app", "web", None]),
        ("p90", ["app", "web", None]),
        ("p95", ["app", "web", None]),
        ("p99", ["app", "web", None]),
        ("max", ["app", "web", None]),
        ("key", ["app", "web", None]),
    ],
)
def test_groups_are_sorted(taplogs: Command, mixed: Backend, sort: str, expected: list[str]) -> None:
    assert sort in SORTS
    assert keys(taplogs.at(mixed).here("stats", "--by", "client", "--sort", sort, *WINDOW), "clientId") == expected


def test_the_top_groups_are_shown_with_what_shows_the_rest(taplogs: Command, mixed: Backend) -> None:
    finished = taplogs.at(mixed).here("stats", "--by", "client", "--top", "1", "-o", "table", *WINDOW)
    assert [line[0] for line in words(finished.out)] == ["CLIENT", "web", "all"]
    assert words(finished.out)[-1][1] == "60"
    assert finished.err == "2 more groups; --top 0 shows all\n"
    assert taplogs.at(mixed).here("stats", "--by", "client", "--top", "3", *WINDOW).err == ""


@pytest.mark.parametrize(("top", "lines"), [([], 24), (["--top", "0"], 30), (["--top", "40"], 30), (["--top", "5"], 5)])
def test_a_table_is_no_longer_than_asked_for(taplogs: Command, backend: Backend, top: list[str], lines: int) -> None:
    backend.store.add([log_entry(number, client_id=f"c{number}") for number in range(30)])
    table = taplogs.at(backend).here("stats", "--by", "client", "-o", "table", *top, *WINDOW)
    assert len(table.out.splitlines()) == lines + 2
    assert (f"{30 - lines} more groups" in table.err) is (lines < 30)
    assert len(taplogs.at(backend).here("stats", "--by", "client", *WINDOW).rows) == 30


def test_along_time_the_latest_are_shown_and_all_hours_of_a_day(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(hour * 3600 + 1) for hour in range(24)])
    table = taplogs.at(backend).here("stats", "--by", "hour-of-day", "-o", "table", *DAY)
    assert [line[0] for line in words(table.out)][1:-1] == [f"{hour:02}:00" for hour in range(24)]
    latest = taplogs.at(backend).here("stats", "--by", "hour", "--top", "2", *DAY)
    assert keys(latest, "hour") == ["2026-11-01T22:00:00.000Z", "2026-11-01T23:00:00.000Z"]
    assert latest.err == "22 more groups; --top 0 shows all\n"


# --- comparison


def test_two_windows_are_put_beside_each_other(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here(
        "stats", "-o", "table", *WINDOW, "--compare", "2026-11-01T00:00Z..2026-11-01T00:01Z"
    )
    assert finished.out.splitlines() == [
        "                  NOW  BEFORE       CHANGE",
        "requests          120      59       +0.9 %",
        "a minute         59.5    59.0       +0.9 %",
        "success        33.3 %  32.2 %  +1.1 points",
        "client errors  33.3 %  33.9 %  -0.6 points",
        "server errors  16.7 %  16.9 %  -0.3 points",
        "p50             600ms   300ms     +100.0 %",
        "p90             1.08s   540ms     +100.0 %",
        "p95             1.14s   570ms     +100.0 %",
        "p99             1.19s   590ms     +101.7 %",
        "max             1.20s   590ms     +103.4 %",
    ]


def test_groups_are_compared_with_the_window_before_and_marked(taplogs: Command, mixed: Backend) -> None:
    half = ["--since", "2026-11-01T00:00:31Z", "--until", "2026-11-01T00:01:01Z"]
    table = taplogs.at(mixed).here("stats", "-o", "table", "--by", "client", "--compare", *half)
    assert table.out.splitlines() == [
        "CLIENT  REQUESTS  WAS    CHANGE   ERRORS    WAS    P95   WAS",
        "web            0   30  vanished        -  0.0 %      -  29ms",
        "app           20    0       new  100.0 %      -  500ms     -",
        "-             10    0       new  100.0 %      -      -     -",
    ]
    rows = taplogs.at(mixed).here("stats", "--by", "client", "--compare", *half).rows
    assert [(row["clientId"], row["mark"], row["requests"], row["beforeRequests"]) for row in rows] == [
        ("web", "vanished", 0, 30),
        ("app", "new", 20, 0),
        (None, "new", 10, 0),
    ]


@pytest.mark.parametrize("arguments", [["--compare"], ["--compare", "2026-10-01..2026-10-08"]])
def test_programs_get_both_windows_and_the_change_of_every_figure(
    taplogs: Command, mixed: Backend, arguments: list[str]
) -> None:
    finished = taplogs.at(mixed).here("stats", *WINDOW, *arguments)
    (row,) = finished.rows
    assert list(row) == ["since", "until", "beforeSince", "beforeUntil", *COMPARED]
    assert (row["requests"], row["beforeRequests"], row["requestsChangeRatio"]) == (60, 0, None)
    document = json.loads(taplogs.at(mixed).here("stats", *WINDOW, *arguments, "-o", "json").out)
    assert list(document["total"]) == COMPARED
    assert document["comparedWindow"] == {"since": row["beforeSince"], "until": row["beforeUntil"]}


def test_changes_are_exact_and_requests_are_compared_by_the_minute(taplogs: Command, mixed: Backend) -> None:
    now = ["--since", "2026-11-01T00:00:21Z", "--until", "2026-11-01T00:00:51Z"]
    (row,) = taplogs.at(mixed).here("stats", *now, "--compare", "2026-11-01T00:00:01Z..2026-11-01T00:00:21Z").rows
    assert (row["requests"], row["beforeRequests"]) == (30, 20)
    assert (row["requestsPerMinute"], row["beforeRequestsPerMinute"], row["requestsChangeRatio"]) == (60, 60, 0)
    assert (row["errorRatio"], row["beforeErrorRatio"], row["errorRatioChange"]) == (20 / 30, 0, 20 / 30)
    assert (row["latencyP50Ms"], row["beforeLatencyP50Ms"], row["latencyP50ChangeMs"]) == (500, 10, 490)


@pytest.mark.parametrize("window", [["--since", "1d"], ["--since", "9h", "--until", "1h"], WINDOW, ["--since", "1mo"]])
def test_the_window_before_is_as_long(taplogs: Command, mixed: Backend, window: list[str]) -> None:
    document = json.loads(taplogs.at(mixed).here("stats", *window, "--compare", "-o", "json").out)
    lengths = {
        datetime.fromisoformat(document[name]["until"]) - datetime.fromisoformat(document[name]["since"])
        for name in ("window", "comparedWindow")
    }
    assert len(lengths) == 1
    assert document["comparedWindow"]["until"] == document["window"]["since"]


def test_compare_may_stand_before_other_options(taplogs: Command, mixed: Backend) -> None:
    for arguments in (["--compare", *WINDOW, "--by", "client"], [*WINDOW, "--by", "client", "--compare"]):
        assert len(taplogs.at(mixed).here("stats", *arguments).rows) == 3


# --- formats


def test_in_a_pipe_figures_are_json_lines(taplogs: Command, logs: Backend) -> None:
    (row,) = taplogs.at(logs).run("stats", *WINDOW).rows
    assert list(row) == ["since", "until", *FIGURES]
    assert row == {
        "since": "2026-11-01T00:00:00.000Z",
        "until": "2026-11-01T00:02:01.000Z",
        "requests": 120,
        "requestsPerMinute": 120 / (121 / 60),
        "successes": 40,
        "redirects": 20,
        "clientErrors": 40,
        "serverErrors": 20,
        "successRatio": 1 / 3,
        "redirectRatio": 1 / 6,
        "clientErrorRatio": 1 / 3,
        "serverErrorRatio": 1 / 6,
        "errorRatio": 0.5,
        "latencyKnownRequests": 120,
        "latencyUnknownRequests": 0,
        "latencyP50Ms": 600,
        "latencyP90Ms": 1080,
        "latencyP95Ms": 1140,
        "latencyP99Ms": 1190,
        "latencyMaxMs": 1200,
    }


def test_json_holds_the_chart_and_the_histogram_too(taplogs: Command, logs: Backend) -> None:
    document = json.loads(taplogs.at(logs).here("stats", *WINDOW, "-o", "json").out)
    assert list(document) == ["window", "total", "latencyHistogram", "timeline", "slowestEndpoint"]
    assert document["timeline"][1] == {
        "start": "2026-11-01T00:00:02.000Z",
        "requests": 2,
        "clientErrors": 1,
        "serverErrors": 0,
    }
    sums = [sum(part[name] for part in document["timeline"]) for name in ("requests", "clientErrors", "serverErrors")]
    assert sums == [120, 40, 20]
    assert document["latencyHistogram"][0] == {"fromMs": 10, "belowMs": 20, "requests": 1}
    assert sum(part["requests"] for part in document["latencyHistogram"]) == 120
    assert list(document["slowestEndpoint"]) == ["endpoint", *FIGURES]


def test_json_by_group_holds_what_json_lines_hold(taplogs: Command, mixed: Backend) -> None:
    by = ["--by", "client,status", *WINDOW]
    document = json.loads(taplogs.at(mixed).here("stats", *by, "-o", "json").out)
    assert document["groups"] == taplogs.at(mixed).here("stats", *by).rows
    assert list(document["groups"][0]) == ["clientId", "statusCode", "share", *FIGURES]


@pytest.mark.parametrize("arguments", [[], ["--by", "client"], ["--by", "client", "--compare"], ["--compare"]], ids=str)
def test_csv_holds_what_json_lines_hold(taplogs: Command, mixed: Backend, arguments: list[str]) -> None:
    finished = taplogs.at(mixed).here("stats", *WINDOW, *arguments, "-o", "csv")
    read = list(csv.DictReader(io.StringIO(finished.out, newline="")))
    rows = taplogs.at(mixed).here("stats", *WINDOW, *arguments).rows
    assert read == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_formats_that_are_named_do_not_depend_on_the_terminal(taplogs: Command, logs: Backend, form: str) -> None:
    shown = taplogs.at(logs).on_terminal(
        "stats", "--by", "status", *WINDOW, "-o", form, "--color", "never", columns=400
    )
    in_a_pipe = taplogs.at(logs).here("stats", "--by", "status", *WINDOW, "-o", form).out
    assert "".join(shown.plain.splitlines(keepends=True)[1:]).replace("\r", "") == in_a_pipe.replace("\r", "")


# --- nothing


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["-o", "table"], ""),
        (["-o", "table", "--by", "client"], ""),
        (["-o", "table", "--compare"], ""),
        (["--by", "client"], ""),
        (["-o", "csv", "--by", "client"], ",".join(["clientId", "share", *FIGURES]) + "\r\n"),
        (["-o", "csv", "--by", "client", "--compare"], ",".join(["clientId", "share", *COMPARED, "mark"]) + "\r\n"),
    ],
    ids=str,
)
def test_an_empty_window_says_so(taplogs: Command, mixed: Backend, arguments: list[str], out: str) -> None:
    finished = taplogs.at(mixed).here("stats", *WINDOW, "-s", "418", *arguments)
    assert (finished.code, finished.out) == (0, out)
    assert finished.err.startswith("no entries match (--status 418, since 2026-11-01 00:00:00+00:00")


def test_figures_of_nothing_are_unknown_and_not_0(taplogs: Command, mixed: Backend) -> None:
    (row,) = taplogs.at(mixed).here("stats", *WINDOW, "-s", "418").rows
    assert {name for name in FIGURES if row[name] == 0} == {
        *("requests", "requestsPerMinute", "successes", "redirects", "clientErrors", "serverErrors"),
        *("latencyKnownRequests", "latencyUnknownRequests"),
    }
    assert {row[name] for name in FIGURES if row[name] != 0} == {None}


@pytest.mark.parametrize("arguments", [[], ["--by", "client"], ["--compare"]], ids=str)
def test_fail_on_empty_makes_it_a_failure(taplogs: Command, mixed: Backend, arguments: list[str]) -> None:
    empty = [*WINDOW, "-s", "418", "--fail-on-empty", *arguments]
    assert taplogs.at(mixed).here("stats", *empty).code == 3
    assert taplogs.at(mixed).here("stats", *empty, "-o", "json").error["message"].startswith("no entries match")
    assert taplogs.at(mixed).here("stats", *WINDOW, "--fail-on-empty", *arguments).code == 0


def test_what_has_vanished_is_shown_although_the_window_is_empty(taplogs: Command, mixed: Backend) -> None:
    later = ["--since", "2026-11-01T01:00Z", "--until", "2026-11-01T02:00Z", "--compare"]
    finished = taplogs.at(mixed).here("stats", "--by", "client", "-o", "table", *later)
    assert [line[3] for line in words(finished.out)[1:]] == ["vanished"] * 3
    assert finished.err.startswith("no entries match")


def test_a_store_without_entries_has_a_panel_of_nothing(taplogs: Command, backend: Backend) -> None:
    finished = taplogs.at(backend).here("stats", "-o", "table")
    assert (finished.code, finished.out, finished.err) == (0, "", "no entries match\n")


# --- times


@pytest.mark.parametrize(
    ("zone", "days", "hour"),
    [
        ("UTC", {"2026-11-01": 60}, "00:00"),
        ("America/New_York", {"2026-10-31": 60}, "20:00"),
        ("Asia/Kathmandu", {"2026-11-01": 60}, "05:00"),
    ],
)
def test_days_and_hours_are_those_of_the_zone(
    taplogs: Command, mixed: Backend, zone: str, days: dict[str, int], hour: str
) -> None:
    by_day = taplogs.at(mixed).here("stats", "--by", "day", "--tz", zone, *WINDOW)
    assert {row["day"]: row["requests"] for row in by_day.rows} == days
    assert keys(taplogs.at(mixed).here("stats", "--by", "hour-of-day", "--tz", zone, *WINDOW), "hourOfDay") == [hour]


def test_a_table_shows_hours_of_the_zone_and_programs_get_utc(taplogs: Command, mixed: Backend) -> None:
    by = ["--by", "hour", "--tz", "Asia/Kathmandu", *WINDOW]
    assert words(taplogs.at(mixed).here("stats", *by, "-o", "table").out)[1][:3] == ["2026-11-01", "05:00", "60"]
    assert keys(taplogs.at(mixed).here("stats", *by), "hour") == ["2026-10-31T23:15:00.000Z"]


def test_the_chart_is_labelled_in_the_zone(taplogs: Command, mixed: Backend) -> None:
    assert (
        "\n   10-31 20:00 " in taplogs.at(mixed).here("stats", "-o", "table", "--tz", "America/New_York", *WINDOW).out
    )


def test_without_a_window_all_entries_are_measured(taplogs: Command, logs: Backend) -> None:
    (row,) = taplogs.at(logs).here("stats").rows
    assert (row["since"], row["until"]) == ("2026-11-01T00:00:01.000Z", "2026-11-01T00:02:00.001Z")
    assert row["requests"] == 120


# --- filters and templates


@pytest.mark.parametrize(
    ("filters", "requests"),
    [
        (["-s", "error"], 30),
        (["-s", "4xx,5xx", "-m", "!POST"], 20),
        (["--client-id", "web"], 30),
        (["--latency", ">=500ms"], 20),
        (["-e", "/v1/partner/candidates"], 10),
        (["--grep", "jobs/5\\?"], 1),
    ],
)
def test_filters_apply(taplogs: Command, mixed: Backend, filters: list[str], requests: int) -> None:
    (row,) = taplogs.at(mixed).here("stats", *WINDOW, *filters).rows
    assert row["requests"] == requests


def test_templates_of_the_config_file_are_used(taplogs: Command, mixed: Backend) -> None:
    taplogs.configured('endpoint_templates = ["/v1/partner/jobs/7"]')
    finished = taplogs.at(mixed).here("stats", "--by", "endpoint", *WINDOW)
    assert {row["endpoint"]: row["requests"] for row in finished.rows} == {
        "/v1/partner/jobs/{id}": 49,
        "/v1/partner/candidates": 10,
        "/v1/partner/jobs/7": 1,
    }


# --- wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "url"], "--by 'url' is not understood: there is no 'url'"),
        (["--by", ""], "--by '' is not understood"),
        (["--by", "ip,status,class"], "one, or two that differ"),
        (["--by", "ip", "--sort", "p75"], "--sort 'p75' is not understood"),
        (["--by", "day", "--sort", "p75"], "--sort 'p75' is not understood"),
        (["--sort", "p95"], "--sort and --top are about groups"),
        (["--top", "3"], "--sort and --top are about groups"),
        (["--by", "ip", "--top", "-1"], "-1"),
        (["--by", "ip", "--top", "many"], "many"),
        (["-o", "xml"], "--output 'xml' is not understood"),
        (["-o", ""], "--output '' is not understood"),
        (["--compare"], "--compare needs a window that begins somewhere"),
        (["--until", "1h", "--compare"], "--compare needs a window that begins somewhere"),
        (["--since", "+1d", "--compare"], "--compare needs a window that has begun"),
        (["--since", "1d", "--compare=yesterday"], "--compare takes A..B, not 'yesterday'"),
        (["--since", "1d", "--compare", "yesterday"], "--compare takes A..B, not 'yesterday'"),
        (["--since", "1d", "--compare", "2d..3d"], "is not before"),
        (["--since", "1d", "--compare", "01/02/2026..02/02/2026"], "is not understood"),
        (["--since", "0001-02-01", "--compare"], "before the year 1"),
        (["--since", "2x"], "--since '2x' is not understood"),
        (["--since", "1h", "--until", "2h"], "is not before"),
        (["--tz", "Mars"], "'Mars'"),
        (["-s", "6xx1"], "6xx1"),
    ],
    ids=str,
)
def test_wrong_options_are_told_before_anything_is_sent(taplogs: Command, arguments: list[str], message: str) -> None:
    """A socket that nobody may connect to: not even for the time there."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nobody.settimeout(0)
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api/v1"
        env = {"TAPLOGS_BASE_URL": url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.here("stats", *arguments, env=env)
        assert finished.code == 2
        assert message in finished.err
        assert finished.out == ""
        with pytest.raises(BlockingIOError):
            nobody.accept()


# --- strangers


@pytest.fixture
def hostile(backend: Backend) -> Backend:
    """A running backend over entries whose every field is written by an attacker."""
    fields = {
        "method": HOSTILE,
        "user_agent": HOSTILE,
        "client_id": HOSTILE,
        "company_id": HOSTILE,
        "ip_address": HOSTILE,
    }
    url = f"https://a.example/{HOSTILE}/{'x' * 300}"
    backend.store.add([log_entry(1, request_url=url, **fields), log_entry(2, request_url=HOSTILE, client_id="=1+1")])
    return backend


@pytest.mark.parametrize("env", [{}, {"LC_ALL": "C"}], ids=["unicode", "ascii"])
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
@pytest.mark.parametrize(
    "by", [[], ["--by", "endpoint"], ["--by", "user-agent,client"], ["--by", "method", "--compare"]]
)
def test_foreign_text_is_harmless_on_a_terminal(
    taplogs: Command, hostile: Backend, by: list[str], form: str, env: dict[str, str]
) -> None:
    shown = taplogs.at(hostile).on_terminal("stats", *WINDOW, *by, "-o", form, columns=80, env=env)
    assert shown.code == 0
    assert_harmless(shown.raw)
    assert shown.raw.isascii() or not env
    if form == "table":
        assert max(map(cell_len, shown.plain.splitlines())) <= 80


def test_in_a_pipe_foreign_text_is_whole(taplogs: Command, hostile: Backend) -> None:
    rows = taplogs.at(hostile).here("stats", "--by", "user-agent", *WINDOW).rows
    assert HOSTILE in [row["userAgent"] for row in rows]


def test_a_spreadsheet_runs_no_formula(taplogs: Command, hostile: Backend) -> None:
    finished = taplogs.at(hostile).here("stats", "--by", "client", "-o", "csv", *WINDOW)
    read = list(csv.DictReader(io.StringIO(finished.out, newline="")))
    assert "'=1+1" in [row["clientId"] for row in read]


def test_a_table_in_a_pipe_is_harmless_and_whole(taplogs: Command, hostile: Backend) -> None:
    finished = taplogs.at(hostile).here("stats", "--by", "endpoint", "-o", "table", *WINDOW)
    assert_harmless(finished.out.encode())
    assert "x" * 300 in finished.out


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "table"])
def test_a_lone_surrogate_breaks_no_format(taplogs: Command, form: str) -> None:
    with FaultyServer([reply(page([log_entry(user_agent="a\ud800")]))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.here("stats", "--by", "user-agent", "-o", form, *WINDOW, env=env)
    assert finished.code == 0
    assert "a\\ud800" in finished.out


def test_groups_come_without_a_chart_whether_or_not_the_window_has_a_start(taplogs: Command, logs: Backend) -> None:
    members = [
        list(json.loads(taplogs.at(logs).here("stats", "--by", "method", "-o", "json", *since).out))
        for since in ([], ["--since", "2026-11-01"])
    ]
    assert members[0] == members[1] == ["window", "total", "latencyHistogram", "groups"]


def test_of_weekdays_the_first_are_shown(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, id=f"day-{day}", timestamp=f"2026-11-{day:02}T00:00:00.000Z") for day in (2, 3, 4)])
    finished = taplogs.at(backend).here("stats", "--by", "weekday", "--top", "2", "--tz", "UTC")
    assert keys(finished, "weekday") == ["Monday", "Tuesday"]


@pytest.mark.parametrize("by", ["day", "hour", "client,hour"])
def test_days_and_hours_are_not_compared(taplogs: Command, by: str) -> None:
    finished = taplogs.here("stats", "--since", "7d", "--compare", "--by", by, "-o", "table")
    assert finished.code == 2
    assert "no hour and no day is in both windows" in finished.err
    assert "weekday" in finished.err


def test_a_person_is_told_what_is_compared_with_what(taplogs: Command, logs: Backend) -> None:
    words = ["--since", "2026-11-01T01:00Z", "--until", "2026-11-01T02:00Z", "--tz", "UTC"]
    shown = taplogs.at(logs).on_terminal("stats", *words, "--compare", columns=120)
    assert shown.lines[:2] == [
        "from 2026-11-01 01:00:00+00:00 until 2026-11-01 02:00:00+00:00",
        "compared with the window from 2026-11-01 00:00:00+00:00 until 2026-11-01 01:00:00+00:00",
    ]
    longer = taplogs.at(logs).on_terminal(
        "stats", *words, "--compare", "2026-10-31T00:00Z..2026-10-31T03:00Z", columns=160
    )
    assert longer.lines[1].endswith(", 3 times as long: changes are those of rates")


def test_a_person_is_told_the_window_that_the_entries_have(taplogs: Command, logs: Backend) -> None:
    shown = taplogs.at(logs).on_terminal("stats", "--tz", "UTC", columns=120)
    assert shown.lines[0] == "from 2026-11-01 00:00:01+00:00 until 2026-11-01 00:02:00+00:00"


def test_an_hour_that_clocks_showed_twice_has_its_offset(taplogs: Command, backend: Backend) -> None:
    night = [log_entry(n, timestamp=f"2026-10-25T0{n}:30:00.000Z") for n in (0, 1, 2)]
    backend.store.add(night)
    finished = taplogs.at(backend).here("stats", "--by", "hour", "--tz", "Europe/Berlin", "-o", "table")
    hours = [line[:22].strip() for line in finished.out.splitlines()[1:4]]
    assert hours == ["2026-10-25 02:00+02:00", "2026-10-25 02:00+01:00", "2026-10-25 03:00"]


@pytest.mark.parametrize(
    "rest", [["--compare", "--grep=a..b"], ["--compare", "-ga..b"], ["--compare", "--url", "a..b"], ["--compare"]]
)
def test_an_option_is_no_window_to_compare_with(taplogs: Command, logs: Backend, rest: list[str]) -> None:
    finished = taplogs.at(logs).here("stats", "--since", "2026-11-01", "--until", "2026-11-02", *rest)
    assert (finished.code, finished.rows[0]["beforeUntil"]) == (0, finished.rows[0]["since"])


def test_an_hour_ago_is_no_option(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).here("stats", "--since", "1h", "--compare", "-2d..-1d")
    assert finished.code == 0

"""taplogs tail: what is there, then what arrives, each once, in every format, until it is ended in any way."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from command import KEY, Command, interrupt, wait_until
from faulty_server import SILENCE, FaultyServer, Request, error_body, page, reply
from running_tail import QUICK, name, recent, tailing
from serving import Backend, payload, running_backend
from taplogs.__main__ import run_safely
from taplogs.cli.runtime import Runtime
from taplogs.core.entry import encode_entry
from taplogs.core.timestamp import format_timestamp


@pytest.fixture
def busy(backend: Backend) -> Backend:
    """A backend with 15 entries: five of the last seconds, the others older than the overlap."""
    backend.store.add([recent(number, 1000 - number if number <= 10 else 30 - number) for number in range(1, 16)])
    return backend


def test_the_last_ten_come_first_and_then_what_arrives(taplogs: Command, busy: Backend) -> None:
    with tailing(taplogs.at(busy)) as tail:
        wait_until(lambda: len(tail.lines) >= 10)
        assert tail.ids == [name(number) for number in range(6, 16)]
        for number in range(16, 19):
            busy.store.add([recent(number)])
            wait_until(lambda: len(tail.lines) >= number - 5)  # noqa: B023 - it is called at once
        assert tail.ids == [name(number) for number in range(6, 19)]
        assert tail.end() == 130
        assert tail.err == ""


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["-n", "3"], 13),
        (["--last", "12"], 4),
        (["-n", "100"], 1),
        (["-n", "0"], 16),
        (["--since", "60s"], 11),
        (["--since", "995s", "--overlap", "10s"], 6),
        (["--since", "995s", "-n", "2"], 14),
        (["--since", "25s", "-n", "100"], 11),
        (["--overlap", "24h"], 6),
        (["--overlap", "1s"], 6),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_comes_first_can_be_chosen(taplogs: Command, busy: Backend, arguments: list[str], first: int) -> None:
    with tailing(taplogs.at(busy), *arguments) as tail:
        count = 16 - first
        wait_until(lambda: len(tail.lines) >= count and (count or tail.told))
        busy.store.add([recent(16)])
        wait_until(lambda: len(tail.lines) > count)
        assert tail.ids == [name(number) for number in range(first, 17)]


def test_only_what_matches_is_shown(taplogs: Command, busy: Backend) -> None:
    with tailing(taplogs.at(busy), "-s", "404", "--url", "jobs/17") as tail:
        wait_until(lambda: tail.told)
        busy.store.add([recent(16, status_code=404), recent(17), recent(18, status_code=404)])
        busy.store.add([recent(19, status_code=404, request_url="https://example.com/jobs/17")])
        wait_until(lambda: tail.lines)
        assert tail.ids == [name(19)]


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "table"])
def test_every_format_shows_entries_as_they_arrive(taplogs: Command, busy: Backend, form: str) -> None:
    with tailing(taplogs.at(busy), "-n", "2", "-o", form) as tail:
        wait_until(lambda: name(14) in tail.out)
        busy.store.add([recent(16)])
        wait_until(lambda: name(16) in tail.out or (form == "json" and name(15) in tail.out))
        busy.store.add([recent(17)])
        wait_until(lambda: name(16) in tail.out)
        time.sleep(0.3)
        assert tail.end() == 130
    expected = [name(number) for number in range(14, 18)]
    if form == "json":
        assert [entry["id"] for entry in json.loads(tail.out)] == expected
    elif form == "jsonl":
        assert tail.ids == expected
    elif form == "csv":
        assert [row["id"] for row in csv.DictReader(io.StringIO(tail.out, newline=""))] == expected
    else:
        heading, *rows = tail.lines
        assert heading.split() == ["TIME", "METHOD", "URL", "STATUS", "LATENCY", "ID"]
        assert [row.split()[-1] for row in rows] == expected


def test_columns_are_chosen(taplogs: Command, busy: Backend) -> None:
    finished = taplogs.at(busy).run("tail", "-n", "2", "--max", "2", "--columns", "id,status")
    assert finished.rows == [{"id": name(14), "statusCode": 200}, {"id": name(15), "statusCode": 200}]


def test_a_table_does_not_fetch_payloads(taplogs: Command) -> None:
    with FaultyServer([reply(page([recent(1)]))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        taplogs.here("tail", "-o", "table", "--max", "1", env=env)
        asked = len(server.requests)
        taplogs.here("tail", "--max", "1", env=env)
    assert all("fields=summary" in request.target for request in server.requests[:asked])
    assert "fields=summary" not in server.requests[-1].target


@pytest.mark.parametrize("count", [0, 2])
def test_json_is_whole_when_ctrl_c_ends_it(taplogs: Command, busy: Backend, count: int) -> None:
    with tailing(taplogs.at(busy), "-n", str(count), "-o", "json", "--debug") as tail:
        wait_until(lambda: tail.err.count("debug: 200") > 4)
        assert tail.end() == 130
    assert len(json.loads(tail.out)) == count


def test_json_is_whole_when_ctrl_c_comes_while_it_is_written(taplogs: Command, backend: Backend) -> None:
    large = payload('"' + "x" * 50_000 + '"')
    backend.store.add([recent(number, response_payload=large, status_code=400) for number in range(1, 21)])
    process = taplogs.at(backend).start("tail", "-n", "20", "-o", "json")
    assert process.stdout
    time.sleep(1.5)  # the pipe is full by now, and nobody reads
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")
    assert len(json.loads(out)) == 20


def test_a_second_ctrl_c_does_not_wait_for_a_reader(taplogs: Command, backend: Backend) -> None:
    large = payload('"' + "x" * 50_000 + '"')
    backend.store.add([recent(number, response_payload=large, status_code=400) for number in range(1, 21)])
    process = taplogs.at(backend).start("tail", "-n", "20", "-o", "json")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    finished = interrupt(process)
    assert (finished.code, finished.err) == (130, "")


def test_sigterm_ends_it_as_everything_else(taplogs: Command, busy: Backend) -> None:
    with tailing(taplogs.at(busy)) as tail:
        wait_until(lambda: tail.lines)
        assert tail.end(signal.SIGTERM) == -signal.SIGTERM
        assert tail.err == ""


def test_where_interrupts_are_ignored_they_stay_ignored(taplogs: Command, busy: Backend) -> None:
    process = taplogs.at(busy).start(
        "tail", *QUICK, "--max", "11", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(10)]
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    busy.store.add([recent(16)])
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err, out.count(b"\n"), len(lines)) == (0, b"", 1, 10)


def test_max_counts_all_that_is_shown(taplogs: Command, busy: Backend) -> None:
    finished = taplogs.at(busy).run("tail", "--max", "4")
    assert (finished.code, finished.err) == (0, "")
    assert finished.ids == [name(number) for number in range(6, 10)]
    with tailing(taplogs.at(busy), "-n", "2", "--max", "4") as tail:
        wait_until(lambda: len(tail.lines) == 2)
        busy.store.add([recent(number) for number in range(16, 25)])
        assert tail.wait() == 0
        assert tail.ids == [name(14), name(15), name(16), name(17)]


def test_until_ends_it_and_what_arrived_before_is_shown(taplogs: Command, busy: Backend) -> None:
    begun = time.monotonic()
    with tailing(taplogs.at(busy), "-n", "1", "--until", "+3s", "--interval", "1m") as tail:
        wait_until(lambda: tail.lines)
        busy.store.add([recent(16), recent(17, -600)])
        assert tail.wait() == 0
    assert tail.ids == [name(15), name(16)]
    assert 2.5 < time.monotonic() - begun < 15


@pytest.mark.parametrize("until", ["10m", "now", "yesterday", "2020-01-01", "@0"])
def test_an_end_that_is_past_is_refused_before_a_key_is_looked_for(taplogs: Command, until: str) -> None:
    finished = taplogs.here("tail", "--until", until, "-o", "table")
    assert finished.code == 2
    assert re.match(rf"error: --until {until} \(.*Z\) is past\nhint: .*--until \+10m", finished.err)


def test_an_end_that_is_past_by_the_clock_of_the_backend_is_refused(taplogs: Command) -> None:
    ahead = format_timestamp(datetime.now(UTC) + timedelta(hours=2))
    with FaultyServer([reply(page([], serverTime=ahead))]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        moment = format_timestamp(datetime.now(UTC) + timedelta(hours=1))
        finished = taplogs.here("tail", "--until", moment, env=env)
    assert finished.code == 2
    assert "is past" in finished.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interval", "2"], "--interval '2' is not a length of time"),
        (["--interval", "99ms"], "accepted: 0.1s to 24h"),
        (["--interval", "2d"], "such as 500ms, 2s or 1m30s"),
        (["--overlap", "0s"], "accepted: 1s to 24h"),
        (["-n", "-1"], "-1"),
        (["-n", "x"], "'x'"),
        (["-n", "99999999999999999999"], "99999999999999999999"),
        (["--max", "0"], "0"),
        (["-o", "xml"], "--output 'xml' is not understood"),
        (["--columns", "nonsense"], "nonsense"),
        (["--since", "2x"], "+10m"),
        (["--since", "+2m", "--until", "+1m"], "is not before"),
        (["-s", "999x"], "999x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_options_are_told_and_nothing_is_sent(taplogs: Command, arguments: list[str], words: str) -> None:
    finished = taplogs.here("tail", *arguments)
    assert (finished.code, finished.out) == (2, "")
    assert words in finished.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "no entries match yet; waiting for new ones, Ctrl-C ends it\n"),
        (["-n", "0"], "waiting for new entries, Ctrl-C ends it\n"),
        (
            ["-s", "5xx", "-m", "POST", "--latency", ">1s"],
            "no entries match yet (--status 5xx, --method POST, --latency >1000ms); "
            "waiting for new ones, Ctrl-C ends it\n",
        ),
        (
            ["--since", "2026-11-01T10:00", "--until", "2199-01-01"],
            "no entries match yet (since 2026-11-01 10:00:00+00:00, until 2199-01-01 00:00:00+00:00); "
            "waiting for new ones, Ctrl-C ends it\n",
        ),
    ],
)
def test_where_nothing_matched_yet_that_is_said_once(
    taplogs: Command, backend: Backend, arguments: list[str], told: str
) -> None:
    with tailing(taplogs.at(backend), *arguments) as tail:
        wait_until(lambda: tail.told)
        time.sleep(0.5)
        assert tail.end() == 130
    assert tail.err == told


def test_a_reader_that_goes_away_is_noticed_on_a_quiet_log(taplogs: Command, busy: Backend) -> None:
    begun = time.monotonic()
    finished = taplogs.at(busy).shell("taplogs tail --interval 1m | head -1; echo ${PIPESTATUS[0]}")
    assert finished.out.splitlines()[1:] == ["141"]
    assert finished.err == ""
    assert time.monotonic() - begun < 20


def test_a_reader_that_goes_away_is_noticed_in_an_outage(taplogs: Command, tmp_path: Path) -> None:
    with running_backend(tmp_path / "logs.db") as backend:
        backend.store.add([recent(1)])
        process = taplogs.at(backend).start("tail", *QUICK)
        assert process.stdout
        assert process.stdout.readline()
    assert process.stderr
    assert b"trying again" in process.stderr.readline()
    process.stdout.close()
    assert process.wait(20) == 141
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.stdin
    process.stdin.close()


def test_a_reader_that_goes_away_is_noticed_while_much_is_written(taplogs: Command, busy: Backend) -> None:
    busy.store.add([recent(number, 3) for number in range(100, 5000)])
    finished = taplogs.at(busy).shell("taplogs tail -n 5000 | head -1; echo ${PIPESTATUS[0]}")
    assert finished.out.splitlines()[1:] == ["141"]
    assert finished.err == ""


def test_an_outage_is_told_once_and_nothing_is_lost_in_it(taplogs: Command, tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with ExitStack() as until_the_end:
        with running_backend(path) as backend:
            backend.store.add([recent(1)])
            tail = until_the_end.enter_context(tailing(taplogs.at(backend)))
            wait_until(lambda: tail.lines)
        wait_until(lambda: tail.told)
        time.sleep(1)
        with running_backend(path, port=urlsplit(backend.url).port or 0) as backend:
            backend.store.add([recent(2, 20), recent(3)])
            wait_until(lambda: len(tail.lines) == 3)
            backend.store.add([recent(4)])
            wait_until(lambda: len(tail.lines) == 4)
            assert tail.end() == 130
    assert tail.ids == [name(number) for number in (1, 2, 3, 4)]
    gone, back = tail.told
    assert re.match(r"no answer from http://.*/partner/logs: .*; trying again until it is back\n\Z", gone)
    assert re.match(r"the backend is back after \d+ s\n\Z", back)


def test_the_end_comes_in_an_outage_too_and_says_that_something_is_missing(taplogs: Command, tmp_path: Path) -> None:
    with ExitStack() as until_the_end:
        with running_backend(tmp_path / "logs.db") as backend:
            backend.store.add([recent(1)])
            tail = until_the_end.enter_context(tailing(taplogs.at(backend), "--until", "+4s", "-o", "jsonl"))
            wait_until(lambda: tail.lines)
        assert tail.wait(15) == 6
    assert "trying again until it is back" in tail.told[0]
    error = json.loads(tail.told[1])["error"]
    assert error["code"] == "backend"
    assert "while the backend was away" in error["message"]
    assert len(tail.told) == 2


def test_the_end_comes_where_the_backend_falls_silent_too(taplogs: Command) -> None:
    first = reply(page([recent(1)]))
    begun = time.monotonic()
    with FaultyServer([first], [first], [first], [SILENCE]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("tail", *QUICK, "--until", "+1s", env=env)
    assert (finished.code, len(finished.rows)) == (6, 1)
    assert time.monotonic() - begun < 20


def test_a_backend_that_sends_bare_arrays_is_asked_for_two_pages_a_poll(taplogs: Command) -> None:
    entries = [recent(number, 20 - number) for number in range(1, 4)]

    def answer(request: Request) -> list[bytes]:
        found = [] if "pageNumber" in request.target else entries if "order=asc" in request.target else entries[::-1]
        return [reply(b"[" + b",".join(map(encode_entry, found)) + b"]")]

    with FaultyServer(answer, streams=True) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("tail", "--interval", "1s", "--until", "+3s", env=env)
        asked = len(server.requests)
    assert (finished.code, finished.ids) == (0, [name(1), name(2), name(3)])
    assert asked <= 1 + 1 + 2 * 6


def test_a_backend_that_was_never_there_is_given_up(taplogs: Command) -> None:
    env = {"TAPLOGS_BASE_URL": "http://127.0.0.1:1", "TAPLOGS_API_KEY": KEY}
    finished = taplogs.run("tail", "--max-wait", "0", env=env)
    assert (finished.code, finished.out) == (6, "")
    assert "beyond --max-wait" in finished.err


def test_a_key_that_is_revoked_meanwhile_ends_it(taplogs: Command, busy: Backend) -> None:
    with tailing(taplogs.at(busy)) as tail:
        wait_until(lambda: tail.lines)
        assert busy.keys.revoke(busy.keys.listed()[0].masked)
        assert tail.wait() == 4
    assert "refuses the API key" in tail.err


def test_json_is_whole_where_an_error_ends_it(taplogs: Command, busy: Backend) -> None:
    with tailing(taplogs.at(busy), "-o", "json") as tail:
        wait_until(lambda: len(tail.lines) > 1)
        assert busy.keys.revoke(busy.keys.listed()[0].masked)
        assert tail.wait() == 4
    assert len(json.loads(tail.out)) == 10
    assert json.loads(tail.err)["error"]["code"] == "authentication"


def test_the_end_comes_before_the_first_answer_too(taplogs: Command) -> None:
    env = {"TAPLOGS_BASE_URL": "http://127.0.0.1:1", "TAPLOGS_API_KEY": KEY}
    begun = time.monotonic()
    finished = taplogs.run("tail", "--until", "+1s", env=env)
    assert finished.code == 6
    assert "the time was up while the backend was away" in finished.err
    assert time.monotonic() - begun < 20


def test_without_a_key_it_ends_at_once(taplogs: Command, logs: Backend) -> None:
    assert taplogs.run("tail", env={"TAPLOGS_BASE_URL": logs.url}).code == 4


def test_ctrl_c_while_the_backend_says_nothing_exits_130_at_once(taplogs: Command) -> None:
    first = reply(page([recent(1)], serverTime=None))
    with FaultyServer([first], [first], [first], [SILENCE]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        process = taplogs.start("tail", *QUICK, env=env)
        wait_until(lambda: len(server.requests) > 3)
        finished = interrupt(process)
    assert (finished.code, finished.ids, finished.err) == (130, [name(1)], "")


def test_on_a_terminal_it_is_one_table_until_ctrl_c(taplogs: Command, busy: Backend) -> None:
    timer = threading.Timer(2, lambda: busy.store.add([recent(16), recent(17)]))
    timer.start()
    shown = taplogs.at(busy).on_terminal("tail", *QUICK, "-n", "2", typed={name(17): "\x03"})
    assert shown.code == 130
    assert [line.split()[-1] for line in shown.lines[:5]] == ["ID", name(14), name(15), name(16), name(17)]


def test_on_a_narrow_terminal_the_ids_stay_whole(taplogs: Command, busy: Backend) -> None:
    shown = taplogs.at(busy).on_terminal("tail", "--max", "10", columns=80)
    assert all(len(line) <= 80 for line in shown.lines)
    assert [line.split()[-1] for line in shown.lines[1:]] == [name(number) for number in range(6, 16)]


def test_the_demo_goes_on_while_it_is_followed(taplogs: Command) -> None:
    moment = datetime(2026, 11, 18, 10, tzinfo=UTC)
    passed = timedelta()

    def sleep(seconds: float) -> None:
        nonlocal passed
        passed += timedelta(seconds=seconds)

    out = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n", write_through=True)
    err = io.StringIO()
    runtime = Runtime(
        ["tail", "--demo", "-n", "3", "--interval", "10m", "--until", "+2h"],
        taplogs.environ(),
        io.StringIO(),
        out,
        err,
        clock=lambda: moment + passed,
        monotonic=lambda: passed.total_seconds(),
        sleep=sleep,
    )
    assert run_safely(runtime) == 0
    out.seek(0)
    rows = [json.loads(line) for line in out]
    times = [row["timestamp"] for row in rows]
    assert passed == timedelta(hours=2)
    assert times == sorted(times)
    assert len({row["id"] for row in rows}) == len(rows) > 60
    assert sum(time > format_timestamp(moment) for time in times) == len(rows) - 3
    assert times[-1] > format_timestamp(moment + timedelta(minutes=110))


def test_a_page_of_a_proxy_in_the_middle_is_an_outage(taplogs: Command) -> None:
    first, later = reply(page([recent(1)])), reply(page([recent(1), recent(2)]))
    portal = reply(b"<html>Please log in</html>", content_type="text/html")
    with FaultyServer([first], [first], [first], [portal], [portal], [later]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("tail", *QUICK, "--max", "2", env=env)
    assert (finished.code, finished.ids) == (0, [name(1), name(2)])
    assert finished.err.count("not with log entries") == 1
    assert finished.err.endswith(" s\n")


def test_a_backend_that_refuses_the_query_in_the_middle_ends_it(taplogs: Command) -> None:
    first = reply(page([recent(1)]))
    with FaultyServer([first], [first], [first], [reply(error_body("INVALID_REQUEST", "No."), 400)]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("tail", *QUICK, env=env)
    assert finished.code == 6
    assert "INVALID_REQUEST" in finished.err

"""Every exit code, by the real process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import KEY, Command, Finished, interrupt, wait_until
from faulty_server import SILENCE, FaultyServer, error_body, page, reply
from serving import Backend, log_entry, running_backend

DEVICE_FULL = "error: No space left on device\n"
CLOSED = "error: standard output is closed, so nothing can be written\n"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with more entries than a pipe holds."""
    with running_backend(tmp_path_factory.mktemp("many") / "logs.db") as running:
        running.store.add([log_entry(number, user_agent="x" * 200) for number in range(6000)])
        yield running


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def test_a_listing_exits_0(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", "-n", "3")
    assert (finished.code, len(finished.rows)) == (0, 3)


def test_an_empty_listing_exits_0_and_says_so(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).run("list", "-s", "418") == Finished(0, "", "no entries match (--status 418)\n")


def test_an_empty_listing_exits_3_where_that_is_a_failure(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", "-s", "418", "--fail-on-empty")
    assert (finished.code, finished.out) == (3, "")
    assert finished.err.startswith("error: no entries match (--status 418)\n")


def test_a_listing_that_is_not_empty_exits_0_with_fail_on_empty(taplogs: Command, logs: Backend) -> None:
    assert taplogs.at(logs).here("list", "-s", "404", "--fail-on-empty").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["-V"],
        ["--help"],
        ["list"],
        ["list", "-o", "table"],
        ["list", "-o", "json"],
        ["list", "-o", "csv"],
    ],
    ids=" ".join,
)
def test_a_full_disk_exits_1_with_one_line(taplogs: Command, logs: Backend, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        finished = taplogs.at(logs).run(*arguments, stdout=full)
    assert finished.code == 1
    assert "No space left on device" in finished.err
    assert finished.err.count("\n") == 1


@pytest.mark.parametrize("form", [[], ["-o", "text"], ["--curl"], ["--har"], ["--response"]], ids=" ".join)
def test_a_full_disk_while_an_entry_is_shown_exits_1(taplogs: Command, logs: Backend, form: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        finished = taplogs.at(logs).run("show", "entry-00003", *form, stdout=full)
    assert finished == Finished(1, "", DEVICE_FULL)


@pytest.mark.parametrize("line", ["--version", "list", "show entry-00003", "config list", "config path", "serve"])
def test_a_closed_standard_output_exits_1_with_one_line(taplogs: Command, logs: Backend, line: str) -> None:
    assert taplogs.at(logs).shell(f"taplogs {line} >&-") == Finished(1, "", CLOSED)


def test_a_full_standard_error_does_not_hide_the_code(taplogs: Command) -> None:
    assert taplogs.shell("taplogs list --status nonsense 2>/dev/full").code == 2


def test_a_closed_standard_error_does_not_hide_the_code(taplogs: Command) -> None:
    assert taplogs.shell("taplogs list --status nonsense 2>&-") == Finished(2, "", "")


def test_a_full_standard_error_does_not_lose_the_listing(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).shell("taplogs list --limit 2 2>/dev/full")
    assert (finished.code, len(finished.rows)) == (0, 2)


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_a_reader_that_went_away_exits_141_silently(taplogs: Command, many: Backend, form: str) -> None:
    finished = taplogs.at(many).shell(f'taplogs list -n 0 -o {form} | head -1 >/dev/null; echo "${{PIPESTATUS[0]}}"')
    assert finished == Finished(0, "141\n", "")


def test_a_reader_of_the_version_who_never_came_exits_141(taplogs: Command) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = taplogs.start("--version", stdout=writing)
    os.close(writing)
    _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


def test_wrong_usage_exits_2(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", "--nonsense")
    assert (finished.code, finished.out) == (2, "")
    assert "No such option: --nonsense" in finished.err


def test_no_key_exits_4(taplogs: Command) -> None:
    finished = taplogs.run("list")
    assert (finished.code, finished.out) == (4, "")
    assert finished.err.startswith("error: there is no API key for https://partner-api.taptalent.io\nhint: ")


def test_a_refused_key_exits_4_and_is_shown_masked(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("list", env={"TAPLOGS_API_KEY": KEY})
    assert finished.code == 4
    assert "refuses the API key sk_test_…ry7Z (401: UNAUTHORIZED, The API key is not known.)" in finished.err


def test_a_forbidden_key_exits_4(taplogs: Command) -> None:
    with FaultyServer([reply(error_body("ACCOUNT_INACTIVE", "No."), 403)]) as server:
        finished = taplogs.run("list", env={"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY})
    assert finished.code == 4
    assert "ACCOUNT_INACTIVE" in finished.err


def test_an_unknown_id_exits_5(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("show", "nobody")
    assert (finished.code, finished.out) == (5, "")
    assert finished.err.startswith("error: no entry has the id 'nobody'\n")


def test_unknown_ids_among_several_exit_5_after_the_others_are_shown(taplogs: Command, logs: Backend) -> None:
    finished = taplogs.at(logs).run("show", "no-one", "entry-00001", "nobody")
    assert finished.code == 5
    assert json.loads(finished.out)["id"] == "entry-00001"
    assert "no entry has the id 'no-one'" in finished.err.splitlines()[0]
    assert finished.err.splitlines()[1] == "error: no entry has the id 'nobody'"


def test_an_unreachable_backend_exits_6(taplogs: Command) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    env = {"TAPLOGS_BASE_URL": url, "TAPLOGS_API_KEY": KEY}
    finished = taplogs.run("list", "--max-wait", "0", env=env)
    assert (finished.code, finished.out) == (6, "")
    assert f"no answer from {url}/partner/logs: " in finished.err
    assert "--max-wait" in finished.err


def test_a_backend_that_fails_exits_6(taplogs: Command) -> None:
    with FaultyServer([reply(error_body("INTERNAL_ERROR", "Oh dear."), 500)]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("list", "--max-wait", "0", env=env)
    assert finished.code == 6
    assert "INTERNAL_ERROR, Oh dear." in finished.err


def test_a_backend_that_limits_the_rate_exits_6(taplogs: Command) -> None:
    with FaultyServer([reply(error_body("RATE_LIMITED", "Slowly."), 429, Retry_After="3600")]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        finished = taplogs.run("list", "-o", "json", env=env)
    assert (finished.code, finished.error["code"]) == (6, "rate_limited")


def test_a_login_page_instead_of_entries_exits_6(taplogs: Command) -> None:
    with FaultyServer([reply(b"<html><b>Please log in</b></html>", content_type="text/html")]) as server:
        finished = taplogs.run("list", env={"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY})
    assert finished.code == 6
    assert "answered 200 (text/html), but not with log entries" in finished.err


def test_ctrl_c_while_the_backend_is_slow_exits_130_at_once(taplogs: Command) -> None:
    with FaultyServer([SILENCE]) as server:
        process = taplogs.start("list", env={"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY})
        wait_until(lambda: server.requests)
        finished = interrupt(process)
    assert finished == Finished(130, "", "")


def test_ctrl_c_while_slices_are_read_exits_130_at_once(taplogs: Command) -> None:
    entries = [log_entry(number) for number in range(500, 0, -1)]
    first = reply(page(entries, totalLogs=100_000, nextCursor="next"))
    oldest = reply(page([log_entry(0)], totalLogs=100_000, nextCursor="next"))
    with FaultyServer([first], [oldest], [SILENCE]) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": KEY}
        process = taplogs.start("list", "-n", "0", "--latency", ">0ms", stdout=subprocess.DEVNULL, env=env)
        wait_until(lambda: len(server.requests) > 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=5)
    assert (process.returncode, err) == (130, b"")


def test_ctrl_c_at_the_prompt_for_a_key_exits_130(taplogs: Command) -> None:
    shown = taplogs.on_terminal("auth", "login", typed={"API key": "\x03"})
    assert shown.code == 130


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize("spelling", ["-o {}", "-o{}", "--output {}", "--output={}"])
def test_with_json_an_error_is_one_json_object_on_standard_error(taplogs: Command, form: str, spelling: str) -> None:
    finished = taplogs.here("list", "--since", "2x", *spelling.format(form).split())
    assert finished.code == 2
    assert finished.out == ""
    assert finished.error["code"] == "usage"
    assert "'2x'" in finished.error["message"]
    assert "30s 15m 2h" in finished.error["hint"]


@pytest.mark.parametrize(
    ("arguments", "env", "code", "name"),
    [
        (["list", "-s", "418", "--fail-on-empty"], {}, 3, "empty_result"),
        (["list", "--profile", "nobody"], {}, 2, "configuration"),
        (["list", "--nonsense"], {}, 2, "usage"),
        (["list"], {"TAPLOGS_API_KEY": ""}, 4, "authentication"),
        (["list"], {"TAPLOGS_API_KEY": KEY}, 4, "authentication"),
        (["show", "nobody"], {}, 5, "entry_not_found"),
        (["list", "--max-wait", "0"], {"TAPLOGS_BASE_URL": "http://127.0.0.1:1"}, 6, "backend"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_code_in_the_json_error_names_the_fault(
    taplogs: Command, logs: Backend, arguments: list[str], env: dict[str, str], code: int, name: str
) -> None:
    finished = taplogs.at(logs).here(*arguments, "-o", "json", env=env)
    assert (finished.code, finished.error["code"]) == (code, name)


def test_an_error_without_json_is_in_words(taplogs: Command) -> None:
    finished = taplogs.here("list", "--since", "2x")
    assert finished.err.startswith("error: --since '2x' is not understood\nhint: accepted: ")


@pytest.mark.parametrize("arguments", [[], ["auth"], ["config"]], ids=" ".join)
def test_a_command_that_needs_another_shows_its_help(taplogs: Command, arguments: list[str]) -> None:
    with_help = taplogs.run(*arguments, "--help")
    assert taplogs.run(*arguments) == with_help
    assert with_help.code == 0
    assert with_help.out.startswith(" ".join(["Usage: taplogs", *arguments]))


def test_an_unknown_command_exits_2_with_what_is_near(taplogs: Command) -> None:
    finished = taplogs.run("lst")
    assert finished.code == 2
    assert "'lst'" in finished.err
    assert "'list'" in finished.err

"""Reading commands over a store that lacks a part of the window: it is told, and is no pass of a check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from command import Command, Finished
from serving import Backend, log_entry, payload, running_backend
from stores import ago, archive_of, recent, set_states

ARCHIVE = ("--source", "archive")
READING = [
    ("list",),
    ("stats",),
    ("errors",),
    ("check", "--max-error-rate", "50%"),
    ("tail", "--until", "+1s"),
    ("export", "-o", "-"),
]
PASSING = ("check", *ARCHIVE, "--max-error-rate", "50%")


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with a request every half an hour of the last two days."""
    with running_backend(tmp_path_factory.mktemp("hourly") / "logs.db") as running:
        running.store.add([recent(number, number * 30) for number in range(1, 96)])
        yield running


@pytest.fixture
def synced(taplogs: Command, hourly: Backend) -> Command:
    """The command line with an archive of all of it, and no key."""
    command = taplogs.at(hourly)
    assert command.here("sync").code == 0
    return command.with_env(TAPLOGS_API_KEY="")


def gap_told(run: Finished) -> list[str]:
    """Return the lines on standard error that are about what a store does not hold."""
    return [line for line in run.err.splitlines() if "does not hold" in line or " ends at " in line]


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_a_hole_is_told_once_with_the_command_that_fills_it(synced: Command, words: tuple[str, ...]) -> None:
    hole = (ago(600), ago(540))
    set_states(archive_of(synced), ("", hole[0]), (hole[1], ago(0)))
    told = gap_told(synced.here(*words, *ARCHIVE, "--since", "1d", "--tz", "UTC"))
    first, last = (instant[:19].replace("T", " ") + "+00:00" for instant in hole)
    words_of_hole = f"the archive does not hold all of this window: not synced from {first} until {last}"
    assert told == [f"{words_of_hole}; 'taplogs sync' pulls it"]


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_an_archive_that_was_just_synced_is_told_nothing_of(synced: Command, words: tuple[str, ...]) -> None:
    run = synced.here(*words, *ARCHIVE)
    assert (run.code, gap_told(run)) == (0, [])


@pytest.mark.parametrize("since", [(), ("--since", "1d")])
def test_an_end_that_is_old_is_told_with_its_age(synced: Command, since: tuple[str, ...]) -> None:
    set_states(archive_of(synced), ("", ago(20)))
    (told,) = gap_told(synced.here("list", *ARCHIVE, *since))
    assert re.fullmatch(r"the archive ends at 20\S+ \S+, 20 min ago; 'taplogs sync' pulls it", told)


def test_a_window_before_the_beginning_of_an_archive_is_told_and_one_without_a_beginning_is_not(
    synced: Command,
) -> None:
    begin = ago(300)
    set_states(archive_of(synced), (begin, ago(0)))
    assert gap_told(synced.here("list", *ARCHIVE)) == []
    asked = ago(600)
    (told,) = gap_told(synced.here("list", *ARCHIVE, "--since", asked))
    assert told.endswith(f"; 'taplogs sync --since {asked}' pulls it")


def test_the_command_that_is_told_fills_the_hole(synced: Command, hourly: Backend) -> None:
    set_states(archive_of(synced), (ago(300), ago(200)), (ago(100), ago(50)))
    words = ("list", *ARCHIVE, "--since", "10h")
    (told,) = gap_told(synced.here(*words))
    found = re.search("'taplogs (.*)'", told)
    assert found
    assert synced.at(hourly).here(*found[1].split()).code == 0
    assert gap_told(synced.here(*words)) == []


def test_what_was_pruned_is_called_so_and_no_command_pulls_it(synced: Command) -> None:
    assert synced.here("archive", "prune", "--older-than", "10h", "--yes").code == 0
    assert gap_told(synced.here("list", *ARCHIVE)) == []
    (told,) = gap_told(synced.here("list", *ARCHIVE, "--since", "20h"))
    assert ": pruned from " in told
    assert "sync" not in told


def test_a_window_that_lies_within_is_told_nothing_of(synced: Command) -> None:
    set_states(archive_of(synced), (ago(300), ago(200)))
    assert gap_told(synced.here("list", *ARCHIVE, "--since", "4h", "--until", "210m")) == []


def test_an_archive_that_was_never_synced_to_any_time_holds_nothing(synced: Command) -> None:
    set_states(archive_of(synced))
    (told,) = gap_told(synced.here("list", *ARCHIVE))
    assert told.startswith("the archive does not hold all of this window: not synced until ")


def test_a_store_of_one_s_own_is_pulled_into_by_its_name(taplogs: Command, hourly: Backend) -> None:
    command, store = taplogs.at(hourly), f"sqlite:{taplogs.folder}/own.sqlite"
    assert command.here("sync", "--to", store).code == 0
    set_states(taplogs.folder / "own.sqlite", ("", ago(90)))
    (told,) = gap_told(command.here("list", "--source", store))
    assert told.startswith("the store ends at ")
    assert told.endswith(f", 1 h 30 min ago; 'taplogs sync --to {store}' pulls it")


def test_a_store_of_another_profile_and_backend_names_both(taplogs: Command, hourly: Backend) -> None:
    store = f"sqlite:{taplogs.folder}/own.sqlite"
    assert taplogs.at(hourly).here("sync", "--to", store, "--profile", "sandbox").code == 0
    set_states(taplogs.folder / "own.sqlite", ("", ago(90)))
    (told,) = gap_told(taplogs.here("list", "--source", store))
    assert told.endswith(f"; 'taplogs sync --profile sandbox --to {store}' pulls it")
    (told,) = gap_told(taplogs.here("list", "--source", store, "--profile", "sandbox"))
    assert told.endswith(f"; 'taplogs sync --profile sandbox --source {hourly.url} --to {store}' pulls it")


def test_what_was_read_of_a_file_is_all_there_is_of_it(taplogs: Command, hourly: Backend) -> None:
    lines = taplogs.at(hourly).here("list", "-n", "0", "-o", "jsonl", "--since", "30h", "--until", "10h").out
    (taplogs.folder / "logs.jsonl").write_text(lines)
    store = f"sqlite:{taplogs.folder}/own.sqlite"
    assert taplogs.here("sync", "--source", f"{taplogs.folder}/logs.jsonl", "--to", store).code == 0
    run = taplogs.here("check", "--source", store, "--since", "2d", "--max-error-rate", "50%")
    assert (run.code, gap_told(run)) == (0, [])


def test_a_store_that_sync_did_not_fill_is_told_nothing_of(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1)])
    run = taplogs.here("list", "--source", f"sqlite:{backend.store.database.path}", "--since", "2026-01-01")
    assert (run.code, gap_told(run)) == (0, [])


def test_an_entry_that_is_not_there_may_not_be_synced(synced: Command) -> None:
    set_states(archive_of(synced), ("", ago(20)))
    run = synced.here("show", "no-such-entry", *ARCHIVE)
    assert run.code == 5
    hint = r"hint: it may not be synced: the archive ends at 20\S+ \S+; 'taplogs sync' pulls it"
    assert re.fullmatch(hint, run.err.splitlines()[-1])


# check


@pytest.mark.parametrize("window", [("--since", "1d"), ("--since", "1d", "--until", "1h"), ()])
def test_a_check_of_a_window_with_a_hole_is_no_pass(synced: Command, window: tuple[str, ...]) -> None:
    set_states(archive_of(synced), ("", ago(600)), (ago(540), ago(0)))
    run = synced.here(*PASSING, *window)
    assert run.code == 7
    assert "1 pass" in run.out
    error, hint = run.err.splitlines()[-2:]
    assert error.startswith("error: not all of the window was checked: not synced from ")
    assert hint.startswith("hint: 'taplogs sync' pulls it; ")


def test_an_assertion_that_does_not_hold_goes_before_a_hole(synced: Command) -> None:
    set_states(archive_of(synced), ("", ago(600)), (ago(540), ago(0)))
    assert synced.here("check", *ARCHIVE, "--since", "1d", "--max-p50", "1ms").code == 3


@pytest.mark.parametrize(("minutes", "code"), [(60, 0), (80, 7)])
def test_a_twentieth_may_be_missing_where_a_window_ends_now(synced: Command, minutes: int, code: int) -> None:
    set_states(archive_of(synced), ("", ago(minutes)))
    assert synced.here(*PASSING, "--since", "24h").code == code


def test_nothing_may_be_missing_where_the_end_of_a_window_is_named(synced: Command) -> None:
    set_states(archive_of(synced), ("", ago(60)))
    assert synced.here(*PASSING, "--since", "24h", "--until", "now").code == 7


def test_new_errors_are_not_counted_beside_a_window_that_is_not_there(synced: Command) -> None:
    words = ("check", *ARCHIVE, "--since", "10h", "--max-new-errors", "0")
    assert synced.here(*words).code == 0
    set_states(archive_of(synced), (ago(700), ago(0)))
    run = synced.here(*words)
    assert run.code == 7
    assert "the archive does not hold all of the window that it is compared with: not synced from " in run.err


def test_what_is_called_new_beside_a_window_that_is_not_there_may_not_be(taplogs: Command, backend: Backend) -> None:
    failed = {"status_code": 500, "response_payload": payload('{"error":{"code":"E500","message":"no"}}')}
    backend.store.add([recent(1, 30, **failed), recent(2, 90, **failed)])
    command = taplogs.at(backend)
    assert command.here("sync", "--since", "1h").code == 0
    run = command.here("errors", *ARCHIVE, "--since", "1h", "--compare", "-o", "json")
    assert json.loads(run.out)["groups"][0]["mark"] == "new"
    assert run.err.splitlines()[-1] == ("a group that is called new may not be: the window before is not all there")


def test_reports_of_a_check_say_what_is_missing(synced: Command) -> None:
    hole = (ago(600), ago(540))
    set_states(archive_of(synced), ("", hole[0]), (hole[1], ago(0)))
    report, summary = synced.folder / "report.xml", synced.folder / "summary.md"
    words = ("--since", "1d", "--junit", str(report), "--github", "-o", "json")
    run = synced.here(*PASSING, *words, env={"GITHUB_STEP_SUMMARY": str(summary)})
    document = json.loads(run.out)
    assert document["holds"] is False
    assert document["gaps"] == [{"since": hole[0], "until": hole[1], "reason": "not synced"}]
    told = f"not all of the window was checked: not synced from {hole[0]} until {hole[1]}"
    assert f"::error title=taplogs check::{told}\n" in run.err
    assert "::notice" not in run.err
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")
    error = suite.find("testcase/error")
    assert error is not None
    assert error.get("message") == told
    assert "not all of the window was checked" in summary.read_text()

"""taplogs sync: a backend's entries in the archive, each once, whose they are, and how a run ends."""

from __future__ import annotations

import json
import re
import resource
import signal
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from command import KEY, Command, Finished, interrupt, wait_until
from exported import HASTY, finish, slow_backend, start
from faulty_server import FaultyServer, Request, error_body, page, reply
from serving import Backend, log_entry, payload, running_backend
from taplogs.archive.place import held
from taplogs.core.entry import LogEntry, encode_entry
from taplogs.core.query import LogQuery
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore


def path_of(command: Command) -> Path:
    """Return where the archive is that the command's surroundings say."""
    return Path(command.here("archive", "path").out.rstrip("\n"))


def kept(path: Path) -> list[bytes]:
    """Return what a store holds, as JSON, newest first."""
    with closing(SqliteStore(path, read_only=True)) as store:
        return list(map(encode_entry, store.search(LogQuery())))


def held_by(backend: Backend) -> list[bytes]:
    return list(map(encode_entry, backend.store.search(LogQuery())))


def recent(number: int, minutes: float, **fields: Any) -> LogEntry:
    """Return an entry that was made so many minutes ago."""
    timestamp = format_timestamp(datetime.now(UTC) - timedelta(minutes=minutes))
    return log_entry(number, timestamp=timestamp, **fields)


def report_of(run: Finished) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run.out)
    return document


# What is pulled


def test_the_archive_holds_what_the_backend_has(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    run = command.here("sync")
    assert (run.code, run.out) == (0, "")
    assert kept(path_of(command)) == held_by(logs)
    told = run.err.splitlines()
    assert told[0] == "120 new entries (120 pulled)"
    assert told[1] == f"{path_of(command)} holds 120 entries"
    assert told[2].startswith("without a gap from the beginning until 20")


def test_the_archive_can_be_read_by_nobody_else(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    command.here("sync")
    path = path_of(command)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


def test_a_second_run_stores_what_is_new_and_nothing_twice(taplogs: Command, backend: Backend) -> None:
    command = taplogs.at(backend)
    backend.store.add([log_entry(1), recent(2, 10)])
    command.here("sync")
    backend.store.add([recent(3, 0)])
    run = command.here("sync", "-o", "json")
    assert run.code == 0
    found = report_of(run)
    assert (found["pulled"], found["new"], found["late"], found["entries"]) == (2, 1, 0, 3)
    assert kept(path_of(command)) == held_by(backend)


def test_entries_that_became_visible_late_are_counted(taplogs: Command, backend: Backend) -> None:
    command = taplogs.at(backend)
    backend.store.add([recent(1, 0.01)])
    command.here("sync")
    backend.store.add([recent(2, 30), recent(3, 150)])
    assert command.here("sync").err.splitlines()[0] == "1 new entry, 1 of them late (2 pulled)"
    run = command.here("sync", "--overlap", "4h", "-o", "json")
    assert [report_of(run)[name] for name in ("new", "late", "lateInAll", "entries")] == [1, 1, 2, 3]


def test_since_begins_there_and_an_earlier_one_pulls_what_is_older(taplogs: Command, backend: Backend) -> None:
    command = taplogs.at(backend)
    backend.store.add([recent(number, number * 60) for number in range(1, 10)])
    first = report_of(command.here("sync", "--since", "210m", "-o", "json"))
    assert (first["entries"], len(first["covered"])) == (3, 1)
    assert report_of(command.here("sync", "-o", "json"))["entries"] == 3
    earlier = report_of(command.here("sync", "--since", "390m", "-o", "json"))
    assert (earlier["new"], earlier["late"], len(earlier["covered"])) == (3, 0, 1)
    assert command.here("sync", "--since", "0001-01-01").code == 0
    assert kept(path_of(command)) == held_by(backend)


def test_the_report_for_programs(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    found = report_of(command.here("sync", "--since", "2026-11-01T00:01:00Z", "-o", "json"))
    until = found["covered"][0].pop("until")
    assert until <= format_timestamp(datetime.now(UTC))
    assert found == {
        "schema": "taplogs.sync-report/1",
        "complete": True,
        "store": str(path_of(command)),
        "source": logs.logs_url,
        "profile": "production",
        "pulled": 61,
        "new": 61,
        "late": 0,
        "lateInAll": 0,
        "entries": 61,
        "covered": [{"since": "2026-11-01T00:01:00.000Z"}],
    }


def test_secrets_are_hidden_before_they_are_stored_unless_nothing_is(taplogs: Command, backend: Backend) -> None:
    body = payload(f'{{"note":"{KEY}","password":"hunter2"}}')
    backend.store.add([log_entry(1, request_payload=body)])
    command = taplogs.at(backend)
    assert command.here("sync").code == 0
    (stored,) = kept(path_of(command))
    assert KEY.encode() not in stored
    assert b"hunter2" not in stored
    assert command.here("sync", "--redact", "none", "--to", f"sqlite:{taplogs.folder}/raw.sqlite").code == 0
    assert kept(taplogs.folder / "raw.sqlite") == held_by(backend)


def test_hostile_texts_are_kept_as_they_are(taplogs: Command, backend: Backend) -> None:
    hostile = "\x1b[31m\u202e'; DROP TABLE entries; --\x00\u2028é"
    entry = log_entry(1, user_agent=hostile, request_url=f"https://x/{hostile}", company_id=hostile)
    with FaultyServer([reply(page([entry], totalLogs=1))]) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=backend.key, TAPLOGS_BASE_URL=server.url)
        run = command.here("sync", "--redact", "none")
        assert run.code == 0, run.err
        assert kept(path_of(command)) == [encode_entry(entry)]


def test_a_lone_surrogate_is_stored_as_its_escape_and_once(taplogs: Command, backend: Backend) -> None:
    sent = recent(1, 1, user_agent="a \ud800 b", id="odd \udfff id", company_id="\ud800")
    with FaultyServer([reply(page([sent, recent(2, 0.5)], totalLogs=2))]) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=backend.key, TAPLOGS_BASE_URL=server.url)
        assert [report_of(command.here("sync", "-o", "json"))["new"] for _ in range(2)] == [2, 0]
        (_, stored) = map(json.loads, kept(path_of(command)))
    assert (stored["userAgent"], stored["id"]) == (r"a \ud800 b", r"odd \udfff id")


# Where it is kept


def test_every_profile_and_backend_has_an_archive_of_its_own(taplogs: Command, logs: Backend, backend: Backend) -> None:
    backend.store.add([log_entry(7)])
    taplogs.configured(f'[profiles.a]\nbase_url = "{logs.url}"\n[profiles.b]\nbase_url = "{logs.url}"\n')
    command = taplogs.with_env(TAPLOGS_API_KEY=logs.key)
    for words in (["-p", "a"], ["-p", "b"]):
        assert command.here("sync", *words).code == 0
    assert taplogs.at(backend).here("sync").code == 0
    stores = sorted((taplogs.folder / "archive").glob("*.sqlite"))
    assert [len(kept(path)) for path in stores] == [120, 120, 1]


def test_the_setting_archive_names_the_folder(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs).with_env(TAPLOGS_ARCHIVE=str(taplogs.folder / "elsewhere" / "archive"))
    assert command.here("sync").code == 0
    assert path_of(command).parent == taplogs.folder / "elsewhere" / "archive"
    assert kept(path_of(command)) == held_by(logs)


def test_without_the_setting_the_folder_is_the_platforms(taplogs: Command) -> None:
    run = taplogs.with_env(TAPLOGS_ARCHIVE="").run("archive", "path", "--folder")
    assert run.out == f"{taplogs.folder}/home/.local/share/taplogs/archive\n"


def test_the_demo_has_an_archive_of_its_own_and_needs_no_key(taplogs: Command) -> None:
    assert taplogs.here("sync", "--demo", "--since", "1d").code == 0
    assert [path.name for path in path_of(taplogs).parent.glob("*.sqlite")] == ["demo.sqlite"]


def test_source_archive_of_the_demo_is_the_demos_archive(taplogs: Command) -> None:
    assert taplogs.here("sync", "--demo").code == 0
    until = ("--until", format_timestamp(datetime.now(UTC) - timedelta(minutes=5)))
    for words in (["list", "-n", "7", "-o", "jsonl"], ["stats", "--by", "status", "-o", "json"]):
        run = taplogs.here(*words, "--source", "archive", "--demo", *until)
        assert (run.code, run.out) == (0, taplogs.here(*words, "--demo", *until).out)


def test_source_archive_of_the_demo_is_known_to_all_commands_of_the_archive(taplogs: Command) -> None:
    words = ("archive", "path", "--source", "archive", "--demo")
    assert taplogs.here(*words).out == f"{taplogs.folder}/archive/demo.sqlite\n"


def test_another_store_can_be_named(taplogs: Command, logs: Backend) -> None:
    path = taplogs.folder / "own.sqlite"
    run = taplogs.at(logs).here("sync", "--to", f"sqlite:{path}")
    assert (run.code, kept(path)) == (0, held_by(logs))
    assert not path_of(taplogs.at(logs)).exists()


def test_a_store_of_another_backend_is_refused(taplogs: Command, logs: Backend, backend: Backend) -> None:
    backend.store.add([log_entry(7)])
    to = ("--to", f"sqlite:{taplogs.folder}/own.sqlite")
    taplogs.at(logs).here("sync", *to)
    run = taplogs.at(backend).here("sync", *to)
    assert run.code == 2
    assert run.err.startswith(f"error: the store holds entries of {logs.logs_url} (profile production)\n")
    assert kept(taplogs.folder / "own.sqlite") == held_by(logs)


def test_entries_of_a_file_that_are_still_to_come_are_stored_too(taplogs: Command, tmp_path: Path) -> None:
    entries = [log_entry(1), log_entry(2, timestamp="2999-01-01T00:00:00.000Z")]
    (tmp_path / "logs.jsonl").write_bytes(b"".join(encode_entry(entry) + b"\n" for entry in entries))
    run = taplogs.here("sync", "--source", f"{tmp_path}/logs.jsonl", "--to", f"sqlite:{tmp_path}/to.sqlite")
    assert run.code == 0
    assert len(kept(tmp_path / "to.sqlite")) == 2
    assert run.err.splitlines()[-1] == "without a gap from the beginning until 2999-01-01 00:00:00+00:00"


def test_of_a_file_nothing_is_covered_beyond_its_last_entry(taplogs: Command, tmp_path: Path) -> None:
    (tmp_path / "logs.jsonl").write_bytes(encode_entry(log_entry(1)) + b"\n")
    run = taplogs.here(
        "sync", "--source", f"{tmp_path}/logs.jsonl", "--to", f"sqlite:{tmp_path}/to.sqlite", "-o", "json"
    )
    assert report_of(run)["covered"] == [{"since": None, "until": log_entry(1).timestamp}]


def test_a_file_with_lines_that_are_no_entries_is_not_said_to_be_known_without_a_gap(
    taplogs: Command, tmp_path: Path
) -> None:
    path, to = tmp_path / "logs.jsonl", f"sqlite:{tmp_path}/to.sqlite"
    whole = b"".join(encode_entry(log_entry(number)) + b"\n" for number in range(5))
    path.write_bytes(whole + b"{broken\n")
    run = taplogs.here("sync", "--source", str(path), "--to", to)
    assert run.code == 7
    told = run.err.splitlines()
    assert f"5 new entries (5 pulled); they are kept in {tmp_path}/to.sqlite" in told
    assert told[-2].startswith("error: the sync is incomplete: ")
    assert f"1 line of {path} " in told[-2]
    assert "line 6 (not JSON" in told[-2]
    assert "without a gap" not in run.err
    (status,) = json.loads(taplogs.here("archive", "status", "--source", to, "-o", "json").out)["archives"]
    assert (status["entries"], status["sources"][0]["covered"], status["sources"][0]["syncedAt"]) == (5, [], None)
    path.write_bytes(whole)
    mended = taplogs.here("sync", "--source", str(path), "--to", to)
    assert mended.code == 0
    assert mended.err.splitlines()[-1].startswith("without a gap from the beginning until ")


def test_a_file_that_cannot_be_read_leaves_no_empty_store_behind(taplogs: Command, tmp_path: Path) -> None:
    path, to = tmp_path / "logs.jsonl", tmp_path / "to.sqlite"
    path.write_bytes(b"{broken\n" + encode_entry(log_entry(1)) + b"\n")
    assert taplogs.here("sync", "--source", str(path), "--to", f"sqlite:{to}", "--strict").code == 1
    assert list(tmp_path.glob("to.sqlite*")) == []


@pytest.mark.parametrize("other", ["logs.sqlite", "./logs.sqlite", "link.sqlite"])
def test_a_store_is_not_pulled_into_itself(taplogs: Command, other: str) -> None:
    with closing(SqliteStore(taplogs.folder / "logs.sqlite")) as store:
        store.add([log_entry(1)])
    (taplogs.folder / "link.sqlite").symlink_to(taplogs.folder / "logs.sqlite")
    source = f"sqlite:{taplogs.folder}/logs.sqlite"
    run = taplogs.here("sync", "--source", source, "--to", f"sqlite:{taplogs.folder}/{other}")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"error: {source} is both what is read and what its entries are to be kept in\n")


def test_a_table_is_not_pulled_into_itself_however_it_is_named(taplogs: Command) -> None:
    run = taplogs.here("sync", "--source", "clickhouse://x/logs", "--to", "clickhouse://default@x:8443/logs?secure=1")
    assert (run.code, run.err.splitlines()[0]) == (
        2,
        "error: clickhouse://x/logs is both what is read and what its entries are to be kept in",
    )


def test_a_store_can_be_pulled_into_another_one_whole_each_time(taplogs: Command, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "from.sqlite")) as store:
        words = ("sync", "--source", f"sqlite:{tmp_path}/from.sqlite", "--to", f"sqlite:{tmp_path}/to.sqlite")
        store.add([log_entry(2)])
        assert taplogs.here(*words).code == 0
        store.add([log_entry(1)])  # much older than any overlap
        assert taplogs.here(*words).code == 0
    assert kept(tmp_path / "to.sqlite") == kept(tmp_path / "from.sqlite")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "archive"], "--source archive is what sync pulls into"),
        (["--source", "logs.jsonl"], "logs.jsonl is no backend, and the archive is of a backend"),
        (["--to", "logs.jsonl"], "--to 'logs.jsonl' is nothing that entries are kept in"),
        (["--to", "ftp://x"], "--to 'ftp://x' is nothing that entries are kept in"),
        (["--to", "archive"], "--to 'archive' is nothing that entries are kept in"),
        (["--to", "sqlite:no/such/folder/x"], "there is no folder no/such/folder"),
        (["--since", "2x"], "--since '2x' is not understood"),
        (["--overlap", "2x"], "--overlap '2x' is not a length of time that it takes"),
        (["-o", "table"], "--output 'table' is not understood"),
        (["--until", "now"], "No such option: --until"),
    ],
)
def test_what_cannot_be_asked_is_refused(taplogs: Command, logs: Backend, words: list[str], message: str) -> None:
    run = taplogs.at(logs).here("sync", *words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"error: {message}")


# Whose it is


def test_a_key_of_another_company_is_refused(taplogs: Command) -> None:
    with running_backend(taplogs.folder / "acme.db") as acme:
        acme.store.add([log_entry(1, company_id="acme")])
        command = taplogs.at(acme)
        command.here("sync")
        expected = held_by(acme)
    with running_backend(taplogs.folder / "globex.db", port=int(acme.url.split(":")[2].partition("/")[0])) as globex:
        globex.store.add([log_entry(2, company_id="globex")])
        run = taplogs.at(globex).here("sync")
    assert run.code == 2
    assert "it reads entries of another company: 'globex'" in run.err
    assert "--profile" in run.err
    assert kept(path_of(command)) == expected


def test_a_new_key_of_the_same_company_goes_on(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(1, company_id="acme")])
    command = taplogs.at(backend)
    command.here("sync")
    backend.store.add([recent(2, 1, company_id="acme")])
    assert command.with_env(TAPLOGS_API_KEY=backend.keys.create()).here("sync").code == 0
    assert kept(path_of(command)) == held_by(backend)


def test_a_key_whose_entries_name_no_company_is_refused_each_time(taplogs: Command) -> None:
    entries = [log_entry(1, company_id=None)]
    with telling(lambda: None, lambda: entries) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        assert command.here("sync").code == 0
        expected = kept(path_of(command))
        entries[:] = [recent(2, 1, company_id=None)]
        for _ in range(2):
            run = command.with_env(TAPLOGS_API_KEY="sk_test_" + "Other77" * 3 + "Y").here("sync")
            assert run.code == 2
            assert "the newest that it sees names no company" in run.err
        assert kept(path_of(command)) == expected


def test_a_key_to_which_nothing_was_shown_does_not_blind_the_archive_for_the_right_one(
    taplogs: Command, backend: Backend
) -> None:
    command = taplogs.at(backend)
    assert command.here("sync").code == 0
    backend.store.add([log_entry(1), log_entry(2)])
    assert report_of(command.here("sync", "-o", "json"))["new"] == 0
    run = command.with_env(TAPLOGS_API_KEY=backend.keys.create()).here("sync")
    assert run.code == 0
    assert run.err.startswith("there is no entry yet, and the API key is another one than before")
    assert kept(path_of(command)) == held_by(backend)


# Clocks


def telling(time: Callable[[], str | None], entries: Callable[[], list[LogEntry]]) -> FaultyServer:
    """Return a backend whose clock says what `time` returns, and which has these entries now."""

    def answer(request: Request) -> list[bytes]:
        if "?" not in request.target:
            return [reply(error_body("NOT_FOUND", "no such entry"), 404)]
        return [reply(page(entries(), serverTime=time()))]

    return FaultyServer(answer)


def test_what_came_while_the_backends_clock_had_been_ahead_is_pulled_once_it_is_right(taplogs: Command) -> None:
    entries = [recent(1, 120)]
    times = [format_timestamp(datetime.now(UTC) + timedelta(days=days)) for days in (2, 0)]
    with telling(lambda: times[0], lambda: entries) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        assert command.here("sync").code == 0
        entries.append(recent(2, 60))
        del times[0]
        run = command.here("sync", "--tz", "Asia/Tokyo")
    assert run.code == 0
    assert re.match(
        r"the last sync read until \S+ \S+\+09:00, which is still to come: a clock was wrong; "
        r"what came after \S+ \S+\+09:00 is read again\n1 new entry ",
        run.err,
    )
    assert len(kept(path_of(command))) == 2


def test_by_this_machines_clock_alone_nothing_is_covered_beyond_the_last_entry(taplogs: Command) -> None:
    entries = [recent(1, 120), recent(2, 60)]
    with telling(lambda: None, lambda: entries) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        run = command.here("sync", "-o", "json")
    assert report_of(run)["covered"] == [{"since": None, "until": entries[1].timestamp}]


# What is hidden


def test_entries_of_another_redaction_profile_than_before_are_told(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    assert "--redact" not in command.here("sync", "--since", "2026-11-01T00:01:00Z").err
    path = path_of(command)
    told = command.here("sync", "--since", "2026-11-01", "--redact", "none").err.splitlines()[0]
    assert told == (
        f"the entries in {path} were stored with --redact secrets; "
        "what comes now is stored with --redact none, and then it holds both"
    )
    assert "redacted by secrets, none\n" in command.here("archive", "status").out


# How a run ends


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over 3,000 entries."""
    with running_backend(tmp_path_factory.mktemp("many") / "logs.db") as running:
        running.store.add([log_entry(n, request_payload=payload(f'"{"x" * 300}"')) for n in range(3000)])
        yield running


def breaking(entries: Sequence[LogEntry], kept_pages: int, error: bytes, size: int = 20) -> FaultyServer:
    """Return a backend that sends so many pages, and `error` to whatever is asked after that."""
    state = {"pages": 0}

    def answer(request: Request) -> list[bytes]:
        if "perPage=1&" in f"{request.target}&":
            return [reply(page(entries[:1], totalLogs=len(entries), nextCursor="c"))]
        number = state["pages"]
        state["pages"] += 1
        if number >= kept_pages:
            return [error]
        part = entries[number * size : (number + 1) * size]
        return [reply(page(part, totalLogs=len(entries), nextCursor=f"c{number}"))]

    return FaultyServer(answer)


FAILED = reply(error_body("INTERNAL", "no"), 400)
REFUSED = reply(error_body("UNAUTHORIZED", "revoked"), 401)


@pytest.mark.parametrize(("error", "words"), [(FAILED, "answered 400: INTERNAL, no"), (REFUSED, "refuses the API key")])
def test_what_came_before_an_error_is_kept_and_the_exit_code_is_7(taplogs: Command, error: bytes, words: str) -> None:
    entries = [log_entry(number) for number in range(100)]
    with breaking(entries, 2, error) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        run = command.here("sync", "--parallel", "1")
        assert run.code == 7
        told = run.err.splitlines()
        path = path_of(command)
        assert told[-3:-1] == [
            f"39 new entries (39 pulled); they are kept in {path}, and the same command goes on:",
            "  taplogs sync --parallel 1",
        ]
        assert told[-1].startswith("error: the sync is incomplete: ")
        assert words in told[-1]
        assert len(kept(path)) == 39


def test_an_incomplete_run_says_so_to_programs(taplogs: Command) -> None:
    with breaking([log_entry(number) for number in range(100)], 2, FAILED) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        run = command.here("sync", "--parallel", "1", "-o", "json")
    found = report_of(run)
    assert (run.code, found["complete"], found["new"]) == (7, False, 39)
    assert json.loads(run.err.splitlines()[-1])["error"]["code"] == "incomplete"


@pytest.mark.parametrize(("error", "code"), [(FAILED, 6), (REFUSED, 4)])
def test_a_backend_that_gives_nothing_leaves_no_archive_and_the_exit_code_of_its_fault(
    taplogs: Command, error: bytes, code: int
) -> None:
    with FaultyServer([error]) as server:
        command = taplogs.with_env(TAPLOGS_API_KEY=KEY, TAPLOGS_BASE_URL=server.url)
        assert command.here("sync").code == code
        assert not path_of(command).exists()


def test_what_the_archive_holds_is_said_to_be_kept_where_the_backend_is_down(taplogs: Command) -> None:
    with running_backend(taplogs.folder / "logs.db") as backend:
        backend.store.add([log_entry(1)])
        command = taplogs.at(backend)
        command.here("sync")
    run = command.here("sync", "--max-wait", "0")
    assert run.code == 6
    path = path_of(command)
    assert f"nothing was pulled; {path} is as it was" in run.err.splitlines()
    assert len(kept(path)) == 1


def test_ctrl_c_keeps_what_came_and_the_next_run_goes_on(taplogs: Command, many: Backend) -> None:
    with slow_backend(many) as variables:
        command = taplogs.with_env(**variables)
        path = path_of(command)
        process = start(command, *HASTY, "sync")
        wait_until(lambda: path.exists() and _count(path) > 500)
        run = interrupt(process)
        assert run.code == 130, run.err
        told = run.err.splitlines()
        assert f"kept in {path}, and the same command goes on:" in told[-2]
        assert told[-1] == "  taplogs sync"
        count = _count(path)
        assert 500 < count < 3000
        again = command.here("sync", "-o", "json")
        assert (again.code, report_of(again)["pulled"] < 3000 - count + 700) == (0, True)
        assert kept(path) == held_by(many)


def test_a_second_sync_of_one_archive_is_refused_while_readers_are_not_disturbed(
    taplogs: Command, logs: Backend
) -> None:
    command = taplogs.at(logs)
    command.here("sync")
    path = path_of(command)
    with held(path):
        run = command.here("sync")
        assert (run.code, run.err.splitlines()[0]) == (1, f"error: another taplogs is writing to {path}")
        assert len(kept(path)) == 120
    assert command.here("sync").code == 0


def test_two_syncs_at_once_leave_one_whole_archive(taplogs: Command, many: Backend) -> None:
    with slow_backend(many, seconds=0.001) as variables:
        command = taplogs.with_env(**variables)
        runs = [finish(process) for process in [start(command, *HASTY, "sync") for _ in range(3)]]
        assert sorted({run.code for run in runs} | {0}) in ([0], [0, 1])
        assert all("another taplogs is writing" in run.err for run in runs if run.code)
        assert kept(path_of(command)) == held_by(many)


@pytest.mark.parametrize("limit", [150_000, 220_000])
def test_a_full_disk_ends_the_run_with_one_line_and_leaves_the_archive_sound(
    taplogs: Command, many: Backend, limit: int
) -> None:
    """The limit on the size of files is what a process can meet without a disk of its own."""
    command = taplogs.at(many)
    assert command.here("sync", "--since", "2026-11-01T00:45").code == 0
    process = command.start("sync", "--since", "2026-11-01", preexec_fn=_limiting_files(limit))
    out, err = process.communicate(timeout=60)
    assert process.returncode in (1, 7), err
    assert out == b""
    lines = err.decode().splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1, lines
    path = path_of(command)
    assert command.here("archive", "verify").code == 0
    assert command.here("sync", "--since", "2026-11-01").code == 0
    assert kept(path) == held_by(many)


def test_a_full_disk_in_the_first_run_leaves_no_archive_behind(taplogs: Command, many: Backend) -> None:
    command = taplogs.at(many)
    process = command.start("sync", preexec_fn=_limiting_files(150_000))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert [file for file in path_of(command).parent.iterdir() if file.is_file()] == []


def test_an_archive_of_a_newer_taplogs_is_refused_and_not_changed(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    command.here("sync")
    path = path_of(command)
    make_newer(path)
    before = path.read_bytes()
    run = command.here("sync")
    assert run.code == 2
    assert "was made by a newer taplogs" in run.err
    assert path.read_bytes() == before


def make_newer(path: Path) -> None:
    """Have a store say that a later taplogs made it: SQLite keeps the version in its header (PRAGMA user_version)."""
    import sqlite3

    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_how_far_it_is_shows_on_a_terminal(taplogs: Command, many: Backend) -> None:
    with slow_backend(many, seconds=0.03) as variables:
        shown = taplogs.with_env(**variables).on_terminal("sync", "--parallel", "1")
    assert shown.code == 0
    assert " of 3,000 entries pulled, " in shown.raw.decode()
    assert shown.lines[0] == "3,000 new entries (3,000 pulled)"


def _count(path: Path) -> int:
    with closing(SqliteStore(path)) as store:
        return store.count(LogQuery()) or 0


def _limiting_files(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit

"""taplogs export gone on with: after every way to end early, by the same question alone, by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import Command, interrupt, wait_until
from exported import HASTY, PSEUDONYM_KEY, Exported, finish, lines_of, slow_backend, start
from faulty_server import FaultyServer, Request, error_body, lines, page, reply
from serving import Backend, log_entry, payload, running_backend
from taplogs.core.entry import LogEntry

NDJSON = "application/x-ndjson"
UNTIL = ("--until", "2026-11-02")
PLAIN = ("--redact", "none")


def people(count: int) -> list[LogEntry]:
    """Return entries of a few people, one a second."""
    names = ["Ada", "Grace", "Edsger", "Barbara"]
    return [
        log_entry(n, request_payload=payload(f'{{"firstName":"{names[n % 4]}","text":"{"x" * 300}"}}'))
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over 3,000 entries."""
    with running_backend(tmp_path_factory.mktemp("many") / "logs.db") as running:
        running.store.add(people(3000))
        yield running


def breaking(entries: list[LogEntry], kept: int, error: bytes) -> FaultyServer:
    """Return a backend that sends `kept` of its entries as a stream, and `error` to whatever is asked after that."""
    state = {"broken": False}

    def answer(request: Request) -> list[bytes]:
        if state["broken"]:
            return [error]
        if NDJSON not in request.headers["accept"]:
            return [reply(page(entries[:10], totalLogs=len(entries)))]
        state["broken"] = True
        return [reply(lines(entries[9:kept]), content_type=NDJSON, length=False)]

    return FaultyServer(answer, streams=True)


FAILED = reply(error_body("INTERNAL", "no"), 400)
REFUSED = reply(error_body("UNAUTHORIZED", "revoked"), 401)


def ended_early(
    command: Command, *options: str, error: bytes = FAILED, max_wait: str = "0"
) -> tuple[list[LogEntry], str]:
    """Have an export of 100 entries end early; return those entries and what was said."""
    entries = people(100)
    with breaking(entries, 60, error) as server:
        run = command.run("export", "-o", "out", *UNTIL, "--max-wait", max_wait, *options, "--source", server.url)
    assert run.code == 7, run.err
    return entries, run.err


@pytest.fixture
def export(taplogs: Command) -> Command:
    return taplogs.with_env(TAPLOGS_API_KEY="sk_test_" + "Zz9" * 7 + "Q")


def whole(entries: list[LogEntry]) -> FaultyServer:
    """Return a backend that has all entries on one page."""
    return FaultyServer(lambda _request: [reply(page(entries, totalLogs=len(entries)))])


def at(port_of: FaultyServer) -> tuple[str, str]:
    return ("--source", port_of.url)


# The ways to end early


@pytest.mark.parametrize(
    ("error", "max_wait", "words"),
    [
        (FAILED, "9", "answered 400: INTERNAL, no"),
        (REFUSED, "9", "the backend refuses the API key"),
        (FAILED, "0", "the stream ended without its last record; the next try would be in"),
    ],
)
def test_what_came_before_an_error_is_kept_and_told_with_the_command_that_goes_on(
    export: Command, error: bytes, max_wait: str, words: str
) -> None:
    _, told = ended_early(export, *PLAIN, error=error, max_wait=max_wait)
    kept, command, line = told.splitlines()[-3:]
    assert kept == "59 records are kept in out until 2026-11-01T00:00:58.000Z; this goes on with them:"
    assert command.startswith("  taplogs export -o out --until 2026-11-02 ")
    assert command.endswith(" --resume")
    assert line.startswith("error: the export is incomplete: ")
    assert words in line
    assert sorted(path.name for path in (export.folder / "out").iterdir()) == [".partial"]


def test_the_command_that_is_told_goes_on_and_the_result_is_the_same_as_without_a_break(
    taplogs: Command, many: Backend
) -> None:
    command = taplogs.at(many).with_env(**PSEUDONYM_KEY)
    words = ("export", "-o", "out", *UNTIL)
    with slow_backend(many) as variables:
        process = start(command, *HASTY, *words, env=variables)
        wait_until((command.folder / "out/.partial/checkpoint.json").exists)
        wait_until(lambda: (command.folder / "out/.partial/records.jsonl").stat().st_size)
        run = interrupt(process)
        assert run.code == 130
        assert "error" not in run.err
        told = run.err.splitlines()[-1].strip()
        done = command.shell(told, env=variables)
    assert done.code == 0, done.err
    assert "going on after " in done.err
    other = command.run("export", "-o", "other", *UNTIL)
    assert other.code == 0
    first, second = Exported(command.folder / "out"), Exported(command.folder / "other")
    first.assert_consistent()
    assert first.records == second.records
    assert (first.folder / "records.csv").read_bytes() == (second.folder / "records.csv").read_bytes()
    assert first.manifest["redaction"] == second.manifest["redaction"]
    for member in ("rows", "first", "last", "duplicatesDropped", "backendCountAfter", "lateArrivals"):
        assert first.completeness[member] == second.completeness[member]


def test_a_key_that_lasts_for_one_export_is_kept_for_its_owner_alone_until_it_is_done(export: Command) -> None:
    entries, _ = ended_early(export)
    partial = export.folder / "out" / ".partial"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (partial, partial / "checkpoint.json")]
    assert modes == [0o700, 0o600]
    key = json.loads((partial / "checkpoint.json").read_text())["beginning"]["pseudonymKey"]
    with whole(entries) as server:
        # The source is part of what is asked, and this backend has another port than the one that broke.
        renamed = (partial / "checkpoint.json").read_text().replace(_source(partial), server.url)
        (partial / "checkpoint.json").write_text(renamed)
        run = export.run("export", "-o", "out", *UNTIL, "--resume", *at(server))
    assert run.code == 0, run.err
    found = Exported(export.folder / "out")
    found.assert_consistent()
    names = [json.loads(line)["requestPayload"]["firstName"] for line in found.records.splitlines()]
    assert len(set(names)) == 4
    assert names[:4] * 25 == names
    assert not partial.exists()
    everything = b"".join(path.read_bytes() for path in found.folder.iterdir()) + run.err.encode()
    assert key.encode() not in everything


def _source(partial: Path) -> str:
    source: str = json.loads((partial / "checkpoint.json").read_text())["beginning"]["question"]["source"]
    return source


def test_an_allowed_partial_export_gets_its_names_says_what_is_missing_and_exits_7(export: Command) -> None:
    _, told = ended_early(export, *PLAIN, "--allow-partial")
    found = Exported(export.folder / "out")
    found.assert_consistent()
    assert len(found.ids) == 59
    assert found.completeness["status"] == "incomplete"
    assert found.completeness["endSeen"] is False
    (gap,) = found.completeness["gaps"]
    assert (gap["since"], gap["until"]) == ("2026-11-01T00:00:58.000Z", "2026-11-02T00:00:00.000Z")
    assert "the stream ended without its last record" in gap["reason"]
    assert "incomplete: 59 records" in told
    assert "taplogs export" not in told  # there is nothing to go on with


def test_a_gap_in_the_middle_is_allowed_where_partial_exports_are(export: Command) -> None:
    entries = people(3)
    pages = [[reply(page(entries, totalLogs=total))] for total in (3, 9, 3, 9)]
    with FaultyServer(*pages) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--allow-partial", *at(server))
    assert run.code == 7
    found = Exported(export.folder / "out")
    found.assert_consistent()
    assert found.completeness["gaps"][0]["reason"] == "the backend counts 9 entries, and 3 came"


# What is refused


def test_an_unfinished_export_is_not_begun_anew_unasked(export: Command) -> None:
    ended_early(export, *PLAIN)
    before = (export.folder / "out/.partial/records.jsonl").read_bytes()
    source = ("--source", _source(export.folder / "out/.partial"))
    run = export.run("export", "-o", "out", *UNTIL, *PLAIN, *source)
    assert run.code == 2
    told = run.err.splitlines()
    assert told[0] == "out holds 59 records of a run that ended early; this goes on with them:"
    assert told[1] == f"  taplogs export -o out {' '.join(UNTIL)} --redact none {' '.join(source)} --resume"
    assert told[3].startswith("hint: --resume goes on with it; name another folder with -o; --force begins anew, and")
    assert (export.folder / "out/.partial/records.jsonl").read_bytes() == before


def test_no_command_is_suggested_that_would_be_refused(export: Command) -> None:
    ended_early(export, *PLAIN)
    run = export.run(
        "export", "-o", "out", *PLAIN, "--since", "1d", "--source", _source(export.folder / "out/.partial")
    )
    error, hint = run.err.splitlines()
    assert error == (
        "error: out holds 59 records of a run that asked something else: --since was not given and is '1d'; "
        "--until was '2026-11-02T00:00:00.000Z' and is not given"
    )
    assert hint.startswith("hint: --resume with the words of that run goes on with it; name another folder with -o;")


def test_force_begins_an_unfinished_export_anew(export: Command) -> None:
    entries, _ = ended_early(export, *PLAIN)
    with whole(entries[:5]) as server:
        run = export.run("export", "-o", "out", *PLAIN, "--force", *at(server))
    assert run.code == 0
    assert Exported(export.folder / "out").records == lines_of(entries[:5])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((*UNTIL, *PLAIN, "--status", "404"), "--status was not given and is '404'"),
        ((*PLAIN, "--until", "2026-11-03"), "--until was '2026-11-02T00:00:00.000Z' and is '2026-11-03T00:00:00.000Z'"),
        ((*PLAIN,), "--until was '2026-11-02T00:00:00.000Z' and is not given"),
        ((*UNTIL, *PLAIN, "--since", "90d"), "--since was not given and is '90d'"),
        ((*UNTIL,), "the redaction profile was none and is personal"),
        ((*UNTIL, *PLAIN, "--source", "http://127.0.0.1:9/v1"), "the source was "),
    ],
)
def test_another_question_is_refused_and_what_differs_is_said(
    export: Command, options: tuple[str, ...], words: str
) -> None:
    ended_early(export, *PLAIN)
    partial = export.folder / "out" / ".partial"
    source = () if "--source" in options else ("--source", _source(partial))
    run = export.run("export", "-o", "out", "--resume", *source, *options)
    assert run.code == 2
    assert f"of a run that asked something else: {words}" in run.err
    assert (partial / "checkpoint.json").exists()


def test_another_pseudonym_key_is_refused(export: Command) -> None:
    command = export.with_env(**PSEUDONYM_KEY)
    ended_early(command)
    other = {"TAPLOGS_PSEUDONYM_KEY": "another key of at least 32 characters"}
    source = _source(export.folder / "out/.partial")
    run = command.run("export", "-o", "out", "--resume", *UNTIL, "--source", source, env=other)
    assert (run.code, "the pseudonym key is another one" in run.err) == (2, True)


def test_a_filter_whose_hidden_part_differs_is_refused(export: Command) -> None:
    keys = [f"sk_live_{letter * 18}WXYZ" for letter in "AB"]
    ended_early(export, *PLAIN, "--grep", f"x|{keys[0]}")
    source = _source(export.folder / "out/.partial")
    run = export.run("export", "-o", "out", "--resume", *UNTIL, *PLAIN, "--grep", f"x|{keys[1]}", "--source", source)
    assert run.code == 2
    assert "a filter differs in what is hidden of it" in run.err
    assert not any(key in run.err for key in keys)


def test_a_relative_time_means_what_it_meant_when_the_export_began(export: Command) -> None:
    ended_early(export, *PLAIN, "--since", "60d")
    partial = export.folder / "out/.partial"
    since = json.loads((partial / "checkpoint.json").read_text())["beginning"]["requestedSince"]
    with whole(people(100)) as server:
        text = (partial / "checkpoint.json").read_text().replace(_source(partial), server.url)
        (partial / "checkpoint.json").write_text(text)
        run = export.run("export", "-o", "out", "--resume", *UNTIL, *PLAIN, "--since", "60d", *at(server))
    assert run.code == 0, run.err
    assert Exported(export.folder / "out").manifest["period"]["requestedSince"] == since


def test_records_that_were_changed_are_not_gone_on_with(export: Command) -> None:
    ended_early(export, *PLAIN)
    partial = export.folder / "out/.partial"
    records = partial / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b"entry-00007", b"entry-00070"))
    run = export.run("export", "-o", "out", "--resume", *UNTIL, *PLAIN, "--source", _source(partial))
    assert run.code == 1
    assert "is not what the run before has written there" in run.err


def test_records_that_were_cut_are_not_gone_on_with(export: Command) -> None:
    ended_early(export, *PLAIN)
    partial = export.folder / "out/.partial"
    os.truncate(partial / "records.jsonl", 100)
    run = export.run("export", "-o", "out", "--resume", *UNTIL, *PLAIN, "--source", _source(partial))
    assert (run.code, "is not what the run before has written there" in run.err) == (1, True)
    assert (partial / "records.jsonl").stat().st_size == 100


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not text in UTF-8"),
        (b"1" * 5000, "it is not JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"schema":"taplogs.checkpoint/9"}', "Object missing required field `beginning`"),
        (b"[" * 100_000, "it is nested too deep"),
    ],
)
def test_a_damaged_checkpoint_is_told(export: Command, text: bytes, fault: str) -> None:
    ended_early(export, *PLAIN)
    (export.folder / "out/.partial/checkpoint.json").write_bytes(text)
    run = export.run("export", "-o", "out", "--resume", *UNTIL, *PLAIN, "--source", "http://127.0.0.1:9/v1")
    assert run.code == 1
    assert f"checkpoint.json cannot be used: {fault}" in run.err
    assert "--force begins anew" in run.err


def test_a_second_writer_is_kept_out(export: Command) -> None:
    partial = export.folder / "out/.partial"
    partial.mkdir(parents=True)
    with (partial / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = export.run("export", "-o", "out", "--force", "--source", "http://127.0.0.1:9/v1")
        assert (run.code, run.err.splitlines()[0]) == (1, "error: another export is writing to out")
        assert (partial / "lock").exists()


def test_two_exports_into_one_folder_at_once_leave_one_whole_export(taplogs: Command, many: Backend) -> None:
    words = ("export", "-o", "out", *UNTIL, *PLAIN)
    with slow_backend(many) as variables:
        runs = [finish(process) for process in [taplogs.start(*words, env=variables) for _ in range(3)]]
    assert sorted(run.code for run in runs) in ([0, 1, 1], [0, 1, 2], [0, 2, 2])
    Exported(taplogs.folder / "out").assert_consistent()


# Nothing to go on with, and all there already


def test_with_nothing_to_go_on_with_an_export_begins(taplogs: Command, logs: Backend) -> None:
    run = taplogs.at(logs).run("export", "-o", "out", "--resume", *PLAIN)
    assert run.code == 0
    assert "there is nothing to go on with in out; the export begins" in run.err


def test_a_complete_export_of_the_same_period_is_left_as_it_is(taplogs: Command, logs: Backend) -> None:
    words = ("export", "-o", "out", *UNTIL, *PLAIN, "--resume")
    taplogs.at(logs).run(*words)
    before = Exported(taplogs.folder / "out").text
    run = taplogs.at(logs).run(*words)
    assert (run.code, run.err) == (0, "the export in out is complete\n")
    assert Exported(taplogs.folder / "out").text == before


@pytest.mark.parametrize("options", [(), ("--until", "1h"), (*UNTIL, "--status", "404")])
def test_a_complete_export_of_anything_else_is_neither_taken_for_the_answer_nor_replaced(
    taplogs: Command, logs: Backend, options: tuple[str, ...]
) -> None:
    taplogs.at(logs).run("export", "-o", "out", *(options if "--status" not in options else UNTIL), *PLAIN)
    before = Exported(taplogs.folder / "out").text
    run = taplogs.at(logs).run("export", "-o", "out", *options, *PLAIN, "--resume")
    assert (run.code, "--force replaces it" in run.err) == (2, True)
    assert Exported(taplogs.folder / "out").text == before


def test_a_run_that_ended_before_anything_came_is_in_nobody_s_way(taplogs: Command, many: Backend) -> None:
    words = ("export", "-o", "out", *UNTIL, *PLAIN)
    with slow_backend(many, seconds=1) as variables:
        process = taplogs.start(*words, env=variables)
        wait_until((taplogs.folder / "out/.partial/checkpoint.json").exists)
        process.send_signal(signal.SIGKILL)
        finish(process)
    run = taplogs.at(many).run(*words)
    assert run.code == 0
    Exported(taplogs.folder / "out").assert_consistent()


# A full disk


@pytest.mark.parametrize(
    ("name", "number"), [("records.jsonl", 1), ("records.jsonl", 2), ("records.jsonl", 5), ("records.csv", 1)]
)
def test_a_disk_that_fills_up_loses_nothing(taplogs: Command, many: Backend, name: str, number: int) -> None:
    folder = taplogs.folder / "out"
    # From this write of the file on, there is no room for any more of it.
    full = ["strace", "-f", "-qqo", "/dev/null", "-P", str(folder / ".partial" / name), "-e", "trace=write"]
    inject = ["-e", f"inject=write:error=ENOSPC:when={number}+"]
    words = ("export", "-o", str(folder), *UNTIL, *PLAIN)
    with slow_backend(many, seconds=0) as variables:
        run = finish(start(taplogs, *full, *inject, *HASTY, *words, env=variables))
        begun = number > 1 or name == "records.csv"
        assert run.code == (7 if begun else 1)
        *_, error, hint = run.err.splitlines()
        assert "No space left on device" in error
        assert hint.startswith("hint: free some space")
        assert ("with --resume" in hint) is begun
        assert folder.exists() is begun
        run = taplogs.run(*words, "--resume", env=variables)
    assert run.code == 0, run.err
    assert ("going on after" in run.err) is begun
    found = Exported(folder)
    found.assert_consistent()
    assert found.records == lines_of(people(3000))


def test_a_disk_without_room_for_a_checkpoint_exits_1_and_leaves_nothing_behind(
    taplogs: Command, many: Backend
) -> None:
    full = ["strace", "-f", "-qqo", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=ENOSPC:when=1+"]
    with slow_backend(many, seconds=0) as variables:
        run = finish(start(taplogs, *full, *HASTY, "export", "-o", "out", *UNTIL, *PLAIN, env=variables))
    assert run.code == 1
    assert "No space left on device" in run.err
    assert not (taplogs.folder / "out").exists()

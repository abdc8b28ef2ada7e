"""taplogs export of a source that lacks something: it is never called complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from command import Command, Finished, sample_entries
from exported import HASTY, Exported, finish, start
from files import json_lines
from serving import Backend, log_entry, running_backend
from stores import ago, archive_of, recent, set_states

ARCHIVE = ("--source", "archive")
PLAIN = ("--redact", "none")


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with a request every half an hour of the last two days."""
    with running_backend(tmp_path_factory.mktemp("hourly") / "logs.db") as running:
        running.store.add([recent(number, number * 30) for number in range(1, 96)])
        yield running


@pytest.fixture
def synced(taplogs: Command, hourly: Backend) -> Command:
    """The command line with an archive of all of it."""
    command = taplogs.at(hourly)
    assert command.here("sync").code == 0
    return command


def export(command: Command, folder: str, *words: str) -> Finished:
    return command.here("export", "-o", str(command.folder / folder), *PLAIN, *words)


def exported(command: Command, folder: str) -> Exported:
    found = Exported(command.folder / folder)
    found.assert_consistent()
    return found


# A store that sync fills


def test_an_export_without_an_end_ends_where_the_archive_does(synced: Command) -> None:
    end = ago(100)
    set_states(archive_of(synced), ("", end))
    run = export(synced, "out", *ARCHIVE)
    assert run.code == 0
    assert f"the archive ends at {end}: exported until then\n" in run.err
    found = exported(synced, "out")
    assert found.manifest["period"]["effectiveUntil"] == end
    assert found.manifest["period"]["requestedUntil"] is None
    assert found.completeness["status"] == "complete"
    assert found.ids[-1] == "entry-00004"


def test_a_chain_goes_on_where_the_archive_ended(synced: Command) -> None:
    archive, first = archive_of(synced), ago(100)
    set_states(archive, ("", first))
    assert export(synced, "1", *ARCHIVE).code == 0
    run = export(synced, "2", *ARCHIVE, "--chain", str(synced.folder / "1"))
    assert run.code == 7
    assert "the archive does not hold all of the period: not synced from " in run.err
    assert not (synced.folder / "2").exists()
    assert synced.here("sync").code == 0
    assert export(synced, "2", *ARCHIVE, "--chain", str(synced.folder / "1")).code == 0
    assert exported(synced, "2").manifest["period"]["requestedSince"] == first
    assert exported(synced, "1").ids + exported(synced, "2").ids == [f"entry-{n:05}" for n in range(95, 0, -1)]


def test_a_period_with_a_hole_is_refused_before_anything_is_read(synced: Command) -> None:
    set_states(archive_of(synced), ("", ago(600)), (ago(540), ago(0)))
    run = export(synced, "out", *ARCHIVE)
    assert run.code == 7
    error, hint = run.err.splitlines()[-2:]
    assert error.startswith("error: the archive does not hold all of the period: not synced from ")
    assert hint == "hint: 'taplogs sync' pulls it; --allow-partial exports the rest, as incomplete"
    assert not (synced.folder / "out").exists()


def test_an_export_before_it_is_not_lost_by_a_refusal(synced: Command) -> None:
    assert export(synced, "out", *ARCHIVE).code == 0
    before = exported(synced, "out").text
    set_states(archive_of(synced), ("", ago(600)), (ago(540), ago(0)))
    assert export(synced, "out", *ARCHIVE, "--force").code == 7
    assert exported(synced, "out").text == before


def test_a_hole_that_is_allowed_is_a_gap_in_the_manifest_and_verify_says_so(synced: Command) -> None:
    hole = {"since": ago(600), "until": ago(540), "reason": "not synced"}
    set_states(archive_of(synced), ("", hole["since"]), (hole["until"], ago(0)))
    run = export(synced, "out", *ARCHIVE, "--allow-partial")
    assert run.code == 7
    assert "error: the export is incomplete: not synced\n" in run.err
    found = exported(synced, "out")
    assert (found.completeness["status"], found.completeness["gaps"]) == ("incomplete", [hole])
    verified = synced.here("verify", str(synced.folder / "out"))
    assert verified.code == 8
    assert f"the export has a gap: from {hole['since']} until {hole['until']}: not synced" in verified.out


def test_an_end_that_is_named_and_lies_beyond_the_archive_s_is_a_gap(synced: Command) -> None:
    end, asked = ago(100), ago(50)
    set_states(archive_of(synced), ("", end))
    assert export(synced, "out", *ARCHIVE, "--until", asked).code == 7
    assert export(synced, "out", *ARCHIVE, "--until", asked, "--allow-partial").code == 7
    found = exported(synced, "out")
    assert found.manifest["period"]["effectiveUntil"] == asked
    assert found.completeness["gaps"] == [{"since": end, "until": asked, "reason": "not synced"}]


def test_what_was_pruned_is_a_gap_where_the_period_reaches_there(synced: Command) -> None:
    assert synced.here("archive", "prune", "--older-than", "10h", "--yes").code == 0
    run = export(synced, "out", *ARCHIVE, "--since", "20h", "--allow-partial")
    assert run.code == 7
    (gap,) = exported(synced, "out").completeness["gaps"]
    assert gap["reason"] == "pruned"
    assert export(synced, "later", *ARCHIVE, "--since", "9h").code == 0


def test_what_is_pruned_before_an_export_goes_on_is_a_gap(taplogs: Command, backend: Backend) -> None:
    backend.store.add([log_entry(number) for number in range(3000)])
    command = taplogs.at(backend)
    assert command.here("sync").code == 0
    records = taplogs.folder / "out" / ".partial" / "records.jsonl"
    full = ["strace", "-f", "-qqo", "/dev/null", "-P", str(records), "-e", "trace=write"]
    inject = ["-e", "inject=write:error=ENOSPC:when=2+"]
    words = ("export", "-o", str(taplogs.folder / "out"), *PLAIN, *ARCHIVE, "--until", "2026-11-02")
    run = finish(start(command, *full, *inject, *HASTY, *words))
    assert run.code == 7
    assert "kept in" in run.err
    assert command.here("archive", "prune", "--older-than", "2026-11-01T00:49:00Z", "--yes").code == 0
    run = command.here(*words, "--resume")
    assert run.code == 7
    assert "the export is incomplete: pruned" in run.err


# Files


@pytest.fixture
def bad_file(taplogs: Command) -> Path:
    """A file of entries, and two lines that are none."""
    path = taplogs.folder / "logs.jsonl"
    path.write_bytes(json_lines(sample_entries(9)) + b"{broken\nnothing\n")
    return path


def test_an_export_of_a_file_with_lines_that_are_no_entries_is_not_complete(taplogs: Command, bad_file: Path) -> None:
    run = export(taplogs, "out", "--source", str(bad_file))
    assert run.code == 7
    assert "error: the export is incomplete: " in run.err
    assert not (taplogs.folder / "out" / "manifest.json").exists()


def test_lines_that_are_no_entries_are_a_gap_where_that_is_allowed(taplogs: Command, bad_file: Path) -> None:
    assert export(taplogs, "out", "--source", str(bad_file), "--allow-partial").code == 7
    found = exported(taplogs, "out")
    assert found.completeness["status"] == "incomplete"
    (gap,) = found.completeness["gaps"]
    assert (gap["since"], gap["until"]) == (None, found.manifest["period"]["effectiveUntil"])
    assert "2 lines" in gap["reason"]
    assert len(found.ids) == 9


def test_a_run_that_goes_on_knows_what_the_run_before_left_out(taplogs: Command, bad_file: Path) -> None:
    words = ("--source", str(bad_file), "--until", "2026-11-02")
    assert export(taplogs, "out", *words).code == 7
    assert export(taplogs, "out", *words, "--resume").code == 7
    assert export(taplogs, "out", *words, "--resume", "--allow-partial").code == 7
    assert exported(taplogs, "out").completeness["status"] == "incomplete"


def test_where_no_entry_matches_such_lines_are_told_and_nothing_is_left_behind(
    taplogs: Command, bad_file: Path
) -> None:
    run = export(taplogs, "out", "--source", str(bad_file), "--status", "599")
    assert run.code == 7
    assert "error: the export is incomplete: " in run.err
    assert not (taplogs.folder / "out").exists()


def test_the_command_that_is_told_finishes_an_export_as_it_is(taplogs: Command, bad_file: Path) -> None:
    run = taplogs.run("export", "-o", "out", *PLAIN, "--source", str(bad_file), "--until", "2026-11-02")
    (command,) = [line.strip() for line in run.err.splitlines() if line.startswith("  taplogs")]
    assert taplogs.shell(command).code == 7
    assert exported(taplogs, "out").completeness["status"] == "incomplete"

"""taplogs export into a folder that holds an export, or part of one: what --resume finds there, what --force keeps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from command import Command
from exported import Exported
from faulty_server import FaultyServer, Request, error_body, page, reply
from serving import Backend, log_entry

UNTIL = ("--until", "2026-11-02")
PLAIN = ("--redact", "none")
WORDS = ("export", "-o", "out", *UNTIL, *PLAIN)


@pytest.fixture
def export(taplogs: Command, logs: Backend) -> Command:
    return taplogs.at(logs)


@pytest.fixture
def keys(export: Command) -> Path:
    """The folder of two secret keys, `audit.key` and `other.key`."""
    for name in ("audit", "other"):
        assert export.here("keygen", "--no-passphrase", "-s", str(export.folder / f"{name}.key")).code == 0
    return export.folder


def refused(export: Command, *options: str) -> str:
    """Run what cannot be taken for done, and return why; the folder stays as it is."""
    before = {path.name: path.read_bytes() for path in (export.folder / "out").iterdir() if path.is_file()}
    run = export.run(*WORDS, "--resume", *options)
    assert {path.name: path.read_bytes() for path in (export.folder / "out").iterdir() if path.is_file()} == before
    assert run.code == 2, run.err
    message, hint = run.err.splitlines()
    assert hint.startswith("hint: name another folder with -o; --force replaces it: the old export is lost")
    assert "--chain" not in message
    return message


# A finished export


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: (out / "records.jsonl").unlink(), "records.jsonl: No such file"),
        (lambda out: (out / "records.csv").write_bytes(b""), "records.csv has 0 bytes, its manifest says "),
        (lambda out: (out / "manifest.json").write_bytes(b"{}"), "manifest.json is no manifest: "),
        (lambda out: (out / "manifest.json").unlink(), "there is no out/manifest.json"),
    ],
)
def test_an_export_that_was_damaged_is_not_called_complete(
    export: Command, damage: Callable[[Path], object], words: str
) -> None:
    assert export.run(*WORDS).code == 0
    damage(export.folder / "out")
    assert words in refused(export)


def test_a_file_that_became_a_link_is_not_called_complete(export: Command) -> None:
    assert export.run(*WORDS).code == 0
    records = export.folder / "out" / "records.jsonl"
    records.rename(export.folder / "elsewhere")
    records.symlink_to(export.folder / "elsewhere")
    assert "records.jsonl is not a plain file" in refused(export)


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        (("--format", "jsonl"), (), "it has no records.csv"),
        ((), ("--csv-raw",), "its records.csv is of another form"),
        ((), ("--sign-key", "audit.key"), "there is no out/manifest.json.minisig"),
        (("--sign-key", "other.key"), ("--sign-key", "audit.key"), "it was signed by the key"),
        ((), ("--status", "404"), "its filter --status is not given, here it is 404"),
        (
            (),
            ("--since", "2026-10-01"),
            "it begins at the beginning, and --since 2026-10-01T00:00:00.000Z is another time",
        ),
    ],
)
@pytest.mark.usefixtures("keys")
def test_an_export_that_lacks_what_is_asked_for_is_not_called_complete(
    export: Command, first: tuple[str, ...], then: tuple[str, ...], words: str
) -> None:
    assert export.run(*WORDS, *first).code == 0
    assert words in refused(export, *then)


@pytest.mark.usefixtures("keys")
def test_an_export_that_has_more_than_is_asked_for_is_complete(export: Command) -> None:
    assert export.run(*WORDS, "--sign-key", "audit.key").code == 0
    for options in (("--sign-key", "audit.key"), (), ("--format", "jsonl")):
        run = export.run(*WORDS, "--resume", *options)
        assert (run.code, run.err) == (0, "the export in out is complete\n")


def test_what_differs_is_said_of_an_end_that_moves(export: Command) -> None:
    assert export.run("export", "-o", "out", "--until", "1h", *PLAIN).code == 0
    end = Exported(export.folder / "out").manifest["period"]["effectiveUntil"]
    run = export.run("export", "-o", "out", "--until", "1h", *PLAIN, "--resume")
    assert f"asked for: it ends at {end}, and --until 1h is another time in each run\n" in run.err


# One that was finished with --allow-partial


def half(request: Request) -> list[bytes]:
    """Answer with a page of four entries, and refuse the next."""
    if "cursor=" in request.target:
        return [reply(error_body("INTERNAL", "no"), 400)]
    return [reply(page([log_entry(number) for number in range(4)], totalLogs=9, nextCursor="next"))]


def test_a_partial_export_that_was_finished_says_that_it_is_not_gone_on_with(export: Command) -> None:
    with FaultyServer(half) as server:
        command = export.with_env(TAPLOGS_BASE_URL=server.url)
        run = command.run(*WORDS, "--allow-partial")
        assert run.code == 7
        assert run.err.splitlines()[-1] == (
            "hint: --allow-partial has finished it as it is: --resume does not go on with it, "
            "a new export has a folder of its own"
        )
        assert "it is incomplete, and was finished so with --allow-partial" in refused(command)


# An unfinished one, and --force


def test_force_loses_nothing_that_was_kept_where_the_backend_does_not_answer(export: Command) -> None:
    with FaultyServer(half) as server:
        assert export.with_env(TAPLOGS_BASE_URL=server.url).run(*WORDS).code == 7
    partial = export.folder / "out" / ".partial"
    before = {path.name: path.read_bytes() for path in partial.iterdir()}
    assert before["records.jsonl"]
    run = export.run(*WORDS, "--force", "--max-wait", "0", "--source", "http://127.0.0.1:9/v1")
    assert run.code == 6
    assert {path.name: path.read_bytes() for path in partial.iterdir()} == before
    assert export.run(*WORDS, "--force").code == 0
    Exported(export.folder / "out").assert_consistent()


def test_force_loses_nothing_that_was_kept_where_the_backend_counts_and_then_fails(export: Command) -> None:
    with FaultyServer(half) as server:
        assert export.with_env(TAPLOGS_BASE_URL=server.url).run(*WORDS).code == 7
    partial = export.folder / "out" / ".partial"
    before = {path.name: path.read_bytes() for path in partial.iterdir()}

    def counting(request: Request) -> list[bytes]:
        if request.target.endswith("perPage=1") or "perPage=1&" in request.target:
            return [reply(page([log_entry(1)], totalLogs=9))]
        return [reply(error_body("INTERNAL", "no"), 400)]

    with FaultyServer(counting) as server:
        run = export.with_env(TAPLOGS_BASE_URL=server.url).run(*WORDS, "--force", "--debug")
    assert run.code == 6
    assert "debug: 200 application/json" in run.err
    assert {path.name: path.read_bytes() for path in partial.iterdir()} == before

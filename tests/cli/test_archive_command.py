"""taplogs archive: what the archive holds, whether it is sound, and how it is rid of what is old; without a backend."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from command import Command
from serving import Backend, log_entry
from taplogs.archive.coverage import Span
from taplogs.archive.place import held
from taplogs.archive.sync_state import decode_state, encode_state
from taplogs.core.query import LogQuery
from taplogs.core.redaction_profile import built_in
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore

COMMANDS = [
    ["status"],
    ["verify"],
    ["prune", "--older-than", "400d", "--yes"],
    ["prune", "--older-than", "400d", "--dry-run"],
    ["vacuum"],
]


@pytest.fixture
def synced(taplogs: Command, logs: Backend) -> Command:
    """The command line with an archive of 120 entries, and neither a key nor a backend that could be reached."""
    command = taplogs.at(logs)
    assert command.here("sync").code == 0
    return command.with_env(TAPLOGS_API_KEY="")


def path_of(command: Command) -> Path:
    return Path(command.here("archive", "path").out.rstrip("\n"))


def status_of(command: Command, *words: str) -> list[dict[str, Any]]:
    run = command.here("archive", "status", "-o", "json", *words)
    document = json.loads(run.out)
    assert list(document) == ["schema", "archives"]
    found: list[dict[str, Any]] = document["archives"]
    return found


def numbers(path: Path) -> list[int]:
    with closing(SqliteStore(path, read_only=True)) as store:
        return sorted(int(entry.id[-5:]) for entry in store.search(LogQuery()))


# path


def test_path_prints_where_the_archive_is_or_would_be(taplogs: Command) -> None:
    run = taplogs.here("archive", "path", "-p", "sandbox")
    assert (run.code, run.err) == (0, "")
    assert Path(run.out.rstrip("\n")).parent == taplogs.folder / "archive"
    assert run.out.rpartition("/")[2].startswith("sandbox-")
    assert not (taplogs.folder / "archive").exists()


def test_path_prints_the_folder(taplogs: Command) -> None:
    assert taplogs.here("archive", "path", "--folder").out == f"{taplogs.folder}/archive\n"


def test_source_archive_means_the_profiles(synced: Command) -> None:
    assert synced.here("archive", "path", "--source", "archive").out == synced.here("archive", "path").out


# status


def test_status_says_what_there_is(synced: Command, logs: Backend) -> None:
    run = synced.here("archive", "status", "--tz", "Europe/Berlin")
    assert (run.code, run.err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in run.out.splitlines() if not line.startswith("last sync"))
    path = path_of(synced)
    assert lines["archive"] == str(path)
    assert lines["entries"] == "120"
    assert lines["oldest"] == "2026-11-01 01:00:01+01:00"
    assert lines["newest"] == "2026-11-01 01:02:00+01:00"
    assert lines["source"] == f"{logs.logs_url} (profile production)"
    assert lines["gap-free"].startswith("from the beginning until 20")
    assert lines["late"] == "0 entries"
    assert run.out.splitlines()[-1].startswith("last sync   20")


def test_status_for_programs(synced: Command, logs: Backend) -> None:
    (found,) = status_of(synced)
    (source,) = found.pop("sources")
    path = path_of(synced)
    assert found == {
        "path": str(path),
        "bytes": sum(file.stat().st_size for file in path.parent.glob("*") if not file.name.endswith("-shm")),
        "entries": 120,
        "oldest": "2026-11-01T00:00:01.000Z",
        "newest": "2026-11-01T00:02:00.000Z",
    }
    until = source["covered"][0]["until"]
    assert source == {
        "source": logs.logs_url,
        "profile": "production",
        "covered": [{"since": None, "until": until}],
        "missing": [],
        "companies": ["company"],
        "key": f"sk_test_…{logs.key[-4:]}",
        "environment": "test",
        "redactions": [{"name": "secrets", "sha256": built_in("secrets").sha256}],
        "late": 0,
        "syncedAt": until,
        "prunedBefore": None,
    }


def test_status_names_the_gaps(taplogs: Command, logs: Backend) -> None:
    command = taplogs.at(logs)
    command.here("sync", "--since", "2026-11-01T00:01:00Z")
    with closing(SqliteStore(path_of(command))) as store:  # as two runs of another clock would have left it
        ((name, text),) = store.states().items()
        covered = (
            Span("", "2026-10-01T00:00:00.000Z"),
            Span("2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"),
        )
        store.keep([], origin=name, state=encode_state(replace(decode_state(text), covered=covered)))
    lines = command.here("archive", "status").out.splitlines()
    assert [line for line in lines if line.startswith(("gap-free", "missing"))] == [
        "gap-free    from the beginning until 2026-10-01 00:00:00+00:00",
        "gap-free    from 2026-11-01 00:00:00+00:00 until 2026-11-02 00:00:00+00:00",
        "missing     from 2026-10-01 00:00:00+00:00 until 2026-11-01 00:00:00+00:00",
    ]


def test_status_of_all_stores_goes_on_beyond_one_that_cannot_be_read(synced: Command) -> None:
    assert synced.here("sync", "--demo", "--since", "1h").code == 0
    (path_of(synced).parent / "broken.sqlite").write_bytes(b"not a database at all" * 100)
    run = synced.here("archive", "status", "--all", "-o", "json")
    assert run.code == 2
    assert "broken.sqlite is not a SQLite database" in run.err
    assert [Path(found["path"]).name[:4] for found in json.loads(run.out)["archives"]] == ["demo", "prod"]


def test_status_of_all_stores_where_there_are_none_says_so(taplogs: Command) -> None:
    run = taplogs.here("archive", "status", "--all")
    assert (run.code, run.out) == (0, "")
    assert run.err == f"there is no archive in {taplogs.folder}/archive yet; 'taplogs sync' makes one\n"


@pytest.mark.parametrize("command", ["status", "verify"])
@pytest.mark.parametrize("words", [["--demo"], ["--source", "archive"]], ids=" ".join)
def test_all_stores_are_not_one_that_is_named(taplogs: Command, command: str, words: list[str]) -> None:
    run = taplogs.here("archive", command, "--all", *words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("error: --all is every store of the archive\n")


def test_status_of_a_store_that_is_named(taplogs: Command, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "own.sqlite")) as store:
        store.add([log_entry(1)])
    (found,) = status_of(taplogs, "--source", f"sqlite:{tmp_path}/own.sqlite")
    assert (found["entries"], found["sources"]) == (1, [])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_missing_archive_is_told_with_the_command_that_makes_it(taplogs: Command, words: list[str]) -> None:
    run = taplogs.here("archive", *words)
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        f"error: there is no archive of the profile 'production' yet: {path_of(taplogs)}\n"
        "hint: 'taplogs sync' makes it\n"
    )
    assert not (taplogs.folder / "archive").exists()


@pytest.mark.parametrize("command", [["archive", "status"], ["list", "--source", "archive"]], ids=" ".join)
@pytest.mark.parametrize(
    ("words", "whose", "makes"),
    [
        (["--profile", "sandbox"], "the profile 'sandbox'", "taplogs sync --profile sandbox"),
        (["-p", "production"], "the profile 'production'", "taplogs sync"),
        (["--demo"], "the demo", "taplogs sync --demo"),
    ],
)
def test_the_command_that_makes_a_missing_archive_makes_the_one_that_is_meant(
    taplogs: Command, command: list[str], words: list[str], whose: str, makes: str
) -> None:
    run = taplogs.here(*command, *words)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"error: there is no archive of {whose} yet: {taplogs.folder}/archive/")
    assert run.err.endswith(f"\nhint: '{makes}' makes it\n")


def test_the_command_that_makes_the_archive_of_a_backend_names_it(taplogs: Command) -> None:
    run = taplogs.here("archive", "status", "--source", "https://logs.example.com/v1")
    assert run.err.endswith("\nhint: 'taplogs sync --source https://logs.example.com/v1' makes it\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_archive_of_a_newer_taplogs_is_refused_and_not_changed(synced: Command, words: list[str]) -> None:
    path = path_of(synced)
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    run = synced.here("archive", *words)
    assert (run.code, run.out) == (2, "")
    assert "was made by a newer taplogs" in run.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["logs.jsonl", "-", "clickhouse://x/y"])
def test_what_is_no_archive_is_refused(taplogs: Command, place: str) -> None:
    run = taplogs.here("archive", "status", "--source", place)
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith(f"error: {place} is no archive\n")


# verify


def test_a_sound_archive_is_said_to_be_sound(synced: Command) -> None:
    run = synced.here("archive", "verify")
    assert (run.code, run.out, run.err) == (0, f"{path_of(synced)} is sound\n", "")


def test_a_damaged_archive_is_not_sound(synced: Command) -> None:
    path = path_of(synced)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    content = bytearray(path.read_bytes())
    for page in range(2, pages):
        content[page * size : page * size + 12] = b"\xff" * 12
    path.write_bytes(content)
    run = synced.here("archive", "verify")
    assert run.code == 8
    assert run.out
    assert run.err.startswith(f"error: {path} is not sound: ")


def test_what_is_known_of_the_last_sync_is_checked_too(synced: Command) -> None:
    with closing(SqliteStore(path_of(synced))) as store:
        (name,) = store.states()
        store.keep([], origin=name, state=b"x")
    run = synced.here("archive", "verify")
    assert run.code == 8
    assert run.out.startswith("what the archive says of its last sync cannot be read: ")
    assert run.err.startswith(f"error: {path_of(synced)} is not sound: 1 finding\n")


def test_all_stores_are_checked_also_beyond_one_that_is_not_sound_or_cannot_be_read(synced: Command) -> None:
    assert synced.here("sync", "--demo", "--since", "1h").code == 0
    path = path_of(synced)
    broken = path.parent / "broken.sqlite"
    broken.write_bytes(b"not a database at all" * 100)
    with closing(SqliteStore(path.parent / "demo.sqlite")) as store:
        store.keep([], origin=next(iter(store.states())), state=b"x")
    run = synced.here("archive", "verify", "--all")
    assert run.code == 8
    demo = path.parent / "demo.sqlite"
    first, last = run.out.splitlines()
    assert first.startswith(f"{demo}: what the archive says of its last sync cannot be read: ")
    assert last == f"{path} is sound"
    told = run.err.splitlines()
    assert f"{broken} is not a SQLite database" in told[0]
    assert told[1] == f"{demo} is not sound: 1 finding"
    assert told[2] == f"error: {demo} is not sound: 1 finding"


def test_where_all_stores_are_sound_each_is_said_to_be(synced: Command) -> None:
    assert synced.here("sync", "--demo", "--since", "1h").code == 0
    run = synced.here("archive", "verify", "--all")
    demo, path = path_of(synced).parent / "demo.sqlite", path_of(synced)
    assert (run.code, run.out, run.err) == (0, f"{demo} is sound\n{path} is sound\n", "")


# prune and vacuum


@pytest.fixture
def aged(taplogs: Command, backend: Backend) -> Command:
    """The command line with an archive of ten entries, each a day older than the one before."""
    now = datetime.now(UTC)
    times = [format_timestamp(now - timedelta(days=n, hours=1)) for n in range(10)]
    backend.store.add([log_entry(n, timestamp=times[n]) for n in range(10)])
    command = taplogs.at(backend)
    assert command.here("sync").code == 0
    return command


def test_prune_removes_what_is_older_and_no_sync_pulls_it_again(aged: Command) -> None:
    run = aged.here("archive", "prune", "--older-than", "5d", "--yes")
    assert (run.code, run.out) == (0, "")
    assert run.err.startswith("removed 5 entries earlier than ")
    assert numbers(path_of(aged)) == [0, 1, 2, 3, 4]
    assert aged.here("sync").code == 0
    again = aged.here("sync", "--since", "30d")
    assert re.match(r"what is earlier than \S+ \S+\+00:00 was pruned, and is not pulled again\n", again.err)
    assert numbers(path_of(aged)) == [0, 1, 2, 3, 4]
    (source,) = status_of(aged)[0]["sources"]
    assert source["covered"][0]["since"] == source["prunedBefore"]


def test_a_dry_run_removes_nothing_and_says_how_much_it_would(aged: Command) -> None:
    run = aged.here("archive", "prune", "--older-than", "5d", "--dry-run")
    assert (run.code, run.out) == (0, "")
    assert run.err.startswith("--dry-run removes nothing; without it this would remove 5 entries earlier than ")
    assert run.err.endswith(f" from {path_of(aged)}\n")
    assert numbers(path_of(aged)) == list(range(10))


def test_where_nothing_is_older_there_is_nothing_to_ask(aged: Command) -> None:
    run = aged.here("archive", "prune", "--older-than", "400d")
    assert run.code == 0
    assert run.err.startswith(f"there is nothing to remove: {path_of(aged)} holds no entry earlier than ")


def test_prune_does_nothing_unasked_where_nobody_can_be_asked(aged: Command) -> None:
    run = aged.here("archive", "prune", "--older-than", "5d", stdin="y\n")
    assert run.code == 2
    assert "--yes" in run.err
    assert numbers(path_of(aged)) == list(range(10))


@pytest.mark.parametrize(("answer", "left"), [("y\n", 5), ("YES\n", 5), ("\n", 10), ("n\n", 10), ("\x04", 10)])
def test_prune_asks_on_a_terminal(aged: Command, answer: str, left: int) -> None:
    shown = aged.on_terminal("archive", "prune", "--older-than", "5d", typed={"[y/N]": answer})
    assert shown.code == 0
    assert "remove 5 entries earlier than " in shown.plain
    assert len(numbers(path_of(aged))) == left
    assert ("nothing was removed" in shown.plain) is (left == 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2x", "--older-than '2x' is not understood"),
        ("+1d", "--older-than +1d is not past"),
        ("now", "--older-than now is not past"),
    ],
)
def test_a_bad_age_is_refused(aged: Command, text: str, message: str) -> None:
    run = aged.here("archive", "prune", "--older-than", text, "--yes")
    assert run.code == 2
    assert run.err.startswith(f"error: {message}")
    assert numbers(path_of(aged)) == list(range(10))


def test_the_age_is_reckoned_in_the_time_zone_of_the_reader(aged: Command) -> None:
    run = aged.here("archive", "prune", "--older-than", "2026-01-02", "--dry-run", "--tz", "Asia/Tokyo")
    assert run.err.endswith(" holds no entry earlier than 2026-01-02 00:00:00+09:00\n")


@pytest.mark.parametrize("words", [["--dry-run"], ["--yes"], []], ids=" ".join)
def test_the_age_is_told_in_the_time_zone_of_the_reader(aged: Command, words: list[str]) -> None:
    shown = aged.on_terminal("archive", "prune", "--older-than", "5d", *words, "--tz", "Asia/Tokyo", typed={"?": "n\n"})
    assert re.search(r"5 entries earlier than \S+ \S+\+09:00 from\s", shown.plain)


@pytest.mark.parametrize("words", [["prune", "--older-than", "5d", "--yes"], ["vacuum"]], ids=" ".join)
def test_what_changes_the_archive_waits_for_no_sync_and_is_refused(aged: Command, words: list[str]) -> None:
    with held(path_of(aged)):
        run = aged.here("archive", *words)
    assert (run.code, run.err.splitlines()[0]) == (1, f"error: another taplogs is writing to {path_of(aged)}")
    assert numbers(path_of(aged)) == list(range(10))


def test_vacuum_gives_space_back(taplogs: Command) -> None:
    assert taplogs.here("sync", "--demo").code == 0
    before = status_of(taplogs, "--demo")[0]
    assert taplogs.here("archive", "prune", "--demo", "--older-than", "1d", "--yes").code == 0
    run = taplogs.here("archive", "vacuum", "--demo")
    after = status_of(taplogs, "--demo")[0]
    assert (run.code, run.out) == (0, "")
    assert after["bytes"] < before["bytes"] / 2
    assert taplogs.here("archive", "verify", "--demo").code == 0
    path = taplogs.folder / "archive/demo.sqlite"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

"""Commands where the store was changed by a disk or another program, or is read by another process."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from command import Command
from serving import Backend, log_entry, payload
from taplogs.core.entry import encode_entries
from taplogs.sources import sqlite_database
from taplogs.sources.sqlite_payloads import encoded

STATE = "UPDATE origins SET state = CAST(json_set(CAST(state AS TEXT), '$.{}', '{}') AS BLOB)"

DAMAGES = {
    "a time": "UPDATE entries SET moment = 9e18 WHERE id = 'entry-00007'",
    "a status": "UPDATE entries SET status = 'zz' WHERE id = 'entry-00007'",
    "a latency": "UPDATE entries SET latency = -5 WHERE id = 'entry-00007'",
    "a place": "UPDATE places SET endpoint = '/{id}/{id}/{id}'",
    "a payload": "UPDATE payload_blocks SET content = no_json()",
    "the newest payloads": "UPDATE payload_tail SET request = x'ff'",
    "a count": "UPDATE counts SET number = 'zz'",
    "a status of counts": "UPDATE counts SET status = 'zz' || status",
    "no traits": "DELETE FROM traits",
    "a state": "UPDATE origins SET state = CAST('[]' AS BLOB)",
    "a time of the state": STATE.format("syncedAt", "yesterday"),
    "a span of the state": STATE.format("covered[0].until", "2026-02-30T00:00:00.000Z"),
    "a table": "DROP TABLE quarters",
}

COMMANDS = [
    ["list", "-n", "0", "-o", "jsonl"],
    ["list", "--status", "5xx", "--grep", "number"],
    ["show", "entry-00007"],
    ["stats"],
    ["stats", "--by", "ip,hour", "-o", "json"],
    ["errors"],
    ["export", "-o", "evidence"],
    ["archive", "status"],
    ["archive", "prune", "--older-than", "2026-11-01T00:02:00Z", "--yes"],
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that `sync --to` has made."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "own.sqlite"
    lines = folder / "logs.jsonl"
    lines.write_bytes(
        encode_entries(
            [
                log_entry(
                    number, status_code=(200, 500)[number % 2], request_payload=payload(f'{{"number": {number}}}')
                )
                for number in range(300)
            ]
        )
    )
    run = Command(folder).here("sync", "--source", str(lines), "--to", f"sqlite:{path}")
    assert run.code == 0, run.err
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def damaged(path: Path, statement: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("no_json", 0, lambda: encoded([(b'{"a":', b'"\xff"')] * 256))
        connection.execute(statement)
        connection.commit()
    return path


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_a_clear_error_or_none_at_all(taplogs: Command, made: Path, damage: str) -> None:
    own, evidence = taplogs.folder / "own.sqlite", taplogs.folder / "evidence"
    for command in COMMANDS:
        shutil.copy(made, own)
        damaged(own, DAMAGES[damage])
        words = [str(evidence) if word == "evidence" else word for word in command]
        run = taplogs.here(*words, "--source", f"sqlite:{own}")
        assert run.code in (0, 1), command
        assert "unexpected" not in run.err
        if run.code:
            assert f"the store {own} is damaged: " in run.err or "of its last sync cannot be read" in run.err
            assert "taplogs archive verify" in run.err
        shutil.rmtree(evidence, ignore_errors=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_finds_it_and_says_what_makes_a_new_one(taplogs: Command, made: Path, damage: str) -> None:
    own = damaged(Path(shutil.copy(made, taplogs.folder / "own.sqlite")), DAMAGES[damage])
    run = taplogs.here("archive", "verify", "--source", f"sqlite:{own}")
    assert run.code == 8
    assert run.out
    assert run.err.splitlines()[1] == (
        f"hint: move it away, and 'taplogs sync --to sqlite:{own}' or 'taplogs serve --store {own}' makes a new one of "
        "what the source still has"
    )


@pytest.mark.parametrize(("words", "command"), [([], "taplogs sync"), (["--demo"], "taplogs sync --demo")])
def test_an_archive_is_made_anew_by_sync(taplogs: Command, logs: Backend, words: list[str], command: str) -> None:
    at = taplogs.at(logs)
    assert at.here("sync", "--since", "2026-11-01T00:00:00Z" if not words else "1h", *words).code == 0
    damaged(Path(at.here("archive", "path", *words).out.rstrip("\n")), "DELETE FROM counts")
    run = at.here("archive", "verify", *words)
    assert run.code == 8
    assert run.err.splitlines()[1].startswith(f"hint: move it away, and '{command}' makes a new one")


def test_prune_beside_a_reader_says_that_removed_entries_are_not_erased_yet(
    taplogs: Command, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_SECONDS", 0.1)
    own = Path(shutil.copy(made, taplogs.folder / "own.sqlite"))
    reading = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "connection.execute('BEGIN'); connection.execute('SELECT * FROM entries').fetchone(); "
        "print(flush=True); sys.stdin.read()"
    )
    words = ("archive", "prune", "--source", f"sqlite:{own}", "--older-than", "2026-11-01T00:02:00Z", "--yes")
    with subprocess.Popen(
        [sys.executable, "-c", reading, str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout
        reader.stdout.readline()
        run = taplogs.here(*words)
        assert run.code == 1
        assert run.err.splitlines()[0].startswith("removed 120 entries earlier than ")
        assert run.err.splitlines()[1:] == [
            "error: removed entries are not erased from the files of the store yet: "
            f"another process is using the store {own}",
            "hint: they are in no answer any more; "
            f"'taplogs archive vacuum --source sqlite:{own}' erases them, as soon as it can",
        ]
        assert b"entry-00077" in files(own)
        reader.communicate()
    assert taplogs.here("archive", "vacuum", "--source", f"sqlite:{own}").code == 0
    assert b"entry-00077" not in files(own)


def test_what_was_pruned_is_in_the_file_no_more(taplogs: Command, made: Path) -> None:
    own = Path(shutil.copy(made, taplogs.folder / "own.sqlite"))
    assert b"entry-00077" in files(own)
    words = ("--source", f"sqlite:{own}", "--older-than", "2026-11-01T00:02:00Z", "--yes")
    assert taplogs.here("archive", "prune", *words).code == 0
    assert [n for n in range(300) if f"entry-{n:05}".encode() in files(own)] == list(range(120, 300))


def files(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))

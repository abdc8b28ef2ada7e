"""taplogs serve: what it announces, loads and refuses, and how it ends."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from command import Command, Finished, interrupt
from serving import log_entry
from taplogs.cli.serve import url_from_here
from taplogs.core.entry import encode_entry

REAL_LOG = Path(__file__).parent.parent / "data" / "requests-2015.jsonl.gz"
ANY_PORT = ["--listen", "127.0.0.1:0"]


@dataclass
class Serving:
    """A running `taplogs serve`; `exports` are the lines it announced on standard output."""

    process: subprocess.Popen[bytes]
    exports: list[str]

    @property
    def url(self) -> str:
        return self.exports[0].removeprefix("export TAPLOGS_BASE_URL=")

    @property
    def key(self) -> str:
        return self.exports[1].removeprefix("export TAPLOGS_API_KEY=")

    def status(self, key: str) -> int:
        reply = httpx.get(f"{self.url}/partner/logs", headers={"Authorization": f"Bearer {key}"}, trust_env=False)
        return reply.status_code

    def stop(self, number: int = signal.SIGTERM) -> Finished:
        return interrupt(self.process, number)


@contextmanager
def serving(taplogs: Command, *arguments: str, exports: int = 2) -> Iterator[Serving]:
    """Run `taplogs serve` on a free port, and wait until it listens."""
    process = taplogs.start("serve", *ANY_PORT, *arguments)
    try:
        assert process.stdout
        lines = [process.stdout.readline().decode().rstrip("\n") for _ in range(exports)]
        assert all(lines), process.communicate()[1].decode()
        yield Serving(process, lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lines_of(*numbers: int) -> bytes:
    return b"".join(encode_entry(log_entry(number)) + b"\n" for number in numbers)


def test_the_announced_lines_work_when_they_are_sourced(taplogs: Command) -> None:
    file = taplogs.folder / "logs.jsonl"
    file.write_bytes(lines_of(1, 2, 3))
    with serving(taplogs, "--load", str(file)) as server:
        finished = taplogs.shell("\n".join([*server.exports, "taplogs list"]))
        ended = server.stop()
    assert finished.ids == ["entry-00003", "entry-00002", "entry-00001"]
    assert ended.code == 0
    assert ended.out == ""
    assert ended.err.splitlines() == [
        f"{file}: 3 entries taken",
        "the API key is shown this once; only its hash is kept",
        f"listening on {server.url} (Ctrl-C stops)",
        "stopped",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_with_0(taplogs: Command, number: int) -> None:
    with serving(taplogs) as server:
        begun = time.monotonic()
        assert server.stop(number).code == 0
        assert time.monotonic() - begun < 5


def test_a_real_log_is_loaded_and_counted(taplogs: Command) -> None:
    rows = [json.loads(line) for line in gzip.decompress(REAL_LOG.read_bytes()).splitlines()]
    with serving(taplogs, "--load", str(REAL_LOG)) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": server.key}
        found = taplogs.run("list", "--status", "4xx,5xx", "-n", "0", "-o", "jsonl", env=env)
        ended = server.stop()
    assert f"{REAL_LOG}: 5,000 entries taken\n" in ended.err
    assert sorted(found.ids) == sorted(row["id"] for row in rows if row["statusCode"] >= 400)


def test_refused_lines_are_told_with_their_numbers_and_reasons(taplogs: Command) -> None:
    file = taplogs.folder / "logs.jsonl"
    file.write_bytes(lines_of(1) + b'{"id": 1\n\n{"id":"a"}\nnot JSON\x1b[31m\n' + lines_of(1, 2))
    with serving(taplogs, "--load", str(file)) as server:
        ended = server.stop()
    told = ended.err.splitlines()
    assert told[0] == f"{file}: 2 entries taken, 1 known already, 3 lines refused"
    assert [line.split(":")[0] for line in told[1:4]] == ["  line 2", "  line 4", "  line 5"]
    assert "\x1b" not in ended.err


def test_of_many_refused_lines_the_first_are_told(taplogs: Command) -> None:
    file = taplogs.folder / "logs.jsonl"
    file.write_bytes(b"x\n" * 30 + lines_of(1))
    with serving(taplogs, "--load", str(file)) as server:
        told = server.stop().err.splitlines()
    assert told[0] == f"{file}: 1 entries taken, 30 lines refused"
    assert told[20].startswith("  line 20: ")
    assert told[21] == "  … and 10 more"


def test_a_file_without_a_single_entry_is_an_error_and_nothing_listens(taplogs: Command) -> None:
    file = taplogs.folder / "logs.csv"
    file.write_bytes(b"id,timestamp\r\n1,2\r\n")
    finished = taplogs.run("serve", "--listen", "127.0.0.1:0", "--load", str(file))
    assert (finished.code, finished.out) == (2, "")
    assert finished.err.startswith(f"error: {file} holds no log entries: line 1: not JSON")


def test_several_files_are_loaded(taplogs: Command) -> None:
    plain, packed = taplogs.folder / "a.jsonl", taplogs.folder / "b"
    plain.write_bytes(lines_of(1, 2))
    packed.write_bytes(gzip.compress(lines_of(2, 3)))
    with serving(taplogs, "--load", str(plain), "--load", str(packed)) as server:
        told = server.stop().err.splitlines()
    assert told[:2] == [f"{plain}: 2 entries taken", f"{packed}: 1 entries taken, 1 known already"]


def test_a_file_that_is_not_there_ends_it(taplogs: Command) -> None:
    finished = taplogs.run("serve", *ANY_PORT, "--load", "nowhere.jsonl")
    assert (finished.code, finished.out) == (1, "")
    assert "nowhere.jsonl cannot be read: No such file or directory" in finished.err


def test_a_damaged_file_ends_it(taplogs: Command) -> None:
    file = taplogs.folder / "logs.gz"
    file.write_bytes(gzip.compress(lines_of(*range(500)))[:-50])
    finished = taplogs.run("serve", *ANY_PORT, "--load", str(file))
    assert finished.code == 1
    assert f"{file} is damaged" in finished.err


def test_a_store_keeps_entries_and_keys(taplogs: Command) -> None:
    file, store = taplogs.folder / "logs.jsonl", taplogs.folder / "store.sqlite"
    file.write_bytes(lines_of(1, 2))
    with serving(taplogs, "--store", str(store), "--load", str(file)) as first:
        key = first.key
        first.stop()
    with serving(taplogs, "--store", str(store), exports=1) as second:
        assert second.status(key) == 200
        env = {"TAPLOGS_BASE_URL": second.url, "TAPLOGS_API_KEY": key}
        assert taplogs.here("list", env=env).ids == ["entry-00002", "entry-00001"]
        ended = second.stop()
    assert "the API key is shown" not in ended.err
    assert key.encode() not in store.read_bytes()


def test_a_new_key_is_taken_beside_the_old_one(taplogs: Command) -> None:
    store = str(taplogs.folder / "store.sqlite")
    with serving(taplogs, "--store", store) as first:
        first.stop()
    with serving(taplogs, "--store", store, "--new-key") as second:
        assert first.key != second.key
        assert [second.status(key) for key in (first.key, second.key)] == [200, 200]


def test_a_revoked_key_is_refused(taplogs: Command) -> None:
    store = str(taplogs.folder / "store.sqlite")
    with serving(taplogs, "--store", store) as first:
        first.stop()
    masked = f"sk_test_…{first.key[-4:]}"
    with serving(taplogs, "--store", store, "--revoke-key", masked) as second:
        assert second.status(first.key) == 403
        assert second.status(second.key) == 200
        assert f"{masked} is refused from now on" in second.stop().err
    again = taplogs.run("serve", *ANY_PORT, "--store", store, "--revoke-key", masked)
    assert again.code == 2
    assert f"there is no active key {masked!r}" in again.err


def test_the_rate_is_limited_for_each_key(taplogs: Command) -> None:
    with serving(taplogs, "--rate", "2/h") as server:
        assert [server.status(server.key) for _ in range(3)] == [200, 200, 429]
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": server.key}
        finished = taplogs.run("list", env=env)
    assert finished.code == 6
    assert "RATE_LIMITED" in finished.err


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:8321", "logs.example.com:80"])
def test_beyond_loopback_it_does_not_listen_without_a_key(taplogs: Command, listen: str) -> None:
    file = taplogs.folder / "logs.jsonl"
    file.write_bytes(lines_of(1))
    finished = taplogs.run("serve", "--listen", listen, "--load", str(file))
    assert (finished.code, finished.out) == (4, "")
    assert "would be open to everybody; it does not listen" in finished.err
    assert "--new-key makes one" in finished.err
    assert "taken" not in finished.err


def test_a_port_in_use_is_told_and_no_key_is_made_in_vain(taplogs: Command) -> None:
    store = str(taplogs.folder / "store.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        finished = taplogs.run("serve", "--listen", f"127.0.0.1:{port}", "--store", store)
    assert (finished.code, finished.out) == (1, "")
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in finished.err
    with serving(taplogs, "--store", store) as server:
        assert server.status(server.key) == 200


def test_a_store_that_is_no_database_is_told(taplogs: Command) -> None:
    store = taplogs.folder / "notes.txt"
    store.write_text("not a database, and more text than a header of SQLite has, so that it can tell" * 20)
    finished = taplogs.run("serve", *ANY_PORT, "--store", str(store))
    assert finished.code == 2
    assert f"{store} is not a SQLite database" in finished.err
    assert store.read_text().startswith("not a database")


def test_a_store_in_a_folder_that_is_not_there_is_told(taplogs: Command) -> None:
    finished = taplogs.run("serve", *ANY_PORT, "--store", "/proc/nowhere/store.sqlite")
    assert finished.code == 1
    assert "/proc/nowhere" in finished.err
    assert "unexpected" not in finished.err


def test_without_a_store_nothing_is_left_behind(taplogs: Command) -> None:
    place = taplogs.folder / "tmp"
    place.mkdir()
    with serving(taplogs.with_env(TMPDIR=str(place))) as server:
        assert list(place.iterdir())
        server.stop()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("listens", "reached"),
    [
        ("http://0.0.0.0:8321/v1", "http://127.0.0.1:8321/v1"),
        ("http://[::]:8321/v1", "http://[::1]:8321/v1"),
        ("http://127.0.0.1:8321/v1", "http://127.0.0.1:8321/v1"),
        ("http://192.0.2.1:8321/v1", "http://192.0.2.1:8321/v1"),
    ],
)
def test_the_announced_url_can_be_connected_to(listens: str, reached: str) -> None:
    assert url_from_here(listens) == reached


def test_clickhouse_is_a_store_whose_keys_are_elsewhere(taplogs: Command) -> None:
    file = taplogs.folder / "logs.jsonl"
    file.write_bytes(lines_of(*range(1, 251)))
    store = f"clickhouse+chdb://{taplogs.folder}/clickhouse?database=logs"
    keys = ("--keys", str(taplogs.folder / "keys.sqlite"))
    with serving(taplogs, "--store", store, *keys, "--load", str(file)) as server:
        env = {"TAPLOGS_BASE_URL": server.url, "TAPLOGS_API_KEY": server.key}
        listed = taplogs.run("list", "-n", "0", "-s", "ok", env=env)
        shown = taplogs.run("show", "entry-00007", "-o", "json", env=env)
        assert server.stop().code == 0
    assert listed.ids == [log_entry(number).id for number in range(250, 0, -1)]
    assert (shown.code, json.loads(shown.out)["id"]) == (0, "entry-00007")
    assert (taplogs.folder / "keys.sqlite").exists()


def test_clickhouse_without_a_place_for_keys_is_refused(taplogs: Command) -> None:
    finished = taplogs.run("serve", *ANY_PORT, "--store", "clickhouse://127.0.0.1:1/logs")
    assert (finished.code, "--keys PATH" in finished.err) == (2, True)

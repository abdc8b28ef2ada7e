"""The process that writes the log: ended, killed, without a store; each request is stored once all the same."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from recorded import LARGEST, Recordings, now, stored_ids

from command import wait_until
from serving import log_entry
from taplogs.errors import TaplogsError
from taplogs.gateway.log_process import Plan, ProcessSink, StorePlace
from taplogs.gateway.log_writer import Bounds, LogWriter
from taplogs.sources.sqlite import SqliteStore

QUICK = Bounds(flush_seconds=0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "logs.sqlite"
    SqliteStore(path).close()
    return path


def plan(path: Path, keep: str | None = None) -> Plan:
    return Plan(StorePlace(str(path)), b"s" * 32, ("10.0.0.0/8",), 5, "acme", LARGEST, keep)


@pytest.fixture
def sink(path: Path) -> Iterator[ProcessSink]:
    sink = ProcessSink(plan(path))
    yield sink
    sink.close()


def process_of(sink: ProcessSink) -> subprocess.Popen[bytes]:
    found = sink._process
    assert found is not None
    return found


def test_what_is_written_is_stored_as_it_would_be_here(sink: ProcessSink, path: Path) -> None:
    recordings = Recordings()
    recordings.pass_one("POST", sent=[b"x" * (LARGEST + 1)], status=422, answered=[b'{"a":1}'])
    recordings.pass_one()
    assert sink.write(recordings.done).stored == 2
    assert sink.write(recordings.done).stored == 2
    with closing(SqliteStore(path)) as store:
        first, second = (store.get(name) for name in stored_ids(path))
    assert (first.method, first.status_code, first.company_id) == ("POST", 422, "acme")
    assert b'"bodyCut"' in bytes(first.request_payload)
    assert bytes(first.response_payload) == b'{"a":1}'
    assert bytes(second.response_payload) == b"null"


def test_killed_between_two_batches_it_is_started_again_and_nothing_is_lost(path: Path) -> None:
    recordings, told, sink = Recordings(), list[str](), ProcessSink(plan(path))
    writer = LogWriter(sink, report=told.append, clock=now, bounds=QUICK)
    writer.start()
    for number in range(1, 7):
        for _ in range(20):
            writer.put(recordings.pass_one())
        wait_until(lambda: writer.status().stored == 20 * number)  # noqa: B023 - it is called at once
        process_of(sink).kill()
    writer.put(recordings.pass_one())
    assert writer.close(20) == 0
    assert len(stored_ids(path)) == 121
    assert told.count("the log is written again") == told.count(told[0]) >= 1


def test_it_does_not_listen_to_signals_for_the_gateway(sink: ProcessSink, path: Path) -> None:
    recordings = Recordings()
    recordings.pass_one()
    sink.write(recordings.done)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process_of(sink).send_signal(number)
    recordings.pass_one()
    before = process_of(sink).pid
    assert sink.write(recordings.done).stored == 2
    assert process_of(sink).pid == before
    assert len(stored_ids(path)) == 2


def test_it_ends_with_the_gateway_however_that_ends(path: Path, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from taplogs.gateway.log_process import Plan, ProcessSink, StorePlace\n"
        f"sink = ProcessSink(Plan(StorePlace({str(path)!r}), b's', (), 1, None, 10, None))\n"
        "sink.start()\n"
        "print(sink._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=tmp_path) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes())


def test_its_arguments_show_nothing(sink: ProcessSink, path: Path) -> None:
    recordings = Recordings()
    recordings.pass_one()
    sink.write(recordings.done)  # once it answers, it is what was started
    arguments = Path(f"/proc/{process_of(sink).pid}/cmdline").read_bytes()
    assert arguments.rstrip(b"\0").endswith(b"\0-P\0-m\0taplogs.gateway.log_process")
    assert os.fsencode(path) not in arguments


def test_a_store_that_cannot_be_written_is_told_in_words(path: Path, sink: ProcessSink) -> None:
    recordings = Recordings()
    recordings.pass_one()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE entries")
    with pytest.raises(TaplogsError) as caught:
        sink.write(recordings.done)
    assert "Traceback" not in caught.value.message


def test_what_is_old_is_removed_there(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.add([log_entry(1, timestamp="2020-01-01T00:00:00.000Z")])
    with closing(ProcessSink(plan(path, keep="90d"))) as sink:
        assert sink.tend() == 1
    assert stored_ids(path) == []


def test_a_closed_one_says_so(path: Path) -> None:
    recordings, sink = Recordings(), ProcessSink(plan(path))
    recordings.pass_one()
    sink.close()
    with pytest.raises(TaplogsError, match="closed"):
        sink.write(recordings.done)


@pytest.mark.parametrize("moved", [False, True], ids=["removed", "renamed"])
def test_a_store_that_is_gone_is_told_and_what_waits_is_stored_once_it_is_back(path: Path, moved: bool) -> None:
    recordings, told, sink = Recordings(), list[str](), ProcessSink(plan(path))
    writer = LogWriter(sink, report=told.append, clock=now, bounds=QUICK)
    writer.start()
    writer.put(recordings.pass_one())
    wait_until(lambda: writer.status().stored == 1)
    aside = path.with_suffix(".aside")
    path.rename(aside)
    if not moved:
        aside.unlink()
    writer.put(recordings.pass_one())
    wait_until(lambda: writer.status().fault is not None)
    assert writer.status().fault == f"the store {path} is gone"
    if moved:
        aside.rename(path)
        assert writer.close(20) == 0
        assert len(stored_ids(path)) == 2
    else:
        assert writer.close(0.5) == 1
        assert not path.exists()


def test_another_file_in_the_place_of_the_store_is_not_written_to(path: Path, sink: ProcessSink) -> None:
    recordings = Recordings()
    recordings.pass_one()
    sink.write(recordings.done)
    path.rename(path.with_suffix(".aside"))
    SqliteStore(path).close()
    with pytest.raises(TaplogsError, match="another file is in the place of the store"):
        sink.write(recordings.done)


def test_nothing_is_imported_from_the_folder_it_is_started_in(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    recordings = Recordings()
    recordings.pass_one()
    with closing(ProcessSink(plan(path))) as sink:
        assert sink.write(recordings.done).stored == 1

"""taplogs sync killed with SIGKILL, anywhere: the archive is sound, and the next run makes it equal to the backend."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from command import Command, wait_until
from exported import HASTY, finish, slow_backend, start
from serving import Backend, log_entry, payload, running_backend
from taplogs.archive.sync_state import decode_state
from taplogs.core.entry import encode_entry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.sources.sqlite import SqliteStore

_KILLS = 50
_LONGEST = 0.5
"""Seconds that a run takes here, and a bit."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over entries of which some share their timestamp."""
    with running_backend(tmp_path_factory.mktemp("many") / "logs.db") as running:
        times = [log_entry(number // 3).timestamp for number in range(900)]
        body = payload(f'"{"x" * 200}"')
        running.store.add([log_entry(n, timestamp=times[n], request_payload=body) for n in range(900)])
        yield running


def contents(path: Path) -> list[bytes]:
    with closing(SqliteStore(path)) as store:
        return list(map(encode_entry, store.search(LogQuery())))


def assert_what_is_covered_is_there(path: Path, backend: Backend) -> None:
    """Assert that a store is sound, and holds every entry of the time that it says it knows without a gap."""
    with closing(SqliteStore(path)) as store:
        assert list(store.faults()) == []
        for state in map(decode_state, store.states().values()):
            for span in state.covered:
                window = Window(parse_timestamp(span.since) if span.since else None, parse_timestamp(span.until))
                query = LogQuery(window=window, order=Order.OLDEST_FIRST)
                assert list(store.search(query)) == list(backend.store.search(query))


def _is_at_work(path: Path, process: subprocess.Popen[bytes]) -> bool:
    return path.exists() or process.poll() is not None


def test_killed_at_fifty_random_instants_and_gone_on_with_an_archive_equals_the_backend(
    taplogs: Command, many: Backend
) -> None:
    chance = random.Random(5)
    kills = finished = resumed = 0
    expected = [encode_entry(entry) for entry in many.store.search(LogQuery())]
    with slow_backend(many) as variables:
        command = taplogs.with_env(**variables)
        path = Path(command.here("archive", "path").out.strip())
        while kills < _KILLS or not finished:
            process = start(command, *HASTY, "sync", "--redact", "none")
            if kills % 2:  # in the midst of its work; the others at any time, starting and ending included
                wait_until(partial(_is_at_work, path, process))
            time.sleep(chance.random() * _LONGEST)
            process.send_signal(signal.SIGKILL)
            run = finish(process)
            if run.code == -signal.SIGKILL:
                kills += 1
                if path.exists():
                    assert_what_is_covered_is_there(path, many)
                    resumed += 1
                continue
            assert run.code == 0, run.err
            assert contents(path) == expected
            shutil.rmtree(path.parent)
            finished += 1
    assert resumed > _KILLS / 4


@pytest.mark.parametrize("call", ["fsync,fdatasync", "pwrite64", "ftruncate", "unlink", "mkdir", "flock"])
def test_killed_before_any_call_that_changes_the_archive_it_is_gone_on_with(
    taplogs: Command, logs: Backend, call: str
) -> None:
    command = taplogs.at(logs)
    path = Path(command.here("archive", "path").out.strip())
    expected = [encode_entry(entry) for entry in logs.store.search(LogQuery())]
    numbers = [*range(1, 13), *range(13, 1000, 17)]
    for number in numbers:
        kill = ["strace", "-f", "-qqo", "/dev/null", "-e", f"trace={call}"]
        kill += ["-e", f"inject={call}:signal=SIGKILL:when={number}", *HASTY]
        run = finish(start(command, *kill, "sync", "--redact", "none"))
        if run.code == 0:
            break
        again = command.here("sync", "--redact", "none")
        assert again.code == 0, again.err
        assert contents(path) == expected
        shutil.rmtree(path.parent)
    assert number > 1, f"{call} is not called at all"

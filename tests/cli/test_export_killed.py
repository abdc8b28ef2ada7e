"""taplogs export killed with SIGKILL, anywhere: the folder is consistent, and the next run makes it whole."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from command import Command, wait_until
from exported import HASTY, PSEUDONYM_KEY, Exported, finish, slow_backend, start
from serving import Backend, log_entry, payload, running_backend

_KILLS = 50
_LONGEST = 0.9
"""Seconds that a run takes here, and a bit."""

UNTIL = ("--until", "2026-11-02")
_FILES = ("records.jsonl", "records.csv")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over entries of which some share their timestamp, with names that are hidden."""
    with running_backend(tmp_path_factory.mktemp("many") / "logs.db") as running:
        names = ["Ada", "Grace", "Edsger", "Barbara"]
        bodies = [payload(f'{{"firstName":"{name}","text":"{"x" * 200}"}}') for name in names]
        times = [log_entry(number // 3).timestamp for number in range(1500)]
        running.store.add([log_entry(n, timestamp=times[n], request_payload=bodies[n % 4]) for n in range(1500)])
        yield running


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in _FILES]


def _is_at_work(folder: Path, process: subprocess.Popen[bytes]) -> bool:
    return (folder / ".partial").exists() or process.poll() is not None


def assert_never_half(folder: Path) -> None:
    """Assert that a manifest stands beside nothing but its own files, and that what is unfinished is kept."""
    if (folder / "manifest.json").exists():
        found = Exported(folder)
        for file in found.manifest["files"]:
            assert (folder / file["name"]).stat().st_size == file["bytes"]


def test_killed_at_fifty_random_instants_and_gone_on_with_an_export_is_byte_identical(
    taplogs: Command, many: Backend
) -> None:
    chance = random.Random(4)
    command = taplogs.with_env(**PSEUDONYM_KEY)
    folder = taplogs.folder / "out"
    words = ("export", "-o", "out", *UNTIL)
    kills = finished = 0
    with slow_backend(many) as variables:
        assert command.run("export", "-o", "whole", *UNTIL, env=variables).code == 0
        expected = contents(taplogs.folder / "whole")
        while kills < _KILLS or not finished:
            process = start(command, *HASTY, *words, "--resume", env=variables)
            if kills % 2:  # in the midst of its work; the others at any time, starting and ending included
                wait_until(partial(_is_at_work, folder, process))
            time.sleep(chance.random() * _LONGEST)
            process.send_signal(signal.SIGKILL)
            run = finish(process)
            if run.code == -signal.SIGKILL:
                kills += 1
                assert_never_half(folder)
                continue
            assert run.code == 0, run.err
            assert contents(folder) == expected
            Exported(folder).assert_consistent()
            assert not (folder / ".partial").exists()
            shutil.rmtree(folder)
            finished += 1


@pytest.mark.parametrize("call", ["rename", "unlink", "unlinkat", "fsync", "ftruncate", "rmdir", "mkdir", "flock"])
@pytest.mark.parametrize("replaces", [False, True], ids=["new", "in place of another"])
def test_killed_before_any_call_that_changes_the_folder_an_export_can_be_gone_on_with(
    taplogs: Command, logs: Backend, call: str, replaces: bool
) -> None:
    command = taplogs.at(logs)
    folder = taplogs.folder / "out"
    words = ("export", "-o", "out", *UNTIL, "--redact", "none")
    assert command.here("export", "-o", str(taplogs.folder / "whole"), *words[3:]).code == 0
    expected = contents(taplogs.folder / "whole")
    shutil.copytree(taplogs.folder / "whole", taplogs.folder / "older")
    for number in range(1, 100):
        if replaces:
            shutil.copytree(taplogs.folder / "older", folder)
        kill = ["strace", "-f", "-qqo", "/dev/null", "-e", f"trace={call}"]
        kill += ["-e", f"inject={call}:signal=SIGKILL:when={number}", *HASTY]
        run = finish(start(command, *kill, *words, *(["--force"] if replaces else [])))
        assert_never_half(folder)
        if run.code == 0:
            break
        again = command.here("export", "-o", str(folder), *words[3:], "--resume")
        assert again.code == 0, again.err
        assert contents(folder) == expected
        Exported(folder).assert_consistent()
        assert not (folder / ".partial").exists()
        shutil.rmtree(folder)
    assert number > 1, f"{call} is not called at all"

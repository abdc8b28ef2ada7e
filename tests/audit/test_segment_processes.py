"""Records checked by several processes: what becomes of them, and of faults in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from command import Command, wait_until
from taplogs.audit.records_check import Expected, Segment
from taplogs.audit.records_reading import Piece, check_piece
from taplogs.audit.segment_processes import Work, processors
from taplogs.core.timespan import UNBOUNDED
from taplogs.errors import TaplogsError

PIECE = Piece(1, 0, 0)


def nothing(piece: Piece) -> Segment:
    return check_piece(os.open(os.devnull, os.O_RDONLY), piece, Expected(UNBOUNDED, None))


def test_as_many_processes_are_started_as_may_run_here() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:1])
    try:
        assert processors() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_what_a_process_has_found_comes_back() -> None:
    work = Work(nothing)
    work.begin(PIECE)
    assert work.next_result().rows == 0
    assert work.running == 0


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError(), ValueError("no")])
def test_a_fault_in_a_process_is_raised_by_who_has_begun_it(
    capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(_: Piece) -> Segment:
        raise error

    work = Work(fail)
    work.begin(PIECE)
    with pytest.raises(type(error)):
        work.next_result()
    assert capfd.readouterr().err == ""


def test_a_process_that_was_killed_is_told() -> None:
    def die(_: Piece) -> Segment:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    work = Work(die)
    work.begin(PIECE)
    with pytest.raises(TaplogsError, match="was ended from outside"):
        work.next_result()


def large(_: Piece) -> Segment:
    """Return more than a pipe holds."""
    return replace(nothing(PIECE), ids=bytes(1 << 20))


def test_ctrl_c_while_results_are_waited_for_leaves_no_process() -> None:
    def late(piece: Piece) -> Segment:
        time.sleep(0.5)
        return large(piece)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    work = Work(late)
    work.begin(PIECE)
    work.begin(PIECE)
    before = signal.signal(signal.SIGALRM, interrupted)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            work.next_result()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert work.running == 2
    work.stop()
    assert work.running == 0


_KILLED = """
import os, signal, sys
from test_segment_processes import PIECE, Work, large
work = Work(large)
work.begin(PIECE)
work.begin(PIECE)
print(*(process.pid for process in __import__("multiprocessing").active_children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_process_outlives_the_one_that_has_begun_it(taplogs: Command) -> None:
    path = f"{Path(__file__).parent}:{Path(__file__).parent.parent}"
    run = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env=taplogs.environ({"PYTHONPATH": path}),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.stderr == b""
    processes = run.stdout.split()
    assert len(processes) == 2
    wait_until(lambda: not any(Path(f"/proc/{number.decode()}").exists() for number in processes))

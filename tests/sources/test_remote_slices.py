"""Slices of a window: they cover it exactly, come in order, and their threads end with the reading."""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.query import Order
from taplogs.core.timespan import Window
from taplogs.sources.slices import cut, read_in_parallel

START = datetime(2026, 11, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
HOUR = Window(START, START + timedelta(hours=1))


@given(st.integers(1, 10_000_000), st.integers(1, 1000), st.sampled_from(Order))
def test_slices_adjoin_and_cover_the_window_in_order(milliseconds: int, pieces: int, order: Order) -> None:
    window = Window(START, START + milliseconds * MILLISECOND)
    slices = cut(window, pieces, order)
    assert len(slices) == min(pieces, milliseconds)
    in_time = slices[::-1] if order is Order.NEWEST_FIRST else slices
    assert (in_time[0].since, in_time[-1].until) == (window.since, window.until)
    for earlier, later in pairwise(in_time):
        assert earlier.until == later.since
    lengths = [later.until - later.since for later in slices if later.since and later.until]
    assert min(lengths) >= MILLISECOND
    assert max(lengths) - min(lengths) <= MILLISECOND


@given(st.integers(1, 300), st.integers(1, 20), st.integers(0, 299), st.integers(1, 999_999))
def test_every_millisecond_lies_in_one_slice_even_where_the_bounds_are_finer(
    milliseconds: int, pieces: int, place: int, microseconds: int
) -> None:
    start = START + timedelta(microseconds=microseconds)
    window = Window(start, start + milliseconds * MILLISECOND + timedelta(microseconds=microseconds % 1000))
    timestamp = (START + place * MILLISECOND).isoformat(timespec="milliseconds")[:23] + "Z"
    holding = [piece for piece in cut(window, pieces, Order.OLDEST_FIRST) if piece.contains(timestamp)]
    assert len(holding) == window.contains(timestamp)


@pytest.mark.parametrize("window", [Window(), Window(since=START), Window(until=START)])
def test_a_window_without_both_bounds_cannot_be_cut(window: Window) -> None:
    with pytest.raises(ValueError, match="both bounds"):
        cut(window, 2, Order.OLDEST_FIRST)


def reader(
    slices: list[Window], batches: int = 3, delay: Callable[[int], float] = lambda _: 0.0
) -> Callable[[Window], Iterator[list[LogEntry]]]:
    """Return a reading of slices: of each so many batches, of one entry that says where it comes from."""
    numbers = {window: number for number, window in enumerate(slices)}

    def read(window: Window) -> Iterator[list[LogEntry]]:
        for place in range(batches):
            time.sleep(delay(numbers[window]))
            yield [log_entry(1, id=f"{numbers[window]}.{place}")]

    return read


def ids(batches: Iterator[list[LogEntry]]) -> list[str]:
    return [entry.id for batch in batches for entry in batch]


def slice_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("slice-")]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


@pytest.mark.parametrize("workers", [1, 2, 5, 20])
def test_batches_come_in_the_order_of_the_slices_whichever_is_read_first(workers: int) -> None:
    slices = cut(HOUR, 10, Order.OLDEST_FIRST)
    read = reader(slices, delay=lambda number: 0.01 if number % 3 == 0 else 0.0)
    assert ids(read_in_parallel(slices, read, workers)) == [f"{n}.{place}" for n in range(10) for place in range(3)]
    wait_until(lambda: not slice_threads())


def test_so_many_slices_are_read_at_once() -> None:
    slices = cut(HOUR, 8, Order.OLDEST_FIRST)
    barrier = threading.Barrier(4, timeout=5)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        barrier.wait()
        yield [log_entry(1)]

    assert len(ids(read_in_parallel(slices, read, 4))) == 8


def test_an_empty_slice_and_an_empty_batch_are_nothing() -> None:
    slices = cut(HOUR, 3, Order.OLDEST_FIRST)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        if window == slices[1]:
            yield []
        if window == slices[2]:
            yield [log_entry(1)]

    assert ids(read_in_parallel(slices, read, 2)) == ["entry-00001"]


def test_an_error_is_raised_in_its_place_after_all_that_lies_before_it() -> None:
    slices = cut(HOUR, 6, Order.OLDEST_FIRST)
    plain = reader(slices, delay=lambda number: 0.02 if number < 2 else 0.0)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        batches = plain(window)
        if window == slices[2]:
            yield next(batches)
            raise ConnectionError("broke")
        yield from batches

    found: list[str] = []
    with pytest.raises(ConnectionError, match="broke"):
        found.extend(batch[0].id for batch in read_in_parallel(slices, read, 4))
    assert found == ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "2.0"]
    wait_until(lambda: not slice_threads())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_any_kind_of_error_in_a_thread_is_raised(error: type[BaseException]) -> None:
    slices = cut(HOUR, 2, Order.OLDEST_FIRST)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        if window:
            raise error
        yield []

    with pytest.raises(error):
        ids(read_in_parallel(slices, read, 2))


@pytest.mark.parametrize("workers", [1, 4])
def test_stopping_early_ends_the_threads_and_closes_what_they_read(workers: int) -> None:
    slices = cut(HOUR, 50, Order.OLDEST_FIRST)
    opened: list[Window] = []
    closed: list[Window] = []

    def read(window: Window) -> Iterator[list[LogEntry]]:
        opened.append(window)
        try:
            while True:
                yield [log_entry(number) for number in range(100)]
        finally:
            closed.append(window)

    batches = read_in_parallel(slices, read, workers)
    next(batches)
    batches.close()
    wait_until(lambda: not slice_threads())
    assert len(opened) <= workers
    assert sorted(closed, key=str) == sorted(opened, key=str)


def test_an_interrupt_of_the_reader_ends_the_threads() -> None:
    slices = cut(HOUR, 20, Order.OLDEST_FIRST)
    consumed = 0

    def consume() -> None:
        nonlocal consumed
        for _ in read_in_parallel(slices, reader(slices, batches=100), 4):
            consumed += 1
            if consumed == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    wait_until(lambda: not slice_threads())


def test_an_interrupt_is_seen_while_the_reader_waits() -> None:
    slices = cut(HOUR, 4, Order.OLDEST_FIRST)
    silence = threading.Event()

    def read(window: Window) -> Iterator[list[LogEntry]]:
        silence.wait(10)
        yield []

    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            ids(read_in_parallel(slices, read, 2))
        assert time.monotonic() - begin < 3
    finally:
        silence.set()
        timer.join()
    wait_until(lambda: not slice_threads())


def test_no_more_is_read_ahead_than_memory_may_hold() -> None:
    slices = cut(HOUR, 100, Order.OLDEST_FIRST)
    made = 0
    lock = threading.Lock()

    def read(window: Window) -> Iterator[list[LogEntry]]:
        nonlocal made
        for _ in range(100):
            with lock:
                made += 500
            yield [log_entry(1)] * 500

    batches = read_in_parallel(slices, read, 4)
    next(batches)
    seen = -1
    while made != seen:
        seen = made
        time.sleep(0.1)
    assert made <= 20_000
    batches.close()
    wait_until(lambda: not slice_threads())


def test_a_slow_first_slice_does_not_stop_for_the_others_that_are_ready() -> None:
    slices = cut(HOUR, 4, Order.OLDEST_FIRST)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        for _ in range(60):
            if window == slices[0]:
                time.sleep(0.001)
            yield [log_entry(1)] * 500

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert sum(map(len, read_in_parallel(slices, read, 4))) == 4 * 60 * 500
    finally:
        sys.setswitchinterval(interval)

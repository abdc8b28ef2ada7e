"""Slices that are read at once come out in their order, and what lies ready meanwhile is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.query import Order
from taplogs.core.timespan import Window
from taplogs.sources.slices import cut, read_in_parallel

START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=1))
BATCH = [log_entry(number) for number in range(500)]


def test_a_slice_that_is_waited_for_does_not_let_the_others_pile_up() -> None:
    windows = cut(WINDOW, 200, Order.OLDEST_FIRST)
    given, first_may_go_on = [], threading.Event()

    def read(window: Window) -> Iterator[list[LogEntry]]:
        for number in range(3):
            if window == windows[0] and number == 1:
                first_may_go_on.wait(10)
            given.append(window)
            yield BATCH

    batches = read_in_parallel(windows, read, 4)
    next(batches)
    wait_until_still(given)
    ahead = len(given)
    first_may_go_on.set()
    assert sum(len(batch) for batch in batches) == (200 * 3 - 1) * 500
    assert 10 < ahead <= 8_000 / 500 + 5


def test_batches_come_in_the_order_of_the_slices() -> None:
    windows = cut(WINDOW, 20, Order.NEWEST_FIRST)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        time.sleep(0.002 if windows.index(window) % 3 else 0.01)
        yield [log_entry(windows.index(window))]
        yield []
        yield [log_entry(windows.index(window))]

    ids = [entry.id for batch in read_in_parallel(windows, read, 3) for entry in batch]
    assert ids == [log_entry(number).id for number in range(20) for _ in range(2)]


def test_an_error_comes_in_its_place_and_stops_the_threads() -> None:
    windows = cut(WINDOW, 8, Order.OLDEST_FIRST)

    def read(window: Window) -> Iterator[list[LogEntry]]:
        yield BATCH
        if window == windows[2]:
            raise ValueError("the third slice")
        yield BATCH

    batches = read_in_parallel(windows, read, 4)
    assert [next(batches) for _ in range(5)] == [BATCH] * 5
    with pytest.raises(ValueError, match="the third slice"):
        next(batches)
    wait_for_threads()


def test_ending_early_stops_threads_that_wait_for_room() -> None:
    def read(_window: Window) -> Iterator[list[LogEntry]]:
        while True:
            yield BATCH

    batches = read_in_parallel(cut(WINDOW, 4, Order.OLDEST_FIRST), read, 4)
    for _ in range(100):
        assert next(batches) == BATCH
    batches.close()
    wait_for_threads()


def wait_until_still(items: list[Window]) -> None:
    before = -1
    while len(items) != before:
        before = len(items)
        time.sleep(0.2)


def wait_for_threads() -> None:
    deadline = time.monotonic() + 10
    while any(thread.name.startswith("slice-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)

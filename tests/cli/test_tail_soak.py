"""A long tail in a short time: entries of equal times, visible late and out of order, through outages; each once."""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from command import Command, wait_until
from running_tail import tailing
from serving import log_entry, running_backend
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore

ENTRIES = 20_000
BATCH = 60
LATEST = 1.5
"""Seconds by which an entry becomes visible late, at most; the overlap is much more, for a machine that is busy."""


class Writer(threading.Thread):
    """Adds entries to the store of a backend, whether that runs or not: a thousand or two in a second."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._store = SqliteStore(path)
        self._random = random.Random("soak")
        self.written: list[str] = []

    def run(self) -> None:
        numbers = count(1)
        held_back: list[tuple[float, str, LogEntry]] = []
        while len(self.written) < ENTRIES:
            now = time.monotonic()
            new = min(self._random.randrange(BATCH), ENTRIES - len(self.written) - len(held_back))
            for _ in range(new):
                late = self._random.choice((0.0, 0.0, self._random.uniform(0.0, LATEST)))
                entry = self._entry(next(numbers))
                heapq.heappush(held_back, (now + late, entry.id, entry))
            visible = []
            while held_back and held_back[0][0] <= now:
                visible.append(heapq.heappop(held_back)[2])
            self._store.add(visible)
            self.written += [entry.id for entry in visible]
            time.sleep(self._random.uniform(0.0, 0.03))
        self._store.close()

    def _entry(self, number: int) -> LogEntry:
        moment = datetime.now(UTC)
        if self._random.random() < 0.5:  # many share their time to the millisecond
            moment -= timedelta(microseconds=moment.microsecond % 250_000)
        return log_entry(number, timestamp=format_timestamp(moment))


def test_each_of_20_000_entries_is_printed_exactly_once(taplogs: Command, tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with ExitStack() as until_the_end:
        backend = until_the_end.enter_context(ExitStack())
        running = backend.enter_context(running_backend(path))
        port = urlsplit(running.url).port or 0
        arguments = ("-n", "0", "--interval", "200ms", "--overlap", "8s", "--columns", "id")
        tail = until_the_end.enter_context(tailing(taplogs.at(running), *arguments))
        wait_until(lambda: tail.told)
        writer = Writer(path)
        writer.start()
        for part in (1, 2):
            wait_until(lambda: len(writer.written) > part * ENTRIES / 3, 60)  # noqa: B023 - it is called at once
            backend.close()
            wait_until(lambda: len(tail.told) == 2 * part)  # noqa: B023 - it is called at once
            backend.enter_context(running_backend(path, port=port))
        writer.join()
        wait_until(lambda: len(tail.lines) >= ENTRIES, 60)
        time.sleep(1)  # a few polls more, for what might come twice
        assert tail.end() == 130
    times = Counter(tail.ids)
    assert [name for name in writer.written if name not in times] == []
    assert [name for name, number in times.items() if number > 1] == []
    assert len(times) == ENTRIES
    told = [line.partition("; ")[2] or line for line in tail.told]
    assert [line.split(" after")[0] for line in told[1:]] == [
        "trying again until it is back\n",
        "the backend is back",
    ] * 2

"""Draw entries as a table and as plain lines, and print the seconds of each as JSON: NUMBER ROUNDS."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from zoneinfo import ZoneInfo

from taplogs.backend.sample import sample_entries
from taplogs.core.entry import LogEntry
from taplogs.output.formats import Layout, write_table
from taplogs.output.terminal import Output, Screen

BATCH = 500
SCREEN = Screen(is_terminal=True, width=120, color=True, unicode=True)
LAYOUT = Layout(zone=ZoneInfo("Europe/Berlin"))


def main() -> None:
    """Measure both in turns."""
    number, rounds = map(int, sys.argv[1:])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entries = list(islice(sample_entries(start, start.replace(year=2027)), number))
    batches = [entries[at : at + BATCH] for at in range(0, number, BATCH)]
    times: dict[str, list[float]] = {"table": [], "plain": []}
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        output = Output(stream, SCREEN)
        for _ in range(rounds):
            times["table"].append(seconds(lambda: write_table(batches, output, LAYOUT)))
            times["plain"].append(seconds(lambda: write_plain(batches, output)))
    print(json.dumps({name: median(values) for name, values in times.items()}))


def write_plain(batches: Iterable[list[LogEntry]], output: Output) -> None:
    """Write what the table shows, as it is."""
    for batch in batches:
        output.write_lines(
            f"{entry.timestamp} {entry.method} {entry.request_url} {entry.status_code} {entry.latency_ms} {entry.id}"
            for entry in batch
        )
        output.flush()


def seconds(action: Callable[[], None]) -> float:
    """Return how long an action takes."""
    start = perf_counter()
    action()
    return perf_counter() - start


if __name__ == "__main__":
    main()

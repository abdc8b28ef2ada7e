"""Store the demo's entries; print the seconds, the peak of memory and the bytes on disk as JSON: PATH NUMBER LINES.

The entries come in chunks that are made before the clock runs. LINES gets what DuckDB is to count: one line of CSV for
each, with the endpoint template made.
"""

import csv
import gc
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter

from taplogs.backend.sample import sample_entries
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.sources.sqlite import SqliteStore

START = datetime(2001, 1, 1, tzinfo=UTC)
"""Ten million entries are twenty years: none is of the future."""

_CHUNK = 20_000


def main() -> None:
    """Store so many entries in one transaction, and measure that."""
    path, number, lines = sys.argv[1:]
    gc.set_threshold(50_000, 20, 20)  # as the command does
    made = 0.0
    templates = EndpointTemplates()

    def entries() -> Iterator[LogEntry]:
        nonlocal made
        remaining = islice(sample_entries(START, START.replace(year=START.year + 100)), int(number))
        with Path(lines).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["timestamp", "endpoint", "status", "latency"])
            while True:
                start = perf_counter()
                chunk = list(islice(remaining, _CHUNK))
                writer.writerows(
                    [entry.timestamp, templates.of_url(entry.request_url), entry.status_code, entry.latency_ms]
                    for entry in chunk
                )
                made += perf_counter() - start
                if not chunk:
                    return
                yield from chunk

    with closing(SqliteStore(Path(path))) as store:
        start = perf_counter()
        added = store.add(entries())
        seconds = perf_counter() - start - made
        some = next(store.search(LogQuery(limit=1))).id
    if added != int(number):
        sys.exit(f"only {added} entries were stored")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    # `id` is the newest one's: any would do.
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "bytes": Path(path).stat().st_size, "id": some}))


if __name__ == "__main__":
    main()

"""Add entries to a running backend's store at random moments, and print as JSON the seconds until tail shows each.

STORE INTERVAL NUMBER; the backend and its key are in the environment.
"""

import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore

_PATIENCE = 30.0


def main() -> None:
    """Write, read and compare; each side by the same clock."""
    path, interval, number = sys.argv[1:]
    command = [sys.executable, "-m", "taplogs", "tail", "-n", "1", "--interval", f"{interval}s", "--columns", "id"]
    shown: dict[str, float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tail:
        assert tail.stdout
        tail.stdout.readline()
        reader = Thread(target=_read, args=(tail, shown))
        reader.start()
        written = _write(SqliteStore(Path(path)), float(interval), int(number))
        end = time.perf_counter() + _PATIENCE
        while len(shown) < len(written) and time.perf_counter() < end:
            time.sleep(0.01)
        tail.terminate()
        reader.join()
    if shown.keys() != written.keys():
        sys.exit(f"{len(shown)} entries shown, not {len(written)}")
    print(json.dumps([shown[name] - written[name] for name in written]))


def _read(tail: subprocess.Popen[bytes], shown: dict[str, float]) -> None:
    assert tail.stdout
    for line in tail.stdout:
        shown[json.loads(line)["id"]] = time.perf_counter()


def _write(store: SqliteStore, interval: float, number: int) -> dict[str, float]:
    written = {}
    for place in range(number):
        time.sleep(random.uniform(0.1, 1.1) * interval)
        name = f"measured-{place}"
        store.add([LogEntry(name, format_timestamp(datetime.now(UTC)), "GET", "https://example.com/v1/jobs", 200)])
        written[name] = time.perf_counter()
    return written


if __name__ == "__main__":
    main()

"""Print as JSON how many entries a store has, and how many different requests of offer_load.py they are of: STORE."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

from taplogs.core.query import LogQuery
from taplogs.sources.sqlite import SqliteStore


def main() -> None:
    """Print it."""
    with closing(SqliteStore(Path(sys.argv[1]), read_only=True)) as store:
        total = 0
        numbers: set[str] = set()
        for batch in store.batches(LogQuery(payloads=False)):
            total += len(batch)
            numbers.update(entry.request_url for entry in batch)
    print(json.dumps([total, len(numbers)]))


if __name__ == "__main__":
    main()

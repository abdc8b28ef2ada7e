"""Fill a new store with the demo's entries: PATH NUMBER."""

import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from taplogs.backend.sample import sample_entries
from taplogs.sources.sqlite import SqliteStore

START = datetime(2025, 1, 1, tzinfo=UTC)
"""Half a million entries are a year: none is of the future, where an export ends."""


def main() -> None:
    """Store so many entries, the first ones of some years."""
    path, number = sys.argv[1:]
    store = SqliteStore(Path(path))
    added = store.add(islice(sample_entries(START, START.replace(year=START.year + 100)), int(number)))
    store.close()
    if added != int(number):
        sys.exit(f"only {added} entries were stored")


if __name__ == "__main__":
    main()

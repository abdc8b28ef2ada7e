"""Serves a store in a process of its own: `serve_store.py DATABASE DRAIN_SECONDS`.

Writes the URL to standard output, then how it ended.
"""

from __future__ import annotations

import sys
from pathlib import Path

from taplogs.backend.app import create_app
from taplogs.backend.server import BackendServer, serve_forever
from taplogs.sources.sqlite import SqliteStore


def main(database: str, drain_seconds: str) -> None:
    store = SqliteStore(Path(database))
    finished = serve_forever(BackendServer(create_app(store), drain_seconds=float(drain_seconds)), tell)
    store.close()
    tell("all requests were answered" if finished else "requests were cut off")


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

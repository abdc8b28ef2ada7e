"""A running backend for tests: the real application, on a real socket, over a real database file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from msgspec import Raw

from taplogs.backend.app import BASE_PATH, create_app
from taplogs.backend.keys import ApiKeys
from taplogs.backend.ratelimit import RateLimit
from taplogs.backend.server import BackendServer
from taplogs.core.entry import LogEntry
from taplogs.sources.sqlite import SqliteStore


@dataclass
class Backend:
    """`url` is the base URL of the contract, `key` an active API key."""

    url: str
    key: str
    store: SqliteStore
    keys: ApiKeys

    @property
    def logs_url(self) -> str:
        return f"{self.url}/partner/logs"

    def get(self, query: str = "", **headers: str) -> httpx.Response:
        """Ask for the list with this query string, with the key unless `authorization` says otherwise."""
        return self.ask("GET", f"?{query}", **headers)

    def ask(self, method: str, path: str = "", **headers: str) -> httpx.Response:
        """Send a request to the list's URL followed by `path`; `_` in a header's name stands for `-`."""
        fields = {"authorization": f"Bearer {self.key}"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        return httpx.request(method, self.logs_url + path, headers=fields, trust_env=False)


@contextmanager
def running_backend(path: Path, rate_limit: RateLimit | None = None, port: int = 0) -> Iterator[Backend]:
    """Serve the store at `path` on the loopback interface until the end of the block; port 0 is a free one."""
    store = SqliteStore(path)
    keys = ApiKeys(store.database)
    key = keys.create()
    server = BackendServer(create_app(store, keys=keys, rate_limit=rate_limit), port=port, drain_seconds=5)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Backend(server.url + BASE_PATH, key, store, keys)
    finally:
        server.stop()
        thread.join()
        store.close()


def log_entry(number: int = 1, **fields: Any) -> LogEntry:
    """Return an entry; `number` gives its id, and its second within the first day of November 2026."""
    hours, seconds = divmod(number, 3600)
    minutes, seconds = divmod(seconds, 60)
    timestamp = f"2026-11-01T{hours:02}:{minutes:02}:{seconds:02}.000Z"
    values: dict[str, Any] = {
        "id": f"entry-{number:05}",
        "timestamp": timestamp,
        "method": "GET",
        "request_url": f"https://partner-api.taptalent.io/v1/partner/jobs/{number}?perPage=20",
        "status_code": 200,
        "latency_ms": 12,
        "ip_address": "192.0.2.1",
        "user_agent": "python-requests/2.32.3",
        "client_id": "client",
        "company_id": "company",
        "created_at": timestamp,
        "updated_at": timestamp,
    }
    return LogEntry(**(values | fields))


def payload(text: str) -> Raw:
    """Return JSON text as the payload of an entry."""
    return Raw(text.encode())

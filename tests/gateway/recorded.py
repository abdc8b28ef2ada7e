"""Requests as the gateway records them, made without a gateway."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from taplogs.core.redact import Redactor
from taplogs.gateway.caller import Callers
from taplogs.gateway.entries import EntryBuilder
from taplogs.gateway.protocol import Headers
from taplogs.gateway.recording import CapturingRecorder
from taplogs.redaction_file import profile_named
from taplogs.sources.sqlite import SqliteStore

LARGEST = 64 * 1024
KEY = "sk_test_0123456789ABCDEFGHIJKL"
HEADERS: Headers = [
    (b"Host", b"gateway.example"),
    (b"User-Agent", b"python-requests/2.32.3"),
    (b"Authorization", f"Bearer {KEY}".encode()),
]
URL = "https://partner-api.taptalent.io/v1/partner/jobs"


def now() -> datetime:
    return datetime.now(UTC)


def builder(run: int = 5, company: str | None = None) -> EntryBuilder:
    redactor = Redactor(profile_named("secrets"), b"")
    return EntryBuilder(Callers(b"s" * 32), redactor, run=run, company=company, largest_body=LARGEST, clock=now)


class Recordings:
    """A recorder, and what it hands over."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.recorder = CapturingRecorder(self.done.append, clock=now, monotonic=time.monotonic, largest_body=LARGEST)

    def pass_one(
        self,
        method: str = "GET",
        url: str = URL,
        headers: Headers = HEADERS,
        *,
        sent: Iterable[bytes] = (),
        status: int = 200,
        answered: Iterable[bytes] = (),
        fields: Headers = ((b"Content-Type", b"application/json"),),
    ) -> bytes:
        """Return the encoded recording of one request and its response."""
        recording = self.recorder.begin(method, url, headers, "127.0.0.1")
        for chunk in sent:
            recording.request_data(chunk)
        recording.response_begins(status, fields)
        for chunk in answered:
            recording.response_data(chunk)
        recording.end(status)
        return self.done[-1]


def stored_ids(path: Path) -> list[str]:
    """Return the ids in a store, the earliest first."""
    from taplogs.core.query import LogQuery, Order

    store = SqliteStore(path)
    try:
        return [entry.id for entry in store.search(LogQuery(order=Order.OLDEST_FIRST))]
    finally:
        store.close()

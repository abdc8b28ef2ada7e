"""A running gateway before a recording upstream: in this process, over a real store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from recording_upstream import Field, RecordingUpstream, recording_upstream

from command import Command, wait_until
from serving import running_backend
from taplogs.backend.app import BASE_PATH
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in
from taplogs.gateway.caller import Callers, fingerprint_secret
from taplogs.gateway.entries import EntryBuilder
from taplogs.gateway.log_sink import StoreSink
from taplogs.gateway.log_writer import Bounds, LogWriter
from taplogs.gateway.recording import CapturingRecorder
from taplogs.gateway.server import GatewayServer
from taplogs.gateway.traffic import TrafficCounts
from taplogs.gateway.upstream import Upstream
from taplogs.sources.sqlite import SqliteStore

LARGEST_BODY = 64 * 1024

HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade")
"""What is of one connection (RFC 9110, section 7.6.1), and is no business of the other side."""


def within_hop(fields: Sequence[Field], but: bytes = b"") -> list[Field]:
    """Return the fields that have to go through, without those named `but`."""
    return [(name, value) for name, value in fields if name.lower() not in (*HOP_BY_HOP, but)]


@dataclass
class Passing:
    """`port` is the gateway's, on the loopback interface; `key` is one that its logs are read with."""

    port: int
    key: str
    upstream: RecordingUpstream
    store: SqliteStore
    path: Path
    is_quiet: Callable[[], bool]
    """Whether no client is connected, and nothing waits to be stored."""
    _seen: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its URL, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def reading(self, taplogs: Command) -> Command:
        """Return the command as one that reads the gateway's logs."""
        return taplogs.with_env(TAPLOGS_BASE_URL=self.url + BASE_PATH, TAPLOGS_API_KEY=self.key)

    def begin_anew(self) -> None:
        """Forget what passed so far."""
        wait_until(self.is_quiet)
        self.upstream.forget()
        self._seen = {entry.id for entry in self._all()}

    def entries(self, count: int) -> list[LogEntry]:
        """Return the entries that were stored since, the oldest first, as soon as there are so many; no more."""
        wait_until(lambda: len(self._new()) >= count)
        found = self._new()
        assert len(found) == count, found
        return found

    def _new(self) -> list[LogEntry]:
        return [entry for entry in self._all() if entry.id not in self._seen]

    def _all(self) -> list[LogEntry]:
        return list(self.store.search(LogQuery(order=Order.OLDEST_FIRST)))


@contextmanager
def passing(path: Path) -> Iterator[Passing]:
    """Run a gateway with what it logs in a store at `path`, until the end of the block."""
    with ExitStack() as running:
        upstream = running.enter_context(recording_upstream())
        backend = running.enter_context(running_backend(path))
        store = backend.store
        callers = Callers(fingerprint_secret(store.database))
        redactor = Redactor(built_in("secrets"), b"")
        builder = EntryBuilder(callers, redactor, run=7, company="acme", largest_body=LARGEST_BODY, clock=_now)
        told: list[str] = []
        writer = LogWriter(StoreSink(store, builder), report=told.append, clock=_now, bounds=Bounds(flush_seconds=0.01))
        recorder = CapturingRecorder(writer.put, clock=_now, monotonic=time.monotonic, largest_body=LARGEST_BODY)
        counts = TrafficCounts()
        server = GatewayServer(
            Upstream(upstream.url), recorder, inner=backend.url.removesuffix(BASE_PATH), drain_seconds=5, counts=counts
        )
        writer.start()
        thread = threading.Thread(target=server.serve_forever, args=(lambda _url: None,))
        thread.start()
        try:
            port = int(server.url.rpartition(":")[2])
            is_quiet = lambda: counts.connections == 0 and writer.status().queued == 0  # noqa: E731 - read with the next
            yield Passing(port, backend.key, upstream, store, path, is_quiet)
        finally:
            server.stop()
            thread.join()
            assert writer.close(10) == 0
            assert told == []


def _now() -> datetime:
    return datetime.now(UTC)

"""The servers of `taplogs serve`: the backend alone, or behind one that speaks TLS and passes requests on."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from taplogs.errors import TaplogsError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

    from taplogs.backend.server import BackendServer
    from taplogs.cli.passing import Passing
    from taplogs.cli.session import Session
    from taplogs.gateway.health import TrafficHealth
    from taplogs.gateway.log_process import StorePlace
    from taplogs.gateway.log_writer import LogWriter
    from taplogs.gateway.recording import CapturingRecorder
    from taplogs.gateway.server import GatewayServer
    from taplogs.gateway.traffic import TrafficCounts
    from taplogs.gateway.upstream import Upstream
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.sqlite import SqliteStore
    from taplogs.sources.sqlite_database import SqliteDatabase

_LAST_SECONDS = 10.0
"""How long what is queued may take to be stored in the end."""


class Capture(Struct, frozen=True):
    """What logs the requests that pass to an upstream."""

    upstream: Upstream
    counts: TrafficCounts
    recorder: CapturingRecorder
    writer: LogWriter
    health: TrafficHealth

    @classmethod
    def into(
        cls, entries: SqliteStore | ClickHouseStore, database: SqliteDatabase, passing: Passing, session: Session
    ) -> Capture:
        """Return what logs into a store; `database` keeps the secret that clients are told apart with."""
        from taplogs.gateway.caller import fingerprint_secret
        from taplogs.gateway.entries import RUNS
        from taplogs.gateway.health import TrafficHealth
        from taplogs.gateway.log_process import Plan, ProcessSink, sink_over
        from taplogs.gateway.log_writer import LogWriter
        from taplogs.gateway.recording import CapturingRecorder
        from taplogs.gateway.traffic import TrafficCounts

        runtime, counts = session.runtime, TrafficCounts()
        store = _place_of(entries, session)
        plan = Plan(
            store=store,
            secret=fingerprint_secret(database),
            trusted_proxies=tuple(map(str, passing.trusted_proxies)),
            run=int.from_bytes(runtime.random_bytes(2)) % RUNS,
            company=passing.company,
            largest_body=passing.largest_body,
            keep=passing.keep,
        )

        def report(message: str) -> None:
            with suppress(OSError, ValueError):  # whether anybody reads it or not, the log goes on
                session.notice(message)

        is_in_process = store.clickhouse is not None and store.clickhouse.folder is not None
        sink = sink_over(entries, plan) if is_in_process else ProcessSink(plan)
        writer = LogWriter(sink, report=report, clock=runtime.clock)
        return cls(
            upstream=passing.upstream,
            counts=counts,
            recorder=CapturingRecorder(
                writer.put, clock=runtime.clock, monotonic=runtime.monotonic, largest_body=passing.largest_body
            ),
            writer=writer,
            health=TrafficHealth(counts, writer.status, place=str(store), monotonic=runtime.monotonic),
        )


def _place_of(entries: SqliteStore | ClickHouseStore, session: Session) -> StorePlace:
    """Return where another process finds a store."""
    from taplogs.clickhouse_password import find_password
    from taplogs.gateway.log_process import StorePlace
    from taplogs.sources.sqlite import SqliteStore

    if isinstance(entries, SqliteStore):
        return StorePlace(path=str(entries.database.path))
    address, reach = entries.address, session.reach
    password = find_password(session.runtime.environ, address)
    return StorePlace(clickhouse=address, password=password, ca_file=reach.ca_file, timeout=reach.timeout)


class Server(Protocol):
    """What listens from the moment it is made."""

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal, and return whether all running requests were answered in time.

        `ready` is called with the URL.
        """
        ...

    def close(self) -> None:
        """Stop listening, where it never served."""
        ...


class PlainServer:
    """The backend alone."""

    def __init__(self, server: BackendServer) -> None:
        """Take the server as it listens."""
        self._server = server

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal, and return whether all running requests were answered in time."""
        from taplogs.backend.server import serve_forever

        return serve_forever(self._server, ready)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


class FrontServer:
    """A gateway's server, and behind it the backend, which answers for the logs; and what writes the log, if any."""

    def __init__(self, front: GatewayServer, inner: BackendServer, writer: LogWriter | None) -> None:
        """Take both servers as they listen."""
        self._front = front
        self._inner = inner
        self._writer = writer

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal, and return whether all running requests were answered in time.

        Raises TaplogsError where entries could not be stored in the end.
        """
        answering = threading.Thread(target=self._inner.run, name="logs")
        answering.start()
        if self._writer:
            self._writer.start()
        gc.freeze()  # what is there now stays: to look through it again and again would keep requests waiting
        try:
            with _handlers_restored():
                return self._front.serve_forever(ready)
        finally:
            self._inner.stop()
            answering.join()
            if self._writer:
                _finish(self._writer)

    def close(self) -> None:
        """Stop listening."""
        self._front.close()
        self._inner.close()


def open_server(
    application: WSGIApplication,
    capture: Capture | None,
    host: str,
    port: int,
    *,
    threads: int,
    tls: ssl.SSLContext | None,
) -> Server:
    """Return a server of `application` that listens; raises TaplogsError where it cannot."""
    from taplogs.backend.server import BackendServer

    if capture is None and tls is None:
        return PlainServer(BackendServer(application, host=host, port=port, threads=threads))
    from taplogs.gateway.server import GatewayServer

    inner = BackendServer(application, threads=threads)
    try:
        front = GatewayServer(
            capture.upstream if capture else None,
            capture.recorder if capture else None,
            inner=inner.url,
            host=host,
            port=port,
            ssl_context=tls,
            counts=capture.counts if capture else None,
        )
    except BaseException:
        inner.close()
        raise
    return FrontServer(front, inner, capture.writer if capture else None)


def _finish(writer: LogWriter) -> None:
    """Have what is queued stored; raises TaplogsError where not all of it could be."""
    if lost := writer.close(_LAST_SECONDS):
        fault = writer.status().fault or "there was no time left"
        raise TaplogsError(
            f"stopped, but the last entries could not be stored, {lost:,} of them: {fault}",
            "these requests were answered, and are missing in the log",
        )


@contextmanager
def _handlers_restored() -> Iterator[None]:
    """Have signals mean afterwards what they meant before: asyncio leaves what Python begins with."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    previous = [(number, signal.getsignal(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)

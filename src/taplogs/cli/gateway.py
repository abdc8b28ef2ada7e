"""The servers of `taplogs serve`: the backend alone, or behind one that speaks TLS and passes requests on."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from taplogs.backend.app import KeyCheck
    from taplogs.backend.ratelimit import RateLimit
    from taplogs.backend.server import BackendServer
    from taplogs.cli.passing import Passing
    from taplogs.cli.serve_options import ListenOptions
    from taplogs.gateway.server import GatewayServer
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.sqlite import SqliteStore


class Server(Protocol):
    """What listens from the moment it is opened."""

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
        self._server = server

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal, and return whether all running requests were answered in time."""
        from taplogs.backend.server import serve_forever

        return serve_forever(self._server, ready)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


class FrontServer:
    """A gateway's server, and behind it the backend, which answers for the logs."""

    def __init__(self, front: GatewayServer, inner: BackendServer) -> None:
        """Take both as they listen."""
        self._front = front
        self._inner = inner

    def serve(self, ready: Callable[[str], None]) -> bool:
        """Serve until a signal, and return whether all running requests were answered in time."""
        answering = threading.Thread(target=self._inner.run, name="logs")
        answering.start()
        try:
            return self._front.serve_forever(ready)
        finally:
            self._inner.stop()
            answering.join()

    def close(self) -> None:
        """Stop listening."""
        self._front.close()
        self._inner.close()


def open_server(
    entries: SqliteStore | ClickHouseStore,
    keys: KeyCheck,
    limit: RateLimit | None,
    passing: Passing | None,
    listening: ListenOptions,
    tls: ssl.SSLContext | None,
) -> Server:
    """Return a server that listens where it was told to; raises TaplogsError where it cannot."""
    from taplogs.backend.app import create_app
    from taplogs.backend.server import BackendServer

    host, port = listening.address
    if passing is None and tls is None:
        application = create_app(entries, keys=keys, rate_limit=limit)
        return PlainServer(BackendServer(application, host=host, port=port, threads=listening.threads))
    from taplogs.gateway.server import GatewayServer
    from taplogs.gateway.traffic import TrafficCounts

    counts = TrafficCounts()
    inner = BackendServer(create_app(entries, keys=keys, rate_limit=limit), threads=listening.threads)
    try:
        front = GatewayServer(
            passing.upstream if passing else None,
            None,
            inner=inner.url,
            host=host,
            port=port,
            ssl_context=tls,
            counts=counts,
        )
    except BaseException:
        inner.close()
        raise
    return FrontServer(front, inner)

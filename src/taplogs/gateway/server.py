"""The gateway's server: it listens, has each connection served, and ends without cutting off what runs."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import h11

from taplogs.backend.server import listening_socket
from taplogs.gateway.answer import Answer
from taplogs.gateway.connection import ClientConnection, Route
from taplogs.gateway.protocol import Recorder
from taplogs.gateway.routes import is_own
from taplogs.gateway.traffic import TrafficCounts
from taplogs.gateway.upstream import Upstream, UpstreamConnections
from taplogs.gateway.wire import Wire

_MOST_CONNECTIONS = 1000
_HANDSHAKE_SECONDS = 15.0

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]

_logger = logging.getLogger("taplogs.gateway")
_logger.addHandler(logging.NullHandler())  # without one, Python writes tracebacks to standard error


class GatewayServer:
    """A server that listens from the moment it is made; `serve_forever` serves until a signal, or `stop`."""

    def __init__(
        self,
        upstream: Upstream | None,
        recorder: Recorder | None,
        *,
        inner: str,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        drain_seconds: float = 30.0,
        counts: TrafficCounts | None = None,
    ) -> None:
        """`inner` is the URL of the server that answers for the logs, the health and the metrics; without an upstream
        it is asked everything. Port 0 takes a free one. Raises TaplogsError where it cannot listen.
        """
        own = UpstreamConnections(Upstream(inner))
        self._own = Route(own, None, is_counted=False)
        self._passing = Route(UpstreamConnections(upstream), recorder, is_counted=True) if upstream else self._own
        self._ssl_context = ssl_context
        self._drain_seconds = drain_seconds
        self._counts = counts or TrafficCounts()
        self._socket = listening_socket(host, port)
        self._connections: dict[asyncio.Task[None], ClientConnection] = {}
        self._stopping = asyncio.Event()
        self._cutting = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = threading.Event()

    @property
    def url(self) -> str:
        """The server's URL with its real port, without a path."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._ssl_context else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def serve_forever(self, ready: Callable[[str], None]) -> bool:
        """Serve until SIGTERM, SIGINT, SIGHUP or `stop`; return whether every running request was answered in time.

        `ready` is called with the server's URL. Signals arrive in the main thread only; elsewhere, stop it.
        """
        return asyncio.run(self._serve(ready))

    def stop(self) -> None:
        """Have `serve_forever` finish and return; any thread may call it, more than once."""
        self._stop_asked.set()
        if self._loop:
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)

    def close(self) -> None:
        """Stop listening. `serve_forever` ends with it; only a server that never ran needs it."""
        self._socket.close()

    async def _serve(self, ready: Callable[[str], None]) -> bool:
        self._loop = loop = asyncio.get_running_loop()
        if self._stop_asked.is_set():
            self._stopping.set()
        loop.set_exception_handler(_log_fault)
        self._take_signals(loop)
        server = await loop.create_server(
            self._accepted,
            sock=self._socket,
            ssl=self._ssl_context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._ssl_context else None,
            backlog=1024,
        )
        try:
            ready(self.url)
            await self._stopping.wait()
        finally:
            server.close()
            is_drained = await self._drain()
            for route in (self._passing, self._own):
                route.connections.close()
        return is_drained

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        """Stop; asked twice, whoever asks does not want to wait for what still runs."""
        if self._stopping.is_set():
            self._cutting.set()
        self._stopping.set()

    def _accepted(self) -> Wire:
        """Return the wire of a connection that has just been made; it is served as soon as it is there."""
        return _ServedWire(self._begin)

    def _begin(self, wire: Wire) -> None:
        connection = ClientConnection(wire, self._route_of, self._counts)
        is_full = len(self._connections) >= _MOST_CONNECTIONS
        work = connection.refuse(_FULL) if is_full else connection.run()
        task = asyncio.get_running_loop().create_task(work)
        self._connections[task] = connection
        self._counts.connections = len(self._connections)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._connections.pop(task)
        self._counts.connections = len(self._connections)
        if not task.cancelled() and (fault := task.exception()):
            _logger.error("a connection failed", exc_info=fault)

    def _route_of(self, target: bytes) -> Route:
        return self._own if is_own(target) else self._passing

    async def _drain(self) -> bool:
        """Let running requests finish; return False where some had to be cut off."""
        for connection in list(self._connections.values()):
            connection.end()
        cut = asyncio.ensure_future(self._cutting.wait())
        deadline = monotonic() + self._drain_seconds
        while self._connections and not cut.done() and (left_seconds := deadline - monotonic()) > 0:
            await asyncio.wait([*self._connections, cut], timeout=left_seconds, return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        left = list(self._connections.items())
        for task, connection in left:
            connection.abort()
            task.cancel()
        if left:
            await asyncio.wait([task for task, _ in left])
        return not left


class _ServedWire(Wire):
    """A client's wire, which tells when it is connected."""

    def __init__(self, begin: Callable[[Wire], None]) -> None:
        super().__init__(h11.SERVER)
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        self._begin(self)


_FULL = Answer.of_error(503, "SERVICE_UNAVAILABLE", "The gateway has too many connections; try again.")


def _log_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _logger.error("%s", context.get("message"), exc_info=context.get("exception"))

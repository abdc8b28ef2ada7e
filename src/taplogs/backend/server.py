"""Serving a WSGI application on waitress, with an end that lets running requests finish.

waitress' own `server.run()` ends at once: on an interrupt it stops the loop that sends what is still buffered, and
cuts streams off. So the loop is turned here (`waitress.wasyncore.loop`, on the map handed to `create_server`), first
with the listening socket and then, once that is closed, until the last request has been answered.
"""

from __future__ import annotations

import logging
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel

from taplogs.errors import TaplogsError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

MEBIBYTE = 1024 * 1024
_LARGEST_BODY = 64 * 1024
_LOOP_SECONDS = 1.0
"""How long the loop sleeps without traffic; a request, a finished reply and `stop` all wake it."""


_ENDING = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
_HAS_POLL = hasattr(select, "poll")  # Windows has none


def serve_forever(server: BackendServer, ready: Callable[[str], None]) -> bool:
    """Serve until SIGTERM, SIGINT or SIGHUP, then finish; return whether every running request was answered in time.

    `ready` is called with the server's URL. In another thread than the main one no signal arrives; run the server
    there, and stop it.
    """
    with closing(server), _stopped_by_signals(server.stop):
        ready(server.url)
        return server.run()


class BackendServer:
    """A server that listens from the moment it is made; `run` serves until `stop` is called from anywhere."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        threads: int = 8,
        drain_seconds: float = 10.0,
        largest_body: int = _LARGEST_BODY,
    ) -> None:
        """Port 0 takes a free one. A request with a body beyond `largest_body` bytes is refused (413), unread.

        `drain_seconds` is how long running requests may take after `stop`. Raises TaplogsError where it cannot
        listen.
        """
        _quieten_waitress()
        self._drain_seconds = drain_seconds
        self._stopping = threading.Event()
        self._closing = threading.RLock()  # a signal may call `stop` while this thread is in `close`
        self._closed = False
        self._map: dict[int, Any] = {}
        self._server = create_server(
            application,
            map=self._map,
            sockets=[listening_socket(host, port)],
            threads=threads,
            connection_limit=1000,
            channel_timeout=60,
            max_request_body_size=largest_body,
            # A stream waits for its reader after so many bytes, instead of piling up in a temporary file.
            outbuf_high_watermark=MEBIBYTE,
            outbuf_overflow=4 * MEBIBYTE,
            log_socket_errors=False,
            ident="taplogs",
            asyncore_use_poll=_HAS_POLL,
        )

    @property
    def url(self) -> str:
        """The server's URL with its real port, without a path."""
        host, port = self._server.effective_host, self._server.effective_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> bool:
        """Serve until `stop`, then finish; return whether every running request was answered in time."""
        try:
            while not self._stopping.is_set():
                self._turn(_LOOP_SECONDS)
            return self._drain()
        finally:
            self.close()

    def stop(self) -> None:
        """Have `run` finish and return; any thread or signal handler may call it, more than once."""
        with self._closing:  # the trigger is a descriptor, and must not be pulled once it is closed
            if not self._stopping.is_set():
                self._stopping.set()
                if not self._closed:
                    self._server.pull_trigger()

    def _drain(self) -> bool:
        self._stop_listening()
        deadline = time.monotonic() + self._drain_seconds
        while channels := self._channels():
            for channel in channels:
                if not channel.requests:  # nothing runs or waits: send what is buffered, then close
                    channel.close_when_flushed = True
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            self._turn(min(remaining, _LOOP_SECONDS))
        return True

    def _stop_listening(self) -> None:
        # Not `server.close()`: that also closes the pipe by which a worker says that its reply is complete.
        wasyncore.dispatcher.close(self._server)

    def _channels(self) -> list[HTTPChannel]:
        return [channel for channel in self._map.values() if isinstance(channel, HTTPChannel)]

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=_HAS_POLL, map=self._map, count=1)

    def close(self) -> None:
        """Stop listening and cut off what still runs. `run` ends with it; only a server that never ran needs it."""
        with self._closing:
            self._closed = True
        for channel in self._channels():
            channel.handle_close()  # wakes the worker that waits for a slow reader; its stream ends there
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()
        wasyncore.close_all(self._map)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises TaplogsError."""
    if not 0 <= port <= 65_535:  # the resolver would take what is left of it in 16 bits
        raise _cannot_listen(host, port, "there is no such port")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (while")[0]
        raise _cannot_listen(host, port, reason) from error


def _cannot_listen(host: str, port: int, reason: str) -> TaplogsError:
    hint = "choose another with --listen HOST:PORT; port 0 takes a free one"
    return TaplogsError(f"cannot listen on {host} port {port}: {reason}", hint)


def _quieten_waitress() -> None:
    # It warns of every request that waits for a thread. Faults of the application are logged by the application.
    logging.getLogger("waitress").setLevel(logging.ERROR)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handle) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""Servers that misbehave to a script, on real sockets, and the client that meets them.

A `FaultyServer` plays one script per connection: bytes to send, seconds to wait, `SILENCE` until the client goes
away. A `ConnectProxy` is an HTTP proxy that keeps what it was told. `source_at` opens the remote source as the
command line does, with surroundings that are kept: what it told the user, and how long it would have slept.
"""

from __future__ import annotations

import json
import math
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from taplogs.backend.app import BASE_PATH
from taplogs.backend.server import BackendServer
from taplogs.core.apikey import ApiKey
from taplogs.core.entry import LogEntry, encode_entry
from taplogs.sources.address import BackendAddress
from taplogs.sources.locate import Reach, Surroundings, open_backend
from taplogs.sources.protocol import LogSource

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

KEY = "sk_test_" + "Abc123" * 3 + "WXYZ"
SILENCE = math.inf
RESET = -1.0
"""As a step: the connection is reset, not closed in order."""

Step = bytes | float
Script = Iterable[Step]


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire."""

    head: bytes

    @property
    def target(self) -> str:
        """Path and query."""
        return self.head.split(b" ", 2)[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        """The header fields, names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


class _Listener:
    """Accepts connections on loopback and handles each in a thread, until the end of the block."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        for connection in list(self._open):
            _shut(connection)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def handle(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self._start(self._handled, connection)

    def _handled(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            self.handle(connection)
        except OSError:  # the client went away, or the test is over
            pass
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()


class FaultyServer(_Listener):
    """Plays `scripts`, the first to the first request and so on; the last one is for all that follow.

    A script may be a function of the request. `requests` holds what was received, `connections` counts those made.
    Unless it `streams`, a request for a stream is answered with JSON, uses up no script and is not kept.
    """

    def __init__(
        self,
        *scripts: Script | Callable[[Request], Script],
        streams: bool = False,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.connections = 0
        self._scripts = scripts
        self._streams = streams
        self._tls = tls
        self._host = host

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self._host}:{self.port}"

    def handle(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        if self._tls is None:
            self._play(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as encrypted:
            self._play(encrypted)

    def _play(self, connection: socket.socket) -> None:
        request = Request(_read_head(connection))
        if not request.head:
            return
        if "ndjson" in request.headers.get("accept", "") and not self._streams:
            connection.sendall(reply(b"{}"))
            return
        with self._lock:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            self.requests.append(request)
        for step in script(request) if callable(script) else script:
            if self._stopped.is_set():
                return
            if isinstance(step, bytes):
                connection.sendall(step)
            elif step == RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif step == SILENCE:
                connection.recv(1)
            else:
                self._stopped.wait(step)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


class ConnectProxy(_Listener):
    """An HTTP proxy that knows CONNECT; `heads` holds the requests that were made of the proxy itself.

    Every name leads to the port that it was given on this machine, as a proxy resolves names itself.
    """

    def __init__(self, refuse: bytes = b"") -> None:
        super().__init__()
        self.heads: list[Request] = []
        self._refuse = refuse

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def handle(self, connection: socket.socket) -> None:
        request = Request(_read_head(connection))
        with self._lock:
            self.heads.append(request)
        if self._refuse:
            connection.sendall(self._refuse)
            return
        port = int(request.target.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, connection))
            back.start()
            _pump(connection, onward)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data


def reply(
    body: bytes, status: int = 200, content_type: str = "application/json", *, length: bool = True, **headers: str
) -> bytes:
    """Return a whole response, after which the connection closes; `_` in a header's name stands for `-`."""
    fields = {"Content-Type": content_type, "Connection": "close"}
    if length:
        fields["Content-Length"] = str(len(body))
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body


def chunked(*chunks: bytes, content_type: str = "application/json", end: bool = True, **headers: Any) -> bytes:
    """Return a chunked response; without `end` the chunk that says so is missing."""
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if end else b"")
    return reply(body, content_type=content_type, length=False, Transfer_Encoding="chunked", **headers)


def drip(data: bytes, seconds: float = 0.05) -> Iterator[Step]:
    """Yield a script that sends one byte at a time."""
    for number in range(len(data)):
        yield data[number : number + 1]
        yield seconds


def page(entries: Sequence[LogEntry], **members: Any) -> bytes:
    """Return the body of a page in the contract's envelope; `members` replace its other members."""
    rest = {"totalLogs": len(entries), "nextCursor": None, "serverTime": None} | members
    return b'{"logs":[%b],%b' % (b",".join(map(encode_entry, entries)), json.dumps(rest).encode()[1:])


def lines(entries: Iterable[LogEntry], count: int | None = None) -> bytes:
    """Return entries as JSON Lines, with the trailer that announces `count` of them."""
    text = b"".join(encode_entry(entry) + b"\n" for entry in entries)
    return text if count is None else text + b'{"end":true,"count":%d,"serverTime":null}\n' % count


def error_body(code: str, message: str) -> bytes:
    """Return an error in the platform's envelope."""
    return json.dumps({"error": {"code": code, "type": "t", "message": message, "details": {}}}).encode()


@dataclass
class Told:
    """What a source told while it worked. `slept` is how long it would have waited, each time."""

    notices: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    expected: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    debugged: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    retries: int = 0

    def notice(self, message: str) -> None:
        self.notices.append(message)

    def leave_out(self, message: str) -> None:
        self.notices.append(message)
        self.left_out.append(message)

    def expect(self, total: int) -> None:
        self.expected.append(total)

    def receive(self, count: int) -> None:
        self.received.append(count)

    def retried(self) -> None:
        self.retries += 1

    def debug(self, message: str) -> None:
        self.debugged.append(message)


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def source_at(
    url: str,
    key: str = KEY,
    *,
    clock: Callable[[], datetime] = utc_now,
    random: Callable[[], float] = lambda: 0.5,
    told: Told | None = None,
    **reach: Any,
) -> Iterator[LogSource]:
    """Give the remote source for this base URL; `reach` are the fields of `locate.Reach`."""
    told = told if told is not None else Told()
    surroundings = Surroundings(clock, told.slept.append, random, told)
    source = open_backend(BackendAddress(url), ApiKey(key), Reach(**reach), surroundings)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def served(application: WSGIApplication) -> Iterator[str]:
    """Serve a WSGI application on a free port of the loopback interface; gives the base URL of the contract there."""
    server = BackendServer(application, threads=12, drain_seconds=5)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url + BASE_PATH
    finally:
        server.stop()
        thread.join()

"""An upstream on a real socket that keeps every byte it is sent, and answers with exactly the bytes it is told.

No HTTP library is in between, so nothing is normalised, and what is not exactly HTTP/1.1 is a fault of whoever sent it.
Each request plays the next script, or `PLAIN` where none is left: bytes to send, seconds to wait, an event to wait
for, `READ_BODY`, `CLOSE` or `RESET`. A request's body is read before its script begins, unless that is `early`.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256
from io import BufferedReader

Field = tuple[bytes, bytes]

_SECONDS = 30.0
_PIECE = 1 << 20
_KEPT = 4 << 20


class Move(Enum):
    """What a script does beside sending and waiting."""

    READ_BODY = auto()
    CLOSE = auto()
    RESET = auto()


READ_BODY, CLOSE, RESET = Move.READ_BODY, Move.CLOSE, Move.RESET

Step = bytes | float | threading.Event | Move


@dataclass(frozen=True)
class Script:
    """How one request is answered; `early`: before its body has been read."""

    steps: Iterable[Step]
    early: bool = False


def script(*steps: Step) -> Script:
    """Return a script of these steps, played once the request is whole."""
    return Script(steps)


def early(*steps: Step) -> Script:
    """Return a script of these steps, played as soon as the head has come."""
    return Script(steps, early=True)


def response(status: int, body: bytes = b"", *fields: Field, reason: bytes = b"Said So") -> bytes:
    """Return a whole response with these fields and, last, the length of its body."""
    lines = [b"HTTP/1.1 %d %s" % (status, reason)]
    lines += [name + b": " + value for name, value in fields]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def in_chunks(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """Return a body in these chunks, with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


PLAIN = response(200, b"ok", (b"Content-Type", b"text/plain"))


@dataclass
class Received:
    """One request as it came over the wire. `connection` numbers the connections, from 0.

    `body` is what came, without the frames of chunks, and only the beginning of a very long one; `size` and `digest`
    are of all of it. `chunks` are the sizes of its chunks, None where it was not sent in any.
    """

    connection: int
    head: bytes
    body: bytearray = field(default_factory=bytearray)
    size: int = 0
    chunks: list[int] | None = None
    trailers: bytes = b""
    is_whole: bool = False
    hash: object = field(default_factory=sha256, repr=False)

    @property
    def line(self) -> list[bytes]:
        """Method, target and version."""
        return self.head.split(b"\r\n", 1)[0].split(b" ")

    @property
    def method(self) -> bytes:
        return self.line[0]

    @property
    def target(self) -> bytes:
        return self.line[1]

    @property
    def fields(self) -> list[Field]:
        """The header fields, byte for byte, in their order."""
        return fields_of(self.head)

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field, in their order."""
        return [value for found, value in self.fields if found.lower() == name.lower()]

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole body."""
        return self.hash.hexdigest()  # type: ignore[attr-defined, no-any-return]  # hashlib's type has no public name

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.hash.update(piece)  # type: ignore[attr-defined]  # as above
        self.body += piece[: max(0, _KEPT - len(self.body))]


def fields_of(head: bytes) -> list[Field]:
    """Return the fields of a message's head, byte for byte but for the space after the colon."""
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    parted = (line.partition(b":") for line in lines)
    return [(name, value.removeprefix(b" ")) for name, _, value in parted]


class WrongRequest(Exception):
    """What came is not exactly HTTP/1.1."""


class RecordingUpstream:
    """Listens from the moment it is made; use `recording_upstream`."""

    def __init__(self, port: int = 0) -> None:
        """Listen; port 0 is a free one."""
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        self.authority = b"127.0.0.1:%d" % self.port
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.received: list[Received] = []
        self.faults: list[str] = []
        """What was not exactly HTTP/1.1 of what came. A request that was cut off is no such fault."""
        self.connections = 0
        self.lost = 0
        """How many connections ended within a request, or while an answer was sent."""
        self._scripts: deque[Script] = deque()
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def answers(self, *scripts: Script | bytes) -> None:
        """Have the next requests play these scripts; bytes are a whole response. What was left is dropped."""
        with self._changed:
            self._scripts = deque(entry if isinstance(entry, Script) else script(entry) for entry in scripts)

    def wait_for(self, requests: int, *, whole: bool = True) -> list[Received]:
        """Return what came as soon as it is so many requests, whole ones or their heads."""
        with self._changed:
            self._changed.wait_for(lambda: self._count(whole=whole) >= requests, _SECONDS)
            return list(self.received)

    def wait_for_loss(self, connections: int = 1) -> None:
        """Return once so many connections have ended within a request or an answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.lost >= connections, _SECONDS), "no connection was lost"

    def forget(self) -> None:
        """Begin a new record."""
        with self._changed:
            self.received, self.faults, self.lost = [], [], 0
            self._scripts.clear()

    def _count(self, *, whole: bool) -> int:
        return sum(request.is_whole or not whole for request in self.received)

    def run(self) -> None:
        """Accept connections until `close`."""
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._serve, args=(connection, self.connections))
                self.connections += 1
                self._open.add(connection)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Stop listening, and cut off what is open."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_SECONDS)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while request := self._head(stream, number):
                    self._answer(connection, stream, request)
        except WrongRequest as wrong:
            self.faults.append(str(wrong))
        except OSError:
            self._note_loss()
        except _Ended:
            pass
        finally:
            self._open.discard(connection)

    def _note_loss(self) -> None:
        with self._changed:
            self.lost += 1
            self._changed.notify_all()

    def _head(self, stream: BufferedReader, number: int) -> Received | None:
        """Return the next request, once its head has come; None at the end of the connection."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line and not head:
                return None
            if not line:
                raise ConnectionResetError
            if not line.endswith(b"\r\n"):
                raise WrongRequest(f"a line of a head that does not end in CR LF: {line!r}")
            head += line
        request = Received(number, head)
        with self._changed:
            self.received.append(request)
            self._changed.notify_all()
        _check_head(request)
        return request

    def _answer(self, connection: socket.socket, stream: BufferedReader, request: Received) -> None:
        with self._changed:
            played = self._scripts.popleft() if self._scripts else script(PLAIN)
        if not played.early:
            self._read_body(stream, request)
        for step in played.steps:
            if step is READ_BODY:
                self._read_body(stream, request)
            else:
                _play(connection, step)
        if not request.is_whole:  # answered early, and nothing said what then
            self._read_body(stream, request)

    def _read_body(self, stream: BufferedReader, request: Received) -> None:
        if request.values(b"Transfer-Encoding"):
            _read_chunks(stream, request)
        else:
            for value in request.values(b"Content-Length"):
                _read_exactly(stream, request, int(value))
        with self._changed:
            request.is_whole = True
            self._changed.notify_all()


class _Ended(Exception):
    """The script has ended the connection."""


def _play(connection: socket.socket, step: Step) -> None:
    if isinstance(step, bytes):
        connection.sendall(step)
    elif isinstance(step, threading.Event):
        step.wait(_SECONDS)
    elif isinstance(step, Move):
        if step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        else:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(_PIECE):  # or what was not read would make it a reset
                pass
        raise _Ended
    else:
        time.sleep(step)


def _check_head(request: Received) -> None:
    if len(request.line) != 3 or request.line[2] != b"HTTP/1.1":
        raise WrongRequest(f"a request line: {request.line!r}")
    lengths, encodings = request.values(b"Content-Length"), request.values(b"Transfer-Encoding")
    if len(lengths) + len(encodings) > 1:
        raise WrongRequest(f"two ways to tell where a body ends: {request.head!r}")
    if not all(length.isdigit() for length in lengths) or encodings not in ([], [b"chunked"]):
        raise WrongRequest(f"an odd way to tell where a body ends: {request.head!r}")
    if len(request.values(b"Host")) != 1:
        raise WrongRequest(f"not exactly one Host: {request.head!r}")
    for name, _ in request.fields:
        if not name or name.strip() != name:
            raise WrongRequest(f"the name of a field: {name!r}")


def _read_exactly(stream: BufferedReader, request: Received, size: int) -> None:
    while size:
        piece = stream.read(min(size, _PIECE))
        if not piece:
            raise ConnectionResetError
        request.add(piece)
        size -= len(piece)


def _read_chunks(stream: BufferedReader, request: Received) -> None:
    request.chunks = []
    while True:
        line = stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError
        try:
            size = int(line[:-2], 16)
        except ValueError:
            raise WrongRequest(f"the size of a chunk: {line!r}") from None
        if not size:
            break
        request.chunks.append(size)
        _read_exactly(stream, request, size)
        if stream.read(2) != b"\r\n":
            raise WrongRequest("a chunk that does not end where it says")
    while (line := stream.readline()) != b"\r\n":
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError
        request.trailers += line


@contextmanager
def recording_upstream(port: int = 0) -> Iterator[RecordingUpstream]:
    """Run an upstream until the end of the block; port 0 is a free one."""
    upstream = RecordingUpstream(port)
    thread = threading.Thread(target=upstream.run)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.close()
        thread.join(_SECONDS)


def exchange(port: int, sent: bytes | Sequence[bytes], *, ends: bool = False) -> bytes:
    """Send bytes on a connection of their own, and return all that comes until the other end closes it.

    `ends`: say at once that nothing more will be sent.
    """
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as connection:
        for piece in [sent] if isinstance(sent, bytes) else sent:
            connection.sendall(piece)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        return received_of(connection)


def received_of(connection: socket.socket) -> bytes:
    """Return all that comes until the other end closes, or resets, the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(_PIECE):
            received += piece
    return received

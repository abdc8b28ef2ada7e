"""Offer load to a server, and print what came of it as JSON: URL CONNECTIONS SECONDS RATE.

Each connection has one request at a time. RATE 0: the next follows at once. Otherwise so many requests a second are due
in all, evenly, and a latency counts from when its request was due, so that a server which stands still is not spared
those that it keeps waiting.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter, time_ns
from urllib.parse import urlsplit

_BODY = (
    b'{"title":"Data engineer","city":"Berlin","salary":{"from":70000,"to":90000,"currency":"EUR"},"tags":["a","b"]}'
)
_HEAD = (
    b"POST /v1/partner/jobs?run=%d&page=%d HTTP/1.1\r\nHost: load\r\nUser-Agent: load/1\r\n"
    b"Authorization: Bearer sk_test_0123456789abcdefghijkl\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
_WARM_UP_SECONDS = 0.5
_LENGTH = b"content-length: "


class _Connection(asyncio.Protocol):
    """A keep-alive connection; `turn` says when the next request is due, or None at the end."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._due = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]):
            self._received = b""
            self._load.answered(self._due, is_right=b" 201 " in head[:16])
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(exc or ConnectionResetError("the server has closed the connection"))

    def _next(self) -> None:
        due = self._load.due()
        if due is None:
            self.over.set_result(None)
            self._transport.close()
            return
        self._due = due
        if (wait := due - perf_counter()) > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
            self._send()

    def _send(self) -> None:
        self._transport.write(_HEAD % (self._load.run, self._load.sent, len(_BODY)) + _BODY)
        self._load.sent += 1


class _Load:
    """What is offered, and what came of it. The first moment does not count, but is sent and answered like all else."""

    def __init__(self, seconds: float, rate: float) -> None:
        self._began = perf_counter()
        self._counts_from = self._began + _WARM_UP_SECONDS
        self._until = self._counts_from + seconds
        self._interval = 1 / rate if rate else 0.0
        self._asked = 0
        self._last = 0.0
        self._latencies: list[float] = []
        self.run = time_ns()
        self.sent = 0
        self._wrong = 0

    def due(self) -> float | None:
        """Return when the next request is due; None where that is after the end."""
        at = self._began + self._asked * self._interval if self._interval else perf_counter()
        self._asked += 1
        return at if at < self._until else None

    def answered(self, due: float, *, is_right: bool) -> None:
        """Take note of an answer."""
        now = perf_counter()
        self._wrong += not is_right
        if due >= self._counts_from:
            self._latencies.append(now - due)
            self._last = now

    def outcome(self) -> dict[str, float]:
        """Return requests a second, latencies in milliseconds, and how many were sent, and answered wrongly."""
        ordered = sorted(self._latencies)
        seconds = self._last - self._counts_from
        return {
            "rate": len(ordered) / seconds,
            "p50": ordered[len(ordered) // 2] * 1000,
            "p99": ordered[len(ordered) * 99 // 100] * 1000,
            "sent": self.sent,
            "wrong": self._wrong,
        }


async def main() -> None:
    """Offer it, and print the outcome."""
    url, connections, seconds, rate = sys.argv[1:]
    place = urlsplit(url)
    assert place.hostname
    assert place.port
    host, port = place.hostname, place.port
    load = _Load(float(seconds), float(rate))
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(load), host, port) for _ in range(int(connections))]
    await asyncio.gather(*[connection.over for _, connection in made])
    print(json.dumps(load.outcome()))


if __name__ == "__main__":
    asyncio.run(main())

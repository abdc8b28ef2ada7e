"""The upstream: where it is, and the connections to it, which are used again."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from time import monotonic
from urllib.parse import urlsplit

import h11
from msgspec import Struct

from taplogs.gateway.wire import Wire

_MOST_IDLE = 64
_LONGEST_IDLE = 15.0
"""Many servers close what is idle for a minute, some after five seconds; one that has just closed is seen as closed."""

_SURELY_OPEN = 1.0
"""A request that must not be sent twice takes a connection that was used within so many seconds, or a new one."""


class Upstream(Struct, frozen=True):
    """Where requests go. `url` is absolute, its path does not matter; without `ssl_context` an https one is refused.

    A connection may take `connect_seconds` to be made, a response `response_seconds` to begin, and as long again for
    each piece of it.
    """

    url: str
    ssl_context: ssl.SSLContext | None = None
    connect_seconds: float = 10.0
    response_seconds: float = 60.0

    @property
    def origin(self) -> str:
        """Scheme, host and port, as they were typed."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def authority(self) -> bytes:
        """What the Host header says."""
        return urlsplit(self.url).netloc.encode("ascii")


class UpstreamConnections:
    """Connections to one upstream; those that are idle are used again, the last one first."""

    def __init__(self, upstream: Upstream) -> None:
        """Nothing is connected yet."""
        self.upstream = upstream
        self._idle: deque[tuple[float, Wire]] = deque()

    def idle(self, *, may_repeat: bool) -> Wire | None:
        """Return an idle connection that seems to be open, None where there is none.

        `may_repeat`: the request can be sent again should the upstream be closing the connection just now.
        """
        newest = monotonic() - (_LONGEST_IDLE if may_repeat else _SURELY_OPEN)
        while self._idle:
            since, wire = self._idle[-1]
            if not wire.is_quiet:
                self._idle.pop()
                wire.close()
            elif since < newest:
                return None
            else:
                self._idle.pop()
                return wire
        return None

    async def connect(self) -> Wire:
        """Return a new connection; raises OSError, TimeoutError."""
        upstream = self.upstream
        parts = urlsplit(upstream.url)
        is_secure = parts.scheme == "https"
        if is_secure and upstream.ssl_context is None:
            raise ssl.SSLError("there is no way to check the certificate")
        async with asyncio.timeout(upstream.connect_seconds):
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: Wire(h11.CLIENT),
                parts.hostname or "",
                parts.port or (443 if is_secure else 80),
                ssl=upstream.ssl_context if is_secure else None,
            )
        return wire

    def take_back(self, wire: Wire) -> None:
        """Keep a connection whose exchange is over for another one, or close it where it cannot be used again."""
        if wire.http.our_state is not h11.DONE or wire.http.their_state is not h11.DONE or not wire.is_quiet:
            wire.close()
            return
        wire.http.start_next_cycle()
        self._idle.append((monotonic(), wire))
        self._close_idle(monotonic() - _LONGEST_IDLE)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.popleft()[1].close()

    def _close_idle(self, until: float) -> None:
        while self._idle and (len(self._idle) > _MOST_IDLE or self._idle[0][0] < until):
            self._idle.popleft()[1].close()

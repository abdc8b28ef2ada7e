"""One connection that speaks HTTP/1.1 (RFC 9112), to a client or to the upstream: asyncio moves it, h11 reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import h11

_LONGEST_HEAD = 128 * 1024
_CLOSE_SECONDS = 20.0
_READ_AHEAD = 256 * 1024
"""So many bytes wait here before the other side has to; asyncio has as many in its hands at the most."""

SEND_AT = 64 * 1024
"""From so many unsent bytes on, they are sent before more is read."""


class Wire(asyncio.Protocol):
    """A connection. Reading waits for data, sending for a peer that does not take any; each at most so many seconds.

    Raises ConnectionError where the connection is lost, TimeoutError where nothing moves, and h11's protocol errors.
    """

    def __init__(self, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=_LONGEST_HEAD)
        self.on_end: Callable[[], None] | None = None
        """Called once the peer has sent its last byte, or is gone."""
        self._transport: asyncio.Transport | None = None
        self._cutting: asyncio.TimerHandle | None = None
        self._received = bytearray()
        self._has_said_all = False
        self._is_lost = False
        self._is_paused = False
        self._is_congested = False
        self._unsent: list[bytes] = []
        self._unsent_size = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes from the peer."""
        return self._has_said_all or self._is_lost

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open, and nothing has come that nobody has read."""
        return not (self.has_ended or self._received or self.http.trailing_data[0])

    @property
    def peer(self) -> str:
        """The address of the other end; empty where there is none."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return name[0] if isinstance(name, tuple) else ""

    def ready_event(self) -> h11.Event | None:
        """Return the next event that can be told without waiting, None where there is none."""
        event = self.http.next_event()
        if event is h11.NEED_DATA and (self._received or self._has_said_all):
            self.http.receive_data(self._take())
            event = self.http.next_event()
        return None if isinstance(event, type) else event

    async def next_event(self, seconds: float) -> h11.Event:
        """Return the next event; each piece of it may take so many seconds to come."""
        while (event := self.ready_event()) is None:
            await self._changed(lambda: bool(self._received) or self.has_ended, seconds)
            if not self._received and not self._has_said_all:
                raise ConnectionResetError("the connection is lost")
        return event

    async def data_waits(self, seconds: float) -> None:
        """Return once there is something to read, or the end."""
        if self.is_quiet:
            await self._changed(lambda: not self.is_quiet, seconds)

    def put(self, event: h11.Event) -> bool:
        """Have an event sent with the next `flush`; return whether that is due."""
        if data := self.http.send(event):
            self._unsent.append(data)
            self._unsent_size += len(data)
        return self._unsent_size >= SEND_AT

    async def flush(self, seconds: float) -> None:
        """Send what was put, as soon as the peer takes it."""
        if self._is_lost or self._transport is None:
            raise ConnectionResetError("the connection is lost")
        if self._unsent:
            data, self._unsent, self._unsent_size = b"".join(self._unsent), [], 0
            self._transport.write(data)
        if self._is_congested:
            await self._changed(lambda: not self._is_congested or self._is_lost, seconds)
            if self._is_lost:
                raise ConnectionResetError("the connection is lost")

    def close(self) -> None:
        """Close, after what was written is sent; a peer that does not take it is not waited for long."""
        if self._transport and not self._transport.is_closing():
            self._transport.close()
            if not self._is_lost:
                self._cutting = asyncio.get_running_loop().call_later(_CLOSE_SECONDS, self._transport.abort)

    def end_sending(self) -> None:
        """Say that nothing more will be sent, where that can be said apart; the rest of the peer's is still read."""
        if self._transport and self._transport.can_write_eof() and not self._is_lost:
            self._transport.write_eof()

    def abort(self) -> None:
        """Close at once: what was not sent is lost, and the peer can tell that it is not all."""
        if self._transport:
            self._transport.abort()

    async def outlast(self, seconds: float) -> None:
        """Return once the peer has sent its last byte; what still comes is forgotten. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.has_ended:
                self._take()
                await self._changed(lambda: bool(self._received) or self.has_ended, seconds)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._received += data
        if len(self._received) >= _READ_AHEAD and self._transport and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Called by asyncio; what is being sent is still sent, but for TLS, which has no half of a connection."""
        self._has_said_all = True
        self._tell_end()
        return self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, _fault: Exception | None) -> None:
        """Called by asyncio."""
        self._is_lost = True
        if self._cutting:
            self._cutting.cancel()
        self._tell_end()

    def pause_writing(self) -> None:
        """Called by asyncio: the peer takes less than it is sent."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._is_congested = False
        self._wake()

    def _take(self) -> bytes:
        data, self._received = bytes(self._received), bytearray()
        if self._is_paused and self._transport and not self._is_lost:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def _tell_end(self) -> None:
        self._wake()
        told, self.on_end = self.on_end, None
        if told:
            told()

    async def _changed(self, is_so: Callable[[], bool], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while not is_so():
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

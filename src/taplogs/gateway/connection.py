"""A client's connection: one request after the other, each passed on; and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import h11
from msgspec import Struct

from taplogs.gateway.answer import Answer
from taplogs.gateway.exchange import ClientGone, Exchange
from taplogs.gateway.protocol import Recorder, Recording
from taplogs.gateway.traffic import TrafficCounts
from taplogs.gateway.upstream import UpstreamConnections
from taplogs.gateway.wire import Wire

_IDLE_SECONDS = 75.0
"""How long a client may keep a connection without asking anything."""

_HEAD_SECONDS = 20.0
"""How long the head of a request may take, from its first byte on."""

_LONGEST_METHOD = 32
"""The longest one that is registered has 17 characters (RFC 9110, section 16.1)."""

_SEND_SECONDS = 20.0
_LINGER_SECONDS = 2.0
"""How long what a client still sends is read after its answer: closing at once could destroy the answer on its way."""


class Route(Struct, frozen=True):
    """Where requests go, who records them, and whether they are counted as traffic."""

    connections: UpstreamConnections
    recorder: Recorder | None
    is_counted: bool


class ClientConnection:
    """The connection of one client."""

    def __init__(self, client: Wire, route_of: Callable[[bytes], Route], counts: TrafficCounts) -> None:
        """`route_of` returns where a request goes by its target."""
        self._client = client
        self._route_of = route_of
        self._counts = counts
        self._is_ending = False
        self._is_idle = True

    def end(self) -> None:
        """End after the request that runs, at once where none does."""
        self._is_ending = True
        if self._is_idle:
            self._client.close()

    def abort(self) -> None:
        """End at once."""
        self._client.abort()

    async def run(self) -> None:
        """Answer requests until either side has had enough."""
        try:
            while await self._next_request():
                pass
        except (ClientGone, OSError):
            self._client.abort()
        except BaseException:
            self._client.abort()  # whatever failed, the connection does not stay
            raise
        else:
            await self._linger()

    async def refuse(self, answer: Answer) -> None:
        """Answer whatever is asked with this, and close."""
        await self._tell(answer)
        await self._linger()

    async def _tell(self, answer: Answer) -> None:
        with suppress(OSError, h11.ProtocolError):
            answer.put(self._client, None)
            await self._client.flush(_SEND_SECONDS)

    async def _next_request(self) -> bool:
        """Answer one request; return whether there may be another one."""
        client = self._client
        try:
            await client.data_waits(_IDLE_SECONDS)
        except TimeoutError:
            return False
        self._is_idle = False
        try:
            request = await self._head()
        except h11.RemoteProtocolError as error:
            await self._tell(_unreadable(error))
            return False
        except TimeoutError:
            await self._tell(Answer.of_error(408, "REQUEST_TIMEOUT", "The request did not come to its end."))
            return False
        if request is None:
            return False
        target = _target(request)
        if target is None or _is_ambiguous(request) or len(request.method) > _LONGEST_METHOD:
            await self._tell(_refusal(request))
            return False
        await self._answer(request, target)
        self._is_idle = True
        if self._is_ending or client.http.our_state is not h11.DONE or client.http.their_state is not h11.DONE:
            return False
        client.http.start_next_cycle()
        return True

    async def _head(self) -> h11.Request | None:
        """Return the next request, None where no more comes."""
        async with asyncio.timeout(_HEAD_SECONDS):
            event = await self._client.next_event(_HEAD_SECONDS)
        return event if isinstance(event, h11.Request) else None

    async def _answer(self, request: h11.Request, target: bytes) -> None:
        began = monotonic()
        method = request.method.decode("ascii")
        route = self._route_of(target)
        recording = self._recording(route, method, target, request)
        exchange = Exchange(self._client, request, target, route.connections, recording, self._counts)
        self._counts.running += route.is_counted
        try:
            await exchange.run()
        finally:
            self._counts.running -= route.is_counted
            if recording:
                recording.end(exchange.status)
            if route.is_counted:
                self._counts.ended(method, exchange.status, monotonic() - began)

    def _recording(self, route: Route, method: str, target: bytes, request: h11.Request) -> Recording | None:
        if route.recorder is None:
            return None
        url = route.connections.upstream.origin + target.decode("ascii")
        return route.recorder.begin(method, url, request.headers.raw_items(), self._client.peer)

    async def _linger(self) -> None:
        """Close, having said that it is the end, as soon as the client has nothing more to say either."""
        client = self._client
        with suppress(OSError):
            client.end_sending()
            await client.outlast(_LINGER_SECONDS)
        client.close()


def _is_ambiguous(request: h11.Request) -> bool:
    """Return whether readers could disagree on where a request ends (RFC 9112, section 6.1): another may be in it."""
    names = [name for name, _ in request.headers]
    return b"transfer-encoding" in names and (b"content-length" in names or request.http_version < b"1.1")


def _refusal(request: h11.Request) -> Answer:
    """Return the answer to a request that is not passed on."""
    if _is_ambiguous(request):
        return Answer.of_error(400, "INVALID_REQUEST", "The request says twice where its body ends.")
    if len(request.method) > _LONGEST_METHOD:
        return Answer.of_error(501, "INVALID_REQUEST", "The request's method is too long.")
    return Answer.of_error(400, "INVALID_REQUEST", "The request's target is no path.")


def _target(request: h11.Request) -> bytes | None:
    """Return what of a request's target goes on: the path and the query as they were sent (RFC 9112, section 3.2)."""
    target = request.target
    if target.startswith(b"/") or (target == b"*" and request.method == b"OPTIONS"):
        return target
    if request.method == b"CONNECT" or not target.lower().startswith((b"http://", b"https://")):
        return None
    rest = target.split(b"//", 1)[1]
    place = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=-1)
    if place < 0:
        return b"/"
    return rest[place:] if rest[place:].startswith(b"/") else b"/" + rest[place:]


def _unreadable(error: h11.RemoteProtocolError) -> Answer:
    return Answer.of_error(error.error_status_hint, "INVALID_REQUEST", "The request is not HTTP.")

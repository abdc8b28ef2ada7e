"""One request on its way to the upstream, and the response on its way back, as it comes: neither waits for its end."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from http import HTTPStatus

import h11

from taplogs.gateway.answer import Answer
from taplogs.gateway.headers import passed_on, with_host
from taplogs.gateway.protocol import Recording
from taplogs.gateway.traffic import TrafficCounts
from taplogs.gateway.upstream import UpstreamConnections
from taplogs.gateway.wire import Wire

CLIENT_GONE = 499
"""The status of a request whose client did not wait for the response; it is nginx's, and is never sent."""

_CLIENT_SECONDS = 60.0
"""How long a client may send nothing of a body, or take nothing of one."""

_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
"""The methods that have the same effect when a request is sent twice (RFC 9110, section 9.2.2)."""

_NO_HTTP = (h11.RemoteProtocolError, h11.LocalProtocolError)


class ClientGone(Exception):
    """The client has gone, or does not take what it asked for."""


class UpstreamFault(Exception):
    """The upstream did not answer: the status to answer with, the kind of fault, and words."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Exchange:
    """A request that has come, its head read, and its response."""

    def __init__(
        self,
        client: Wire,
        request: h11.Request,
        target: bytes,
        connections: UpstreamConnections,
        recording: Recording | None,
        counts: TrafficCounts,
    ) -> None:
        """`target` is what the upstream is asked for: a path and a query, or `*`."""
        self._client = client
        self._request = request
        self._target = target
        self._connections = connections
        self._recording = recording
        self._counts = counts
        self._upstream: Wire | None = None
        self._upload: asyncio.Task[None] | None = None
        self._client_fault: Exception | None = None
        self.status = CLIENT_GONE

    async def run(self) -> None:
        """Pass the request on and the response back; raises ClientGone where the connection is of no use any more."""
        self._client.on_end = self._client_ends
        if self._client.has_ended:
            self._client_ends()
        try:
            await self._exchange()
        except UpstreamFault as fault:
            self._counts.upstream_failed(fault.kind)
            code = "GATEWAY_TIMEOUT" if fault.status == HTTPStatus.GATEWAY_TIMEOUT else "BAD_GATEWAY"
            await self._answer(fault, fault.status, code, str(fault))
        except h11.RemoteProtocolError as error:
            await self._answer(error, error.error_status_hint, "INVALID_REQUEST", "The request is not HTTP.")
        finally:
            self._client.on_end = None
            await self._end_upload()
            if self._upstream:
                self._connections.take_back(self._upstream)

    def _client_ends(self) -> None:
        """Have the upstream know at once that nobody waits for its response any more."""
        self._client_fault = self._client_fault or ConnectionResetError("the client is gone")
        if self._upstream:
            self._upstream.abort()

    async def _exchange(self) -> None:
        body = self._client.ready_event()
        is_whole = isinstance(body, h11.EndOfMessage)
        may_repeat = is_whole and self._request.method in _REPEATABLE
        first = await self._first_response(body, may_repeat=may_repeat)
        await self._pass_response(first)

    async def _first_response(self, body: h11.Event | None, *, may_repeat: bool) -> h11.Event:
        """Send the request, and return the first event of the response; its body goes on being sent meanwhile.

        A connection that was used before may be one that the upstream was just closing: then once more, over another.
        """
        self._upstream = self._connections.idle(may_repeat=may_repeat)
        if self._upstream:
            try:
                return await self._ask(body)
            except UpstreamFault as fault:
                if not may_repeat or fault.kind != "broken" or self._upstream.http.trailing_data[0]:
                    raise
            self._upstream.abort()
        self._upstream = None
        self._upstream = await self._connected()
        return await self._ask(body)

    async def _connected(self) -> Wire:
        upstream = self._connections.upstream
        try:
            return await self._connections.connect()
        except TimeoutError:
            seconds = f"{upstream.connect_seconds:g}"
            raise UpstreamFault(504, "timeout", f"The upstream took no connection within {seconds} s.") from None
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", None) or error.reason or "no secure connection"
            raise UpstreamFault(502, "refused", f"The upstream cannot be trusted: {reason}.") from error
        except OSError as error:
            raise UpstreamFault(502, "refused", "The upstream cannot be reached.") from error

    async def _ask(self, body: h11.Event | None) -> h11.Event:
        """Send the head and what is there of the body, and have the rest of it follow."""
        self._refuse_gone()
        upstream = self._upstream
        assert upstream  # noqa: S101 - for the type checker
        fields = with_host(passed_on(self._request), self._connections.upstream.authority)
        try:
            upstream.put(h11.Request(method=self._request.method, target=self._target, headers=fields))
            if body is not None:
                self._pass_body(upstream, body)
            await upstream.flush(_CLIENT_SECONDS)
        except ConnectionError:
            pass  # there may be a response all the same
        except TimeoutError:
            raise UpstreamFault(504, "timeout", "The upstream takes nothing.") from None
        if not isinstance(body, h11.EndOfMessage):
            self._upload = asyncio.get_running_loop().create_task(self._send_body(upstream))
        return await self._next_event()

    def _pass_body(self, upstream: Wire, event: h11.Event) -> bool:
        """Have a piece of the request's body sent, or its end; return whether it is due."""
        if isinstance(event, h11.Data):
            if self._recording:
                self._recording.request_data(event.data)
            return upstream.put(h11.Data(data=event.data))
        if isinstance(event, h11.EndOfMessage):
            return upstream.put(h11.EndOfMessage(headers=event.headers.raw_items()))
        raise ConnectionResetError("the client is gone")

    async def _send_body(self, upstream: Wire) -> None:
        """Pass the body on until its end. A fault of the client ends the exchange; one of the upstream may not."""
        event: h11.Event | None = None
        while not isinstance(event, h11.EndOfMessage):
            try:
                if (event := self._client.ready_event()) is None:
                    with suppress(ConnectionError):
                        await upstream.flush(self._connections.upstream.response_seconds)
                    event = await self._client.next_event(_CLIENT_SECONDS)
            except (OSError, h11.RemoteProtocolError) as error:
                self._client_fault = self._client_fault or error
                upstream.abort()
                return
            try:
                is_due = self._pass_body(upstream, event)
            except ConnectionError as error:
                self._client_fault = self._client_fault or error
                upstream.abort()
                return
            except h11.LocalProtocolError:  # the upstream has ended the exchange
                return
            if is_due or isinstance(event, h11.EndOfMessage):
                try:
                    await upstream.flush(self._connections.upstream.response_seconds)
                except OSError:
                    return  # what the upstream says, if anything, is read elsewhere

    async def _next_event(self) -> h11.Event:
        """Return what the upstream says next; raises UpstreamFault, ClientGone."""
        upstream = self._upstream
        assert upstream  # noqa: S101 - for the type checker
        seconds = self._connections.upstream.response_seconds
        try:
            event = await upstream.next_event(seconds)
        except TimeoutError:
            self._refuse_gone()
            upstream.abort()
            raise UpstreamFault(504, "timeout", f"The upstream gave no answer within {seconds:g} s.") from None
        except ConnectionError as error:
            self._refuse_gone()
            raise UpstreamFault(502, "broken", "The upstream broke the connection off.") from error
        except _NO_HTTP as error:
            self._refuse_gone()
            upstream.abort()
            raise _unreadable(upstream) from error
        if isinstance(event, h11.ConnectionClosed):
            self._refuse_gone()
            raise UpstreamFault(502, "broken", "The upstream closed the connection without an answer.")
        return event

    async def _pass_response(self, event: h11.Event) -> None:
        client, upstream = self._client, self._upstream
        assert upstream  # noqa: S101 - for the type checker
        while True:
            if isinstance(event, h11.InformationalResponse):
                self._pass_informational(event)
            elif isinstance(event, h11.Response):
                self._begin(event.status_code, passed_on(event), event.reason)
            elif isinstance(event, h11.Data):
                if self._recording:
                    self._recording.response_data(event.data)
                if client.put(h11.Data(data=event.data)):
                    await self._flush()
            elif isinstance(event, h11.EndOfMessage):
                client.put(h11.EndOfMessage(headers=event.headers.raw_items() if self._knows_1_1 else []))
                await self._flush()
                return
            waiting = self._ready_event(upstream)
            if waiting is None:
                await self._flush()
                waiting = await self._next_event()
            event = waiting

    def _ready_event(self, upstream: Wire) -> h11.Event | None:
        try:
            event = upstream.ready_event()
        except _NO_HTTP as error:
            raise _unreadable(upstream) from error
        if isinstance(event, h11.ConnectionClosed):
            raise UpstreamFault(502, "broken", "The upstream closed the connection within an answer.")
        return event

    def _pass_informational(self, event: h11.InformationalResponse) -> None:
        """Pass 100, 102, 103 on, to clients that know what it is. An upgrade was not asked for, and is none."""
        if event.status_code != HTTPStatus.SWITCHING_PROTOCOLS and self._knows_1_1:
            self._client.put(
                h11.InformationalResponse(status_code=event.status_code, headers=passed_on(event), reason=event.reason)
            )

    @property
    def _knows_1_1(self) -> bool:
        return (self._client.http.their_http_version or b"") >= b"1.1"

    def _begin(self, status: int, fields: list[tuple[bytes, bytes]], reason: bytes) -> None:
        self.status = status
        if self._recording:
            self._recording.response_begins(status, fields)
        self._client.put(h11.Response(status_code=status, headers=fields, reason=reason))

    async def _flush(self) -> None:
        try:
            await self._client.flush(_CLIENT_SECONDS)
        except OSError as error:
            self._client.abort()
            if self._upstream:
                self._upstream.abort()
            raise ClientGone from error

    async def _answer(self, cause: Exception, status: int, code: str, message: str) -> None:
        """Answer for the upstream, in the platform's envelope.

        Where a response has begun already, only breaking off tells the client that it is not whole.
        """
        if self.status != CLIENT_GONE:
            self._client.abort()
            raise ClientGone from cause
        answer = Answer.of_error(status, code, message)
        self._begin(status, answer.fields, answer.reason)
        if self._recording:
            self._recording.response_data(answer.body)
        answer.put_body(self._client, self._request)
        await self._flush()

    def _refuse_gone(self) -> None:
        """Raise what the client did wrong, where it did, or that it is gone."""
        if self._client_fault is None:
            return
        if isinstance(self._client_fault, h11.RemoteProtocolError):
            raise self._client_fault
        raise ClientGone from self._client_fault

    async def _end_upload(self) -> None:
        if self._upload and not self._upload.done():
            self._upload.cancel()
            if self._upstream:
                self._upstream.abort()
            with suppress(asyncio.CancelledError):
                await self._upload


def _unreadable(upstream: Wire) -> UpstreamFault:
    if upstream.has_ended:
        return UpstreamFault(502, "broken", "The upstream closed the connection before the end of its answer.")
    return UpstreamFault(502, "broken", "The upstream's answer is not HTTP.")

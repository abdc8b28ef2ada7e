"""The recorder of the log: it notes what passes, and hands each request over once it is done. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count

import msgspec
from msgspec import Struct

from taplogs.gateway.body import KeptBody, PassingBody
from taplogs.gateway.protocol import Headers

_OK = 200


class Recorded(Struct, frozen=True, array_like=True, gc=False):
    """One request as it passed. `began` is aware, `latency` in seconds; `number` counts the requests that are done.

    `response` is None where the status is the one whose payload is not kept.
    """

    number: int
    began: datetime
    latency: float
    method: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...]
    peer: str
    status: int
    request: KeptBody
    response: KeptBody | None
    response_headers: tuple[tuple[bytes, bytes], ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Recorded)


def encode_recorded(recorded: Recorded) -> bytes:
    """Return a recording as msgpack: one piece, which the garbage collector need not look into while it waits."""
    return _encoder.encode(recorded)


def decode_recorded(message: bytes) -> Recorded:
    """Return the recording that `encode_recorded` has encoded."""
    return _decoder.decode(message)


class CapturingRecorder:
    """Makes recordings, numbers them from 1 in the order in which they end, and hands them over."""

    def __init__(
        self,
        put: Callable[[bytes], None],
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        largest_body: int,
    ) -> None:
        """`put` takes an encoded recording and does not wait; `largest_body` is in bytes, for each of the two."""
        self.put = put
        self.numbers = count(1)
        self.clock = clock
        self.monotonic = monotonic
        self.largest_body = largest_body

    def begin(self, method: str, url: str, headers: Headers, peer: str) -> CapturingRecording:
        """Return the recording of a request whose head has just been received."""
        return CapturingRecording(self, method, url, headers, peer)


class CapturingRecording:
    """One request while it passes."""

    def __init__(self, recorder: CapturingRecorder, method: str, url: str, headers: Headers, peer: str) -> None:
        self._recorder = recorder
        self._method = method
        self._url = url
        self._headers = headers
        self._peer = peer
        self._began = recorder.clock()
        self._monotonic = recorder.monotonic()
        self._request = PassingBody(recorder.largest_body)
        self._response: PassingBody | None = None
        self._response_headers: Headers = ()

    def request_data(self, chunk: bytes) -> None:
        """So much more of the request's body came."""
        self._request.add(chunk)

    def response_begins(self, status: int, headers: Headers) -> None:
        """The final response begins."""
        if status != _OK:
            self._response = PassingBody(self._recorder.largest_body)
            self._response_headers = headers

    def response_data(self, chunk: bytes) -> None:
        """So much more of the response's body came."""
        if self._response is not None:
            self._response.add(chunk)

    def end(self, status: int) -> None:
        """The last byte was sent, or the exchange broke off: it is handed over."""
        recorder = self._recorder
        recorded = Recorded(
            next(recorder.numbers),
            self._began,
            recorder.monotonic() - self._monotonic,
            self._method,
            self._url,
            tuple(self._headers),
            self._peer,
            status,
            self._request.kept(),
            self._response.kept() if self._response else None,
            tuple(self._response_headers),
        )
        recorder.put(encode_recorded(recorded))

"""The recorder of the log: it notes what passes, and hands each request over once it is done. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count

from taplogs.gateway.body import Body
from taplogs.gateway.protocol import Headers

_OK = 200


class Recorded:
    """One request as it passed. `began` is aware, `latency` in seconds; `number` counts the requests that are done.

    The response's body is noted only where its status is one whose payload is kept.
    """

    def __init__(self, recorder: CapturingRecorder, method: str, url: str, headers: Headers, peer: str) -> None:
        self._recorder = recorder
        self.method = method
        self.url = url
        self.headers = headers
        self.peer = peer
        self.began = recorder.clock()
        self._monotonic = recorder.monotonic()
        self.latency = 0.0
        self.number = 0
        self.status = 0
        self.request = Body(recorder.largest_body)
        self.response: Body | None = None
        self.response_headers: Headers = ()

    @property
    def size(self) -> int:
        """How many bytes of bodies are kept."""
        return self.request.kept_size + (self.response.kept_size if self.response else 0)

    def request_data(self, chunk: bytes) -> None:
        """So much more of the request's body came."""
        self.request.add(chunk)

    def response_begins(self, status: int, headers: Headers) -> None:
        """The final response begins."""
        if status != _OK:
            self.response = Body(self._recorder.largest_body)
            self.response_headers = headers

    def response_data(self, chunk: bytes) -> None:
        """So much more of the response's body came."""
        if self.response is not None:
            self.response.add(chunk)

    def end(self, status: int) -> None:
        """The last byte was sent, or the exchange broke off: it is handed over."""
        self.latency = self._recorder.monotonic() - self._monotonic
        self.status = status
        self._recorder.hand_over(self)


class CapturingRecorder:
    """Makes recordings, numbers them from 1 in the order in which they end, and hands them over."""

    def __init__(
        self,
        put: Callable[[Recorded], None],
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        largest_body: int,
    ) -> None:
        """`put` takes a recording without waiting; `largest_body` is in bytes, and holds for each of the two."""
        self._put = put
        self._numbers = count(1)
        self.clock = clock
        self.monotonic = monotonic
        self.largest_body = largest_body

    def begin(self, method: str, url: str, headers: Headers, peer: str) -> Recorded:
        """Return the recording of a request whose head has just been received."""
        return Recorded(self, method, url, headers, peer)

    def hand_over(self, recorded: Recorded) -> None:
        """Number a recording that has ended, and hand it over."""
        recorded.number = next(self._numbers)
        self._put(recorded)

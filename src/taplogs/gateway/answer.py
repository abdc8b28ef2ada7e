"""What the gateway says itself, in the platform's envelope."""

from __future__ import annotations

from http import HTTPStatus

import h11
from msgspec import Struct

from taplogs.backend.envelope import envelope
from taplogs.gateway.wire import Wire


class Answer(Struct, frozen=True):
    """A response that is no upstream's."""

    status: int
    body: bytes

    @classmethod
    def of_error(cls, status: int, code: str, message: str) -> Answer:
        """Return the answer that tells an error."""
        return cls(status, envelope(status, code, message))

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields."""
        return [(b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(self.body))]

    @property
    def reason(self) -> bytes:
        """The words beside the status."""
        return HTTPStatus(self.status).phrase.encode("ascii")

    def put(self, client: Wire, request: h11.Request | None) -> None:
        """Have the whole of it sent with the next flush, as the last one; `request` is None where it is not known."""
        fields = [*self.fields, (b"Connection", b"close")]
        client.put(h11.Response(status_code=self.status, headers=fields, reason=self.reason))
        self.put_body(client, request)

    def put_body(self, client: Wire, request: h11.Request | None) -> None:
        """Have what follows the head sent with the next flush."""
        if request is None or request.method != b"HEAD":
            client.put(h11.Data(data=self.body))
        client.put(h11.EndOfMessage())

"""What the passing of requests tells of each one, whoever listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[bytes, bytes]]
"""Names, in the case in which they were sent, and values; in their order, repeated ones as often as they came."""


class Recording(Protocol):
    """One request while it passes. All of it is called by one thread, and must return at once."""

    def request_data(self, chunk: bytes) -> None:
        """So much more of the request's body came, as it is sent: compressed where it is."""
        ...

    def response_begins(self, status: int, headers: Headers) -> None:
        """The final response begins, with its headers as the client gets them."""
        ...

    def response_data(self, chunk: bytes) -> None:
        """So much more of the response's body came, as it is sent."""
        ...

    def end(self, status: int) -> None:
        """The last byte was sent, or the exchange broke off; called once.

        `status` is the one that the response began with; where none began, 499: the client went away before.
        """
        ...


class Recorder(Protocol):
    """What makes recordings."""

    def begin(self, method: str, url: str, headers: Headers, peer: str) -> Recording:
        """Return the recording of a request whose head has just been received.

        `url` is absolute, as the upstream sees it, with its query as it was sent; `peer` is the address of whoever
        is connected.
        """
        ...

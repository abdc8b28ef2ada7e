"""The header fields that a gateway passes on, and those that are of one connection only (RFC 9110, section 7.6.1)."""

from __future__ import annotations

import h11

from taplogs.gateway.protocol import Headers

_OF_ONE_CONNECTION = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)


_NEVER_OF_ONE_CONNECTION = frozenset({b"content-length", b"host"})
"""Fields that a message cannot do without, whatever its Connection field names."""


def passed_on(message: h11.Request | h11.Response | h11.InformationalResponse) -> list[tuple[bytes, bytes]]:
    """Return the fields of a message that go on, as `fields_passed_on` does; an informational one has no body."""
    fields = message.headers.raw_items()
    return fields_passed_on(fields, has_body=not isinstance(message, h11.InformationalResponse))


def fields_passed_on(fields: Headers, *, has_body: bool = True) -> list[tuple[bytes, bytes]]:
    """Return the fields that go on, in their order, with names in the case in which they were sent.

    A body in chunks stays one: what says so is of one connection, and is said anew. A length beside it does not go on
    (RFC 9112, section 6.3): two readers of such a message may disagree on where it ends.
    """
    of_connection = set(_OF_ONE_CONNECTION)
    is_chunked = False
    for name, value in fields:
        match name.lower():
            case b"connection":
                named = {token.strip().lower() for token in value.split(b",")}
                of_connection |= named - _NEVER_OF_ONE_CONNECTION
            case b"transfer-encoding":
                is_chunked = True
                of_connection.add(b"content-length")
    passed = [(name, value) for name, value in fields if name.lower() not in of_connection]
    if is_chunked and has_body:
        passed.append((b"Transfer-Encoding", b"chunked"))
    return passed


def with_host(fields: Headers, host: bytes) -> list[tuple[bytes, bytes]]:
    """Return header fields with another host, in the place of the one there is."""
    if any(name.lower() == b"host" for name, _ in fields):
        return [(name, host if name.lower() == b"host" else value) for name, value in fields]
    return [(b"Host", host), *fields]

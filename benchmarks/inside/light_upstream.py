"""Serve as an upstream that costs next to nothing: every request gets the same answer. Prints its URL."""

from __future__ import annotations

import asyncio

_BODY = (
    b'{"job":{"id":4711,"title":"Data engineer","status":"open","tags":["python","sql"],"stages":[%s]}}'
    % b",".join(
        b'{"id":%d,"name":"Stage %d","candidates":%d}' % (number, number, number * 7) for number in range(1, 11)
    )
)
_ANSWER = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_LENGTH = b"content-length: "


class _Answering(asyncio.Protocol):
    """A connection with one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0] or b"0"):
            self._received = b""
            self._transport.write(_ANSWER)


async def main() -> None:
    """Serve until a signal."""
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

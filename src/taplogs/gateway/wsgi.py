"""The gateway as a WSGI application (PEP 3333), for those who have a server for such already.

It passes on what such a server hands over. Most of them read a request to its end before it is passed on, join header
fields of one name, and neither pass on 1xx responses nor trailers: `taplogs serve --upstream` has a server without
these limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpcore

from taplogs.gateway.answer import Answer
from taplogs.gateway.exchange import CLIENT_GONE
from taplogs.gateway.headers import fields_passed_on, with_host
from taplogs.gateway.protocol import Recorder, Recording
from taplogs.gateway.routes import is_own
from taplogs.gateway.upstream import Upstream

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PIECE = 64 * 1024


class GatewayApplication:
    """Passes requests on to an upstream, but for those that `application` answers: the logs, health and metrics."""

    def __init__(self, application: WSGIApplication, upstream: Upstream, recorder: Recorder) -> None:
        """Nothing is connected yet."""
        self._application = application
        self._upstream = upstream
        self._recorder = recorder
        self._pool = httpcore.ConnectionPool(upstream.ssl_context, max_connections=None, keepalive_expiry=15)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        target = _target(environ)
        if is_own(target):
            return self._application(environ, start_response)
        url = self._upstream.origin + target.decode("ascii", "replace")
        fields, method = _fields(environ), environ["REQUEST_METHOD"]
        recording = self._recorder.begin(method, url, fields, environ.get("REMOTE_ADDR", ""))
        return _Exchange(self._pool, self._upstream, recording).passed(environ, start_response, target, fields)

    def close(self) -> None:
        """Close all connections to the upstream."""
        self._pool.close()


class _Exchange:
    """One request and its response."""

    def __init__(self, pool: httpcore.ConnectionPool, upstream: Upstream, recording: Recording) -> None:
        self._pool = pool
        self._upstream = upstream
        self._recording = recording
        self._status = CLIENT_GONE

    def passed(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        target: bytes,
        fields: list[tuple[bytes, bytes]],
    ) -> Iterator[bytes]:
        """Yield the response's body; the recording ends with it."""
        try:
            with ExitStack() as until_the_end:
                try:
                    response = self._pool.handle_request(self._request(environ, target, fields))
                    until_the_end.callback(response.close)
                except httpcore.TimeoutException:
                    yield from self._answer(
                        504, "GATEWAY_TIMEOUT", "The upstream gave no answer in time.", start_response
                    )
                    return
                except (httpcore.NetworkError, httpcore.ProtocolError):
                    yield from self._answer(502, "BAD_GATEWAY", "The upstream cannot be reached.", start_response)
                    return
                reason = response.extensions.get("reason_phrase", b"")
                self._begin(response.status, reason, fields_passed_on(response.headers), start_response)
                for chunk in response.iter_stream():
                    self._recording.response_data(chunk)
                    yield chunk
        finally:
            self._recording.end(self._status)

    def _request(self, environ: WSGIEnvironment, target: bytes, fields: list[tuple[bytes, bytes]]) -> httpcore.Request:
        parts = urlsplit(self._upstream.origin)
        url = httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target)
        seconds = self._upstream.response_seconds
        timeouts = {"connect": self._upstream.connect_seconds, "read": seconds, "write": seconds, "pool": seconds}
        return httpcore.Request(
            environ["REQUEST_METHOD"],
            url,
            headers=with_host(fields_passed_on(fields), self._upstream.authority),
            content=self._body(environ),
            extensions={"timeout": timeouts},
        )

    def _body(self, environ: WSGIEnvironment) -> Iterator[bytes]:
        """Yield the request's body; a server that has joined its chunks says so (`wsgi.input_terminated`)."""
        left = int(environ.get("CONTENT_LENGTH") or 0)
        is_whole = environ.get("HTTP_TRANSFER_ENCODING") and environ.get("wsgi.input_terminated")
        while is_whole or left > 0:
            chunk = environ["wsgi.input"].read(_PIECE if is_whole else min(left, _PIECE))
            if not chunk:
                return
            left -= len(chunk)
            self._recording.request_data(chunk)
            yield chunk

    def _begin(
        self, status: int, reason: bytes, fields: list[tuple[bytes, bytes]], start_response: StartResponse
    ) -> None:
        self._status = status
        self._recording.response_begins(status, fields)
        framed = [(name, value) for name, value in fields if name.lower() != b"transfer-encoding"]
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in framed]
        start_response(f"{status} {reason.decode('latin-1')}", texts)

    def _answer(self, status: int, code: str, message: str, start_response: StartResponse) -> Iterator[bytes]:
        answer = Answer.of_error(status, code, message)
        self._begin(status, answer.reason, answer.fields, start_response)
        self._recording.response_data(answer.body)
        yield answer.body


def _target(environ: WSGIEnvironment) -> bytes:
    """Return the path and query as they were sent, where the server tells; else put together from what it decoded."""
    sent = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if isinstance(sent, str) and sent.startswith("/"):
        return sent.encode("latin-1")
    path = quote(
        (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"), safe="/!$&'()*+,;=:@~"
    )
    query = environ.get("QUERY_STRING", "")
    return (path + ("?" + query if query else "")).encode("latin-1")


def _fields(environ: WSGIEnvironment) -> list[tuple[bytes, bytes]]:
    """Return the header fields; WSGI keeps neither the case of their names nor their order."""
    names = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith("HTTP_")}
    names |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return [
        (name.replace("_", "-").title().encode("latin-1"), value.encode("latin-1")) for name, value in names.items()
    ]

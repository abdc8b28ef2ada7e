"""An HTTP transport whose requests end by a wall clock, on a connection pool of httpcore.

httpx's own transport limits each single read; a server that sends one byte now and then would hold it for ever. This
one gives every read, write and handshake of a request what is left of the request's time.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore
import httpx

from taplogs.errors import ConfigurationError
from taplogs.sources.address import BackendAddress, is_host

_STEP_SECONDS = 0.5
_LAST_REQUEST_SECONDS = 5.0
"""What a request may take beyond the time that the run has left."""


class Deadline(threading.local):
    """When the running request of each thread must be over, on the monotonic clock; at first: never."""

    moment: float | None = None

    def __init__(self, ended: threading.Event, left: Callable[[], float]) -> None:
        """`ended` is shared by all threads: once it is set, no request goes on.

        `left` returns the seconds until the run ends by itself.
        """
        self.ended = ended
        self._left = left

    def restart(self, seconds: float) -> None:
        """Give the request of this thread so many seconds from now, or little more than the run has left."""
        self.moment = time.monotonic() + min(seconds, max(0.0, self._left()) + _LAST_REQUEST_SECONDS)

    def extend(self, seconds: float) -> None:
        """Do not count so many seconds, which this side spent elsewhere, against the request of this thread."""
        if self.moment is not None:
            self.moment += seconds

    def within(self, timeout: float | None) -> float | None:
        """Return `timeout` or what is left of this thread's time, whichever ends sooner, in seconds."""
        if self.moment is None:
            return timeout
        left = self.moment - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the request took longer than --timeout allows")
        return left if timeout is None else min(timeout, left)


class DeadlineTransport(httpx.BaseTransport):
    """Sends requests over pooled connections; raises httpcore's exceptions."""

    def __init__(
        self,
        deadline: Deadline,
        *,
        tls: ssl.SSLContext | None,
        proxy: httpcore.Proxy | None,
        connections: int,
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            proxy=proxy,
            max_connections=None,  # threads bound them; a limit would let listings read in turns wait for each other
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=_LimitedBackend(deadline),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response with its body still to be read."""
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("this transport sends synchronous requests only")
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return the verifying TLS context of this run: the usual authorities or SSL_CERT_FILE, and `ca_file`.

    Building one costs more than a request, so it is built once, and only for https. Raises ConfigurationError.
    """
    try:
        context = httpx.create_ssl_context()
        if ca_file is not None:
            context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"the certificate authorities cannot be read: {reason}",
            "--ca-file and SSL_CERT_FILE take a file of PEM certificates",
        ) from error
    return context


def proxy_for(address: BackendAddress) -> httpcore.Proxy | None:
    """Return the proxy that the environment names for an https backend; http to loopback goes without."""
    if not address.is_encrypted:
        return None
    from urllib.parse import unquote, urlsplit
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    url = proxies.get("https") or proxies.get("all")
    if not url or proxy_bypass(address.host):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _unusable_proxy("is not a URL") from None
    if parts.scheme not in ("http", "https"):
        raise _unusable_proxy(f"is a {parts.scheme} proxy, which is not supported")
    if not parts.hostname or not parts.hostname.isascii() or not is_host(parts.hostname):
        raise _unusable_proxy("names no host")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return httpcore.Proxy(f"{parts.scheme}://{host}:{port}", auth=auth)


def _unusable_proxy(reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the proxy of HTTPS_PROXY or ALL_PROXY {reason}",
        "such as http://proxy.example.com:3128; NO_PROXY names hosts that go without",
    )


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _LimitedBackend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit = self._deadline.within(timeout)
        stream = self._backend.connect_tcp(host, port, limit, local_address, socket_options)
        if self._deadline.ended.is_set():  # the pool is closed, or about to be: nobody else would close this one
            stream.close()
            raise httpcore.ConnectError("nobody waits for the answer any more")
        return _LimitedStream(stream, self._deadline)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read in steps: a thread that waits for a silent server learns in time that nobody waits for it any more."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = self._deadline.within(None if until is None else max(0.001, until - time.monotonic()))
            step = _STEP_SECONDS if left is None else min(left, _STEP_SECONDS)
            try:
                return self._stream.read(max_bytes, step)
            except httpcore.ReadTimeout:
                if self._deadline.ended.is_set() or step == left:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.within(timeout))
        return _LimitedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

"""One request to the logging backend: sent with the key, checked, read to its end, and every fault translated."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

import httpcore
import httpx
from msgspec import Struct

from taplogs.core.apikey import ApiKey
from taplogs.core.decoding import MalformedBody
from taplogs.errors import AuthenticationError, BackendError, RateLimited
from taplogs.sources.address import BackendAddress
from taplogs.sources.body import MEBIBYTE, decompressed, read_all
from taplogs.sources.protocol import SourceEvents
from taplogs.sources.retry import TRANSIENT_STATUSES, Retrier, TransientFault, parse_retry_after
from taplogs.sources.transport import Deadline

Result = TypeVar("Result")
Parameters = list[tuple[str, str]]

JSON = "application/json"
NDJSON = "application/x-ndjson"


class Limits(Struct, frozen=True):
    """What one request may take: seconds to connect, of silence and in all; bytes of a reply and of one line."""

    connect: float = 10.0
    silence: float = 30.0
    request: float = 60.0
    reply: int = 64 * MEBIBYTE
    line: int = 16 * MEBIBYTE


class NotFound(BackendError):
    """404 in the platform's envelope: the backend knows its endpoints, and has nothing here."""


class Connection:
    """Sends requests to one backend with one key. Redirects are never followed; the key goes nowhere else."""

    def __init__(
        self,
        address: BackendAddress,
        key: ApiKey,
        transport: httpx.BaseTransport,
        *,
        deadline: Deadline,
        retrier: Retrier,
        events: SourceEvents,
        limits: Limits,
        user_agent: str,
    ) -> None:
        address.admit(key)
        self.address = address
        self.limits = limits
        self.retrier = retrier
        self.deadline = deadline
        self._key = key
        self._events = events
        # Not httpx.Client: it keeps cookies, reads .netrc, and looks at where a redirect leads, even without following.
        self._transport = transport
        self._timeouts = httpx.Timeout(limits.silence, connect=limits.connect, pool=None).as_dict()
        self._headers = {
            "Authorization": f"Bearer {key.reveal()}",
            "Accept-Encoding": "gzip, zstd",
            "User-Agent": user_agent,
        }

    def fetch(self, url: str, parameters: Parameters, decode: Callable[[bytes], Result]) -> Result:
        """Return the decoded reply to a GET, tried again where that may help; raises BackendError and its like."""

        def attempt() -> Result:
            with self.open(url, parameters, JSON) as response:
                return decode(read_all(body_chunks(response), self.limits.reply))

        return self.retrier.run(attempt)

    @contextmanager
    def open(self, url: str, parameters: Parameters, accept: str) -> Iterator[httpx.Response]:
        """Give a successful response, its body unread, once; raises TransientFault where another try may help."""
        self.deadline.restart(self.limits.request)
        response: httpx.Response | None = None
        try:
            request = self._request(url, parameters, accept)
            self._events.debug(f"GET {request.url}")
            response = self._transport.handle_request(request)
            response.request = request
            self._events.debug(f"{response.status_code} {response.headers.get('content-type', '')}")
            if response.status_code != 200:
                raise self._failure(response)
            yield response
        except httpcore.TimeoutException as error:
            raise self._transient(self._unreachable(url, str(error) or "no answer in time")) from error
        except httpcore.ProxyError as error:
            raise self._proxy_fault(error) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise self._network_fault(url, error) from error
        except (httpx.InvalidURL, httpcore.UnsupportedProtocol) as error:
            raise BackendError(f"{self.address.base_url} cannot be asked: {error}") from error
        except MalformedBody as error:
            raise self._malformed(url, response, error) from error
        finally:
            if response is not None:
                response.close()

    def close(self) -> None:
        """End what other threads still ask for, and close all connections."""
        self.deadline.ended.set()
        self._transport.close()

    def _request(self, url: str, parameters: Parameters, accept: str) -> httpx.Request:
        query = httpx.QueryParams(tuple(parameters)) if parameters else None
        headers = {**self._headers, "Accept": accept}
        return httpx.Request("GET", url, params=query, headers=headers, extensions={"timeout": self._timeouts})

    def _failure(self, response: httpx.Response) -> Exception:
        status = response.status_code
        text = self._beginning(response)
        said = _error_message(text)
        what = f"{self._client_url(response)} answered {status}" + (f": {said}" if said else "")
        if status in (401, 403):
            return AuthenticationError(
                f"the backend refuses the API key {self._key.masked} ({status}{f': {said}' if said else ''})",
                "'taplogs auth status' shows where the key comes from, 'taplogs auth login' stores another",
            )
        if status in TRANSIENT_STATUSES:
            now = datetime.now(UTC)
            wait = parse_retry_after(response.headers.get("retry-after"), now)
            return self._transient((RateLimited if status == 429 else BackendError)(what), wait)
        if status == 404 and _is_envelope(text):
            return NotFound(what)
        if 300 <= status < 400:
            place = response.headers.get("location", "nowhere")[:200]
            return self._foreign(
                BackendError(f"{what} with a redirect to {place}; redirects are never followed", _CHECK_URL)
            )
        fault = BackendError(what, _CHECK_URL)
        return fault if status < 500 and _is_envelope(text) else self._foreign(fault)

    def _transient(self, error: BackendError, retry_after: float | None = None) -> Exception:
        """Return what has the request tried again; the error itself where nobody waits for the answer any more."""
        return error if self.deadline.ended.is_set() else TransientFault(error, retry_after)

    def _foreign(self, fault: BackendError) -> Exception:
        """Return what becomes of an answer that is not the contract: once the backend has spoken it, that may pass."""
        return self._transient(fault) if self.retrier.persists else fault

    def _beginning(self, response: httpx.Response) -> str:
        try:
            return read_all(body_chunks(response), MEBIBYTE).decode("utf-8", "replace")
        except (MalformedBody, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            return ""

    def _proxy_fault(self, error: httpcore.ProxyError) -> Exception:
        fault = BackendError(
            f"the proxy does not connect to {self.address.host}: {str(error)[:300]}",
            "HTTPS_PROXY names the proxy, NO_PROXY the hosts that go without",
        )
        passing = str(error).startswith(tuple(map(str, TRANSIENT_STATUSES)))
        return self._transient(fault) if passing else fault

    def _network_fault(self, url: str, error: Exception) -> Exception:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return BackendError(
                    f"the certificate of {self.address.host} is not trusted: {cause.verify_message}",
                    "--ca-file FILE adds a certificate authority; verification cannot be turned off",
                )
            cause = cause.__cause__ or cause.__context__
        return self._transient(self._unreachable(url, str(error) or type(error).__name__))

    def _unreachable(self, url: str, reason: str) -> BackendError:
        words = re.sub(r"\[Errno -?[0-9]+\] ", "", reason)[:300]
        return BackendError(f"no answer from {url.partition('?')[0]}: {words}", _CHECK_URL)

    def _malformed(self, url: str, response: httpx.Response | None, error: MalformedBody) -> Exception:
        kind = response.headers.get("content-type", "no content type")[:100] if response is not None else ""
        fault = BackendError(
            f"{url.partition('?')[0]} answered 200 ({kind}), but not with log entries: {error.reason}", _CHECK_URL
        )
        return self._transient(fault) if error.truncated else self._foreign(fault)

    @staticmethod
    def _client_url(response: httpx.Response) -> str:
        return str(response.request.url).partition("?")[0]


_CHECK_URL = "'taplogs config list' shows the base URL and where it comes from"


def body_chunks(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body of a response, decompressed within bounds."""
    yield from decompressed(response.iter_raw(), response.headers.get("content-encoding", ""))


def _error_message(text: str) -> str:
    """Return what the platform's error envelope says, or the first characters of anything else."""
    import json

    try:
        error = json.loads(text)["error"]
        code, message = error.get("code"), error.get("message")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return " ".join(text[:400].split())[:200]
    return ", ".join(str(part)[:200] for part in (code, message) if part)


def _is_envelope(text: str) -> bool:
    import json

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("error"), dict)

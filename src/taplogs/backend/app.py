"""The WSGI application of the reference backend: the contract of docs/backend.md over any store.

Beside the contract it answers `/healthz`, which is open to everybody, and `/metrics`, which is not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.wrappers import Request, Response

from taplogs.backend.cursor import encode_cursor
from taplogs.backend.envelope import ApiError, error_response, internal_error, not_found, routing_error
from taplogs.backend.exposition import CONTENT_TYPE
from taplogs.backend.health import BackendHealth, Health
from taplogs.backend.keys import KeyState
from taplogs.backend.parameters import Listing, read_listing
from taplogs.backend.ratelimit import RateLimit, RateLimiter
from taplogs.backend.replies import compressed, compressed_stream, entry_line, page_body, stream_body
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import EntryNotFound
from taplogs.sources.protocol import LogSource
from taplogs.sources.sqlite_query import Position

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BASE_PATH = "/v1"
"""Where the API begins: the base URL of the contract is the server's URL and this."""

_LOGS_PATH = f"{BASE_PATH}/partner/logs"

JSON = "application/json"
NDJSON = "application/x-ndjson"

_COMPRESS_FROM = 1024

_logger = logging.getLogger("taplogs.backend")
_logger.addHandler(logging.NullHandler())  # without one, Python writes tracebacks to standard error


class LogStore(LogSource, Protocol):
    """A source that can also start in the middle of its order."""

    def search(self, query: LogQuery, *, after: Position | None = None, offset: int = 0) -> Iterator[LogEntry]:
        """Yield the matching entries beyond `after`, without the first `offset` of them."""
        ...


class KeyCheck(Protocol):
    """What knows the API keys."""

    def check(self, key: str) -> KeyState:
        """Return what is known of `key`, which may be any text."""
        ...


def create_app(
    store: LogStore,
    *,
    keys: KeyCheck | None = None,
    rate_limit: RateLimit | None = None,
    health: Health | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> WSGIApplication:
    """Return the application over `store`.

    Without `keys` every request is let in: that is for the demo inside one process. `rate_limit` is for each key, and
    for log entries alone. `health` is what the server adds to `/healthz` and `/metrics`. `clock` returns the time that
    replies carry as `serverTime`, aware.
    """
    limiter = RateLimiter(rate_limit, lambda: clock().timestamp()) if rate_limit else None
    return _Application(store, keys, limiter, BackendHealth(store, health), clock)


class _EntryId(BaseConverter):
    """Everything after the last fixed slash: an id may hold any character, slashes and line feeds included."""

    regex = r"(?s:.+)"
    part_isolating = False


_ROUTES = Map(
    [
        Rule(_LOGS_PATH, endpoint="list", methods=["GET"]),
        Rule(f"{_LOGS_PATH}/<entry_id:entry_id>", endpoint="entry", methods=["GET"]),
        Rule("/healthz", endpoint="health", methods=["GET"]),
        Rule("/metrics", endpoint="metrics", methods=["GET"]),
    ],
    converters={"entry_id": _EntryId},
    merge_slashes=False,
)


class _Application:
    def __init__(
        self,
        store: LogStore,
        keys: KeyCheck | None,
        limiter: RateLimiter | None,
        health: BackendHealth,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._keys = keys
        self._limiter = limiter
        self._health = health
        self._clock = clock

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request({**environ, "PATH_INFO": _path_info(environ)})
        response = self._respond(request)
        if request.path.startswith(_LOGS_PATH):
            self._health.answered(response.status_code)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Accept, Accept-Encoding"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            return _encoded(request, self._dispatch(request))
        except ApiError as error:
            return error_response(error)
        except Exception:  # whatever failed, the client gets the envelope and the log the fault
            _logger.exception("%s %r failed", request.method, request.path)
            return error_response(internal_error())

    def _dispatch(self, request: Request) -> Response:
        try:
            endpoint, values = _ROUTES.bind("").match(request.path, request.method)
        except HTTPException as error:
            raise routing_error(error) from None
        if endpoint == "health":
            status, body = self._health.report()
            return Response(body, status, content_type=JSON)
        key = self._known_key(request)
        if endpoint == "metrics":
            return Response(self._health.page(), content_type=CONTENT_TYPE)
        self._limit_rate(key)
        if endpoint == "entry":
            return self._entry(values["entry_id"])
        listing = read_listing(request.args)
        if request.accept_mimetypes.best_match([JSON, NDJSON], JSON) == NDJSON:
            return self._stream(listing)
        return self._page(listing)

    def _known_key(self, request: Request) -> str:
        """Return the key of a request that is let in, or raise ApiError 401 or 403."""
        key = _bearer_token(request)
        if self._keys is not None:
            _refuse(self._keys.check(key) if key else None)
        return key

    def _limit_rate(self, key: str) -> None:
        """Raise ApiError 429 where there were too many requests with this key."""
        wait = self._limiter.wait_for(key) if self._limiter else 0.0
        if wait:
            seconds = max(1, math.ceil(wait))
            raise ApiError(
                429,
                "RATE_LIMITED",
                f"Too many requests; try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )

    def _entry(self, entry_id: str) -> Response:
        try:
            entry = self._store.get(entry_id)
        except EntryNotFound:
            raise not_found("There is no log entry with this id.") from None
        return Response(entry_line(entry, payloads=True), content_type=JSON)

    def _page(self, listing: Listing) -> Response:
        server_time = format_timestamp(self._clock())
        query = replace(listing.query, limit=listing.page_size + 1)  # the one beyond tells whether there is more
        entries = list(self._store.search(query, after=listing.after, offset=listing.offset))
        page = entries[: listing.page_size]
        next_cursor = encode_cursor(page[-1].sort_key, query.order) if len(entries) > len(page) else None
        lines = (entry_line(entry, payloads=query.payloads) for entry in page)
        body = page_body(lines, self._store.count(query), next_cursor, server_time)
        return Response(body, content_type=JSON)

    def _stream(self, listing: Listing) -> Response:
        server_time = format_timestamp(self._clock())
        query = replace(listing.query, limit=listing.page_size if listing.paged else None)
        entries = self._store.search(query, after=listing.after, offset=listing.offset)
        lines = (entry_line(entry, payloads=query.payloads) for entry in entries)
        return Response(_watched(stream_body(lines, server_time)), content_type=NDJSON)


def _path_info(environ: WSGIEnvironment) -> str:
    """Return the path as PEP 3333 wants it, bytes in the guise of latin-1; httpx's transport hands over real text."""
    path: str = environ.get("PATH_INFO", "")
    try:
        path.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return path.encode("utf-8", "surrogatepass").decode("latin-1")
    return path


def _bearer_token(request: Request) -> str:
    """Return the token of the Authorization header (RFC 6750, section 2.1), empty without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refuse(state: KeyState | None) -> None:
    if state is KeyState.ACTIVE:
        return
    if state is KeyState.REVOKED:
        raise ApiError(403, "FORBIDDEN", "This API key has been revoked.")
    message = "The API key is missing." if state is None else "The API key is not known."
    raise ApiError(401, "UNAUTHORIZED", message, headers={"WWW-Authenticate": "Bearer"})


def _encoded(request: Request, response: Response) -> Response:
    """Return `response` in the encoding that the caller prefers; a small body is left as it is."""
    if request.accept_encodings.quality("gzip") <= 0:
        return response
    if response.is_streamed:
        response.response = compressed_stream(response.iter_encoded())
    elif len(response.get_data()) > _COMPRESS_FROM:
        response.set_data(compressed(response.get_data()))
    else:
        return response
    response.headers["Content-Encoding"] = "gzip"
    return response


def _watched(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `chunks`; where they break off, log it and have the server close the connection before the end."""
    try:
        yield from chunks
    except Exception as error:  # the headers are sent: only breaking off tells the client
        _logger.exception("a stream broke off")
        raise ConnectionAbortedError("the stream broke off") from error

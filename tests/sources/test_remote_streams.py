"""Streams of JSON Lines: whole or taken up again at the seam, each entry once; broken ones are never a short result."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from werkzeug.wrappers import Request as WsgiRequest

from faulty_server import (
    RESET,
    SILENCE,
    FaultyServer,
    Request,
    Script,
    Step,
    Told,
    chunked,
    drip,
    lines,
    page,
    reply,
    served,
    source_at,
)
from serving import log_entry, payload
from taplogs.backend.app import create_app
from taplogs.core.entry import LogEntry
from taplogs.core.filters import UrlFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import BackendError
from taplogs.sources.sqlite import SqliteStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NDJSON = "application/x-ndjson"
MEBIBYTE = 1024 * 1024
FIRST = [log_entry(99), log_entry(98)]
REST = [log_entry(number) for number in range(97, 90, -1)]
FIRST_PAGE = reply(page(FIRST, totalLogs=None, nextCursor="a"))


def stream(body: bytes, **fields: str | bool) -> bytes:
    """Return a response that is a stream; it ends where the connection does."""
    return reply(body, content_type=NDJSON, length=False, **fields)  # type: ignore[arg-type]


WHOLE = stream(lines(REST, len(REST)))


def streaming(*scripts: Script | Callable[[Request], Script]) -> FaultyServer:
    """Return a server of FIRST as its first page, and of one script for each request of a stream."""
    numbers = iter(range(1_000_000))

    def answer(request: Request) -> Script:
        if "ndjson" not in request.headers["accept"]:
            return [FIRST_PAGE]
        script = scripts[min(next(numbers), len(scripts) - 1)]
        return script(request) if callable(script) else script

    return FaultyServer(answer, streams=True)


def streams_of(server: FaultyServer) -> list[str]:
    """Return what streams were asked for."""
    return [request.target for request in server.requests if "ndjson" in request.headers["accept"]]


def asked_until(target: str) -> str:
    return target.partition("endDate=2026-11-01T00%3A")[2].partition("Z")[0].replace("%3A", ":")


def test_the_rest_of_a_long_listing_is_one_stream() -> None:
    with streaming([WHOLE]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == FIRST + REST
    assert [asked_until(target) for target in streams_of(server)] == ["01:38.001"]


@pytest.mark.parametrize(
    "response",
    [
        stream(lines(REST, len(REST)).rstrip(b"\n")),
        stream(lines(FIRST[1:] + REST, len(REST) + 1)),
        stream(b"\n\n" + lines(REST, len(REST)).replace(b"\n", b"\n\n")),
        stream(lines(REST, len(REST)).replace(b"\n", b"\r\n")),
        reply(gzip.compress(lines(REST, len(REST))), content_type=NDJSON, Content_Encoding="gzip"),
        chunked(*[bytes([byte]) for byte in lines(REST, len(REST))], content_type=f"{NDJSON}; charset=utf-8"),
        chunked(lines(REST, len(REST)), content_type=NDJSON, end=False),
    ],
    ids=["no last line feed", "seam entry", "empty lines", "CRLF", "gzip", "byte by byte", "cut after the trailer"],
)
def test_a_stream_with_its_trailer_is_whole(response: bytes) -> None:
    told = Told()
    with streaming([response]) as server, source_at(server.url, told=told) as source:
        assert list(source.search(LogQuery())) == FIRST + REST
    assert told.notices == []


TEXT = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\r\n\u00e9"


def test_a_line_ends_at_a_line_feed_and_nowhere_else() -> None:
    odd = log_entry(97, user_agent=TEXT, request_payload=Raw('"\u2028 \u0085"'.encode()))
    with streaming([stream(lines([odd], 1))]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == [*FIRST, odd]


HALF = lines(REST[:3])

BROKEN: dict[str, list[Step]] = {
    "no trailer": [stream(HALF)],
    "in the middle of a line": [stream(lines(REST[:4])[:-30])],
    "a chunk is missing": [chunked(HALF, content_type=NDJSON, end=False)],
    "in a chunk": [chunked(lines(REST[:4]), content_type=NDJSON, end=False)[:-30]],
    "too short for its length": [reply(lines(REST, 7), content_type=NDJSON)[:-400]],
    "reset": [stream(HALF), RESET],
    "silence": [stream(HALF), SILENCE],
    "gzip is cut": [stream(gzip.compress(lines(REST, 7))[:-60], Content_Encoding="gzip")],
    "too many announced": [stream(lines(REST[:3], 4))],
    "too few announced": [stream(lines(REST[:3], 2))],
    "nothing at all": [stream(b"")],
    "in the trailer": [stream(lines(REST, 7)[:-12])],
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_breaks_is_taken_up_again(script: list[Step]) -> None:
    def remaining(request: Request) -> Script:
        until = f"2026-11-01T00:{asked_until(request.target)}Z"
        left = [entry for entry in REST if entry.timestamp < until]
        return [stream(lines(left, len(left)))]

    told = Told()
    with streaming(script, remaining) as server, source_at(server.url, timeout=0.2, told=told) as source:
        assert list(source.search(LogQuery())) == FIRST + REST
    assert len(streams_of(server)) == len(told.slept) + 1 == 2


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_always_breaks_is_an_error_after_what_it_gave(script: list[Step]) -> None:
    found: list[LogEntry] = []
    with (
        streaming(script) as server,
        source_at(server.url, timeout=0.1) as source,
        pytest.raises(BackendError, match=r"/partner/logs.*\(tried 5 times\)"),
    ):
        found.extend(source.search(LogQuery()))
    assert found == (FIRST + REST)[: len(found)]
    assert 5 <= len(streams_of(server)) < 20


def test_progress_gives_a_stream_its_tries_anew() -> None:
    scripts = [[stream(lines(REST[:number]))] for number in range(1, 7)]
    with streaming(*scripts, [WHOLE]) as server, source_at(server.url, random=lambda: 0.1) as source:
        assert list(source.search(LogQuery())) == FIRST + REST
    assert len(streams_of(server)) == 7


def test_a_stream_that_goes_on_as_pages_is_an_error_not_a_listing_from_the_start() -> None:
    with (
        streaming([stream(HALF)], [reply(page(REST))]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="broke off and streams no more"),
    ):
        list(source.search(LogQuery()))
    assert len(streams_of(server)) == 5


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>\n", "not JSON"),
        (b"[]\n", "not an object"),
        (HALF + b'{"id":"x"}\n' + HALF, 'the entry (id x) has no "timestamp"'),
        (HALF + b"{}{}\n", "not JSON"),
        (HALF + b'{"id":"\xff"}\n', "not UTF-8"),
        (HALF + lines(REST[3:4]).replace(b":12,", b":NaN,"), "NaN is not JSON"),
        (HALF + b"[" * 100_000 + b"\n", "nested too deeply"),
        (lines([], 0) + HALF, 'has no "id"'),
        (HALF + b'{"end":false,"count":3}\n', 'has no "id"'),
        (HALF + b'{"end":true}\n', 'has no "id"'),
    ],
)
def test_a_stream_of_something_else_is_an_error_at_once(body: bytes, reason: str) -> None:
    with streaming([stream(body)]) as server, source_at(server.url) as source, pytest.raises(BackendError) as caught:
        list(source.search(LogQuery()))
    assert reason in caught.value.message
    assert f"{server.url}/partner/logs answered 200 ({NDJSON})" in caught.value.message
    assert len(streams_of(server)) == 1


def test_a_line_beyond_the_limit_is_an_error_in_bounded_memory() -> None:
    def endless(_: Request) -> Iterator[Step]:
        yield stream(HALF)
        while True:
            yield b" " * MEBIBYTE

    with streaming(endless) as server, source_at(server.url) as source:
        tracemalloc.start()
        try:
            with pytest.raises(BackendError, match="a line of more than 16 MiB"):
                list(source.search(LogQuery()))
            assert tracemalloc.get_traced_memory()[1] < 30 * MEBIBYTE
        finally:
            tracemalloc.stop()
    assert len(streams_of(server)) == 1


def test_a_stream_of_any_length_takes_the_memory_of_a_piece() -> None:
    entries = [log_entry(number, request_payload=Raw(b'"%b"' % (b"a" * 4000))) for number in range(97, 0, -1)]
    block = lines(entries)

    def long(_: Request) -> Iterator[Step]:
        yield stream(b"")
        yield from [block] * 100
        yield lines([], 100 * len(entries))

    with streaming(long) as server, source_at(server.url) as source:
        tracemalloc.start()
        try:
            assert sum(map(len, source.batches(LogQuery()))) > 9000
            assert tracemalloc.get_traced_memory()[1] < 10 * MEBIBYTE
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "body", [b"\n" * 1000, lines(REST * 10), b" " * 1000], ids=["empty lines", "entries", "blanks"]
)
def test_a_stream_that_drips_ends_with_the_time_of_its_request(body: bytes) -> None:
    def slow(_: Request) -> Iterator[Step]:
        yield stream(b"")
        yield from drip(body, 0.01)

    with (
        streaming(slow) as server,
        source_at(server.url, timeout=0.2, max_wait=0) as source,
        pytest.raises(BackendError, match=r"(--timeout allows|timed out); the next try"),
    ):
        list(source.search(LogQuery()))


def test_a_stream_may_last_longer_than_a_request_while_it_delivers() -> None:
    entries = [log_entry(number, request_payload=Raw(b'"%b"' % (b"a" * 150_000))) for number in range(97, 57, -1)]

    def steady(_: Request) -> Iterator[Step]:
        yield stream(b"")
        for start in range(0, 40, 10):
            yield lines(entries[start : start + 10])
            yield 0.15
        yield lines([], 40)

    told = Told()
    with streaming(steady) as server, source_at(server.url, timeout=0.4, told=told) as source:
        assert list(source.search(LogQuery())) == FIRST + entries
    assert told.notices == []


@pytest.mark.parametrize("after", ["a limit", "closing", "an interrupt"])
def test_stopping_early_closes_the_connection(after: str) -> None:
    gone = threading.Event()

    def endless(_: Request) -> Iterator[Step]:
        try:
            yield stream(lines(REST))
            yield SILENCE
        finally:
            gone.set()

    def read(batches: Iterator[list[LogEntry]]) -> None:
        for number, _ in enumerate(batches):
            if number == 1:
                raise KeyboardInterrupt

    with streaming(endless) as server, source_at(server.url) as source:
        if after == "a limit":
            query = LogQuery(limit=9, url=UrlFilter.parse(["jobs"]))
            assert list(source.search(query)) == FIRST + REST
        elif after == "closing":
            entries = source.search(LogQuery())
            assert list(islice(entries, 4)) == FIRST + REST[:2]
            entries.close()  # type: ignore[attr-defined]
        else:
            with pytest.raises(KeyboardInterrupt):
                read(source.batches(LogQuery()))
        assert gone.wait(5)


class Breaking:
    """The reference backend behind something that cuts streams off after so many bytes each, as long as told."""

    def __init__(self) -> None:
        self.application: WSGIApplication | None = None
        self.cuts: list[int] = []
        self.ignores_window = False
        self.compresses = True

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self.application is not None
        arguments = WsgiRequest(environ).args.to_dict()
        is_stream = "ndjson" in environ["HTTP_ACCEPT"]
        if is_stream and self.ignores_window:
            arguments = {name: value for name, value in arguments.items() if not name.endswith("Date")}
        if not is_stream:
            arguments["perPage"] = str(min(5, int(arguments["perPage"])))
        query = "&".join(f"{name}={value}" for name, value in arguments.items())
        encoding = environ["HTTP_ACCEPT_ENCODING"] if self.compresses else "identity"
        changed = {**environ, "QUERY_STRING": query, "HTTP_ACCEPT_ENCODING": encoding}
        body = self.application(changed, start_response)
        return self._cut(body, self.cuts.pop(0)) if is_stream and self.cuts else body

    @staticmethod
    def _cut(body: Iterable[bytes], left: int) -> Iterator[bytes]:
        for chunk in body:
            yield chunk[:left]
            left -= len(chunk)
            if left < 0:
                raise ConnectionAbortedError("cut off")


@pytest.fixture(scope="module")
def breaking() -> Iterator[tuple[Breaking, str]]:
    application = Breaking()
    with served(application) as url:
        yield application, url


@settings(deadline=None, max_examples=50)
@given(
    times=st.lists(st.integers(0, 6) | st.just(3), min_size=25, max_size=60),
    order=st.sampled_from(Order),
    cuts=st.lists(st.integers(0, 500) | st.integers(0, 20_000), max_size=4),  # a fifth without progress is an error
    ignores_window=st.booleans(),
    compresses=st.booleans(),
)
def test_a_stream_that_breaks_anywhere_gives_each_entry_once_also_among_equal_times(
    breaking: tuple[Breaking, str],
    tmp_path_factory: pytest.TempPathFactory,
    times: list[int],
    order: Order,
    cuts: list[int],
    ignores_window: bool,
    compresses: bool,
) -> None:
    application, url = breaking
    entries = [
        log_entry(time, id=f"{place * 7919 % 1009:04}", request_payload=payload(f'"{place * 123_456_789}"'))
        for place, time in enumerate(times)
    ]
    now = parse_timestamp(log_entry(100).timestamp)
    store = SqliteStore(tmp_path_factory.mktemp("breaking") / "logs.db")
    try:
        store.add(entries)
        application.application = create_app(store, clock=lambda: now)
        application.cuts = cuts.copy()
        application.ignores_window = ignores_window
        application.compresses = compresses
        with source_at(url, clock=lambda: now, random=lambda: 0.0) as source:
            found = list(source.search(LogQuery(order=order)))
    finally:
        store.close()
    assert found == sorted(entries, key=lambda entry: entry.sort_key, reverse=order is Order.NEWEST_FIRST)


def test_many_entries_of_one_time_are_read_through_breaks(breaking: tuple[Breaking, str], tmp_path: Path) -> None:
    application, url = breaking
    entries = [log_entry(9, id="z")] + [log_entry(5, id=f"{number:04}") for number in range(3000, 0, -1)]
    store = SqliteStore(tmp_path / "logs.db")
    store.add(entries)
    now = parse_timestamp(log_entry(100).timestamp)
    application.application = create_app(store, clock=lambda: now)
    application.cuts = [40_000, 60_000, 5_000, 90_000]
    application.ignores_window = application.compresses = False
    told = Told()
    with source_at(url, clock=lambda: now, random=lambda: 0.0, told=told) as source:
        assert list(source.search(LogQuery())) == entries
    store.close()
    assert len(told.slept) == 4

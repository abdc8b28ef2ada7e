"""A source that is followed: once the backend has answered, an outage is waited out, and told once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from faulty_server import RESET, FaultyServer, Request, Script, Told, error_body, lines, page, reply, source_at
from serving import log_entry
from taplogs.core.query import LogQuery
from taplogs.errors import AuthenticationError, BackendError, RateLimited

ENTRY = log_entry(1)
OK = reply(page([ENTRY]))
BUSY = reply(error_body("OVERLOADED", "Too busy."), 503)
PORTAL = reply(b"<html><h1>Please log in</h1></html>", content_type="text/html")
BACK = re.compile(r"the backend is back after \d+ s\Z")


def limited(seconds: int) -> bytes:
    return reply(error_body("RATE_LIMITED", "Too many requests."), 429, Retry_After=str(seconds))


def asked_again(*outage: Script, told: Told, max_wait: float = 60.0) -> int:
    """Ask a backend that answers, is away like this, and is back; return how many requests it took."""
    with (
        FaultyServer([OK], *outage, [OK]) as server,
        source_at(server.url, told=told, persistent=True, max_wait=max_wait) as source,
    ):
        assert list(source.search(LogQuery())) == [ENTRY]
        assert list(source.search(LogQuery())) == [ENTRY]
        return server.connections


@pytest.mark.parametrize(
    "failure",
    [
        BUSY,
        reply(b"", 500),
        reply(b"<html>Bad Gateway</html>", 502, "text/html"),
        reply(b"", 520),
        reply(error_body("NOT_IMPLEMENTED", "Not now."), 501),
        RESET,
        b"HTTP/1.1 200 OK\r\nContent-",
        PORTAL,
        reply(b"{}"),
        reply(page([ENTRY])[:-9], length=False),
        reply(b"<h1>Not Found</h1>", 404, "text/html"),
        reply(b"", 302, Location="https://portal.example.com/"),
    ],
    ids=lambda step: step[:70].decode() if isinstance(step, bytes) else "reset",
)
def test_an_outage_of_any_length_is_waited_out_and_told_once(failure: bytes | float) -> None:
    told = Told()
    assert asked_again(*[[failure]] * 20, told=told) == 22
    gone, back = told.notices
    assert gone.endswith("; trying again until it is back")
    assert BACK.match(back)


def test_each_outage_is_told() -> None:
    told = Told()
    with (
        FaultyServer(*[[OK], [BUSY], [BUSY]] * 3, [OK]) as server,
        source_at(server.url, told=told, persistent=True) as source,
    ):
        for _ in range(4):
            assert list(source.search(LogQuery())) == [ENTRY]
    assert [bool(BACK.match(notice)) for notice in told.notices] == [False, True] * 3


def test_the_waits_grow_to_fifteen_seconds_and_no_budget_ends_them() -> None:
    told = Told()
    asked_again(*[[BUSY]] * 200, told=told, max_wait=1.0)
    assert told.slept[:6] == [0.5, 1.0, 2.0, 4.0, 7.5, 7.5]
    assert told.slept[6:] == [7.5] * 194


def test_no_try_comes_before_retry_after_and_a_long_one_is_told() -> None:
    told = Told()
    asked_again([reply(b"", 503, Retry_After="7")], [reply(b"", 503, Retry_After="900")], told=told)
    assert told.slept == [7.0, 900.0]
    told = Told()
    asked_again([reply(b"", 503, Retry_After="900")], told=told)
    assert told.notices[0].endswith("; trying again until it is back, in 900 s at the earliest")


def test_a_limited_rate_is_told_once_in_a_run_and_is_no_outage() -> None:
    told = Told()
    with (
        FaultyServer(*[[OK], [limited(3)]] * 3, [OK]) as server,
        source_at(server.url, told=told, persistent=True) as source,
    ):
        for _ in range(4):
            assert list(source.search(LogQuery())) == [ENTRY]
    assert told.slept == [3.0, 3.0, 3.0]
    (notice,) = told.notices
    assert notice.endswith("answered 429: RATE_LIMITED, Too many requests.; waiting as long as it asks, from here on")


@pytest.mark.parametrize(
    ("failure", "error"), [(BUSY, BackendError), (limited(1), RateLimited), (PORTAL, BackendError)]
)
def test_before_the_first_success_it_is_given_up_as_ever(failure: bytes, error: type[BackendError]) -> None:
    told = Told()
    with (
        FaultyServer([failure]) as server,
        source_at(server.url, told=told, persistent=True) as source,
        pytest.raises(error),
    ):
        list(source.search(LogQuery()))
    assert server.connections == (1 if failure is PORTAL else 5)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (reply(error_body("UNAUTHORIZED", "No."), 401), AuthenticationError),
        (reply(error_body("FORBIDDEN", "No."), 403), AuthenticationError),
        (reply(error_body("INVALID_REQUEST", "No."), 400), BackendError),
        (reply(error_body("NOT_FOUND", "No."), 404), BackendError),
    ],
)
def test_what_the_backend_itself_refuses_ends_the_run_also_in_an_outage(
    failure: bytes, error: type[BackendError]
) -> None:
    told = Told()
    with pytest.raises(error):
        asked_again([BUSY], [failure], told=told)
    assert len(told.notices) == 1


def test_without_following_an_outage_is_given_up() -> None:
    with FaultyServer([OK], [BUSY]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
        with pytest.raises(BackendError, match="tried 5 times"):
            list(source.search(LogQuery()))


def test_a_stream_that_breaks_off_goes_on_after_the_outage_and_tells_it_once() -> None:
    first = [log_entry(number) for number in (99, 98)]
    rest = [log_entry(number) for number in range(97, 80, -1)]
    failures = iter(range(30))

    def answer(request: Request) -> Script:
        if "ndjson" not in request.headers["accept"]:
            return [reply(page(first, totalLogs=None, nextCursor="a"))]
        number = next(failures, None)
        if number == 0:
            return [reply(lines(rest[:5]), content_type="application/x-ndjson")]
        if number is None:
            return [reply(lines(rest[4:], len(rest) - 4), content_type="application/x-ndjson")]
        return [BUSY] if number % 2 else [PORTAL]

    told = Told()
    with FaultyServer(answer, streams=True) as server, source_at(server.url, told=told, persistent=True) as source:
        assert list(source.search(LogQuery())) == first + rest
    assert len(told.notices) == 2
    assert BACK.match(told.notices[1])


def test_every_page_tells_the_time_anew_and_a_wrong_clock_is_told_once() -> None:
    def at(second: int) -> Script:
        return [reply(page([], serverTime=f"2026-11-01T00:00:{second:02}.000Z"))]

    told = Told()
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    with (
        FaultyServer(at(10), at(20), at(50)) as server,
        source_at(server.url, clock=lambda: midnight, told=told) as source,
    ):
        for seconds in (10, 20, 50):
            list(source.search(LogQuery()))
            assert source.now() == midnight + timedelta(seconds=seconds)
    assert len(told.notices) == 1

"""What is tried again, how often, and after which wait. The waits are kept, not slept."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faulty_server import RESET, FaultyServer, Request, Script, Told, error_body, lines, page, reply, source_at
from serving import log_entry
from taplogs.core.query import LogQuery
from taplogs.errors import AuthenticationError, BackendError, EntryNotFound, RateLimited
from taplogs.sources.retry import Retrier, RetryPolicy, TransientFault, parse_retry_after

ENTRY = log_entry(1)
OK = reply(page([ENTRY]))
BUSY = reply(error_body("OVERLOADED", "Too busy."), 503)
NOW = datetime(2026, 11, 1, 10, tzinfo=UTC)


def limited(retry_after: str) -> bytes:
    return reply(error_body("RATE_LIMITED", "Too many requests."), 429, Retry_After=retry_after)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_and_told(status: int) -> None:
    told = Told()
    with (
        FaultyServer([reply(b"", status)], [reply(b"", status)], [OK]) as server,
        source_at(server.url, told=told) as source,
    ):
        assert list(source.search(LogQuery())) == [ENTRY]
    assert len(server.requests) == 3
    assert len(told.slept) == 2
    assert told.notices == [
        f"{server.url}/partner/logs answered {status}; trying again in {seconds} s ({number} of 5)"
        for number, seconds in [(2, "0.5"), (3, "1.0")]
    ]


def test_a_wait_that_is_hardly_any_is_not_told_in_seconds() -> None:
    told = Told()
    with FaultyServer([BUSY], [OK]) as server, source_at(server.url, told=told, random=lambda: 0.01) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    assert told.notices == [
        f"{server.url}/partner/logs answered 503: OVERLOADED, Too busy.; trying again at once (2 of 5)"
    ]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_lasting_failure_is_given_up_after_five_tries(status: int) -> None:
    told = Told()
    with (
        FaultyServer([reply(error_body("INTERNAL_ERROR", "Sorry."), status)]) as server,
        source_at(server.url, told=told) as source,
        pytest.raises(RateLimited if status == 429 else BackendError) as caught,
    ):
        list(source.search(LogQuery()))
    assert len(server.requests) == 5
    assert len(told.slept) == 4
    assert caught.value.message.endswith(f"answered {status}: INTERNAL_ERROR, Sorry. (tried 5 times)")
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (201, BackendError),
        (204, BackendError),
        (206, BackendError),
        (400, BackendError),
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, BackendError),
        (405, BackendError),
        (406, BackendError),
        (410, BackendError),
        (422, BackendError),
        (501, BackendError),
        (505, BackendError),
        (599, BackendError),
    ],
)
def test_any_other_status_is_an_error_at_once(status: int, error: type[BackendError]) -> None:
    told = Told()
    with (
        FaultyServer([reply(error_body("NO", "Not this."), status)]) as server,
        source_at(server.url, told=told) as source,
        pytest.raises(error, match=f"{status}"),
    ):
        list(source.search(LogQuery()))
    assert (len(server.requests), told.slept, told.notices) == (1, [], [])


def test_a_missing_entry_is_not_asked_for_again() -> None:
    with (
        FaultyServer([reply(error_body("NOT_FOUND", "No."), 404)]) as server,
        source_at(server.url) as source,
        pytest.raises(EntryNotFound),
    ):
        source.get("a")
    assert len(server.requests) == 1


def test_a_page_that_says_404_without_the_envelope_is_no_missing_entry() -> None:
    with (
        FaultyServer([reply(b"<h1>Not Found</h1>", 404, "text/html")]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="answered 404: <h1>Not Found</h1>"),
    ):
        source.get("a")


def test_a_refused_connection_is_tried_again() -> None:
    with FaultyServer([OK]) as server:
        url = server.url
    told = Told()
    with source_at(url, told=told) as source, pytest.raises(BackendError, match=r"no answer from .*refused.*5 times"):
        list(source.search(LogQuery()))
    assert len(told.slept) == 4


@pytest.mark.parametrize("script", [[], [RESET], [b"HTTP/1.1 200 OK\r\nContent-"], [b"SSH-2.0-OpenSSH_9.6\r\n"]])
def test_a_connection_without_an_answer_is_tried_again(script: list[bytes | float]) -> None:
    with FaultyServer(script, script, [OK]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    assert server.connections == 3


@pytest.mark.parametrize(
    ("part", "waits"),
    [(0.0, [0.0] * 4), (0.5, [0.5, 1.0, 2.0, 4.0]), (0.999, [0.999, 1.998, 3.996, 7.992])],
)
def test_the_waits_have_full_jitter(part: float, waits: list[float]) -> None:
    told = Told()
    with (
        FaultyServer([BUSY]) as server,
        source_at(server.url, told=told, random=lambda: part) as source,
        pytest.raises(BackendError),
    ):
        list(source.search(LogQuery()))
    assert told.slept == pytest.approx(waits)


@pytest.mark.parametrize(
    ("value", "wait"), [("7", 7.0), ("0", 0.5), (" 7 ", 7.0), ("07", 7.0)], ids=["seconds", "none", "blanks", "zero"]
)
def test_no_try_comes_before_retry_after(value: str, wait: float) -> None:
    told = Told()
    with FaultyServer([limited(value)], [OK]) as server, source_at(server.url, told=told) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    assert told.slept == [wait]


def test_retry_after_may_be_a_date() -> None:
    told = Told()
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    with FaultyServer([limited(moment)], [OK]) as server, source_at(server.url, told=told) as source:
        list(source.search(LogQuery()))
    assert 25 < told.slept[0] <= 30


@pytest.mark.parametrize("value", ["soon", "-7", "1.5", "", "1e3", "\u00b2", "Fri, 99 Foo 2026 00:00:00 GMT", "9" * 12])
def test_a_retry_after_that_is_nonsense_is_ignored(value: str) -> None:
    told = Told()
    with FaultyServer([limited(value)], [OK]) as server, source_at(server.url, told=told) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    assert told.slept == [0.5]


@pytest.mark.parametrize("value", ["61", "999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_beyond_the_longest_wait_gives_up_at_once(value: str) -> None:
    told = Told()
    with (
        FaultyServer([limited(value)], [OK]) as server,
        source_at(server.url, told=told, max_wait=60) as source,
        pytest.raises(RateLimited, match=r"the next try would be in [0-9]+ s, beyond --max-wait 60") as caught,
    ):
        list(source.search(LogQuery()))
    assert (len(server.requests), told.slept) == (1, [])
    assert "--max-wait" in str(caught.value.hint)
    assert caught.value.exit_code == 6


def test_a_retry_after_as_long_as_the_longest_wait_is_waited_for() -> None:
    told = Told()
    with FaultyServer([limited("60")], [OK]) as server, source_at(server.url, told=told, max_wait=60) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    assert told.slept == [60.0]


def test_all_requests_of_a_run_share_one_budget() -> None:
    told = Told()
    scripts = [[limited("40")], [OK], [limited("40")], [OK]]
    with FaultyServer(*scripts) as server, source_at(server.url, told=told, max_wait=60) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
        with pytest.raises(RateLimited, match="beyond --max-wait"):
            list(source.search(LogQuery()))
    assert told.slept == [40.0]


def test_no_waiting_at_all_can_be_asked_for() -> None:
    told = Told()
    with (
        FaultyServer([BUSY]) as server,
        source_at(server.url, told=told, max_wait=0) as source,
        pytest.raises(BackendError, match="beyond --max-wait 0"),
    ):
        list(source.search(LogQuery()))
    assert (len(server.requests), told.slept) == (1, [])


def test_one_page_is_fetched_again_in_the_middle_of_paging_and_no_entry_comes_twice() -> None:
    pages = [[log_entry(number) for number in range(start, start - 3, -1)] for start in (9, 6, 3)]
    first, second, third = [
        [reply(page(entries, totalLogs=9, nextCursor=cursor))]
        for entries, cursor in zip(pages, ["a", "b", None], strict=True)
    ]
    cut = [reply(page(pages[1]))[:-40]]
    with (
        FaultyServer(first, [BUSY], cut, [RESET], second, [BUSY], third) as server,
        source_at(server.url, parallel=1) as source,
    ):
        assert [entry.id for entry in source.search(LogQuery(limit=9000))] == [
            entry.id for entries in pages for entry in entries
        ]
    cursors = [request.target.partition("cursor=")[2] for request in server.requests]
    assert cursors == ["", "a", "a", "a", "a", "b", "b"]


def test_five_tries_are_meant_for_each_page_not_for_the_listing() -> None:
    first, second = (reply(page([log_entry(number)], nextCursor=cursor)) for number, cursor in ((2, "a"), (1, None)))
    scripts = [[BUSY]] * 4 + [[first]] + [[BUSY]] * 4 + [[second]]
    with FaultyServer(*scripts) as server, source_at(server.url, parallel=1) as source:
        assert len(list(source.search(LogQuery()))) == 2


@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,15} [0-9:]{0,12} ([+-][0-9]{1,20})?")
)
@example("Mon, 01 Jan 2024 00:00:00 +99999999999999")
@example("Mon, 01 Jan 99999999999999 00:00:00 GMT")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Mon, 01 Jan 0001 00:00:00 +2300")
def test_any_retry_after_is_a_wait_or_nonsense(text: str) -> None:
    wait = parse_retry_after(text, NOW)
    assert wait is None or wait >= 0.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        ("Sun, 01 Nov 2026 10:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 10:00:30 -0000", 30.0),
        ("Sun, 01 Nov 2026 11:00:30 +0100", 30.0),
        ("Sunday, 01-Nov-26 10:00:30 GMT", 30.0),
        ("Sun Nov  1 10:00:30 2026", 30.0),
        ("Sun, 01 Nov 2026 09:00:00 GMT", 0.0),
        ("tomorrow", None),
        ("+5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(
    st.floats(0, 0.999),
    st.integers(1, 4),
    st.none() | st.floats(0, 30),
    st.builds(RetryPolicy, base=st.floats(0, 5), cap=st.floats(0, 20), max_wait=st.just(1000.0)),
)
def test_a_wait_is_random_up_to_an_exponential_bound_and_never_before_retry_after(
    part: float, failures: int, retry_after: float | None, policy: RetryPolicy
) -> None:
    slept: list[float] = []
    retrier = Retrier(policy, sleep=slept.append, random=lambda: part, notice=lambda _: None)
    retrier.wait(TransientFault(BackendError("busy"), retry_after), failures)
    (wait,) = slept
    asked = retry_after or 0.0
    assert asked <= wait <= max(asked, min(policy.cap, policy.base * 2**failures))


def test_threads_never_wait_longer_together_than_the_budget() -> None:
    slept: list[float] = []
    retrier = Retrier(RetryPolicy(max_wait=10.0), sleep=slept.append, random=lambda: 0.0, notice=lambda _message: None)

    def wait() -> None:
        for _ in range(20):
            try:
                retrier.wait(TransientFault(BackendError("busy"), 0.5), 1)
            except BackendError:
                return

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(slept) == 10.0


def test_the_error_that_ends_the_tries_keeps_its_kind_and_hint() -> None:
    retrier = Retrier(RetryPolicy(tries=1), sleep=lambda _: None, random=lambda: 0.0, notice=lambda _: None)
    with pytest.raises(RateLimited) as caught:
        retrier.run(lambda: _raise(TransientFault(RateLimited("slow down", "wait"))))
    assert (caught.value.message, caught.value.hint) == ("slow down (tried 1 times)", "wait")


def _raise(error: Exception) -> None:
    raise error


def test_a_stream_that_cannot_begin_is_tried_again() -> None:
    first = reply(page([log_entry(9), log_entry(8)], totalLogs=None, nextCursor="a"))
    rest = [log_entry(number) for number in (8, 7, 6)]
    oldest = reply(page([log_entry(6)]))
    streamed = reply(lines(rest, 3), content_type="application/x-ndjson")
    empty = reply(lines([], 0), content_type="application/x-ndjson")
    failed: set[str] = set()
    lock = threading.Lock()

    def answer(request: Request) -> Script:
        target = request.target
        if "ndjson" not in request.headers["accept"]:
            return [oldest if "order=asc" in target else first]
        with lock:
            if target not in failed:
                failed.add(target)
                return [BUSY]
        holds_rest = "endDate=2026-11-01T00%3A00%3A08.001Z" in target  # the first slice, or the whole rest
        return [streamed if holds_rest else empty]

    with FaultyServer(answer, streams=True) as server, source_at(server.url) as source:
        assert [entry.id for entry in source.search(LogQuery())] == [log_entry(n).id for n in (9, 8, 7, 6)]
    assert failed

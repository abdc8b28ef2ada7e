"""The rate limit: a token bucket for each key."""

from __future__ import annotations

import threading

import pytest

from taplogs.backend.ratelimit import RateLimit, RateLimiter
from taplogs.errors import UsageError


class Clock:
    """A clock that stands still until it is moved, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("text", "requests", "seconds"),
    [("10/s", 10, 1), ("10/sec", 10, 1), ("100/min", 100, 60), ("1000/h", 1000, 3600), (" 5 / MIN ", 5, 60)],
)
def test_a_limit_is_read(text: str, requests: int, seconds: float) -> None:
    assert RateLimit.parse(text) == RateLimit(requests, seconds)


@pytest.mark.parametrize(
    "text", ["", "100", "0/s", "-1/s", "100/day", "1.5/s", "100/", "/min", "٣/s", "1e3/s", "10//s"]
)
def test_what_is_no_limit_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        RateLimit.parse(text)
    assert repr(text) in caught.value.message
    assert "100/min" in (caught.value.hint or "")


def test_a_key_may_make_all_its_requests_at_once_and_then_waits() -> None:
    limiter = RateLimiter(RateLimit.parse("3/min"), Clock())
    assert [limiter.wait_for("a") for _ in range(3)] == [0, 0, 0]
    assert limiter.wait_for("a") == pytest.approx(20)


def test_requests_come_back_evenly() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimit.parse("3/min"), clock)
    for _ in range(3):
        limiter.wait_for("a")
    clock.seconds += 20.001
    assert limiter.wait_for("a") == 0
    assert limiter.wait_for("a") > 0


def test_a_refused_request_costs_nothing() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimit.parse("1/min"), clock)
    limiter.wait_for("a")
    for _ in range(100):
        assert limiter.wait_for("a") > 0
    clock.seconds += 60.001
    assert limiter.wait_for("a") == 0


def test_rest_does_not_save_up_more_than_the_limit() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimit.parse("2/s"), clock)
    limiter.wait_for("a")
    clock.seconds += 3600
    assert [limiter.wait_for("a") > 0 for _ in range(3)] == [False, False, True]


def test_each_key_has_its_own_requests() -> None:
    limiter = RateLimiter(RateLimit.parse("1/min"), Clock())
    assert (limiter.wait_for("a"), limiter.wait_for("b")) == (0, 0)
    assert limiter.wait_for("a") > 0


def test_a_clock_that_is_set_back_takes_no_requests_away() -> None:
    clock = Clock()
    limiter = RateLimiter(RateLimit.parse("2/min"), clock)
    assert limiter.wait_for("a") == 0
    clock.seconds -= 500
    assert limiter.wait_for("a") == 0
    assert limiter.wait_for("a") == pytest.approx(30)


def test_threads_together_get_no_more_than_the_limit() -> None:
    limiter = RateLimiter(RateLimit.parse("100/h"), Clock())
    granted: list[bool] = []
    threads = [
        threading.Thread(target=lambda: granted.extend(limiter.wait_for("a") == 0 for _ in range(100)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted.count(True) == 100

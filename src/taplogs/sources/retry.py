"""Which failure is tried again, when, and for how long.

Delays are exponential with full jitter: a random part of `base * 2**n`, as in "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015), and never shorter than what `Retry-After` asks for (RFC 9110, section 10.2.3).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from msgspec import Struct

from taplogs.errors import BackendError, RateLimited

Result = TypeVar("Result")

_WORTH_TELLING = 1.0
"""Seconds by which a thread may have to wait longer than another without a word."""

_LEAST_SHOWN = 0.05
"""Seconds that are not shown as 0.0."""

_OUTAGE_CAP = 15.0
"""Seconds between two tries, at most, of whoever waits until the backend is back."""

_MOST_DOUBLINGS = 30
_LONG = 120.0
"""Seconds from which on a time is told in minutes."""

TRANSIENT_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class TransientFault(Exception):
    """A failure that may pass. `retry_after` is what the server asked to wait, in seconds."""

    def __init__(self, error: BackendError, retry_after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry_after = retry_after


class RetryPolicy(Struct, frozen=True):
    """At most `tries` of one request, and `max_wait` seconds of waiting in a whole run.

    `persistent`: as soon as one request has succeeded, all that follow are tried until they do, however long it takes.
    """

    tries: int = 5
    base: float = 0.5
    cap: float = 10.0
    max_wait: float = 60.0
    persistent: bool = False


class Retrier:
    """Runs requests until they succeed or the policy says stop. Its budget is shared by all threads of a run."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], object],
        random: Callable[[], float],
        notice: Callable[[str], None],
        retried: Callable[[], None] = lambda: None,
    ) -> None:
        """`sleep` waits so many seconds, `random` returns a number in [0, 1), `notice` tells the user.

        `retried` is called, by one thread at a time, whenever a request is about to be tried again.
        """
        self._policy = policy
        self._sleep = sleep
        self._random = random
        self._notice = notice
        self._retried = retried
        self._budget = policy.max_wait
        self._turn = threading.Lock()
        self._telling = threading.Lock()
        self._reached = False
        self._away_since: float | None = None
        self._limit_told = False

    @property
    def persists(self) -> bool:
        """Whether requests are tried until they succeed, from here on."""
        return self._policy.persistent and self._reached

    def run(self, attempt: Callable[[], Result]) -> Result:
        """Return what `attempt` returns; raises its error once no further try is allowed."""
        failures = 0
        while True:
            try:
                result = attempt()
            except TransientFault as fault:
                failures += 1
                self.wait(fault, failures)
            else:
                self.succeeded()
                return result

    def wait(self, fault: TransientFault, failures: int) -> None:
        """Wait before the next try after so many failures in a row; raises the fault's error instead of the last."""
        error = fault.error
        persists = self.persists
        if failures >= self._policy.tries and not persists:
            raise type(error)(f"{error.message} (tried {failures} times)", error.hint) from fault
        most = min(
            _OUTAGE_CAP if persists else self._policy.cap, self._policy.base * 2 ** min(failures, _MOST_DOUBLINGS)
        )
        delay = max(self._random() * most, fault.retry_after or 0.0)
        waited = self._take_turn()
        delay -= waited
        try:
            if delay > 0 or not waited:
                if persists:
                    self._tell_away(fault)
                else:
                    self._charge(delay, fault)
                    if not waited or delay > _WORTH_TELLING:
                        count = f"{failures + 1} of {self._policy.tries}"
                        when = f"in {delay:.1f} s" if delay >= _LEAST_SHOWN else "at once"
                        self._notice(f"{error.message}; trying again {when} ({count})")
                self._sleep(delay)
            self._retried()
        finally:
            self._turn.release()

    def succeeded(self) -> None:
        """Take note that the backend answers, and tell the user where it was away."""
        self._reached = True
        with self._telling:
            since, self._away_since = self._away_since, None
        if since is not None:
            seconds = time.monotonic() - since
            self._notice(
                f"the backend is back after {f'{seconds:.0f} s' if seconds < _LONG else f'{seconds / 60:.0f} min'}"
            )

    def _tell_away(self, fault: TransientFault) -> None:
        """Tell once that the backend is away; of a limited rate, which may last, only once in a run."""
        error = fault.error
        limited = isinstance(error, RateLimited)
        with self._telling:
            known = self._limit_told if limited else self._away_since is not None
            if limited:
                self._limit_told = True
            elif not known:
                self._away_since = time.monotonic()
        if known:
            return
        earliest = f", in {fault.retry_after:.0f} s at the earliest" if (fault.retry_after or 0) > _OUTAGE_CAP else ""
        what = "waiting as long as it asks, from here on" if limited else f"trying again until it is back{earliest}"
        self._notice(f"{error.message}; {what}")

    def _take_turn(self) -> float:
        """Wait for other threads that wait, and return for how many seconds: the budget is charged for them once."""
        if self._turn.acquire(blocking=False):
            return 0.0
        asked = time.monotonic()
        self._turn.acquire()
        return time.monotonic() - asked

    def _charge(self, delay: float, fault: TransientFault) -> None:
        error = fault.error
        if delay > self._budget:
            raise type(error)(
                f"{error.message}; the next try would be in {delay:.0f} s, beyond --max-wait {self._policy.max_wait:g}",
                "try again later, or allow longer waits with --max-wait SECONDS",
            ) from fault
        self._budget -= delay


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (a number or an HTTP date); None for nonsense."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())

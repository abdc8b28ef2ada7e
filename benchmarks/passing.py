"""Passing on: what the gateway takes, and what its capture takes of that."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from environments import Environments
from figure import Figure, Target
from measure import result_of
from servers import Running, capturing_gateway, light_upstream, passing_gateway

_CONNECTIONS = 16
_SECONDS = 4.0
_ROUNDS = 5
_SOAK_SECONDS = 300.0
_FLUSHED_SECONDS = 60.0
_SAMPLE_SECONDS = 1.0

_KEPT = 0.85
"""What capture has to leave of the throughput."""

_DELAY = 2.0
"""How many milliseconds capture may add to the 99th percentile."""

_GROWTH = 1.05
"""What memory may be at the end of a soak, in terms of what it was when warm: samples of it vary."""


@dataclass(frozen=True)
class _Outcome:
    """What offering load gave: requests a second, milliseconds, and the server's µs of processor for each."""

    rate: float
    p50: float
    p99: float
    sent: int
    wrong: int
    cost: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s, p50 {self.p50:.2f} ms, p99 {self.p99:.2f} ms, {self.cost:.0f} µs of processor each"


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield throughput and latency three ways, at full rate and at half of what passes without capture."""
    store = scratch / "passing.sqlite"
    with ExitStack() as running:
        upstream = running.enter_context(light_upstream(environments))
        plain = running.enter_context(passing_gateway(environments, upstream.url))
        capture = running.enter_context(capturing_gateway(environments, upstream.url, store))
        ways = [upstream, plain, capture]
        offered = _Offered(environments)
        yield from _at_full_rate(full := offered.in_turns(ways, rounds or _ROUNDS, 0))
        half = full[1].rate / 2
        yield from _at_half(offered.in_turns(ways, rounds or _ROUNDS, half), half)
    yield _logged(environments, store, offered.sent[capture.url])


def with_soak(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield the same, and what five minutes as fast as it goes do to the memory, and to the log."""
    yield from figures(environments, scratch, rounds)
    store = scratch / "soak.sqlite"
    with light_upstream(environments) as upstream, capturing_gateway(environments, upstream.url, store) as capture:
        offered = _Offered(environments, _SOAK_SECONDS)
        with _Sampling(capture.process) as sizes:
            outcome = offered.once(capture, 0)
        _wait_until_stored(capture)
    warm, end = median(sizes[len(sizes) // 5 : 2 * len(sizes) // 5]), median(sizes[-len(sizes) // 5 :])
    measured = f"{warm / 1e6:.0f} MB, then {end / 1e6:.0f} MB; {outcome}"
    yield Figure("soak: memory, at the end / warm", end / warm, "×", measured, Target(_GROWTH))
    yield _logged(environments, store, offered.sent[capture.url])


def _at_full_rate(outcomes: list[_Outcome]) -> Iterator[Figure]:
    direct, plain, capture = outcomes
    yield Figure("direct, at full rate", direct.rate / plain.rate, "×", str(direct))
    yield Figure("passing on, at full rate", 1.0, "×", str(plain))
    yield Figure("… with capture", capture.rate / plain.rate, "×", str(capture), Target(_KEPT, at_least=True))
    yield Figure("… adds to the 99th percentile", capture.p99 - plain.p99, "ms", "", Target(_DELAY))


def _at_half(outcomes: list[_Outcome], rate: float) -> Iterator[Figure]:
    direct, plain, capture = outcomes
    offered = f"at {rate:,.0f}/s"
    yield Figure(f"direct, {offered}", direct.p99, "ms", str(direct))
    yield Figure(f"passing on, {offered}", plain.p99, "ms", str(plain))
    yield Figure("… with capture", capture.p99, "ms", str(capture))
    yield Figure("… adds to the 99th percentile", capture.p99 - plain.p99, "ms", "", Target(_DELAY))


def _logged(environments: Environments, store: Path, sent: int) -> Figure:
    """Return how many requests are not in the log, or more than once."""
    entries, different = result_of(environments.script("count_logged.py", str(store)))
    wrong = abs(sent - different) + entries - different
    return Figure("requests not logged exactly once", wrong, "", f"{entries:,} entries of {sent:,}", Target(0))


class _Offered:
    """Offers load to servers, and counts what it has sent to each."""

    def __init__(self, environments: Environments, seconds: float = _SECONDS) -> None:
        self._environments = environments
        self._seconds = seconds
        self.sent: dict[str, int] = {}

    def in_turns(self, servers: list[Running], rounds: int, rate: float) -> list[_Outcome]:
        """Return the medians for each server, A B C … A B C …; a first round is not kept."""
        table = [[self.once(server, rate) for server in servers] for _ in range(rounds + 1)][1:]
        return [_median(list(column)) for column in zip(*table, strict=True)]

    def once(self, server: Running, rate: float) -> _Outcome:
        """Return the outcome of one round; 0 is as fast as it goes."""
        words = (server.url, str(_CONNECTIONS), str(self._seconds), str(rate))
        before = _processor_seconds(server.process)
        outcome = result_of(self._environments.script("offer_load.py", *words))
        _wait_until_stored(server)
        self.sent[server.url] = self.sent.get(server.url, 0) + outcome["sent"]
        assert not outcome["wrong"], f"{outcome['wrong']} requests were not answered as they should be"
        cost = (_processor_seconds(server.process) - before) / outcome["sent"] * 1e6
        return _Outcome(**outcome, cost=cost)


def _median(outcomes: list[_Outcome]) -> _Outcome:
    return _Outcome(
        rate=median(outcome.rate for outcome in outcomes),
        p50=median(outcome.p50 for outcome in outcomes),
        p99=median(outcome.p99 for outcome in outcomes),
        sent=sum(outcome.sent for outcome in outcomes),
        wrong=0,
        cost=median(outcome.cost for outcome in outcomes),
    )


def _wait_until_stored(server: Running) -> None:
    """Wait until a gateway has nothing to store, so that this is no burden of the next round."""
    end = time.monotonic() + _FLUSHED_SECONDS
    while _queued(server) and time.monotonic() < end:
        time.sleep(0.1)


def _queued(server: Running) -> int:
    """Return how many entries wait to be stored; 0 where a server has no log, and passes this on."""
    try:
        with build_opener(ProxyHandler({})).open(server.url.removesuffix("/v1") + "/healthz", timeout=30) as answer:
            health = json.load(answer)
    except HTTPError as error:  # it is not well, which its figures tell
        health = json.load(error)
    return int(health.get("entries", {}).get("queued", 0))


def _with_children(process: int) -> list[int]:
    """Return a process and those that it has started (proc(5)): the log is written by one of its own."""
    children = Path(f"/proc/{process}/task").glob("*/children")
    return [process, *(int(number) for file in children for number in file.read_text("ascii").split())]


def _processor_seconds(process: int) -> float:
    """Return how long a process and its children have run on processors so far (proc(5): the 14th and 15th field)."""
    stats = [Path(f"/proc/{number}/stat").read_text("ascii") for number in _with_children(process)]
    fields = [stat.rpartition(")")[2].split() for stat in stats]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(process: int) -> int:
    statuses = [Path(f"/proc/{number}/status").read_text("ascii") for number in _with_children(process)]
    return sum(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses) * 1024


class _Sampling:
    """Looks at the resident memory of a process and its children while the block runs."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._sizes: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> list[int]:
        self._thread.start()
        return self._sizes

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SAMPLE_SECONDS):
            self._sizes.append(_resident_bytes(self._process))

"""The gateway as a process, where something goes wrong: the traffic goes on, and the log says what it lacks."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from recording_upstream import (
    CLOSE,
    PLAIN,
    RecordingUpstream,
    Script,
    received_of,
    recording_upstream,
    response,
    script,
)

from command import Command, Finished, interrupt, wait_until
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.sources.sqlite import SqliteStore

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
JOBS = "/v1/partner/jobs"
MEGABYTE = 1 << 20
FLUSH_SECONDS = 0.5


@dataclass
class Gateway:
    """A running `taplogs serve --upstream`: `url` is without a path, `key` reads its logs."""

    process: subprocess.Popen[bytes]
    url: str
    key: str
    path: Path
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, number: int = 0) -> int:
        """Pass a request on, told apart by its number; return the status."""
        return self.client.post(f"{self.url}{JOBS}?n={number}", json=[number]).status_code

    def health(self) -> dict[str, Any]:
        document: dict[str, Any] = self.client.get(f"{self.url}/healthz").json()
        return document

    def logs(self, query: str = "") -> httpx.Response:
        return self.client.get(f"{self.url}/v1/partner/logs?{query}", headers={"Authorization": f"Bearer {self.key}"})

    def memory(self) -> int:
        """Return the most memory that the process has had so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def end(self) -> Finished:
        """Send SIGTERM, and return how it ended."""
        return interrupt(self.process, signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream() as upstream:
        yield upstream
        assert upstream.faults == []


Start = Callable[..., Gateway]


@pytest.fixture
def start(taplogs: Command, tmp_path: Path) -> Iterator[Start]:
    """What starts a gateway before an upstream's URL; all are ended in the end."""
    with ExitStack() as running:

        def start(upstream: str, *options: str, **streams: Any) -> Gateway:
            path = tmp_path / "logs.sqlite"
            words = ["serve", "--upstream", upstream, "--store", str(path), "--listen", "127.0.0.1:0", "--new-key"]
            process = running.enter_context(taplogs.start(*words, *options, **streams))
            running.callback(process.kill)
            assert process.stdout
            url, key = (process.stdout.readline().decode().strip().partition("=")[2] for _ in range(2))
            assert key, process.communicate()
            gateway = Gateway(process, url.removesuffix("/v1"), key, path)
            running.callback(gateway.client.close)
            return gateway

        yield start


def stored(path: Path) -> list[LogEntry]:
    with closing(SqliteStore(path)) as store:
        return list(store.search(LogQuery(order=Order.OLDEST_FIRST)))


def numbers(entries: list[LogEntry]) -> list[int]:
    """Return which requests of `ask` these are the entries of."""
    return [int(entry.request_url.partition("?n=")[2]) for entry in entries]


def places(entries: list[LogEntry]) -> list[int]:
    """Return the numbers that the gateway has given to the requests, in their order."""
    return sorted(int(entry.id[19:].replace("-", ""), 16) & ~(1 << 63) for entry in entries)


def test_a_gateway_that_is_killed_loses_no_more_than_the_last_moment(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    ended: list[float] = []
    for number in range(100_000):
        assert gateway.ask(number) == 200
        ended.append(time.monotonic())
        if ended[-1] - ended[0] > 3 * FLUSH_SECONDS:
            break
    gateway.kill()
    with closing(SqliteStore(gateway.path)) as store:
        assert list(store.faults()) == []
    entries = stored(gateway.path)
    surely = [number for number, at in enumerate(ended) if at < ended[-1] - 2 * FLUSH_SECONDS]
    assert surely
    assert numbers(entries)[: len(surely)] == surely
    assert numbers(entries) == list(range(len(entries)))  # what is lost is the end, and nothing is there twice


def test_a_gateway_that_was_killed_goes_on(upstream: RecordingUpstream, start: Start) -> None:
    first = start(upstream.url)
    headers = {"Authorization": "Bearer sk_test_" + "Ab3" * 7 + "Z"}
    first.client.get(first.url + JOBS + "?n=0", headers=headers)
    wait_until(lambda: len(stored(first.path)) == 1)
    first.kill()
    second = start(upstream.url)
    second.client.get(second.url + JOBS + "?n=1", headers=headers)
    assert second.end().code == 0
    one, other = stored(second.path)
    assert (one.id < other.id, one.client_id) == (True, other.client_id)


def test_at_its_end_running_requests_finish_and_the_log_is_whole(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    go_on = threading.Event()
    upstream.answers(*[PLAIN] * 20, script(b"HTTP/1.1 201 Made\r\nContent-Length: 4\r\n\r\nha", go_on, b"lf"))
    for number in range(20):
        gateway.ask(number)
    answers: list[httpx.Response] = []
    asking = threading.Thread(
        target=lambda: answers.append(httpx.post(f"{gateway.url}{JOBS}?n=20", trust_env=False, timeout=30))
    )
    asking.start()
    upstream.wait_for(21)
    gateway.process.send_signal(signal.SIGTERM)
    wait_until(lambda: refuses(gateway.port))
    go_on.set()
    asking.join()
    assert [(answer.status_code, answer.text) for answer in answers] == [(201, "half")]
    done = interrupt(gateway.process, 0)
    assert (done.code, "Traceback" in done.err) == (0, False)
    entries = stored(gateway.path)
    assert numbers(entries) == list(range(21))
    assert entries[-1].status_code == 201


def refuses(port: int) -> bool:
    """Return whether nothing listens at a port any more."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionError:
        return True
    return False


def test_at_its_end_idle_connections_are_not_waited_for(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    with socket.create_connection(("127.0.0.1", gateway.port)):  # has asked nothing
        assert gateway.ask() == 200  # and this client keeps its connection
        began = time.monotonic()
        assert gateway.end().code == 0
        assert time.monotonic() - began < 15


def limited(size: int) -> Callable[[], None]:
    """Return what keeps a process from writing files larger than that: to it, the disk is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def limit(process: int, size: int) -> None:
    """Limit what a process, and those that it has started, may write, to files of that size."""
    started = " ".join(children.read_text() for children in Path(f"/proc/{process}/task").glob("*/children")).split()
    for number in (process, *map(int, started)):
        resource.prlimit(number, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_stops_no_request_and_what_waits_is_stored_later(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url, preexec_fn=limited(1 << 30))
    assert gateway.ask(0) == 200
    wait_until(lambda: len(stored(gateway.path)) == 1)
    limit(gateway.process.pid, 1)
    assert [gateway.ask(number) for number in range(1, 301)] == [200] * 300
    wait_until(lambda: gateway.client.get(f"{gateway.url}/healthz").status_code != 200)
    assert [gateway.ask(number) for number in range(301, 331)] == [200] * 30
    limit(gateway.process.pid, resource.RLIM_INFINITY)
    wait_until(lambda: len(stored(gateway.path)) == 331)
    wait_until(lambda: gateway.client.get(f"{gateway.url}/healthz").status_code == 200)
    done = gateway.end()
    assert done.code == 0
    assert done.err.count("the log cannot be written") == 1
    assert done.err.count("the log is written again") == 1
    assert numbers(stored(gateway.path)) == list(range(331))


def test_a_store_that_another_process_has_locked_stops_no_request(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    assert gateway.ask(0) == 200
    with closing(sqlite3.connect(gateway.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = time.monotonic() + 4 * FLUSH_SECONDS
        count = 1
        while time.monotonic() < ended:
            began = time.monotonic()
            assert gateway.ask(count) == 200
            assert time.monotonic() - began < 2
            count += 1
        assert gateway.logs().status_code == 200  # what is there can be read
        assert gateway.health()
        other.execute("ROLLBACK")
    wait_until(lambda: len(stored(gateway.path)) == count)
    assert gateway.end().code == 0
    entries = stored(gateway.path)
    assert numbers(entries) == list(range(count))
    assert places(entries) == list(range(1, count + 1))


def test_an_upstream_that_is_not_there_is_502_and_logged(start: Start) -> None:
    with socket.socket() as nobody:  # bound, and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        gateway = start(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1")
        answer = gateway.client.get(gateway.url + JOBS)
        assert gateway.end().code == 0
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "BAD_GATEWAY"
    (entry,) = stored(gateway.path)
    assert (entry.status_code, json.loads(bytes(entry.response_payload))) == (502, answer.json())


def test_an_upstream_that_comes_back_is_asked_again(start: Start) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    gateway = start(f"http://127.0.0.1:{port}/v1")
    assert gateway.ask(0) == 502
    with recording_upstream(port) as upstream:
        assert gateway.ask(1) == 200
        assert len(upstream.received) == 1
    assert gateway.ask(2) == 502
    assert gateway.end().code == 0
    assert [entry.status_code for entry in stored(gateway.path)] == [502, 200, 502]


@pytest.mark.parametrize("begins", [False, True])
def test_an_upstream_that_is_too_slow_is_504_or_cut_off(
    upstream: RecordingUpstream, start: Start, *, begins: bool
) -> None:
    gateway = start(upstream.url, "--upstream-timeout", "0.5s")
    never = threading.Event()
    head = b"HTTP/1.1 203 Slow\r\nContent-Length: 100\r\n\r\nbeginning"
    upstream.answers(script(*[head] * begins, never, CLOSE))
    with socket.create_connection(("127.0.0.1", gateway.port), 30) as client:
        client.sendall(b"GET /v1/x?n=0 HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        got = received_of(client)
    never.set()
    assert gateway.end().code == 0
    (entry,) = stored(gateway.path)
    if begins:
        assert got.startswith(b"HTTP/1.1 203 Slow")
        assert got.endswith(b"beginning")
    else:
        assert got.startswith(b"HTTP/1.1 504 ")
        assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"] == "GATEWAY_TIMEOUT"
    assert entry.status_code == (203 if begins else 504)
    assert entry.latency_ms is not None
    assert 400 < entry.latency_ms < 20_000


def test_clients_that_send_slowly_or_never_read_keep_nobody_else_waiting(
    upstream: RecordingUpstream, start: Start
) -> None:
    """Nor does the gateway read ahead for who does not read."""
    gateway = start(upstream.url)
    before = gateway.memory()
    sent = [0] * 8

    def pieces(which: int) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * MEGABYTE)
        for _ in range(100):
            yield bytes(MEGABYTE)
            sent[which] += 1

    upstream.answers(*[Script(pieces(which)) for which in range(8)])
    with ExitStack() as clients:

        def connected(said: bytes) -> socket.socket:
            client = clients.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 30))
            client.sendall(said)
            return client

        for _ in range(8):
            connected(b"GET /v1/partner/never-read?n=0 HTTP/1.1\r\nHost: gateway\r\n\r\n")
        upstream.wait_for(8)
        heads = [connected(b"GET /v1/partner/slow-head HTTP/1.1\r\nHost: ") for _ in range(50)]
        bodies = [connected(b"POST /v1/slow?n=0 HTTP/1.1\r\nHost: g\r\nContent-Length: 1000\r\n\r\n") for _ in range(8)]
        for _ in range(5):
            for client in heads + bodies:
                client.sendall(b"x")
            assert [gateway.ask(number) for number in range(20)] == [200] * 20
        assert max(sent) < 50
        assert gateway.memory() - before < 64 * MEGABYTE
    wait_until(lambda: [entry.status_code for entry in stored(gateway.path)].count(499) == 8)
    assert gateway.end().code == 0
    statuses = [entry.status_code for entry in stored(gateway.path)]
    assert (statuses.count(200), len(statuses)) == (108, 116)


def test_a_hundred_megabytes_go_both_ways_without_being_held(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    assert gateway.ask(0) == 200
    before = gateway.memory()
    piece = os.urandom(MEGABYTE)
    expected = sha256(piece * 100).hexdigest()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * MEGABYTE)
    upstream.answers(Script([head, *[piece] * 100]), PLAIN, response(500, b"no"))
    digest = sha256()
    with gateway.client.stream("GET", f"{gateway.url}{JOBS}?n=1") as answer:
        for part in answer.iter_raw():
            digest.update(part)
    assert digest.hexdigest() == expected
    sized = {"Content-Length": str(100 * MEGABYTE), "Content-Type": "application/pdf"}
    for number, headers in ((2, sized), (3, {"Content-Type": "application/pdf"})):
        gateway.client.post(f"{gateway.url}{JOBS}?n={number}", content=(piece for _ in range(100)), headers=headers)
        assert upstream.received[number].digest == expected
    assert gateway.memory() - before < 32 * MEGABYTE
    assert gateway.end().code == 0
    entries = stored(gateway.path)
    assert numbers(entries) == [0, 1, 2, 3]
    payload = json.loads(bytes(entries[2].request_payload))
    assert (payload["bodySize"], payload["bodySha256"]) == (100 * MEGABYTE, expected)
    assert (payload["bodyType"], payload["bodyCut"]) == ("application/pdf", True)


@contextmanager
def traffic(gateway: Gateway) -> Iterator[list[int]]:
    """Have requests pass all the while; give the statuses that came, to be read in the end."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not over.wait(0.005):
                statuses.append(client.post(f"{gateway.url}{JOBS}?n={len(statuses)}", json={"a": 1}).status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


def test_the_logs_are_served_as_their_document_says_while_traffic_flows(
    upstream: RecordingUpstream, start: Start, tmp_path: Path
) -> None:
    gateway = start(upstream.url)
    document = tmp_path / DOCUMENT.name
    document.write_bytes(DOCUMENT.read_bytes())
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(document), "--url", f"{gateway.url}/v1"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command += ["--checks", checks, "--header", f"Authorization: Bearer {gateway.key}"]
    command += ["--max-examples", "25", "--generation-deterministic", "--no-color"]
    with traffic(gateway) as statuses:
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert set(statuses) == {200}
    assert gateway.end().code == 0
    entries = [entry for entry in stored(gateway.path) if "?n=" in entry.request_url]  # the others probed other paths
    assert numbers(entries) == list(range(len(statuses)))


def test_curl_reads_the_logs_while_traffic_flows(upstream: RecordingUpstream, start: Start) -> None:
    gateway = start(upstream.url)
    with traffic(gateway) as statuses:
        wait_until(lambda: len(statuses) > 50)
        for query in ("", "?perPage=10&order=asc", "?statusClass=2xx&fields=summary", "/none", "?perPage=x"):
            command = ["curl", "-s", "-w", "%{http_code}", "-H", f"Authorization: Bearer {gateway.key}"]
            done = subprocess.run([*command, f"{gateway.url}/v1/partner/logs{query}"], capture_output=True, check=True)
            body, status = done.stdout[:-3], int(done.stdout[-3:])
            assert status == {"/none": 404, "?perPage=x": 400}.get(query, 200)
            assert json.loads(body)
    assert gateway.end().code == 0
    assert numbers(stored(gateway.path)) == list(range(len(statuses)))  # and none of the log's own readers is logged

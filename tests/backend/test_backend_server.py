"""Serving: where it listens, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving import log_entry
from taplogs.backend.server import BackendServer, serve_forever
from taplogs.core.decoding import decode_trailer
from taplogs.errors import TaplogsError
from taplogs.sources.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("serve_store.py")
ENTRIES = 3000


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose stream (30 MB) is larger than all buffers between the backend and a reader."""
    path = tmp_path_factory.mktemp("large") / "logs.db"
    store = SqliteStore(path)
    store.add(log_entry(number, user_agent="x" * 10_000) for number in range(ENTRIES))
    store.close()
    return path


@contextmanager
def process(database: Path, drain_seconds: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a backend in a process of its own; yield it with its URL."""
    command = [sys.executable, str(SCRIPT), str(database), str(drain_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


def end_of(running: subprocess.Popen[str]) -> str:
    output, _ = running.communicate(timeout=20)
    assert running.returncode == 0, output
    return output.strip()


def stream(client: httpx.Client, url: str) -> Any:
    headers = {"accept": "application/x-ndjson", "accept-encoding": "identity"}
    return client.stream("GET", f"{url}/v1/partner/logs", headers=headers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_running_stream_is_finished_after_a_signal_while_nobody_new_is_let_in(
    large_store: Path, number: signal.Signals
) -> None:
    with process(large_store, 20) as (running, url), httpx.Client(trust_env=False, timeout=10) as client:
        with stream(client, url) as response:
            chunks = response.iter_raw()
            body = bytearray(next(chunks))
            running.send_signal(number)
            wait_until_refused(url)
            for chunk in chunks:
                body += chunk
        assert end_of(running) == "all requests were answered"
    trailer = decode_trailer(bytes(body).split(b"\n")[-2])
    assert trailer is not None
    assert trailer.count == ENTRIES


def test_a_reader_that_does_not_read_on_is_cut_off_when_the_time_is_over(large_store: Path) -> None:
    with (
        process(large_store, 0.5) as (running, url),
        httpx.Client(trust_env=False, timeout=10) as client,
        stream(client, url) as response,
    ):
        chunks = response.iter_raw()
        next(chunks)
        started = time.monotonic()
        running.terminate()
        assert end_of(running) == "requests were cut off"
        assert time.monotonic() - started < 5
        with pytest.raises(httpx.TransportError):
            list(chunks)


def test_an_idle_connection_does_not_hold_the_end_up(large_store: Path) -> None:
    with process(large_store, 10) as (running, url), httpx.Client(trust_env=False) as client:
        assert client.get(f"{url}/v1/partner/logs?perPage=1").status_code == 200
        started = time.monotonic()
        running.terminate()
        assert end_of(running) == "all requests were answered"
        assert time.monotonic() - started < 5


def test_a_second_signal_changes_nothing(large_store: Path) -> None:
    with process(large_store, 10) as (running, _):
        for _ in range(3):
            os.kill(running.pid, signal.SIGINT)
        assert end_of(running) == "all requests were answered"


def wait_until_refused(url: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False).close()
        except httpx.TransportError:
            return
        time.sleep(0.02)
    raise AssertionError("the backend still takes connections")


def hello(_environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@contextmanager
def thread(server: BackendServer) -> Iterator[None]:
    running = threading.Thread(target=server.run)
    running.start()
    try:
        yield
    finally:
        server.stop()
        running.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_listens_where_its_url_says(host: str) -> None:
    server = BackendServer(hello, host=host)
    with thread(server):
        assert httpx.get(server.url, trust_env=False).text == "hello"


def test_it_listens_before_it_runs() -> None:
    server = BackendServer(hello)
    with (
        socket.create_connection((server.url.split("/")[-1].split(":")[0], int(server.url.split(":")[-1]))),
        thread(server),
    ):
        pass


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    server = BackendServer(hello)
    port = int(server.url.split(":")[-1])
    with thread(server), pytest.raises(TaplogsError, match=f"127.0.0.1 port {port}: Address already in use"):
        BackendServer(hello, port=port)


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("no-such-host.invalid", 0), ("127.0.0.1", 70_000)])
def test_a_place_where_it_cannot_listen_is_a_clear_error(host: str, port: int) -> None:
    with pytest.raises(TaplogsError, match=f"cannot listen on {host} port {port}"):
        BackendServer(hello, host=host, port=port)


def test_serving_leaves_the_handlers_of_signals_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    urls: list[str] = []

    def ready(url: str) -> None:
        urls.append(url)
        os.kill(os.getpid(), signal.SIGTERM)

    assert serve_forever(BackendServer(hello), ready)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert urls[0].startswith("http://127.0.0.1:")


def test_a_fault_of_the_announcement_ends_serving() -> None:
    urls: list[str] = []

    def ready(url: str) -> None:
        urls.append(url)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        serve_forever(BackendServer(hello), ready)
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0], trust_env=False)


def test_more_requests_than_threads_are_all_answered_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    def slow(environ: Any, start_response: Any) -> Iterable[bytes]:
        time.sleep(0.1)
        return hello(environ, start_response)

    server = BackendServer(slow, threads=2)
    answers: list[str] = []
    with thread(server):
        readers = [
            threading.Thread(target=lambda: answers.append(httpx.get(server.url, trust_env=False).text))
            for _ in range(8)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert answers == ["hello"] * 8
    assert caplog.records == []

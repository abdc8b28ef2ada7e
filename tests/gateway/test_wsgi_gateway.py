"""The gateway under a WSGI server: what such a server hands over goes through, and each request is recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from recording_upstream import RecordingUpstream, recording_upstream, response, script

from command import wait_until
from taplogs.backend.app import create_app
from taplogs.backend.server import BackendServer
from taplogs.gateway.protocol import Headers
from taplogs.gateway.upstream import Upstream
from taplogs.gateway.wsgi import GatewayApplication
from taplogs.sources.sqlite import SqliteStore

SIZE = 1 << 20


class Seen:
    """A recorder and its only recording."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.sent = self.received = 0

    def begin(self, method: str, url: str, headers: Headers, peer: str) -> Seen:
        self.told += [method, url, peer]
        self.sent = self.received = 0
        self.names = {name for name, _ in headers}
        return self

    def request_data(self, chunk: bytes) -> None:
        self.sent += len(chunk)

    def response_begins(self, status: int, headers: Headers) -> None:
        self.told.append(status)

    def response_data(self, chunk: bytes) -> None:
        self.received += len(chunk)

    def end(self, status: int) -> None:
        self.told.append(("end", status))


@contextmanager
def served(path: Path, url: str, seen: Seen) -> Iterator[httpx.Client]:
    store = SqliteStore(path)
    application = GatewayApplication(create_app(store), Upstream(url, None, 2.0, 2.0), seen)
    server = BackendServer(application, largest_body=4 * SIZE)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with httpx.Client(base_url=server.url, trust_env=False) as client:
            yield client
    finally:
        server.stop()
        thread.join()
        application.close()
        store.close()


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream() as upstream:
        yield upstream


def test_a_request_passes_with_its_path_query_and_body_as_they_were_sent(
    upstream: RecordingUpstream, tmp_path: Path
) -> None:
    seen = Seen()
    with served(tmp_path / "logs.sqlite", upstream.url, seen) as client:
        upstream.answers(response(201, b"made", (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")))
        answer = client.post("/v1/a%2Fb?x=1&x=%20", content=b"x" * SIZE, headers=[(b"X-Odd", "ä".encode())])
    (received,) = upstream.received
    assert received.line[:2] == [b"POST", b"/v1/a%2Fb?x=1&x=%20"]
    assert received.values(b"X-Odd") == ["ä".encode()]
    assert received.values(b"Host") == [upstream.authority]
    assert received.size == SIZE
    assert (answer.status_code, answer.content) == (201, b"made")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    url = f"http://{upstream.authority.decode()}/v1/a%2Fb?x=1&x=%20"
    assert seen.told == ["POST", url, "127.0.0.1", 201, ("end", 201)]
    assert (seen.sent, seen.received) == (SIZE, 4)


def test_the_logs_are_answered_by_the_application_itself(upstream: RecordingUpstream, tmp_path: Path) -> None:
    with served(tmp_path / "logs.sqlite", upstream.url, Seen()) as client:
        assert client.get("/v1/partner/logs").json()["totalLogs"] == 0
    assert upstream.received == []


@pytest.mark.parametrize(("steps", "status"), [((), 502), ((3.0,), 504)], ids=["refused", "silent"])
def test_an_upstream_that_does_not_answer_is_told_in_the_platforms_envelope(
    steps: tuple[float, ...], status: int, tmp_path: Path, upstream: RecordingUpstream
) -> None:
    seen = Seen()
    upstream.answers(script(*steps))
    url = upstream.url if steps else "http://127.0.0.1:9"
    with served(tmp_path / "logs.sqlite", url, seen) as client:
        answer = client.get("/v1/partner/jobs")
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "api_error"
    assert seen.told[-1] == ("end", status)


def test_a_client_that_goes_away_within_a_response_ends_the_recording(
    upstream: RecordingUpstream, tmp_path: Path
) -> None:
    seen = Seen()
    with served(tmp_path / "logs.sqlite", upstream.url, seen) as client:
        upstream.answers(response(200, b"x" * (32 * SIZE)))
        with client.stream("GET", "/v1/partner/jobs") as answer:
            next(answer.iter_raw())
        client.close()
        wait_until(lambda: ("end", 200) in seen.told)
    assert 0 < seen.received < 32 * SIZE

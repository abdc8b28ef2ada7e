"""Real clients, with the gateway and without it: they cannot tell which."""

from __future__ import annotations

import gzip
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
import zstandard
from recording_upstream import (
    PLAIN,
    READ_BODY,
    Received,
    Script,
    early,
    in_chunks,
    response,
    script,
)
from running_gateway import Passing, passing, within_hop

JSON = (b"Content-Type", b"application/json")
PATH = "/v1/partner/candidates"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passing]:
    with passing(tmp_path_factory.mktemp("gateway") / "logs.sqlite") as running:
        yield running


@pytest.fixture
def gateway(running: Passing) -> Iterator[Passing]:
    running.begin_anew()
    yield running
    assert running.upstream.faults == []


def curl(url: str, *options: str) -> bytes:
    """Return what curl writes: the heads of all responses, and the body as it was sent."""
    command = ["curl", "--silent", "--show-error", "--include", "--max-time", "30", *options, url]
    done = subprocess.run(command, capture_output=True, check=False, env={"HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    return done.stdout


CURL = {
    "GET": [],
    "HEAD": ["--head"],
    "OPTIONS": ["-X", "OPTIONS"],
    "a form": ["-d", "a=1&b=%20", "-d", "c=ü"],
    "JSON": ["--json", '{"a": [1, 2.50]}'],
    "a file of several parts": ["-F", "file=@{file};type=application/pdf", "-F", "name=x"],
    "an upload": ["-T", "{file}", "-H", "Expect:"],
    "an upload in chunks": ["-T", "{file}", "-H", "Transfer-Encoding: chunked", "-H", "Expect:"],
    "an upload that expects to go on": ["-T", "{file}", "-H", "Expect: 100-continue", "--expect100-timeout", "20"],
    "an empty POST": ["-d", ""],
    "a range": ["-r", "0-3"],
    "compressed, as it is": ["-H", "Accept-Encoding: gzip, br, zstd"],
    "fields of its own": ["-H", "X-Empty;", "-H", "x-lower: A", "-A", "own/1", "-b", "a=1", "-e", "http://r/"],
    "another method": ["-X", "MKCALENDAR"],
    "dots in the path": ["--path-as-is"],
    "basic authorization": ["-u", "me:secret"],
}


def scripted(name: str) -> Script:
    zipped = gzip.compress(b'{"a":1}', mtime=0)
    if name == "HEAD":
        return script(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nX-A: 1\r\n\r\n")
    if name.endswith("expects to go on"):
        return early(b"HTTP/1.1 100 Continue\r\n\r\n", READ_BODY, PLAIN)
    if name.startswith("compressed"):
        return script(response(200, zipped, JSON, (b"Content-Encoding", b"gzip"), (b"Vary", b"Accept-Encoding")))
    return script(response(206, b'{"id":7}', JSON, (b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2")))


def asked(request: Received) -> tuple[object, ...]:
    """Return what of a request has to be the same, whichever way it came. A form's boundary is random."""
    boundary = b"".join(value.partition(b"boundary=")[2] for value in request.values(b"Content-Type"))
    fields = within_hop(request.fields, but=b"host")
    if boundary:
        fields = [(name, value.replace(boundary, b"B")) for name, value in fields]
        return *request.line, fields, bytes(request.body).replace(boundary, b"B")
    return *request.line[:2], fields, bytes(request.body)


@pytest.mark.parametrize("name", CURL)
def test_curl_cannot_tell_the_gateway_from_the_upstream(gateway: Passing, tmp_path: Path, name: str) -> None:
    file = tmp_path / "upload.pdf"
    file.write_bytes(b"%PDF" + bytes(range(256)) * 1000)
    options = [option.replace("{file}", str(file)) for option in CURL[name]]
    path = f"{PATH}/a/../%2e/ü?q=1&q=2"
    heads = []
    for port in (gateway.upstream.port, gateway.port):
        gateway.upstream.answers(scripted(name))
        heads.append(curl(f"http://127.0.0.1:{port}{path}", *options))
    direct, passed = gateway.upstream.received
    assert asked(passed) == asked(direct)
    assert heads[1] == heads[0]
    gateway.entries(1)


def same_both_ways(
    gateway: Passing,
    said: Script | bytes,
    method: str,
    pieces: Callable[[], Iterator[bytes]] | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> httpx.Response:
    """Send a request straight to the upstream, and through the gateway; return what came through it."""
    answers = []
    for port in (gateway.upstream.port, gateway.port):
        gateway.upstream.answers(said)
        with httpx.Client(trust_env=False) as client:
            content = pieces() if pieces else None
            answers.append(client.request(method, f"http://127.0.0.1:{port}{PATH}", content=content, headers=headers))
    direct, passed = gateway.upstream.received
    assert asked(passed) == asked(direct)
    one, other = answers
    assert other.status_code == one.status_code
    assert other.reason_phrase == one.reason_phrase
    assert other.headers.raw == one.headers.raw
    assert other.content == one.content
    gateway.entries(1)
    return other


def test_httpx_streams_an_upload_in_chunks(gateway: Passing) -> None:
    same_both_ways(gateway, PLAIN, "POST", lambda: iter([b"one ", b"", b"two"]))
    assert bytes(gateway.upstream.received[1].body) == b"one two"


JOBS = b'{"jobs":[]}' * 1000
ENCODED = {"gzip": gzip.compress(JOBS), "deflate": zlib.compress(JOBS), "zstd": zstandard.compress(JOBS)}


@pytest.mark.parametrize(("coding", "body"), ENCODED.items(), ids=ENCODED)
def test_httpx_decodes_what_the_upstream_has_encoded(gateway: Passing, coding: str, body: bytes) -> None:
    said = response(200, body, JSON, (b"Content-Encoding", coding.encode()))
    assert same_both_ways(gateway, said, "GET").content == JOBS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_the_clients_to_follow(gateway: Passing, status: int) -> None:
    said = response(status, b"", (b"Location", b"/v1/partner/elsewhere?a=1"))
    answer = same_both_ways(gateway, said, "POST", lambda: iter([b"x"]))
    assert answer.is_redirect
    assert len(gateway.upstream.received) == 2


def test_cookies_stay_two_fields(gateway: Passing) -> None:
    said = response(
        200, b"", (b"Set-Cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2; Expires=Thu, 01 Jan 2099 0:0:0 GMT")
    )
    answer = same_both_ways(gateway, said, "GET", headers=[("Cookie", "x=1"), ("Cookie", "y=2")])
    assert answer.headers.get_list("set-cookie")[0] == "a=1; Path=/"
    assert gateway.upstream.received[1].values(b"Cookie") == [b"x=1", b"y=2"]


def test_an_answer_in_chunks_arrives_in_pieces_as_they_come(gateway: Passing) -> None:
    go_on = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    gateway.upstream.answers(script(head, b"5\r\nfirst\r\n", go_on, in_chunks(b"second")))
    with httpx.stream("GET", gateway.url + PATH) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        go_on.set()
        assert b"".join(pieces) == b"second"
    gateway.entries(1)


def test_a_client_that_says_it_again_at_once_is_served_again(gateway: Passing) -> None:
    with httpx.Client() as client:
        for status in (500, 200, 404):
            gateway.upstream.answers(response(status))
            assert client.get(gateway.url + PATH).status_code == status
    assert [entry.status_code for entry in gateway.entries(3)] == [500, 200, 404]

"""Connections through the gateway: used again, broken off by either side, and abused."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from recording_upstream import (
    CLOSE,
    PLAIN,
    READ_BODY,
    RESET,
    Script,
    Step,
    early,
    exchange,
    in_chunks,
    received_of,
    response,
    script,
)
from running_gateway import Passing, passing

GET = b"GET /v1/partner/jobs HTTP/1.1\r\nHost: gateway\r\n"
POST = b"POST /v1/partner/jobs HTTP/1.1\r\nHost: gateway\r\n"
LAST = b"Connection: close\r\n\r\n"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passing]:
    with passing(tmp_path_factory.mktemp("gateway") / "logs.sqlite") as running:
        yield running


@pytest.fixture
def gateway(running: Passing) -> Iterator[Passing]:
    running.begin_anew()
    yield running
    assert running.upstream.faults == []


def connected(gateway: Passing) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), 30)


def read_until(connection: socket.socket, piece_of_it: bytes) -> bytes:
    """Return what comes, as soon as this is in it."""
    received = b""
    while piece_of_it not in received:
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {received!r}"
        received += piece
    return received


def assert_envelope(got: bytes, status: int, code: str) -> None:
    """Assert that an answer is the gateway's own, in the platform's envelope."""
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/json" in head.lower()
    error = json.loads(body)["error"]
    assert (error["code"], set(error)) == (code, {"code", "type", "message", "details"})


def test_several_requests_come_and_go_over_one_connection_each(gateway: Passing) -> None:
    before = gateway.upstream.connections
    gateway.upstream.answers(*[response(200, b"answer %d" % number) for number in range(5)])
    with connected(gateway) as connection:
        for number in range(5):
            connection.sendall(POST + b"Content-Length: 1\r\n\r\n%d" % number)
            assert read_until(connection, b"answer %d" % number).startswith(b"HTTP/1.1 200 ")
    assert [bytes(request.body) for request in gateway.upstream.received] == [b"0", b"1", b"2", b"3", b"4"]
    assert gateway.upstream.connections - before <= 1
    assert [entry.status_code for entry in gateway.entries(5)] == [200] * 5


def test_pipelined_requests_are_answered_in_their_order(gateway: Passing) -> None:
    gateway.upstream.answers(script(0.05, response(200, b"one")), response(201, b"two"), response(202, b"three"))
    got = exchange(gateway.port, GET + b"\r\n" + POST + b"Content-Length: 3\r\n\r\nabc" + GET + LAST)
    assert [line.split()[1] for line in got.split(b"\r\n") if b"HTTP/1.1 " in line] == [b"200", b"201", b"202"]
    assert got.index(b"one") < got.index(b"two") < got.index(b"three")
    assert [entry.status_code for entry in gateway.entries(3)] == [200, 201, 202]


def test_a_client_of_http_1_0_gets_what_it_can_read(gateway: Passing) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + in_chunks(b"one ", b"two")
    gateway.upstream.answers(script(b"HTTP/1.1 103 Early Hints\r\n\r\n" + chunked))
    got = exchange(gateway.port, b"GET /v1/partner/jobs?a=1 HTTP/1.0\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"chunked" not in head
    assert body == b"one two"
    assert gateway.upstream.received[0].target == b"/v1/partner/jobs?a=1"
    assert len(gateway.entries(1)) == 1


def test_an_answer_on_a_connection_that_stays_is_told_its_end(gateway: Passing) -> None:
    gateway.upstream.answers(script(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", CLOSE), PLAIN)
    with connected(gateway) as connection:
        connection.sendall(GET + b"\r\n")
        got = read_until(connection, b"0\r\n\r\n")
        assert got.lower().count(b"transfer-encoding: chunked") == 1
        connection.sendall(GET + b"\r\n")
        assert read_until(connection, b"ok").startswith(b"HTTP/1.1 200 ")
    assert len(gateway.entries(2)) == 2


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (b"http://gateway/v1/partner/jobs?a=%2F", b"/v1/partner/jobs?a=%2F"),
        (b"HTTP://other:8080/x//y", b"/x//y"),
        (b"https://gateway?q", b"/?q"),
        (b"http://gateway", b"/"),
    ],
)
def test_a_target_with_a_host_goes_on_without_it(gateway: Passing, target: bytes, asked: bytes) -> None:
    got = exchange(gateway.port, b"GET " + target + b" HTTP/1.1\r\nHost: gateway\r\n" + LAST)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert gateway.upstream.received[0].target == asked
    assert gateway.upstream.received[0].values(b"Host") == [gateway.upstream.authority]
    (entry,) = gateway.entries(1)
    assert entry.request_url.encode() == b"http://" + gateway.upstream.authority + asked


def test_what_concerns_one_connection_goes_no_further(gateway: Passing) -> None:
    own = b"Keep-Alive: timeout=9\r\nTE: trailers\r\nProxy-Connection: x\r\nX-Mine: 1\r\nUpgrade: websocket\r\n"
    gateway.upstream.answers(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Yours\r\nKeep-Alive: timeout=5\r\nX-Yours: 1\r\n"
        b"X-Stays: 1\r\nContent-Length: 0\r\n\r\n"
    )
    got = exchange(gateway.port, GET + own + b"X-Stays: 1\r\nConnection: close, X-Mine\r\n\r\n").lower()
    names = {name.lower() for name, _ in gateway.upstream.received[0].fields}
    assert names - {b"connection"} == {b"host", b"x-stays"}
    assert b"x-stays: 1" in got
    assert b"x-yours" not in got
    assert b"keep-alive" not in got


BROKEN = {
    "closed without an answer": script(CLOSE),
    "reset": script(RESET),
    "no HTTP": script(b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE),
    "half a head": script(b"HTTP/1.1 200 OK\r\nContent-", CLOSE),
    "two lengths": script(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", CLOSE),
    "a length that is none": script(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc", CLOSE),
    "an endless head": script(b"HTTP/1.1 200 OK\r\n", *([b"X-More: " + b"m" * 8000 + b"\r\n"] * 40), CLOSE),
    "an upgrade that nobody asked for": script(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", CLOSE),
}


@pytest.mark.parametrize("method", [GET, POST + b"Content-Length: 1\r\n"], ids=["GET", "POST"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_an_upstream_that_does_not_answer_is_told_of_in_the_envelope(
    gateway: Passing, broken: Script, method: bytes
) -> None:
    gateway.upstream.answers(*[broken] * 3)
    got = exchange(gateway.port, method + LAST + b"1" * method.startswith(b"POST"))
    assert_envelope(got, 502, "BAD_GATEWAY")
    (entry,) = gateway.entries(1)
    assert entry.status_code == 502
    assert json.loads(bytes(entry.response_payload)) == json.loads(got.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(("method", "times"), [(GET, 2), (POST + b"Content-Length: 0\r\n", 1)], ids=["GET", "POST"])
def test_only_what_may_be_sent_twice_is_sent_again_where_a_used_connection_breaks(
    gateway: Passing, method: bytes, times: int
) -> None:
    gateway.upstream.answers(PLAIN, script(RESET), PLAIN)
    assert exchange(gateway.port, GET + LAST).startswith(b"HTTP/1.1 200 ")
    got = exchange(gateway.port, method + LAST)
    assert got.startswith(b"HTTP/1.1 200 " if times == 2 else b"HTTP/1.1 502 ")
    assert len(gateway.upstream.received) == 1 + times
    assert len(gateway.entries(2)) == 2


def test_a_connection_that_the_upstream_has_closed_is_not_used_again(gateway: Passing) -> None:
    gateway.upstream.answers(script(PLAIN, CLOSE), PLAIN)
    for _ in range(2):
        assert exchange(gateway.port, POST + b"Content-Length: 0\r\n" + LAST).startswith(b"HTTP/1.1 200 ")
    assert len(gateway.entries(2)) == 2


CUT = {
    "short of its length": (b"Content-Length: 100\r\n\r\n", b"only so much"),
    "within a chunk": (b"Transfer-Encoding: chunked\r\n\r\n", b"64\r\nonly so much"),
    "between chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"c\r\nonly so much\r\n"),
}


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_client_can_tell_that_an_answer_is_cut(gateway: Passing, cut: tuple[bytes, bytes], end: Step) -> None:
    came = threading.Event()
    steps = (b"HTTP/1.1 500 Broken\r\nContent-Type: text/plain\r\n" + b"".join(cut), came, end)
    gateway.upstream.answers(Script(steps))
    with connected(gateway) as connection:
        connection.sendall(GET + b"\r\n")
        got = read_until(connection, b"so much")
        came.set()
        got += received_of(connection)
    assert not got.endswith(b"\r\n0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 500 Broken")
    (entry,) = gateway.entries(1)
    assert entry.status_code == 500
    assert json.loads(bytes(entry.response_payload)) == "only so much"


def test_a_client_that_leaves_within_its_upload_is_logged_as_gone(gateway: Passing) -> None:
    with connected(gateway) as connection:
        connection.sendall(POST + b"Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\nthe beginning")
        gateway.upstream.wait_for(1, whole=False)
    gateway.upstream.wait_for_loss()
    assert not gateway.upstream.received[0].is_whole
    (entry,) = gateway.entries(1)
    assert entry.status_code == 499
    assert json.loads(bytes(entry.request_payload)) == "the beginning"


def test_a_client_that_does_not_wait_for_the_answer_is_logged_as_gone(gateway: Passing) -> None:
    done = threading.Event()
    gateway.upstream.answers(script(done, PLAIN, CLOSE))
    with connected(gateway) as connection:
        connection.sendall(GET + b"\r\n")
        gateway.upstream.wait_for(1)
    (entry,) = gateway.entries(1)
    done.set()
    assert entry.status_code == 499


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_client_that_leaves_within_a_download_ends_it(gateway: Passing, *, is_reset: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MEGABYTE)
    gateway.upstream.answers(Script([head, *[bytes(MEGABYTE)] * 200]))
    with connected(gateway) as connection:
        connection.sendall(GET + b"\r\n")
        connection.recv(65536)
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    gateway.upstream.wait_for_loss()
    (entry,) = gateway.entries(1)
    assert (entry.status_code, bytes(entry.response_payload)) == (200, b"null")


def test_an_answer_to_an_upload_that_has_not_ended_comes_at_once(gateway: Passing) -> None:
    refused = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge"
    gateway.upstream.answers(early(refused, CLOSE))
    with connected(gateway) as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % (50 * MEGABYTE) + bytes(MEGABYTE))
        got = read_until(connection, b"large")
    assert got.startswith(b"HTTP/1.1 413 Too Large")
    (entry,) = gateway.entries(1)
    assert entry.status_code == 413


def test_an_upload_goes_on_after_an_early_answer_whose_upstream_reads_on(gateway: Passing) -> None:
    gateway.upstream.answers(
        early(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", READ_BODY, b"0\r\n\r\n")
    )
    with connected(gateway) as connection:
        connection.sendall(POST + b"Content-Length: 6\r\n\r\nabc")
        read_until(connection, b"one\r\n")
        connection.sendall(b"def")
        read_until(connection, b"0\r\n\r\n")
    assert bytes(gateway.upstream.received[0].body) == b"abcdef"
    assert [entry.status_code for entry in gateway.entries(1)] == [200]


def test_a_body_is_passed_on_before_its_end_has_come(gateway: Passing) -> None:
    with connected(gateway) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        request = gateway.upstream.wait_for(1, whole=False)[0]
        while bytes(request.body) != b"abc":
            pass
        connection.sendall(b"0\r\n\r\n")
        read_until(connection, b"ok")


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_megabyte_goes_both_ways(gateway: Passing, framing: str) -> None:
    body = bytes(range(256)) * (MEGABYTE // 256)
    gateway.upstream.answers(response(200, body[::-1]))
    told = b"Content-Length: %d\r\n" % len(body) if framing == "length" else b"Transfer-Encoding: chunked\r\n"
    got = exchange(gateway.port, POST + told + LAST + (body if framing == "length" else in_chunks(body)))
    assert bytes(gateway.upstream.received[0].body) == body
    assert got.partition(b"\r\n\r\n")[2] == body[::-1]


INNER = b"GET /v1/partner/inner HTTP/1.1\r\nHost: x\r\n\r\n"
AFTER = b"GET /v1/partner/after HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
IN_CHUNKS = POST + b"Transfer-Encoding: chunked\r\n"
NO_CHUNK = b"0\r\n\r\n"

REFUSED = {
    "a length and chunks": IN_CHUNKS + b"Content-Length: %d\r\n\r\n" % (5 + len(INNER)) + NO_CHUNK + INNER,
    "chunks and a length": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n"
    + INNER
    + b"\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": IN_CHUNKS.replace(b"/1.1", b"/1.0") + b"Connection: keep-alive\r\n\r\n" + NO_CHUNK,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(INNER) + INNER,
    "two lengths in one": POST + b"Content-Length: 0, %d\r\n\r\n" % len(INNER) + INNER,
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\nabcde",
    "a length below nothing": POST + b"Content-Length: -1\r\n\r\n",
    "a length with spaces": POST + b"Content-Length: 1 0\r\n\r\n0123456789",
    "a length in other digits": POST + "Content-Length: ٥\r\n\r\nabcde".encode(),
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n0123456789",
    "a coding that nobody knows": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + NO_CHUNK,
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + NO_CHUNK,
    "chunked, but not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + NO_CHUNK + INNER,
    "chunked in two fields": IN_CHUNKS + b"Transfer-Encoding: identity\r\n\r\n" + NO_CHUNK,
    "chunked behind a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + NO_CHUNK,
    "the size of a chunk that is none": IN_CHUNKS + b"\r\nzz\r\nab\r\n" + NO_CHUNK,
    "the size of a chunk with 0x": IN_CHUNKS + b"\r\n0x2\r\nab\r\n" + NO_CHUNK,
    "the size of a chunk with a sign": IN_CHUNKS + b"\r\n-1\r\nab\r\n" + NO_CHUNK,
    "a chunk of a huge size": IN_CHUNKS + b"\r\n" + b"f" * 40 + b"\r\nab\r\n" + NO_CHUNK,
    "a chunk longer than its size": IN_CHUNKS + b"\r\n2\r\nabcd\r\n" + NO_CHUNK,
    "a chunk's extension with a line feed": IN_CHUNKS + b"\r\n2;\n\r\nab\r\n" + NO_CHUNK,
    "a space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + NO_CHUNK + INNER,
    "a field without a name": GET + b": value\r\n\r\n",
    "a field without a colon": GET + b"X-Nothing\r\n\r\n",
    "a zero byte in a field": GET + b"X-Zero: a\0b\r\n\r\n",
    "a carriage return in a field": GET + b"X-Return: a\rX-More: b\r\n\r\n",
    "no host": b"GET /v1/partner/jobs HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: other\r\n\r\n",
    "a space in the target": GET.replace(b"jobs", b"jobs and more") + b"\r\n",
    "raw bytes in the target": GET.replace(b"jobs", b"\xc3\xa9\xff") + b"\r\n",
    "a fold before any field": b"GET / HTTP/1.1\r\n Host: gateway\r\n\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
    "a target that is no path": b"GET partner/jobs HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "another scheme": b"GET ftp://gateway/x HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "a method without an end": GET.replace(b"GET", b"A" * 5000) + b"\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    "a head without an end": GET + b"X-Long: " + b"l" * 300_000,
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_what_readers_could_understand_differently_is_refused(gateway: Passing, sent: bytes) -> None:
    """No whole request reaches the upstream, neither the outer one, nor what is in it, nor what comes after it."""
    got = exchange(gateway.port, sent + AFTER)
    assert got[9:10] in (b"4", b"5"), got
    assert got[9:12] in (b"400", b"431", b"501")
    assert got.count(b"HTTP/1.1 ") == 1
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error"]["code"]
    assert not any(request.is_whole for request in gateway.upstream.received)


PLAIN_THEN = {
    "a folded field": (GET + b"X-Folded: one\r\n\t two\r\n\r\n", (b"X-Folded", b"one two")),
    "a folded coding": (
        POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + NO_CHUNK,
        (b"Transfer-Encoding", b"chunked"),
    ),
    "line feeds alone": ((GET + b"X-Line: 1\r\n\r\n").replace(b"\r\n", b"\n"), (b"X-Line", b"1")),
    "the same length twice": (POST + b"Content-Length: 2\r\ncontent-length: 2\r\n\r\nab", (b"Content-Length", b"2")),
    "spaces around a value": (GET + b"X-Wide: \t a \t \r\n\r\n", (b"X-Wide", b"a")),
    "a length that Connection names": (
        POST + b"Connection: content-length\r\nContent-Length: 2\r\n\r\nab",
        (b"Content-Length", b"2"),
    ),
    "a version to come": (GET.replace(b"/1.1", b"/1.9") + b"X-New: 1\r\n\r\n", (b"X-New", b"1")),
}


@pytest.mark.parametrize(("sent", "field"), PLAIN_THEN.values(), ids=PLAIN_THEN)
def test_what_can_be_understood_in_one_way_only_goes_on_in_plain_words(
    gateway: Passing, sent: bytes, field: tuple[bytes, bytes]
) -> None:
    got = exchange(gateway.port, sent + AFTER)
    assert got.count(b"HTTP/1.1 200 ") == 2
    first, after = gateway.upstream.received
    assert field in first.fields
    assert (first.target, after.target) == (b"/v1/partner/jobs", b"/v1/partner/after")

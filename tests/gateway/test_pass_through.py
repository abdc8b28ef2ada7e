"""What goes through the gateway, byte for byte, both ways, and the entry that the rules ask for after each."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
import zstandard
from msgspec import Struct
from recording_upstream import (
    CLOSE,
    READ_BODY,
    Field,
    RecordingUpstream,
    Script,
    early,
    exchange,
    fields_of,
    in_chunks,
    response,
    script,
)
from running_gateway import Passing, passing, within_hop

JSON = (b"Content-Type", b"application/json")
TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
PDF = (b"Content-Type", b"application/pdf")
CHUNKED = (b"Transfer-Encoding", b"chunked")
ORDER = b'{"jobId":7,"tags":["a","b"],"rate":1.50}'
BROTLI = b"\x8b\x05\x80hello brotli\x03"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passing]:
    with passing(tmp_path_factory.mktemp("gateway") / "logs.sqlite") as running:
        yield running


@pytest.fixture
def gateway(running: Passing) -> Iterator[Passing]:
    running.begin_anew()
    yield running
    assert running.upstream.faults == []


def asked(
    method: bytes = b"GET", target: bytes = b"/v1/partner/jobs", *fields: Field, body: bytes = b"", sized: bool = True
) -> bytes:
    """Return a request that is the last on its connection; with a length where it has a body, unless not `sized`."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: gateway.example:8321", b"User-Agent: raw/1"]
    lines += [name + b": " + value for name, value in fields]
    if body and sized:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


class Case(Struct, frozen=True):
    """What is sent, what the upstream answers, and which payloads the log holds: JSON values, None without one."""

    name: str
    sent: bytes
    answer: bytes | Script = response(200, b"{}", JSON)
    request: Any = None
    response: Any = None


def binary(kind: str, body: bytes, **more: str) -> dict[str, Any]:
    """Return how the log tells of a body that it cannot show."""
    return {"bodyType": kind, **more, "bodySize": len(body), "bodySha256": sha256(body).hexdigest()}


def upload(body: bytes, *fields: Field, method: bytes = b"POST") -> bytes:
    return asked(method, b"/v1/partner/candidates", *fields, body=body)


def chunked(body: bytes, *fields: Field) -> bytes:
    return asked(b"POST", b"/v1/partner/candidates", *fields, CHUNKED, body=body, sized=False)


def without_body(method: bytes, status: int, *fields: Field) -> Case:
    head = response(status, b"", *fields).replace(b"Content-Length: 0\r\n", b"")
    return Case(f"{status} after {method.decode()}", asked(method), head)


LONG = b"v" * 60_000
DEFLATED = zlib.compress(ORDER)
NOT_FOUND = b'{"error":{"code":"NOT_FOUND","message":"Nothing is here."}}'

METHODS = [
    Case("GET", asked()),
    Case("POST", upload(ORDER, JSON), request=json.loads(ORDER)),
    Case("PUT", upload(ORDER, JSON, method=b"PUT"), request=json.loads(ORDER)),
    Case("PATCH", upload(ORDER, JSON, method=b"PATCH"), request=json.loads(ORDER)),
    Case("DELETE", asked(b"DELETE")),
    Case("DELETE with a body", upload(b'{"why":1}', JSON, method=b"DELETE"), request={"why": 1}),
    Case("GET with a body", upload(b"[1]", JSON, method=b"GET"), request=[1]),
    Case("OPTIONS", asked(b"OPTIONS"), response(200, b"", (b"Allow", b"GET, POST"))),
    Case("OPTIONS *", asked(b"OPTIONS", b"*"), response(200)),
    Case("HEAD", asked(b"HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"),
    Case("HEAD of what would be in chunks", asked(b"HEAD"), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    Case("a method of one's own", asked(b"PURGE-ALL")),
    Case("a method in small letters", asked(b"get")),
]

TARGETS = [
    Case(name, asked(target=b"/v1/partner/" + target))
    for name, target in {
        "%2F": b"files/a%2Fb%2fc",
        "%00": b"files/a%00b",
        "dots": b"jobs/../candidates/./1/..",
        "encoded dots": b"jobs/%2e%2e/x",
        "double slashes": b"/jobs//1//",
        "semicolons": b"jobs;v=1/2;w",
        "percent-encoded UTF-8": b"jobs/%C3%A9t%C3%A9?q=%E2%82%AC",
        "a broken percent": b"jobs/100%/%zz",
        "reserved characters": b"jobs/!$&'()*+,=:@~|\\^`{}\"<>",
        "repeated keys": b"jobs?status=open&status=closed&status=open&x",
        "an empty query": b"jobs?",
        "a query of question marks": b"jobs???a=?&=&&b=%20+",
        "a long query": b"jobs?ids=" + b"123456789," * 3000,
        "a path in capitals": b"JOBS/Straight%2dOn",
        "nearly the path of the logs": b"logsx/1",
        "the logs' path, encoded": b"%6cogs",
    }.items()
] + [Case("the root", asked(target=b"/")), Case("a query at the root", asked(target=b"/?a=1"))]

FIELDS = [
    Case(name, asked(b"GET", b"/v1/partner/jobs", *fields), response(200, b"{}", *fields))
    for name, fields in {
        "repeated fields": ((b"X-Twice", b"1"), (b"X-Other", b"o"), (b"X-Twice", b"2"), (b"x-twice", b"1")),
        "empty values": ((b"X-Empty", b""), (b"X-Also", b"")),
        "bytes beyond ASCII": ((b"X-Latin", b"caf\xe9 \xff\x80"), (b"X-Utf", "größer €".encode())),
        "a very long value": ((b"X-Long", LONG),),
        "very many": tuple((b"X-%d" % number, b"%d" % number) for number in range(400)),
        "odd cases and marks": ((b"x-lOWER", b"a"), (b"X_under.score!#$%&'*+-^`|~", b'"q", (c); \\ <>')),
        "commas and tabs within": ((b"X-List", b"a,,b ,\tc"), (b"Accept", b"*/*;q=0.1, application/json")),
        "cookies": ((b"Cookie", b"a=1; b=2"), (b"Set-Cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2; HttpOnly")),
        "forwarding": ((b"X-Forwarded-For", b"192.0.2.7"), (b"Forwarded", b"for=_x"), (b"Via", b"1.0 fred")),
        "conditions and ranges": ((b"If-None-Match", b'W/"a", "b"'), (b"Range", b"bytes=0-1,5-"), (b"ETag", b'"z"')),
        "authorization": ((b"Authorization", b"Bearer sk_test_" + b"Ab3" * 7 + b"Z"), (b"X-Api-Key", b"k")),
        "dates and servers of one's own": ((b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"Server", b"up/1")),
    }.items()
]

BODIES = [
    Case("a length of nothing", asked(b"POST", b"/v1/partner/jobs", (b"Content-Length", b"0"))),
    Case("text", upload("Grüße".encode(), TEXT), response(422, "schön".encode(), TEXT), "Grüße", "schön"),
    Case("JSON that is none", upload(b"{nope", JSON), request="{nope"),
    Case("binary", upload(b"%PDF\0\1\xff", PDF), request=binary("application/pdf", b"%PDF\0\1\xff")),
    Case("chunks", chunked(in_chunks(ORDER[:9], ORDER[9:10], ORDER[10:]), JSON), request=json.loads(ORDER)),
    Case("chunks of nothing", chunked(in_chunks())),
    Case("chunks with extensions", chunked(b'5;a="b;c"\r\n[1,2,\r\n02 \r\n3]\r\n0\r\n\r\n', JSON), request=[1, 2, 3]),
    Case("chunks with trailers", chunked(in_chunks(b"[1]", trailers=b"X-Sum: 9\r\n"), JSON), request=[1]),
    Case(
        "an answer in chunks",
        asked(),
        b"HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\nX-After: 1\r\n\r\n" + in_chunks(b'{"a"', b":1}"),
        response={"a": 1},
    ),
    Case(
        "an answer in chunks with trailers",
        asked(),
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        + in_chunks(b"abc", trailers=b"X-Sum: 9\r\nx-more: a\r\n"),
    ),
    Case(
        "an answer that ends with the connection",
        asked(),
        script(b"HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\n\r\nit went ", 0.01, b"wrong", CLOSE),
        response="it went wrong",
    ),
    Case(
        "an answer of HTTP/1.0",
        asked(),
        script(b"HTTP/1.0 404 Gone Fishing\r\nContent-Type: application/json\r\n\r\n" + NOT_FOUND, CLOSE),
        response=json.loads(NOT_FOUND),
    ),
    Case(
        "an answer byte by byte",
        asked(),
        script(*(bytes([byte]) for byte in response(400, NOT_FOUND, JSON))),
        response=json.loads(NOT_FOUND),
    ),
    Case("no words beside the status", asked(), b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"),
    Case("a status of nobody's", asked(), response(299, b"[1]", JSON), response=[1]),
    Case("a status beyond 599", asked(), response(999, b"[1]", JSON), response=[1]),
]

_ENCODINGS = {
    "gzip": (gzip.compress(ORDER, mtime=0), json.loads(ORDER)),
    "deflate": (DEFLATED, json.loads(ORDER)),
    "zstd": (zstandard.compress(ORDER), json.loads(ORDER)),
    "br": (BROTLI, None),
    "x-own": (ORDER, None),
    "gzip that is none": (b"not gzip \xff\0", None),
}


def encoded(name: str, body: bytes, decoded: Any) -> Case:
    coding = name.partition(" ")[0]
    expected = binary("application/json", body, bodyEncoding=coding) if decoded is None else decoded
    fields = (JSON, (b"Content-Encoding", coding.encode()))
    return Case(f"a body in {name}", upload(body, *fields), response(422, body, *fields), expected, expected)


ENCODED = [encoded(name, *bodies) for name, bodies in _ENCODINGS.items()]

ANSWERS = [
    without_body(b"GET", 204),
    without_body(b"DELETE", 204, (b"X-Gone", b"1")),
    without_body(b"GET", 304, (b"ETag", b'"a"')),
    Case("304 that tells a length", asked(), b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
    Case("a redirect", asked(), response(302, b"", (b"Location", b"http://elsewhere.example/x?y#z"))),
    Case("a permanent redirect", upload(ORDER, JSON), response(308, b"", (b"Location", b"/v2")), json.loads(ORDER)),
    Case("200 is logged without its body", asked(), response(200, NOT_FOUND, JSON)),
    Case("201 is logged with its body", upload(b"[1]", JSON), response(201, b'{"id":7}', JSON), [1], {"id": 7}),
    Case("400 is logged with its body", asked(), response(400, NOT_FOUND, JSON), response=json.loads(NOT_FOUND)),
    Case("422 is logged with its body", asked(), response(422, b"[2]", JSON), response=[2]),
    Case("500 is logged with its body", asked(), response(500, b"<h1>no</h1>", TEXT), response="<h1>no</h1>"),
    Case("503 is not tried again", asked(), response(503, b"", (b"Retry-After", b"1"))),
    Case("429 is not waited for", asked(), response(429, b"{}", JSON, (b"Retry-After", b"1")), response={}),
]

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTING = (b"Expect", b"100-continue")

INTERIMS = [
    Case("103 before the answer", asked(), script(INTERIM, 0.01, response(200, b"ok"))),
    Case(
        "103 twice, at once with the answer", asked(), script(INTERIM + INTERIM + response(201, b"[]", JSON)), None, []
    ),
    Case("102", asked(), script(b"HTTP/1.1 102 Processing\r\n\r\n", response(200))),
    Case("100 that is waited for", upload(b"[1]", JSON, EXPECTING), early(CONTINUE, READ_BODY, response(200)), [1]),
    Case("100 and 103", upload(b"[1]", JSON, EXPECTING), early(CONTINUE, READ_BODY, INTERIM, response(200)), [1]),
]

CASES = [*METHODS, *TARGETS, *FIELDS, *BODIES, *ENCODED, *ANSWERS, *INTERIMS]


def assert_same_request(sent: bytes, upstream: RecordingUpstream) -> None:
    """Assert that the upstream has got what was sent, but for what is of one connection and the host."""
    received = upstream.received[0]
    head, _, body = sent.partition(b"\r\n\r\n")
    assert b" ".join(received.line) == head.split(b"\r\n")[0]
    assert received.values(b"Host") == [upstream.authority]
    assert within_hop(received.fields, but=b"host") == within_hop(fields_of(head + b"\r\n\r\n"), but=b"host")
    if CHUNKED in fields_of(head + b"\r\n\r\n"):
        assert received.values(b"Transfer-Encoding") == [b"chunked"]
        sizes, content, trailers = unframed(body)
        assert (sum(received.chunks or [1]), bytes(received.body)) == (sum(sizes) or 1, content)
        assert received.trailers == trailers
    else:
        assert (received.chunks, bytes(received.body)) == (None, body)


def unframed(body: bytes) -> tuple[list[int], bytes, bytes]:
    """Return the sizes of a body's chunks, the body without their frames, and its trailers."""
    sizes: list[int] = []
    content = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            trailers = body[: body.rindex(b"\r\n")]
            return sizes, content, trailers
        sizes.append(size)
        assert body[size : size + 2] == b"\r\n"
        content, body = content + body[:size], body[size + 2 :]


def assert_same_answer(case: Case, got: bytes) -> None:
    """Assert that the client has got what the upstream said, but for what is of one connection."""
    said = (
        case.answer
        if isinstance(case.answer, bytes)
        else b"".join(s for s in case.answer.steps if isinstance(s, bytes))
    )
    while said.startswith(b"HTTP/1.1 1"):
        interim, _, said = said.partition(b"\r\n\r\n")
        got_interim, _, got = got.partition(b"\r\n\r\n")
        assert got_interim == interim
    head, _, body = said.partition(b"\r\n\r\n")
    got_head, _, got_body = got.partition(b"\r\n\r\n")
    assert got_head.split(b"\r\n")[0] == head.split(b"\r\n")[0].replace(b"HTTP/1.0", b"HTTP/1.1")
    fields, got_fields = fields_of(head + b"\r\n\r\n"), fields_of(got_head + b"\r\n\r\n")
    assert within_hop(got_fields) == within_hop(fields)
    is_chunked = CHUNKED in fields and not case.sent.startswith(b"HEAD")
    got_content = unframed(got_body) if CHUNKED in got_fields and got_body else ([], got_body, b"")
    content = unframed(body) if is_chunked else ([], body, b"")
    assert got_content[1:] == content[1:]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_passes_stays_what_it_is_and_is_logged(gateway: Passing, case: Case) -> None:
    gateway.upstream.answers(case.answer if isinstance(case.answer, Script) else script(case.answer))
    got = exchange(gateway.port, case.sent)
    assert_same_request(case.sent, gateway.upstream)
    assert len(gateway.upstream.received) == 1
    assert_same_answer(case, got)
    (entry,) = gateway.entries(1)
    method, target, _ = gateway.upstream.received[0].line
    assert entry.method.encode() == method
    assert entry.request_url.encode() == b"http://" + gateway.upstream.authority + target
    assert entry.status_code == status_of(got)
    assert json.loads(bytes(entry.request_payload)) == case.request
    assert json.loads(bytes(entry.response_payload)) == (None if entry.status_code == 200 else case.response)
    assert (entry.ip_address, entry.user_agent, entry.company_id) == ("127.0.0.1", "raw/1", "acme")


def status_of(answer: bytes) -> int:
    """Return the status of the final response."""
    while answer.startswith(b"HTTP/1.1 1"):
        answer = answer.partition(b"\r\n\r\n")[2]
    return int(answer[9:12])

"""What the log keeps of a body."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib
from hashlib import sha256
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from taplogs.gateway.body import PassingBody
from taplogs.gateway.payload import payload_of

MOST = 1000
JOB = b'{"title": "Nurse", "rate": 1.50}'


def kept(content: bytes, kind: str | None = None, encoding: str | None = None, most: int = MOST) -> bytes:
    """Return the payload of a body that came in pieces of seven bytes."""
    body = PassingBody(most)
    for at in range(0, len(content), 7):
        body.add(content[at : at + 7])
    headers: list[tuple[bytes, bytes]] = [(b"X-Other", b"1")]
    headers += [(b"Content-Type", kind.encode())] if kind else []
    headers += [(b"content-encoding", encoding.encode())] if encoding else []
    return bytes(payload_of(body.kept(), headers, most))


def identified(content: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"bodyType": kind, "bodySize": len(content), "bodySha256": sha256(content).hexdigest(), **more}


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json; charset=utf-8", "text/plain", None])
@pytest.mark.parametrize(
    "content",
    [JOB, b"[]", b"0", b'"a"', b"null", b" {} ", b"1" + b"0" * 400, rb'{"a": "\ud800"}', '"ä"'.encode()],
)
def test_json_stays_as_it_was_sent(content: bytes, kind: str | None) -> None:
    assert kept(content, kind) == content


@pytest.mark.parametrize("kind", ["application/json; charset=utf-16le", "text/plain; charset=cp037"])
def test_json_is_utf_8_whatever_else_is_said(kind: str) -> None:
    content = b'{"password":"hunter2!"}'
    assert kept(content, kind) == content


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"hello", "text/plain", "hello"),
        ("grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grüße"),
        (b"a=1&b=%20", "application/x-www-form-urlencoded", "a=1&b=%20"),
        (b'{"a": ', "application/json", '{"a": '),
        (b"NaN", "application/json", "NaN"),
        (b"[" * 900, "application/json", "[" * 900),
        (b"<a/>", "application/xml", "<a/>"),
        (b"no type", None, "no type"),
    ],
    ids=["plain", "latin-1", "form", "broken JSON", "NaN", "deep", "XML", "untyped"],
)
def test_text_becomes_a_string(content: bytes, kind: str | None, text: str) -> None:
    assert json.loads(kept(content, kind)) == text


@pytest.mark.parametrize(
    ("content", "kind", "told"),
    [
        (b"%PDF-1.7 text all the same", "application/pdf", "application/pdf"),
        (b"--x\r\n\r\nhello\r\n--x--", "multipart/form-data; boundary=x", "multipart/form-data"),
        (b"\xff\xfe\x00", "text/plain", "text/plain"),
        (b"a\0b", None, "application/octet-stream"),
        (b"x", "text/plain; charset=no-such", "text/plain"),
        (b"x", "text/plain; charset=hex", "text/plain"),
        (bz2.compress(b"a" * 50_000_000), "text/plain; charset=bz2_codec", "text/plain"),
        (b"+2AA-", "text/plain; charset=utf-7", "text/plain"),
        (b"x\\ud800", "text/plain; charset=unicode_escape", "text/plain"),
    ],
    ids=["PDF", "form with files", "no UTF-8", "NUL", "unknown charset", "no text codec", "bomb", "utf-7", "escape"],
)
def test_what_is_no_text_is_told_by_its_type_size_and_hash(content: bytes, kind: str | None, told: str) -> None:
    assert json.loads(kept(content, kind)) == identified(content, told)


def test_an_empty_body_is_null() -> None:
    assert kept(b"", "application/json") == b"null"
    assert bytes(payload_of(None, [], MOST)) == b"null"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda content: zlib.compressobj(wbits=-15).compress(content) + b""),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("identity", bytes),
        ("gzip, zstd", lambda content: zstandard.ZstdCompressor().compress(gzip.compress(content))),
    ],
    ids=["gzip", "x-gzip", "deflate", "bare deflate", "zstd", "identity", "two"],
)
def test_encodings_are_decoded_for_the_log(encoding: str, encode: Any) -> None:
    if encoding == "deflate" and not encode(JOB):
        compressor = zlib.compressobj(wbits=-15)
        content = compressor.compress(JOB) + compressor.flush()
    else:
        content = encode(JOB)
    assert kept(content, "application/json", encoding) == JOB


@pytest.mark.parametrize("encoding", ["br", "gzip", "zstd", "deflate", "who-knows"])
def test_an_encoding_that_cannot_be_read_leaves_what_identifies_the_body(encoding: str) -> None:
    content = b"\x0b\x05\x80hello\x03"
    assert json.loads(kept(content, "application/json", encoding)) == identified(
        content, "application/json", bodyEncoding=encoding
    )


def test_what_is_too_long_is_cut_and_says_so() -> None:
    content = json.dumps(["ä" * 40] * 100, ensure_ascii=False).encode()
    found = json.loads(kept(content, "application/json"))
    beginning = found.pop("bodyBeginning")
    assert found == identified(content, "application/json", bodyCut=True)
    assert content.decode().startswith(beginning)
    assert MOST - 1 <= len(beginning.encode()) <= MOST


def test_a_long_binary_body_is_cut_without_a_beginning() -> None:
    content = bytes(range(256)) * 100
    assert json.loads(kept(content, "image/png")) == identified(content, "image/png", bodyCut=True)


@pytest.mark.parametrize("encode", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_small_body_that_unfolds_to_a_huge_one_is_cut(encode: Any) -> None:
    content = encode(b"a" * 50_000_000)
    encoding = "gzip" if content[:2] == b"\x1f\x8b" else "zstd"
    found = json.loads(kept(content, "text/plain", encoding, most=64 * 1024))
    assert found["bodyCut"] is True
    assert found["bodyBeginning"] == "a" * 64 * 1024


@given(st.binary(max_size=3000), st.sampled_from([None, "application/json", "text/plain; charset=utf-16", "a/b"]))
def test_whatever_comes_the_payload_is_json_and_small(content: bytes, kind: str | None) -> None:
    payload = kept(content, kind)
    json.loads(payload)
    assert len(payload) < 8 * MOST + 500

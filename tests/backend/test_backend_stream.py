"""The list as a stream of JSON Lines."""

from __future__ import annotations

import json
import logging
import socket
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving import Backend, log_entry, payload
from taplogs.backend.replies import compressed_stream

NDJSON = "application/x-ndjson"


def streamed(backend: Backend, query: str = "") -> tuple[list[str], dict[str, Any]]:
    """Return the ids of a stream and its trailer."""
    response = backend.get(query, accept=NDJSON)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == NDJSON
    assert response.content.endswith(b"\n")
    *entries, trailer = [json.loads(line) for line in response.content.split(b"\n")[:-1]]
    return [entry["id"] for entry in entries], trailer


def test_a_stream_holds_all_matching_entries_and_ends_with_a_trailer(backend: Backend) -> None:
    backend.store.add(log_entry(number, status_code=200 + number % 2) for number in range(2500))
    ids, trailer = streamed(backend, "order=asc&statusCode=201")
    assert ids == [log_entry(number).id for number in range(1, 2500, 2)]
    assert (trailer["end"], trailer["count"]) == (True, 1250)
    assert set(trailer) == {"end", "count", "serverTime"}


def test_an_empty_stream_is_its_trailer(backend: Backend) -> None:
    ids, trailer = streamed(backend)
    assert (ids, trailer["count"]) == ([], 0)


def test_a_stream_goes_on_from_a_cursor(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(10))
    cursor = backend.get("perPage=8").json()["nextCursor"]
    assert streamed(backend, f"cursor={cursor}")[0] == ["entry-00001", "entry-00000"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("perPage=2", [9, 8]), ("perPage=2&pageNumber=3", [5, 4]), ("pageNumber=1", list(range(9, -1, -1)))],
)
def test_a_stream_of_one_page_ends_with_it(backend: Backend, query: str, expected: list[int]) -> None:
    backend.store.add(log_entry(number) for number in range(10))
    assert streamed(backend, query)[0] == [log_entry(number).id for number in expected]


def test_a_line_feed_within_a_payload_does_not_break_its_line(backend: Backend) -> None:
    backend.store.add([log_entry(1, request_payload=payload('{\n"a":\r\n[1,\n2]}'), user_agent="a\nb\u2028c")])
    response = backend.get(accept=NDJSON)
    assert json.loads(response.content.split(b"\n")[0])["requestPayload"] == {"a": [1, 2]}
    assert response.content.count(b"\n") == 2


def test_a_stream_of_summaries_has_no_payload_members(backend: Backend) -> None:
    backend.store.add([log_entry(1, request_payload=payload("[1]"))])
    line = backend.get("fields=summary", accept=NDJSON).content.split(b"\n")[0]
    assert b"Payload" not in line


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (NDJSON, NDJSON),
        (f"{NDJSON}, application/json;q=0.5", NDJSON),
        (f"{NDJSON};q=0.5, application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_accept_header_decides_between_page_and_stream(backend: Backend, accept: str, expected: str) -> None:
    assert backend.get(accept=accept).headers["content-type"] == expected


def test_an_error_is_an_envelope_also_where_a_stream_was_asked_for(backend: Backend) -> None:
    response = backend.get("perPage=0", accept=NDJSON)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"


def test_a_compressed_stream_has_the_same_lines(backend: Backend) -> None:
    backend.store.add(log_entry(number, user_agent="x" * 1000) for number in range(200))
    packed, plain = (backend.get(accept=NDJSON, accept_encoding=name) for name in ("gzip", "identity"))
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content.split(b"\n")[:200] == plain.content.split(b"\n")[:200]
    assert json.loads(packed.content.split(b"\n")[200])["count"] == 200


def test_a_compressed_stream_can_be_read_while_it_runs() -> None:
    chunks = [b"one\n", b"two\n", b"three\n"]
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16)
    parts = [decompressor.decompress(chunk) for chunk in compressed_stream(chunks)]
    assert parts == [*chunks, b""]
    assert decompressor.eof


def test_head_of_a_stream_tells_its_type_and_has_no_body(backend: Backend) -> None:
    backend.store.add([log_entry(1)])
    response = backend.ask("HEAD", accept=NDJSON)
    assert (response.status_code, response.headers["content-type"], response.content) == (200, NDJSON, b"")


def test_a_stream_that_breaks_off_is_not_closed_properly(
    backend: Backend, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backend.store.add(log_entry(number, user_agent="x" * 1000) for number in range(1000))
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        connection.execute("UPDATE entries SET payloads = 1 WHERE id = 'entry-00100'")
        connection.commit()
    with caplog.at_level(logging.ERROR), pytest.raises(httpx.RemoteProtocolError):
        backend.get(accept=NDJSON)
    assert [record.name for record in caplog.records] == ["taplogs.backend"]


def test_a_reader_that_goes_away_leaves_the_backend_well(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    backend.store.add(log_entry(number, user_agent="x" * 10_000) for number in range(2000))
    address = urlsplit(backend.url)
    request = (
        f"GET /v1/partner/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {backend.key}\r\nAccept: {NDJSON}\r\n\r\n"
    )
    for _ in range(10):  # more than there are threads
        with socket.create_connection((address.hostname, address.port or 0)) as connection:
            connection.sendall(request.encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert backend.get("perPage=1").status_code == 200
    assert caplog.records == []

"""Replies that are cut, slow, huge, or no log entries at all: an error that says what, where and why; never a hang."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard
from msgspec import Raw

from faulty_server import (
    RESET,
    SILENCE,
    FaultyServer,
    Request,
    Script,
    Step,
    Told,
    chunked,
    drip,
    lines,
    page,
    reply,
    source_at,
)
from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.errors import BackendError

MEBIBYTE = 1024 * 1024
NDJSON = "application/x-ndjson"
ENTRIES = [log_entry(number) for number in (3, 2, 1)]
BODY = page(ENTRIES)
OK = reply(BODY)
UNTIL_CLOSE = reply(BODY, length=False)


CUT: dict[str, list[Step]] = {
    "in the middle of the body": [OK[: -len(BODY) // 2]],
    "before the last byte": [OK[:-1]],
    "after the headers": [OK[: -len(BODY)]],
    "in the headers": [OK[:40]],
    "body without its length": [UNTIL_CLOSE[: -len(BODY) // 2]],
    "last byte of a body without its length": [UNTIL_CLOSE[:-1]],
    "all of a body without its length": [UNTIL_CLOSE[: -len(BODY)]],
    "in a character": [reply('{"logs":[{"id":"é'.encode()[:-1], length=False)],
    "chunks without the last": [chunked(BODY, end=False)],
    "in a chunk": [chunked(BODY, end=False)[:-20]],
    "half the chunks": [chunked(BODY[: len(BODY) // 2], end=False)],
    "gzip in the middle": [reply(gzip.compress(BODY)[:-30], length=False, Content_Encoding="gzip")],
    "gzip before its checksum": [reply(gzip.compress(BODY)[:-8], length=False, Content_Encoding="gzip")],
    "gzip with nothing in it": [reply(b"", Content_Encoding="gzip")],
    "zstd in the middle": [reply(zstandard.compress(BODY)[:-30], length=False, Content_Encoding="zstd")],
    "chunks of gzip": [chunked(gzip.compress(BODY)[:-30], Content_Encoding="gzip")],
    "reset in the body": [OK[:-5], RESET],
    "an empty body": [reply(b"")],
    "white space": [reply(b" \n")],
}


@pytest.mark.parametrize("script", CUT.values(), ids=CUT)
def test_a_reply_that_is_cut_is_asked_for_again(script: list[Step]) -> None:
    with FaultyServer(script, script, [OK]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == ENTRIES
    assert len(server.requests) == 3


@pytest.mark.parametrize("script", CUT.values(), ids=CUT)
def test_a_reply_that_is_always_cut_is_an_error_and_never_a_short_result(script: list[Step]) -> None:
    with (
        FaultyServer(script) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match=r"/partner/logs.*\(tried 5 times\)"),
    ):
        list(source.search(LogQuery()))
    assert len(server.requests) == 5


WHOLE: dict[str, bytes] = {
    "with its length": OK,
    "until the connection closes": UNTIL_CLOSE,
    "in chunks": chunked(BODY[:100], BODY[100:101], BODY[101:]),
    "gzip": reply(gzip.compress(BODY), Content_Encoding="gzip"),
    "gzip until the connection closes": reply(gzip.compress(BODY), length=False, Content_Encoding="gzip"),
    "zstd": reply(zstandard.compress(BODY), Content_Encoding="zstd"),
    "zstd in chunks": chunked(*[bytes([byte]) for byte in zstandard.compress(BODY)], Content_Encoding="zstd"),
    "identity": reply(BODY, Content_Encoding="identity"),
    "after an interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    "of another type": reply(BODY, content_type="text/plain"),
    "of no type": OK.replace(b"Content-Type: application/json\r\n", b""),
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_whole_reply_is_taken(whole: bytes) -> None:
    told = Told()
    with FaultyServer([whole]) as server, source_at(server.url, told=told) as source:
        assert list(source.search(LogQuery())) == ENTRIES
    assert told.notices == []


def entry_with(old: str, new: str) -> bytes:
    assert old.encode() in BODY
    return BODY.replace(old.encode(), new.encode(), 1)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "an HTML page": (b"<!DOCTYPE html><title>Sign in</title>", "not JSON"),
    "a number": (b"42", "expected an object or an array of entries, got a number"),
    "null": (b"null", "expected an object or an array of entries, got null"),
    "an unknown envelope": (b'{"items":[],"count":0}', 'expected an array under "logs" or "data", found "items"'),
    "an error with status 200": (b'{"error":{"code":"X"}}', 'found "error"'),
    "logs that are no array": (b'{"logs":{"a":1}}', 'expected an array under "logs"'),
    "an entry that is no object": (b'{"logs":[1]}', "entry 1 is a number, not an object"),
    "an entry without id": (entry_with('"id":"entry-00003",', ""), 'entry 1 has no "id"'),
    "a status that is text": (entry_with('"statusCode":200', '"statusCode":"200"'), '(id entry-00003): "statusCode"'),
    "a time that is none": (entry_with("2026-11-01T", "2026-13-01T"), '(id entry-00003): "timestamp"'),
    "not a number": (entry_with('"latencyMs":12', '"latencyMs":NaN'), "NaN is not JSON"),
    "infinity": (entry_with('"latencyMs":12', '"latencyMs":1e999'), "not a number of milliseconds"),
    "something after the end": (BODY + b"}", "not JSON: Extra data"),
    "two values": (BODY + BODY, "not JSON: Extra data"),
    "not UTF-8": (entry_with("GET", "GET").replace(b"GET", b"G\xffT"), "not UTF-8 at byte"),
    "UTF-16": (BODY.decode().encode("utf-16"), "not UTF-8 at byte"),
    "another encoding than it says": (b"\x1f\x8b" + BODY, "not UTF-8"),
    "deep nesting": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "deep nesting in an entry": (entry_with('"GET"', "[" * 200_000 + "]" * 200_000), "nested too deeply"),
}


@pytest.mark.parametrize(("body", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_reply_without_log_entries_is_an_error_at_once_that_names_place_and_reason(body: bytes, reason: str) -> None:
    told = Told()
    with (
        FaultyServer([reply(body, content_type="text/html; charset=utf-8")]) as server,
        source_at(server.url, told=told) as source,
        pytest.raises(BackendError) as caught,
    ):
        list(source.search(LogQuery()))
    assert caught.value.message.startswith(
        f"{server.url}/partner/logs answered 200 (text/html; charset=utf-8), but not with log entries: "
    )
    assert reason in caught.value.message
    assert len(caught.value.message) < 1000
    assert caught.value.exit_code == 6
    assert (len(server.requests), told.slept) == (1, [])


@pytest.mark.parametrize(("body", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_an_entry_that_is_none_is_an_error(body: bytes, reason: str) -> None:
    with (
        FaultyServer([reply(body)]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="but not with log entries"),
    ):
        source.get("a")
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate"])
def test_a_body_that_is_not_compressed_as_it_says_is_an_error(encoding: str) -> None:
    with (
        FaultyServer([reply(BODY, Content_Encoding=encoding)]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="a damaged compressed body"),
    ):
        list(source.search(LogQuery()))
    assert len(server.requests) == 1


def test_an_encoding_that_was_not_asked_for_is_an_error() -> None:
    with (
        FaultyServer([reply(BODY, Content_Encoding="br")]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="Content-Encoding 'br', which was not asked for"),
    ):
        list(source.search(LogQuery()))


ERROR_PAGES: dict[str, tuple[bytes, str]] = {
    "HTML": (reply(b"<html>\n  <h1>Bad\t gateway</h1>", 400, "text/html"), "answered 400: <html> <h1>Bad gateway</h1>"),
    "long": (reply(b"x" * 100_000, 400), "answered 400: " + "x" * 200),
    "empty": (reply(b"", 400), "answered 400"),
    "an array": (reply(b"[1]", 400), "answered 400: [1]"),
    "an envelope of another shape": (reply(b'{"error":"no"}', 400), 'answered 400: {"error":"no"}'),
    "an envelope without a message": (reply(b'{"error":{"code":7}}', 400), "answered 400: 7"),
    "deep": (reply(b"[" * 100_000, 400), "answered 400: " + "[" * 200),
    "a huge number": (reply(b'{"error":{"code":' + b"9" * 10_000 + b"}}", 400), "answered 400: "),
    "not UTF-8": (reply(b"\xff\xfe", 400), "answered 400: \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
    "cut": (reply(b"sorry", 400)[:-2], "answered 400"),
    "wrongly compressed": (reply(b"sorry", 400, Content_Encoding="gzip"), "answered 400"),
    "more than is read": (reply(b"x" * 2 * MEBIBYTE, 400), "answered 400"),
}


@pytest.mark.parametrize(("response", "message"), ERROR_PAGES.values(), ids=ERROR_PAGES)
def test_an_error_page_of_any_kind_is_told_in_short(response: bytes, message: str) -> None:
    with FaultyServer([response]) as server, source_at(server.url) as source, pytest.raises(BackendError) as caught:
        list(source.search(LogQuery()))
    assert message in caught.value.message
    assert len(caught.value.message) < 500


SLOW: dict[str, Callable[[], Iterator[Step]]] = {
    "headers": lambda: drip(OK, 0.02),
    "endless headers": lambda: drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, 0.02),
    "interim responses": lambda: drip(b"HTTP/1.1 103 E\r\n\r\n" * 1000, 0.02),
    "body": lambda: _after_headers(drip(BODY, 0.02)),
    "chunks": lambda: _drip_chunks(),
    "silence at once": lambda: iter([SILENCE]),
    "silence in the body": lambda: iter([OK[:-20], SILENCE]),
    "error page": lambda: _after_headers(drip(BODY, 0.02), status=503),
}


def _after_headers(steps: Iterator[Step], status: int = 200) -> Iterator[Step]:
    yield reply(b"", status, length=False)
    yield from steps


def _drip_chunks() -> Iterator[Step]:
    yield chunked(end=False)
    while True:
        yield b"1\r\n \r\n"
        yield 0.02


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_a_slow_reply_ends_with_the_time_of_its_request(script: Callable[[], Iterator[Step]]) -> None:
    with FaultyServer(lambda _: script()) as server, source_at(server.url, timeout=0.3, max_wait=0) as source:
        begin = time.monotonic()
        with pytest.raises(BackendError, match=r"/partner/logs(:.* (timed out|--timeout allows)| answered 503)"):
            list(source.search(LogQuery()))
        assert 0.2 < time.monotonic() - begin < 2
    assert len(server.requests) == 1


def test_a_slow_reply_is_tried_again() -> None:
    told = Told()
    with FaultyServer([SILENCE], [OK]) as server, source_at(server.url, timeout=0.2, told=told) as source:
        assert list(source.search(LogQuery())) == ENTRIES
    assert len(told.slept) == 1


def test_a_server_that_accepts_nothing_ends_too() -> None:
    """Its queue of connections is full, so not even connecting succeeds."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        address = deaf.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        try:
            with (
                source_at(f"http://127.0.0.1:{address[1]}", timeout=0.3, max_wait=0) as source,
                pytest.raises(BackendError, match=r"no answer from .*timed out"),
            ):
                list(source.search(LogQuery()))
        finally:
            for client in waiting:
                client.close()


def test_a_reader_that_takes_its_time_is_not_the_servers_fault() -> None:
    entries = [log_entry(number, request_payload=Raw(b'"%b"' % (b"a" * 1000))) for number in range(2000, 0, -1)]
    first = reply(page(entries[:2], totalLogs=None, nextCursor="a"))

    def answer(request: Request) -> Script:
        target = request.target
        if "perPage" in target:
            return [reply(page(entries[-1:])) if "order=asc" in target else first]
        if "endDate=2026-11-01T00%3A33%3A19.001Z" not in target:
            return [reply(lines([], 0), content_type=NDJSON)]
        return [reply(lines(entries[1:], len(entries) - 1), content_type=NDJSON)]

    with FaultyServer(answer, streams=True) as server, source_at(server.url, timeout=0.4) as source:
        found: list[LogEntry] = []
        pauses = 0
        for batch in source.batches(LogQuery()):
            found += batch
            if pauses < 4:
                pauses += 1
                time.sleep(0.2)
    assert found == entries


def bomb(kind: str) -> Iterator[Step]:
    """Yield a reply that compresses 1 GiB of blanks within a page, and takes no memory to send."""
    yield reply(b"", length=False, Content_Encoding=kind)
    block = b" " * MEBIBYTE
    if kind == "zstd":
        frame = zstandard.compress(block)
        for _ in range(1024):
            yield frame
        return
    compressor = zlib.compressobj(1, wbits=31)
    for _ in range(1024):
        yield compressor.compress(block)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_decompression_bomb_is_an_error_in_bounded_memory(kind: str) -> None:
    with FaultyServer(lambda _: bomb(kind)) as server, source_at(server.url) as source:
        tracemalloc.start()
        try:
            with pytest.raises(BackendError, match="more than 64 MiB in one reply"):
                list(source.search(LogQuery()))
            assert tracemalloc.get_traced_memory()[1] < 100 * MEBIBYTE
        finally:
            tracemalloc.stop()
    assert len(server.requests) == 1


def test_a_reply_beyond_the_limit_is_an_error_at_once() -> None:
    def endless() -> Iterator[Step]:
        yield reply(b"", length=False)
        while True:
            yield b" " * MEBIBYTE

    with (
        FaultyServer(lambda _: endless()) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="more than 64 MiB in one reply"),
    ):
        list(source.search(LogQuery()))
    assert len(server.requests) == 1


def test_headers_without_end_are_an_error() -> None:
    def endless() -> Iterator[Step]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X: " + b"y" * 1000 + b"\r\n"

    with (
        FaultyServer(lambda _: endless()) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="no answer from"),
    ):
        list(source.search(LogQuery()))

"""Entries -> the bodies of replies: a page of JSON, or a stream of JSON Lines; and their compression."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from taplogs.core.entry import LogEntry, encode_entry

_COMPRESSION_LEVEL = 1
"""Level 1 makes a seventh of the demo's entries; level 6 takes twice as long to make a ninth."""

_GZIP_WINDOW = zlib.MAX_WBITS | 16
_STREAM_CHUNK = 64 * 1024


def entry_line(entry: LogEntry, *, payloads: bool) -> bytes:
    """Return one entry as JSON, with its payload members or (`fields=summary`) without them."""
    line = encode_entry(entry)
    if payloads:
        return line
    # Within a JSON string a quotation mark follows a backslash, never a comma: this is found nowhere but in its place.
    return line.replace(b',"requestPayload":null,"responsePayload":null', b"", 1)


def page_body(lines: Iterable[bytes], total: int | None, next_cursor: str | None, server_time: str) -> bytes:
    """Return the JSON body of one page."""
    rest = msgspec.json.encode({"totalLogs": total, "nextCursor": next_cursor, "serverTime": server_time})
    return b'{"logs":[' + b",".join(lines) + b"]," + rest[1:]


def stream_body(lines: Iterable[bytes], server_time: str) -> Iterator[bytes]:
    """Yield JSON Lines in chunks of about 64 KiB, closed by the trailer that counts them."""
    count, size, chunk = 0, 0, []
    for line in lines:
        chunk.append(line)
        count += 1
        size += len(line)
        if size >= _STREAM_CHUNK:
            yield b"\n".join([*chunk, b""])
            size, chunk = 0, []
    trailer = msgspec.json.encode({"end": True, "count": count, "serverTime": server_time})
    yield b"\n".join([*chunk, trailer, b""])


def compressed(body: bytes) -> bytes:
    """Return `body` in gzip format (RFC 1952)."""
    return gzip.compress(body, _COMPRESSION_LEVEL, mtime=0)


def compressed_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `chunks` in gzip format, each flushed so that the reader can have it at once."""
    compressor = zlib.compressobj(_COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        yield compressor.compress(chunk) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()

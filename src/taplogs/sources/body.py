"""Reading the body of a response: decompressed, to its very end, and never beyond a limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, cast

from taplogs.core.decoding import MalformedBody

CHUNK = 1 << 16
MEBIBYTE = 1 << 20


class BodyTooLarge(MalformedBody):
    """A body, or one line of it, is larger than the client is willing to hold."""


def decompressed(raw: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    """Return the chunks of a body, each of a bounded size whatever it was compressed from.

    `encoding` is the Content-Encoding header: gzip, deflate, zstd or none. Raises MalformedBody, with `truncated` set
    where the compressed stream stops before its end.
    """
    decompress = _DECOMPRESSORS.get(encoding.strip().lower())
    if decompress is None:
        raise MalformedBody(f"Content-Encoding {encoding!r}, which was not asked for")
    return decompress(raw)


def read_all(chunks: Iterable[bytes], limit: int) -> bytes:
    """Return the whole body; raises BodyTooLarge beyond `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"more than {limit // MEBIBYTE} MiB in one reply")
        parts.append(chunk)
    return b"".join(parts)


def whole_lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the body in blocks of whole lines, split at line feeds only: U+2028 and its kind are text within JSON.

    What follows the last line feed is yielded last. Raises BodyTooLarge where one line is beyond `limit` bytes.
    """
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, chunk[:end]])
            rest, size = [], 0
        rest.append(chunk[end:])
        size += len(chunk) - end
        if size > limit:
            raise BodyTooLarge(f"a line of more than {limit // MEBIBYTE} MiB")
    if size:
        yield b"".join(rest)


def _inflated(raw: Iterable[bytes]) -> Iterator[bytes]:
    """gzip (RFC 1952) and zlib (RFC 1950), told apart by the header; several gzip members in a row are one body."""
    member = None
    for data in raw:
        while data:
            if member is None or member.eof:
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            yield _inflate(member, data)
            data = member.unused_data if member.eof else member.unconsumed_tail
        while member and not member.eof and (chunk := _inflate(member, b"")):
            yield chunk
    if member and not member.eof:
        raise MalformedBody("the compressed body stops before its end", truncated=True)


def _inflate(member: zlib._Decompress, data: bytes) -> bytes:
    try:
        return member.decompress(data, CHUNK)
    except zlib.error as error:
        raise MalformedBody(f"a damaged compressed body: {error}") from None


def _zstandard(raw: Iterable[bytes]) -> Iterator[bytes]:
    """Zstandard (RFC 8878), its window limited as RFC 9659 asks for content encodings.

    The reader does not tell a frame that stops in the middle; the JSON in it does.
    """
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=8 * MEBIBYTE).stream_reader(
        cast(IO[bytes], _Chunks(raw)), read_size=CHUNK, read_across_frames=True
    )
    try:
        while chunk := reader.read1(CHUNK):
            yield chunk
    except zstandard.ZstdError as error:
        raise MalformedBody(f"a damaged compressed body: {error}") from None


class _Chunks:
    """The file that zstandard wants to read from, over the chunks of a body."""

    def __init__(self, raw: Iterable[bytes]) -> None:
        self._raw = iter(raw)
        self._rest = b""

    def read(self, size: int) -> bytes:
        while not self._rest:
            chunk = next(self._raw, None)
            if chunk is None:
                return b""
            self._rest = chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


_DECOMPRESSORS: dict[str, Callable[[Iterable[bytes]], Iterable[bytes]]] = {
    "": lambda raw: raw,
    "identity": lambda raw: raw,
    "gzip": _inflated,
    "x-gzip": _inflated,
    "deflate": _inflated,
    "zstd": _zstandard,
}

"""Reading bodies: decompressed exactly, to their end, within bounds; lines split at line feeds alone."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from taplogs.core.decoding import MalformedBody
from taplogs.sources.body import CHUNK, MEBIBYTE, BodyTooLarge, decompressed, read_all, whole_lines

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip ": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
COMPRESSED = ["gzip", "deflate", "zstd"]

texts = st.binary(max_size=200) | st.integers(0, 300_000).map(lambda size: b"%09d" % 7 * (size // 9))


def in_chunks(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return `data` in pieces, some of them empty."""
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def with_every_byte_a_chunk(data: bytes) -> Iterator[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


@settings(deadline=None)
@given(texts, st.sampled_from(sorted(ENCODERS)), st.lists(st.integers(0), max_size=8))
def test_a_body_comes_back_whole_however_it_is_chunked(body: bytes, encoding: str, cuts: list[int]) -> None:
    chunks = in_chunks(ENCODERS[encoding](body), cuts)
    assert b"".join(decompressed(chunks, encoding)) == body


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_body_may_come_byte_by_byte(encoding: str) -> None:
    body = bytes(range(256)) * 40
    assert b"".join(decompressed(with_every_byte_a_chunk(ENCODERS[encoding](body)), encoding)) == body


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.lists(st.integers(0), max_size=4))
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_several_members_in_a_row_are_one_body(encoding: str, parts: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(map(ENCODERS[encoding], parts))
    assert b"".join(decompressed(in_chunks(whole, cuts), encoding)) == b"".join(parts)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(COMPRESSED),
    st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=4),
    st.lists(st.integers(0), max_size=4),
)
def test_a_damaged_body_is_an_error_or_other_bytes_and_nothing_else(
    encoding: str, damage: list[tuple[int, int]], cuts: list[int]
) -> None:
    body = bytearray(ENCODERS[encoding](bytes(range(256)) * 600))
    for place, mask in damage:
        body[place % len(body)] ^= mask
    with suppress(MalformedBody):
        read_all(decompressed(in_chunks(bytes(body), cuts), encoding), MEBIBYTE)


@given(st.binary(min_size=1, max_size=100), st.integers(0))
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_cut_in_the_middle_is_told_as_cut(encoding: str, body: bytes, place: int) -> None:
    whole = ENCODERS[encoding](body)
    with pytest.raises(MalformedBody) as caught:
        list(decompressed([whole[: 1 + place % (len(whole) - 1)]], encoding))
    assert caught.value.truncated


def test_nothing_at_all_is_left_to_the_decoder() -> None:
    assert list(decompressed([], "gzip")) == []


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "gzip;q=1", "x"])
def test_an_encoding_that_was_not_asked_for_is_an_error(encoding: str) -> None:
    with pytest.raises(MalformedBody, match="Content-Encoding"):
        list(decompressed([b"a"], encoding))


def bomb(encoding: str) -> bytes:
    """Return a small body that decompresses to 128 MiB."""
    block = bytes(16 * MEBIBYTE)
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=1).compress(block) * 8
    compressor = zlib.compressobj(6, wbits=31 if encoding == "gzip" else 15)
    return b"".join(compressor.compress(block) for _ in range(8))


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_a_bomb_goes_off_in_small_pieces_and_stops_at_the_limit(encoding: str) -> None:
    raw = bomb(encoding)
    assert len(raw) < MEBIBYTE
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match="more than 2 MiB in one reply"):
            read_all(decompressed([raw], encoding), 2 * MEBIBYTE)
        assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_no_piece_is_larger_than_the_others_whatever_it_was_made_from(encoding: str) -> None:
    pieces = decompressed([ENCODERS[encoding](bytes(4 * MEBIBYTE))], encoding)
    assert max(map(len, pieces)) <= CHUNK


def test_a_zstd_frame_that_asks_for_much_memory_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = compressor.compress(b"a" * 1000) + compressor.flush()
    with pytest.raises(MalformedBody, match="damaged compressed body"):
        list(decompressed([frame], "zstd"))


@given(st.lists(st.binary(max_size=8)), st.integers(0, 40))
def test_a_body_is_read_to_its_limit_and_no_further(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    if len(whole) <= limit:
        assert read_all(chunks, limit) == whole
    else:
        with pytest.raises(BodyTooLarge):
            read_all(chunks, limit)


def test_reading_stops_with_the_chunk_that_is_too_much() -> None:
    chunks = iter([b"a" * 10] * 5)
    with pytest.raises(BodyTooLarge):
        read_all(chunks, 25)
    assert len(list(chunks)) == 2


@given(st.lists(st.text("a\n\r\x0b\x0c\x1c\x85\u2028\u2029é").map(str.encode)), st.lists(st.integers(0), max_size=6))
def test_lines_are_whole_and_end_at_line_feeds_alone(parts: list[bytes], cuts: list[int]) -> None:
    body = b"".join(parts)
    blocks = list(whole_lines(in_chunks(body, cuts), 1000))
    assert b"".join(blocks) == body
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert all(blocks)


def test_a_block_is_given_as_soon_as_its_last_line_is_whole() -> None:
    taken: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a", b"b\nc", b"d\n", b"e"):
            taken.append(chunk)
            yield chunk

    blocks = whole_lines(chunks(), 10)
    assert (next(blocks), taken) == (b"ab\n", [b"a", b"b\nc"])
    assert list(blocks) == [b"cd\n", b"e"]


@given(st.integers(0, 30), st.lists(st.integers(0), max_size=5))
def test_a_line_is_read_to_its_limit_and_no_further(length: int, cuts: list[int]) -> None:
    chunks = in_chunks(b"a" * length, cuts)
    if length <= 20:
        assert b"".join(whole_lines(chunks, 20)) == b"a" * length
    else:
        with pytest.raises(BodyTooLarge, match="a line of more than"):
            list(whole_lines(chunks, 20))


def test_many_short_lines_are_no_long_one() -> None:
    assert sum(map(len, whole_lines([b"aaa\n" * 100] * 100, 20))) == 40_000

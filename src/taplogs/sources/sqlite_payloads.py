"""Payloads in compressed blocks: both of an entry under one number, in the order in which they were added.

A block holds up to 256 pairs, or as many as make up a few hundred kilobytes. The newest pairs lie uncompressed in
the tail until there are enough for a block, so that an entry that comes alone costs no compression.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from taplogs.core.entry import NULL
from taplogs.sources.sqlite_damage import MISREAD

Pair = tuple[bytes | None, bytes | None]
"""The payloads of a request and its response."""

PAIRS_OF_BLOCK = 256
BYTES_OF_BLOCK = 256 * 1024
_LEVEL = 3
"""Level 9 saves 4 % of the space of payloads, and takes four times as long."""

_MOST_BLOCKS_REMEMBERED = 8

_as_json = Decoder(Raw).decode


class PayloadReader:
    """Finds payloads by their numbers, within one snapshot; the last blocks are remembered."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._blocks: dict[int, Sequence[Pair]] = {}
        self._block: tuple[int, Sequence[Pair]] = (0, ())
        self._tail: Mapping[int, Pair] | None = None

    def pair(self, number: int) -> tuple[Raw, Raw]:
        """Return both payloads of a number; raises sqlite3.DatabaseError where there are none."""
        first, pairs = self._block
        if not first <= number < first + len(pairs):
            self._block = first, pairs = self._find(number)
        request, response = pairs[number - first]
        return NULL if request is None else payload_of(request), NULL if response is None else payload_of(response)

    def _find(self, number: int) -> tuple[int, Sequence[Pair]]:
        """Return the block that `number` lies in, with its first number; a pair of the tail as one of its own."""
        tail = self._in_tail()
        if number in tail:
            return number, (tail[number],)
        for first, pairs in self._blocks.items():
            if first <= number < first + len(pairs):
                return first, pairs
        row = self._connection.execute(
            "SELECT first, content FROM payload_blocks WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,)
        ).fetchone()
        pairs = decoded(row[1]) if row else ()
        if row is None or number >= row[0] + len(pairs):
            raise sqlite3.DatabaseError(f"no block holds the payloads {number}")
        if len(self._blocks) >= _MOST_BLOCKS_REMEMBERED:
            del self._blocks[next(iter(self._blocks))]
        self._blocks[row[0]] = pairs
        return row[0], pairs

    def _in_tail(self) -> Mapping[int, Pair]:
        if self._tail is None:
            self._tail = _tail(self._connection)
        return self._tail


class PayloadWriter:
    """Gives pairs their numbers and keeps them, within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        (self._next,) = connection.execute(
            "SELECT 1 + max((SELECT coalesce(max(number), 0) FROM payload_tail), coalesce((SELECT first + number - 1 "
            "FROM payload_blocks ORDER BY first DESC LIMIT 1), 0))"
        ).fetchone()
        tail = _tail(connection)
        self._held = len(tail)
        self._held_bytes = sum(len(payload or b"") for pair in tail.values() for payload in pair)
        if type(self._next) is not int or [*tail] != [*range(self._next - self._held, self._next)]:
            raise sqlite3.DatabaseError("payloads are not numbered one after the other")

    def numbers(self, requests: Sequence[bytes], responses: Sequence[bytes]) -> list[int | None]:
        """Keep pairs of payloads as JSON; return the number of each, None where both are null."""
        pairs: list[Pair] = []
        numbers: list[int | None] = []
        number = self._next
        for request, response in zip(requests, responses, strict=True):
            if request == b"null" and response == b"null":
                numbers.append(None)
            else:
                numbers.append(number)
                number += 1
                pairs.append((None if request == b"null" else request, None if response == b"null" else response))
        if pairs:
            self._keep(pairs)
        return numbers

    def _keep(self, pairs: list[Pair]) -> None:
        sizes = [len(request or b"") + len(response or b"") for request, response in pairs]
        if self._held + len(pairs) < PAIRS_OF_BLOCK and self._held_bytes + sum(sizes) < BYTES_OF_BLOCK:
            self._append(pairs, sizes)
            return
        first = self._next - self._held
        held = [*_tail(self._connection).values()]
        self._connection.execute("DELETE FROM payload_tail")
        sizes = [len(request or b"") + len(response or b"") for request, response in held] + sizes
        pairs = held + pairs
        self._next, self._held, self._held_bytes = first, 0, 0
        start = size = 0
        for end in range(1, len(pairs) + 1):
            size += sizes[end - 1]
            if end - start == PAIRS_OF_BLOCK or size >= BYTES_OF_BLOCK:
                store_block(self._connection, self._next, pairs[start:end])
                self._next += end - start
                start, size = end, 0
        self._append(pairs[start:], sizes[start:])

    def _append(self, pairs: Sequence[Pair], sizes: Sequence[int]) -> None:
        rows = [(number, *pair) for number, pair in enumerate(pairs, self._next)]
        self._connection.executemany("INSERT INTO payload_tail VALUES (?, ?, ?)", rows)
        self._next += len(pairs)
        self._held += len(pairs)
        self._held_bytes += sum(sizes)


def _tail(connection: sqlite3.Connection) -> dict[int, Pair]:
    """Return the pairs of the tail by their numbers, which ascend; raises sqlite3.DatabaseError for damage."""
    rows = connection.execute("SELECT number, request, response FROM payload_tail ORDER BY number").fetchall()
    if not {type(payload) for _, *pair in rows for payload in pair} <= {bytes, type(None)}:
        raise sqlite3.DatabaseError("a payload is no JSON")
    return {number: (request, response) for number, request, response in rows}


def payload_of(text: bytes) -> Raw:
    """Return a payload as it was kept; raises ValueError where it is no JSON."""
    try:
        payload = _as_json(text)
    except (DecodeError, RecursionError):
        _refuse_unless_json(text)
        payload = Raw(text)
    if not text.isascii():
        text.decode("utf-8")
    return payload


def _refuse_unless_json(text: bytes) -> None:
    """Raise ValueError for what is no JSON even to a parser that takes lone surrogates and numbers of any length."""
    import json

    with suppress(RecursionError):  # JSON it is, down to a depth at which nobody looks any further
        json.loads(text.decode("utf-8"), parse_int=str, parse_float=str)


def store_block(connection: sqlite3.Connection, first: int, pairs: Sequence[Pair]) -> None:
    """Store a block of pairs, in the place of one that begins with the same number."""
    connection.execute("INSERT OR REPLACE INTO payload_blocks VALUES (?, ?, ?)", (first, len(pairs), encoded(pairs)))


def encoded(pairs: Sequence[Pair]) -> bytes:
    """Return a block: zstd of how many pairs, the length of each payload and 1 (0: none), and the payloads."""
    import zstandard

    payloads = [payload for pair in pairs for payload in pair]
    lengths = [0 if payload is None else len(payload) + 1 for payload in payloads]
    header = struct.pack(f"<{1 + len(lengths)}I", len(pairs), *lengths)
    content = header + b"".join([payload for payload in payloads if payload is not None])
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(content)


def decoded(content: bytes) -> list[Pair]:
    """Return the pairs of a block; raises sqlite3.DatabaseError where it is damaged."""
    import zstandard

    try:
        whole = zstandard.ZstdDecompressor().decompress(content)
        return list(_pairs(whole))
    except (zstandard.ZstdError, struct.error, MemoryError, *MISREAD) as error:
        raise sqlite3.DatabaseError(f"a block of payloads cannot be read ({error})") from error


def _pairs(whole: bytes) -> Iterator[Pair]:
    (number,) = struct.unpack_from("<I", whole)
    lengths = struct.unpack_from(f"<{2 * number}I", whole, 4)
    payloads: list[bytes | None] = []
    start = 4 + 8 * number
    for length in lengths:
        payloads.append(whole[start : start + length - 1] if length else None)
        start += max(0, length - 1)
    if start != len(whole):
        raise struct.error("it has another length than it says")
    return zip(payloads[::2], payloads[1::2], strict=True)

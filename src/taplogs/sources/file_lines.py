"""JSON Lines -> entries: whole blocks at once, line by line where something in a block is no entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from taplogs.core.decoding import MalformedBody, decode_entry, decode_lines, decode_page, decode_trailer
from taplogs.core.entry import LogEntry
from taplogs.sources.file_faults import LONGEST, TOO_LONG
from taplogs.sources.file_place import Place

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Refuse = Callable[[int, str], None]
"""Told the number of a line, from 1, and why it is left out."""


def entries_of_lines(chunks: Iterable[bytes], refuse: Refuse) -> Iterator[list[LogEntry]]:
    """Yield the entries of JSON Lines. The last record of a saved stream is no entry, and no fault."""
    for number, block in line_blocks(chunks, refuse):
        entries = _at_once(block)
        yield list(_one_by_one(number, block, refuse)) if entries is None else entries


def without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a text in UTF-8 without the byte order mark that it may begin with."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(_BYTE_ORDER_MARK):
            break
    yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from chunks


def line_blocks(chunks: Iterable[bytes], refuse: Refuse) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, each with the number of its first line; the last line may lack its line feed.

    A line that is too long is refused, and a block of one empty line stands for it.
    """
    number = 1
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if size > LONGEST and end:  # only now does the long line end; it was given up before
            first = chunk.find(b"\n") + 1
            refuse(number, TOO_LONG)
            yield number, b"\n"
            number += 1
            block, rest, size = chunk[first:end], [], 0
        elif end:
            block, rest, size = b"".join([*rest, chunk[:end]]), [], 0
        else:
            block = b""
        if block:
            yield number, block
            number += block.count(b"\n")
        size += len(chunk) - end
        rest = [] if size > LONGEST else [*rest, chunk[end:]]
    if size > LONGEST:
        refuse(number, TOO_LONG)
    elif size:
        yield number, b"".join(rest)


def whole_lines(chunks: Iterable[bytes], place: Place) -> Iterator[bytes]:
    """Yield a text up to its last line feed, and what comes after that if it is an entry: somebody is writing it.

    `place`, which is where the text begins, is moved to the end of what was yielded.
    """
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        size = len(chunk) - end + (0 if end else size)
        if size > LONGEST:  # it is no entry, wherever it ends
            end = len(chunk)
        if end:
            text = b"".join([*rest, chunk[:end]])
            place.advance(text)
            yield text
            rest = []
        rest.append(chunk[end:])
    last = b"".join(rest)
    with suppress(MalformedBody):
        decode_entry(last)
        place.advance(last)
        yield last


def _at_once(block: bytes) -> list[LogEntry] | None:
    """Return the entries of a block, one a line; None where anything in it is something else."""
    try:
        entries = decode_lines(block)
    except MalformedBody:
        return None
    if len(entries) == block.count(b"\n") or not (entries or block.strip()):
        return entries
    return entries if len(entries) == sum(1 for line in block.split(b"\n") if line.strip()) else None


def _one_by_one(number: int, block: bytes, refuse: Refuse) -> Iterator[LogEntry]:
    for place, line in enumerate(block.split(b"\n"), number):
        text = line.removeprefix(_BYTE_ORDER_MARK)  # also in the middle: files are put together with `cat`
        if text.strip():
            try:
                yield from _entries_of(text)
            except MalformedBody as fault:
                refuse(place, fault.reason)


def _entries_of(line: bytes) -> list[LogEntry]:
    """Return what one line holds: an entry, a page of them, several, or the end of a stream; raises MalformedBody."""
    try:
        return [decode_entry(line)]
    except MalformedBody:
        if decode_trailer(line) is not None:
            return []
        for decode in (_decode_page, decode_lines):
            with suppress(MalformedBody):
                return decode(line)
        raise


def _decode_page(line: bytes) -> list[LogEntry]:
    return decode_page(line).entries

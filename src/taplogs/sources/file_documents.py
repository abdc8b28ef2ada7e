"""JSON documents -> entries: arrays, the envelopes of the list endpoint, objects over several lines, in any number.

A document may be larger than the memory. It is cut into its elements here, by quotes and brackets alone; whether an
element is JSON, and an entry, is for the decoding to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from taplogs.core.decoding import MalformedBody, decode_entry, decode_page
from taplogs.core.entry import LogEntry
from taplogs.sources.file_faults import LONGEST, TOO_LONG
from taplogs.sources.file_lines import Refuse

_BATCH_BYTES = 1024 * 1024
_ENVELOPE_BYTES = 1 << 16
"""Within so many bytes of an envelope its array must begin."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|%s)*+[{}\[\]]' % _STRING, re.DOTALL)
_SCALAR = re.compile(rb'(?:%s|[^"{}\[\],\s]++)' % _STRING, re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_ENVELOPE = re.compile(
    rb'\{\s*+(?:(?!"(?:_?id|logId|logs|data)")%s\s*+:\s*+(?:%s|[^"{}\[\],\s]++)\s*+,\s*+)*+"(?:logs|data)"\s*+:\s*+\['
    % (_STRING, _STRING),
    re.DOTALL,
)
"""The beginning of an envelope: members that are no containers, then the array. An entry has its id first."""


Cut = Callable[[str], None]
"""Told why what comes is not complete, where it ends early."""


class BrokenDocument(ValueError):
    """A document that is no JSON beyond some place: what follows cannot be told apart."""


class _UnfinishedDocument(BrokenDocument):
    """A document that is JSON as far as it goes, and does not end."""


def is_document(head: bytes) -> bool:
    """Return whether a file that begins so holds documents rather than one entry a line."""
    text = head.lstrip()
    first_line = text.partition(b"\n")[0]
    return text.startswith(b"[") or first_line.strip() == b"{" or _ENVELOPE.match(text) is not None


def entries_of_documents(chunks: Iterable[bytes], refuse: Refuse, cut: Cut) -> Iterator[list[LogEntry]]:
    """Yield the entries of documents; faults are told with the number of the element. Raises BrokenDocument."""
    batch: list[bytes] = []
    size = number = 0
    for element in _until_cut(_elements(_Text(chunks)), cut):
        batch.append(element)
        size += len(element)
        if size >= _BATCH_BYTES:
            yield _decoded(batch, number, refuse)
            number += len(batch)
            batch, size = [], 0
    if batch:
        yield _decoded(batch, number, refuse)


def _until_cut(elements: Iterator[bytes], cut: Cut) -> Iterator[bytes]:
    try:
        yield from elements
    except _UnfinishedDocument:
        cut("it ends early")


def _decoded(elements: list[bytes], before: int, refuse: Refuse) -> list[LogEntry]:
    try:
        entries = decode_page(b'{"logs":[' + b",".join(elements) + b"]}").entries
    except MalformedBody:
        return list(_one_by_one(elements, before, refuse))
    return entries


def _one_by_one(elements: list[bytes], before: int, refuse: Refuse) -> Iterator[LogEntry]:
    for number, element in enumerate(elements, before + 1):
        try:
            yield decode_entry(element)
        except MalformedBody as fault:
            refuse(number, fault.reason)


class _Text:
    """A text that is read on as it is needed: what was looked at is forgotten."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._text = b""
        self._at = 0

    def next_character(self) -> bytes:
        """Return what comes after white space, without taking it; nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            if not self._more():
                return b""

    def take(self, character: bytes) -> bool:
        """Take a character where it comes next, and return whether it does."""
        found = self.next_character() == character
        self._at += found
        return found

    def take_envelope(self) -> bool:
        """Take the beginning of an envelope up to its array, and return whether it is one."""
        while len(self._text) - self._at < _ENVELOPE_BYTES and self._more():
            pass
        found = _ENVELOPE.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found is not None

    def take_value(self) -> bytes:
        """Take one value; raises BrokenDocument where it does not end, or is too long."""
        if self.next_character() in (b"{", b"["):
            return self.take_container(0)
        while True:
            found = _SCALAR.match(self._text, self._at)
            if (found and found.end() < len(self._text)) or not self._more():
                break
        if not found:
            raise BrokenDocument("it is not JSON") if self.next_character() else _UnfinishedDocument
        self._at = found.end()
        return found[0]

    def take_container(self, depth: int) -> bytes:
        """Take the rest of an object or array that is `depth` brackets deep here, from its beginning for 0."""
        start = position = self._at
        while True:
            bracket = _TO_BRACKET.match(self._text, position)
            if bracket is None:
                read, length = position - start, len(self._text) - start
                if length > LONGEST:
                    raise BrokenDocument(f"an entry is {TOO_LONG}")
                self._at = start
                if not self._more(length):
                    raise _UnfinishedDocument
                start, position = 0, read
                continue
            position = bracket.end()
            depth += 1 if self._text[position - 1] in b"{[" else -1
            if not depth:
                self._at = position
                return self._text[start:position]

    def _more(self, at_least: int = 1) -> bool:
        """Read on, and return whether there was anything; what was taken is forgotten.

        As much again as there is of an unfinished value, so that a long one is not gone through again and again.
        """
        found: list[bytes] = []
        size = 0
        for chunk in self._chunks:
            found.append(chunk)
            size += len(chunk)
            if size >= at_least:
                break
        if found:
            self._text = b"".join([self._text[self._at :], *found])
            self._at = 0
        return bool(found)


def _elements(text: _Text) -> Iterator[bytes]:
    while text.next_character():
        if text.take(b"["):
            yield from _array(text)
        elif text.next_character() == b"{" and text.take_envelope():
            yield from _array(text)
            text.take_container(1)
        else:
            yield text.take_value()


def _array(text: _Text) -> Iterator[bytes]:
    """Yield the elements of an array whose bracket was taken, and take the one that closes it."""
    if text.take(b"]"):
        return
    while True:
        yield text.take_value()
        if text.take(b"]"):
            return
        if not text.take(b","):
            raise BrokenDocument("it is not JSON") if text.next_character() else _UnfinishedDocument

"""Redaction of JSON texts, token by token: what is not hidden keeps its bytes, however deep, odd or large it is."""

from __future__ import annotations

import json
import re
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

import msgspec

from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.json_path import Place
from taplogs.core.redact_url import TextOf
from taplogs.core.replacement import Replacements


_TOKEN = re.compile(r'"(?P<text>(?:[^"\\]++|\\.)*+)(?:"(?P<colon>\s*+:)?|\\?\Z)|[\[\]{}]|[-0-9][0-9.eE+-]*+', re.DOTALL)
NOWHERE = Place(())
_WORD = re.compile(r"\w+")


class Meaning(Enum):
    """What a path means that does not name a rule."""

    KEPT = 1
    MESSAGES = 2


class _Messages(Enum):
    """Whether the values in an array or object are messages about the fields that their names name."""

    NONE = 0
    OF_A_FIELD = 1
    OF_FIELDS = 2


class _Frame(NamedTuple):
    """An array or object: the name it stands under, and what holds within it."""

    name: str
    is_object: bool
    rule: Rule | None
    place: Place
    kept: bool
    messages: _Messages


def looks_like_json(text: str) -> bool:
    """Return whether `text` begins as an object, an array or a string of JSON does."""
    return text.lstrip()[:1] in ("{", "[", '"') and text != ""


def is_json(text: str) -> bool:
    """Return whether `text` is JSON; one that is nested too deeply to tell is not."""
    try:
        msgspec.json.decode(text.encode("utf-8"), type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


class JsonRedaction:
    """Redacts JSON, or what is left of it where it was cut off, by the names of members, by their places and texts."""

    def __init__(self, names: FieldNames, texts: TextOf, made: Replacements) -> None:
        self._names = names
        self._texts = texts
        self._made = made

    def redact(self, text: str, depth: int, place: Place = NOWHERE) -> str:
        """Return `text` redacted; `place` is where it stands in the entry."""
        walk = _Walk(self._names, self._texts, depth, place)
        outer = self._made.place
        self._made.place = lambda: outer() + walk.path()
        try:
            return walk.redact(text)
        finally:
            self._made.place = outer


class _Walk:
    """The way through the tokens of one text. The stack holds what encloses the array or object at hand."""

    def __init__(self, names: FieldNames, texts: TextOf, depth: int, place: Place) -> None:
        self._names = names
        self._texts = texts
        self._depth = depth
        self._stack: list[_Frame] = []
        self._frame = _Frame("", False, None, NOWHERE, False, _Messages.NONE)
        self._name = ""
        self._rule: Rule | None = None
        self._place = place

    def path(self) -> str:
        """Return where the value at hand stands."""
        return "".join(
            [_step(frame, inner.name) for frame, inner in pairwise([*self._stack, self._frame])]
            + [_step(self._frame, self._name)]
        )

    def redact(self, text: str) -> str:
        pieces = []
        end = 0
        for token in _TOKEN.finditer(text):
            becomes = self._token(token)
            if becomes is not None:
                pieces += [text[end : token.start()], becomes]
                end = token.end()
        return "".join([*pieces, text[end:]]) if pieces else text

    def _token(self, token: re.Match[str]) -> str | None:
        """Return what stands for a token, or None where it stays."""
        text = token[0]
        match text[0]:
            case '"':
                return self._member(token["text"], token["colon"]) if token["colon"] else self._string(token["text"])
            case "{" | "[":
                self._open(is_object=text == "{")
                return None
            case "}" | "]":
                self._close()
                return None
            case _:
                return self._number(text)

    def _open(self, *, is_object: bool) -> None:
        frame, meanings = self._frame, self._place.meanings
        rule = next((meaning for meaning in meanings if isinstance(meaning, Rule)), self._rule)
        kept = frame.kept or Meaning.KEPT in meanings
        messages = _Messages.OF_FIELDS if Meaning.MESSAGES in meanings else _messages_within(frame, is_object=is_object)
        self._stack.append(frame)
        self._enter(_Frame(self._name, is_object, rule, self._place, kept, messages))

    def _close(self) -> None:
        if self._stack:
            self._enter(self._stack.pop())

    def _enter(self, frame: _Frame) -> None:
        self._frame = frame
        self._name = ""
        self._rule = frame.rule
        self._place = frame.place.member(None)

    def _member(self, raw: str, colon: str) -> str | None:
        name = _decoded(raw)
        frame = self._frame
        self._name = name
        self._rule = self._names.rule(name) or frame.rule
        self._place = frame.place.member(name)
        if frame.kept:
            return None
        redacted = self._texts.words(name)
        return None if redacted == name else _encoded(redacted) + colon

    def _string(self, raw: str) -> str | None:
        if self._is_kept():
            return None
        text = _decoded(raw)
        rule = self._rule_for_scalar()
        redacted = self._texts.value(rule, text) if rule else self._texts.text(text, self._depth)
        return None if redacted == text else _encoded(redacted)

    def _number(self, text: str) -> str | None:
        if self._is_kept():
            return None
        rule = self._rule_for_scalar()
        redacted = self._texts.value(rule, text) if rule else self._texts.words(text)
        return None if redacted == text else _encoded(redacted)

    def _is_kept(self) -> bool:
        return self._frame.kept or Meaning.KEPT in self._place.meanings

    def _rule_for_scalar(self) -> Rule | None:
        for meaning in self._place.meanings:
            if isinstance(meaning, Rule):
                return meaning
        return self._rule if self._frame.messages is _Messages.NONE else None


def _messages_within(frame: _Frame, *, is_object: bool) -> _Messages:
    """Return what an array or object within `frame` holds: a field has one message or a list of them."""
    if is_object:
        return frame.messages if not frame.is_object and frame.messages is _Messages.OF_FIELDS else _Messages.NONE
    return _Messages.OF_A_FIELD if frame.is_object and frame.messages is _Messages.OF_FIELDS else frame.messages


def _step(frame: _Frame, name: str) -> str:
    if not frame.is_object:
        return "[*]" if frame.place is not NOWHERE or frame.name else ""
    return f".{name}" if _WORD.fullmatch(name) else f"['{name}']"


def _decoded(raw: str) -> str:
    """Return what the inner part of a JSON string stands for, or itself where it is none."""
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _encoded(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can stand for
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)

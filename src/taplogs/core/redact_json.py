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
from taplogs.core.redact_pairs import Pairs
from taplogs.core.redact_url import TextOf
from taplogs.core.replacement import Replacements

_INNER = r'[^"\\]*+(?:\\.[^"\\]*+)*'
_TOKEN = (
    rf'(?s)"({_INNER})"\s*+:\s*+(?:"({_INNER})(?:"|\\?\Z)|(-?[0-9][0-9.eE+-]*+)|([\[{{]))?'
    rf'|"({_INNER})(?:"|\\?\Z)|(-?[0-9][0-9.eE+-]*+)|([\[\]{{}}])'
)
"""A member's name (1) with its value (2 a string, 3 a number, 4 a bracket); an element (5 a string, 6 a number); a
bracket (7). All else stays as it is. What was cut off in the middle of a string ends with the text.
"""

_LAST_OF_MEMBER = 4
_STRINGS = (2, 5)
_NUMBERS = (3, 6)
_BRACKETS = (4, 7)
NOWHERE = Place(())
_WORD = r"\w+"
_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 100


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
    paired: Rule | None = None
    """The rule for a value in it that is named by another one, see `redact_pairs`."""


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
        self._pairs = Pairs(names)
        self._plain_names: set[str] = set()

    def redact(self, text: str, depth: int, place: Place = NOWHERE) -> str:
        """Return `text` redacted; `place` is where it stands in the entry."""
        walk = _Walk(self._names, self._pairs, self._texts, self._plain_names, depth, place)
        outer = self._made.place
        self._made.place = lambda: outer() + walk.path()
        try:
            return walk.redact(text)
        finally:
            self._made.place = outer


class _Walk:
    """The way through the tokens of one text. The stack holds what encloses the array or object at hand."""

    def __init__(
        self, names: FieldNames, pairs: Pairs, texts: TextOf, plain_names: set[str], depth: int, place: Place
    ) -> None:
        self._names = names
        self._pairs = pairs
        self._paired: dict[int, Rule] = {}
        self._is_label = False
        self._texts = texts
        self._plain_names = plain_names
        self._depth = depth
        self._stack: list[_Frame] = []
        self._frame = _Frame("", False, None, NOWHERE, False, _Messages.NONE)
        self._name = ""
        self._arrive(None, place)

    def path(self) -> str:
        """Return where the value at hand stands."""
        return "".join(
            [_step(frame, inner.name) for frame, inner in pairwise([*self._stack, self._frame])]
            + [_step(self._frame, self._name)]
        )

    def redact(self, text: str) -> str:
        pieces = []
        end = 0
        if self._pairs.may_occur(text):
            self._paired = self._pairs.find(text)
        for token in re.finditer(_TOKEN, text):
            group = token.lastindex or 0
            if group <= _LAST_OF_MEMBER and (renamed := self._member(token[1])) is not None:
                pieces += [text[end : token.start()], renamed]
                end = token.end(1) + 1
            if group in _STRINGS:
                becomes = self._string(token[group])
                start = token.start(group) - 1
            elif group in _NUMBERS:
                becomes = self._number(token[group])
                start = token.start(group)
            else:
                becomes = None
                if group in _BRACKETS:
                    self._bracket(token[group], token.start(group) if self._paired else -1)
            if becomes is not None:
                pieces += [text[end:start], becomes]
                end = token.end()
        return "".join([*pieces, text[end:]]) if pieces else text

    def _bracket(self, text: str, start: int) -> None:
        if text in ("{", "["):
            self._open(self._paired.get(start), is_object=text == "{")
        elif text in ("}", "]") and self._stack:
            self._enter(self._stack.pop())

    def _open(self, paired: Rule | None, *, is_object: bool) -> None:
        frame = self._frame
        messages = _messages_within(frame, is_object=is_object)
        if Meaning.MESSAGES in self._place.meanings:
            messages = _Messages.OF_FIELDS
        self._stack.append(frame)
        rule = self._rule
        self._is_label = paired is not None and not is_object
        if self._is_label:
            rule = rule or paired
        self._enter(_Frame(self._name, is_object, rule, self._place, self._kept, messages, paired))

    def _enter(self, frame: _Frame) -> None:
        """Go into an array or object, or back to one."""
        self._frame = frame
        self._name = ""
        self._arrive(frame.rule, frame.place.member(None))

    def _arrive(self, rule: Rule | None, place: Place) -> None:
        """Find out what holds for the value at a place; `rule` is that of its name or of what it stands in."""
        frame = self._frame
        self._place = place
        self._rule = rule
        self._rule_of_scalar = rule if frame.messages is _Messages.NONE else None
        self._kept = frame.kept
        for meaning in place.meanings:
            if meaning is Meaning.KEPT:
                self._kept = True
            elif isinstance(meaning, Rule):
                self._rule = self._rule_of_scalar = meaning

    def _member(self, raw: str) -> str | None:
        """Go on to a member; return its name as a string of JSON where that is to be another one."""
        is_plain = raw in self._plain_names
        name = becomes = raw if is_plain else _decoded(raw)
        frame = self._frame
        self._name = name
        if not (is_plain or frame.kept):
            becomes = self._renamed(name)
        rule = self._names.rule(name) or self._names.rule(becomes)
        if frame.paired:
            self._arrive_paired(name, rule, frame.paired)
        else:
            self._arrive(rule or frame.rule, frame.place.member(name))
        return None if becomes == name else _encoded(becomes)

    def _arrive_paired(self, name: str, rule: Rule | None, paired: Rule) -> None:
        """Go on to a member beside which there is a name: of the value, or the name itself."""
        frame = self._frame
        if self._pairs.is_valued(name):
            rule = rule or paired
        self._is_label = self._pairs.is_naming(name)
        self._arrive(rule or frame.rule, frame.place.member(name))
        if self._rule is paired:  # a value, also where it stands in a message about it
            self._rule_of_scalar = paired

    def _renamed(self, name: str) -> str:
        redacted = self._texts.by_patterns(name)
        if redacted == name and len(name) <= _LONGEST_REMEMBERED and len(self._plain_names) < _MOST_REMEMBERED:
            self._plain_names.add(name)
        return redacted

    def _string(self, raw: str) -> str | None:
        if self._kept:
            return None
        text = _decoded(raw) if "\\" in raw else raw
        rule = self._rule_of_scalar
        if self._is_label and rule:
            self._is_label = False
            if self._pairs.is_label(text):
                return None
        redacted = self._texts.value(rule, text) if rule else self._texts.text(text, self._depth)
        return None if redacted == text else _encoded(redacted)

    def _number(self, text: str) -> str | None:
        if self._kept:
            return None
        rule = self._rule_of_scalar
        redacted = self._texts.value(rule, text) if rule else self._texts.by_patterns(text)
        return None if redacted == text else _encoded(redacted)


def _messages_within(frame: _Frame, *, is_object: bool) -> _Messages:
    """Return what an array or object within `frame` holds: a field has one message or a list of them."""
    if is_object:
        return frame.messages if not frame.is_object and frame.messages is _Messages.OF_FIELDS else _Messages.NONE
    return _Messages.OF_A_FIELD if frame.is_object and frame.messages is _Messages.OF_FIELDS else frame.messages


def _step(frame: _Frame, name: str) -> str:
    if not frame.is_object:
        return "[*]" if frame.place is not NOWHERE or frame.name else ""
    return f".{name}" if re.fullmatch(_WORD, name) else f"['{name}']"


def _decoded(raw: str) -> str:
    """Return what the inner part of a JSON string stands for, or itself where it is none."""
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _encoded(text: str) -> str:
    try:
        return msgspec.json.encode(text).decode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can stand for
        return json.dumps(text)

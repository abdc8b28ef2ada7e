"""Names that stand as values beside what they name: `{"name":"email","value":"x"}`, `[["email","x"]]`.

Headers in HAR, the fields of forms, contacts, errors of validation and JSON Patch (RFC 6902) have this shape.
"""

from __future__ import annotations

import json
import re

from taplogs.core.field_names import FieldNames, Rule, folded

_INNER = r'[^"\\]*+(?:\\.[^"\\]*+)*'
_TOKEN = re.compile(rf'(?s)"({_INNER})"(\s*+:)?|([\[\]{{}}])')
_PAIR = re.compile(rf'(?s)\[\s*+"({_INNER})"\s*+,\s*+(?:"({_INNER})"|-?[0-9][0-9.eE+-]*+)\s*+\]')
_NESTED = re.compile(r"\[\s*+\[\s*+\"").search
_PARTS = ("alue", "nput", "nswer", "ALUE")

_NAMING = re.compile(
    "name|key|field|fieldname|fieldkey|header|headername|label|attribute|param|parameter|property|path|"
    "variable|id|type|kind|system|question|title"
)
"""What the member is called whose value is a name."""

_VALUED = ("value", "values", "input", "answer", "answers")
"""What the names of members end in whose values are so named."""

_LONGEST = 200
_MOST_REMEMBERED = 10_000


class Pairs:
    """Finds names beside what they name, and the rules for them."""

    def __init__(self, names: FieldNames) -> None:
        self._names = names
        self._folded: dict[str, str] = {}

    def is_naming(self, member: str) -> bool:
        """Return whether the value of a member may be a name."""
        return _NAMING.fullmatch(self._fold(member)) is not None

    def is_valued(self, member: str) -> bool:
        """Return whether the value of a member may be what is named beside it."""
        return self._fold(member).endswith(_VALUED)

    def is_label(self, text: str) -> bool:
        """Return whether a text that stands as a name is surely one of a field, and not one of a person."""
        return self._names.knows(text)

    def may_occur(self, text: str) -> bool:
        """Return whether there may be any in a text of JSON."""
        for part in _PARTS:
            if part in text:
                return True
        return text.count("[") > 1 and _NESTED(text) is not None

    def find(self, text: str) -> dict[int, Rule]:
        """Return the rules for what is named in objects and arrays, by where these begin in a text of JSON."""
        found: dict[int, Rule] = {}
        frames: list[_Frame] = []
        frame = _Frame(-1, is_object=False)
        for token in _TOKEN.finditer(text):
            name, colon, bracket = token.groups()
            if bracket is None:
                if not frame.is_object:
                    continue
                if colon:
                    frame.is_naming = self.is_naming(name)
                    frame.is_valued |= self.is_valued(name)
                elif frame.is_naming and frame.rule is None:
                    frame.rule = self._rule(name)
            elif bracket in "[{":
                if bracket == "[" and not frame.is_object and frames:
                    self._array(text, token.start(), found)
                frames.append(frame)
                frame = _Frame(token.start(), is_object=bracket == "{")
            elif frames:
                frame.close(found)
                frame = frames.pop()
        for unclosed in [frame, *frames]:  # what was cut off ends with the text
            unclosed.close(found)
        return found

    def _array(self, text: str, start: int, found: dict[int, Rule]) -> None:
        pair = _PAIR.match(text, start)
        if pair and (rule := self._rule(pair[1])) and not (pair[2] and self.is_label(pair[2])):
            found[start] = rule

    def _rule(self, raw: str) -> Rule | None:
        if len(raw) > _LONGEST:
            return None
        return self._names.rule(_decoded(raw) if "\\" in raw else raw)

    def _fold(self, member: str) -> str:
        word = self._folded.get(member)
        if word is None:
            word = folded(_decoded(member) if "\\" in member else member) if len(member) <= _LONGEST else ""
            if len(self._folded) >= _MOST_REMEMBERED:
                self._folded.clear()
            self._folded[member] = word
        return word


class _Frame:
    """An object or array on the way through a text."""

    __slots__ = ("_start", "is_naming", "is_object", "is_valued", "rule")

    def __init__(self, start: int, *, is_object: bool) -> None:
        self._start = start
        self.is_object = is_object
        self.is_naming = False
        self.is_valued = False
        self.rule: Rule | None = None

    def close(self, found: dict[int, Rule]) -> None:
        """Note the rule of an object that has both a name and a value."""
        if self.rule and self.is_valued:
            found[self._start] = self.rule


def _decoded(raw: str) -> str:
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw

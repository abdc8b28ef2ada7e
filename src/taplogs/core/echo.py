"""Values that were hidden in a request and stand again, as words, in another text of the same entry."""

from __future__ import annotations

import re
from collections.abc import Callable

from taplogs.core.field_names import Rule

_MOST_WITH_ONE_FIRST_WORD = 50
_MOST = 10_000
_WORD = re.compile(r"\w+")
_WORD_OR_ESCAPE = re.compile(r"(?:\\[bfnrt])?(\w+)")


class Echoes:
    """The values that were hidden while it was listening. Found by their first words, many cost no more than few."""

    def __init__(self) -> None:
        self.listening = True
        self._heard: list[tuple[str, Rule]] = []
        self._looked_at = 0
        self._by_first_word: dict[str, list[tuple[str, Rule]]] = {}

    def __bool__(self) -> bool:
        return bool(self._heard)

    def forget(self) -> None:
        """Forget all values."""
        self._heard.clear()
        self._looked_at = 0
        self._by_first_word.clear()

    def remember(self, value: str, rule: Rule) -> None:
        """Remember a value."""
        if len(self._heard) < _MOST:
            self._heard.append((value, rule))

    def occur_in(self, text: str) -> bool:
        """Return whether the first word of a value stands in a text, be it one of JSON."""
        if not self._heard:
            return False
        return not self._values().keys().isdisjoint(_WORD_OR_ESCAPE.findall(text.casefold()))

    def replace(self, text: str, replace: Callable[[Rule, str], str]) -> str:
        """Return `text` with the values that it repeats, as whole words in whatever case, replaced."""
        if not self.occur_in(text):
            return text
        pieces = []
        end = 0
        for word in _WORD.finditer(text):
            start = word.start()
            found = self._at(text, word) if start >= end else None
            if found:
                value, rule = found
                pieces += [text[end:start], replace(rule, value)]
                end = start + len(value)
        return "".join([*pieces, text[end:]])

    def _values(self) -> dict[str, list[tuple[str, Rule]]]:
        """Return the values, each from its first word on, by their first words."""
        values = self._by_first_word
        while self._looked_at < len(self._heard):
            value, rule = self._heard[self._looked_at]
            self._looked_at += 1
            if first := _WORD.search(value):
                same = values.setdefault(first[0].casefold(), [])
                hidden = (value[first.start() :].rstrip(), rule)
                if len(same) < _MOST_WITH_ONE_FIRST_WORD and hidden not in same:
                    same.append(hidden)
                    same.sort(key=_length, reverse=True)
        return values

    def _at(self, text: str, word: re.Match[str]) -> tuple[str, Rule] | None:
        """Return the longest value that stands where a word begins; the shortest ones stand in many by chance."""
        for value, rule in self._values().get(word[0].casefold(), ()):
            end = word.start() + len(value)
            if (
                len(value) >= _shortest(value)
                and text[word.start() : end].casefold() == value.casefold()
                and not _WORD.match(text, end)
            ):
                return value, rule
        return None


def _length(hidden: tuple[str, Rule]) -> int:
    return len(hidden[0])


def _shortest(value: str) -> int:
    """Return how long a value like this one must be to stand nowhere by chance."""
    if value.isdigit():
        return 6
    return 3 if value.isascii() else 2

"""Values that were hidden in an entry and stand again, as words, in another text of it."""

from __future__ import annotations

import re
from collections.abc import Callable

from taplogs.core.field_names import Rule

_MOST_WITH_ONE_FIRST_WORD = 50
_MOST = 10_000
_WORD = re.compile(r"[^\W_]+")
_WORD_OR_ESCAPE = re.compile(r"(?:\\[bfnrt])?([^\W_]+)")


class Echoes:
    """Values that were hidden. Found by their first words, many cost no more than few."""

    def __init__(self, *, only_in_sentences: bool = False) -> None:
        """`only_in_sentences`: a text of one word does not repeat a value; it has it by chance."""
        self._only_in_sentences = only_in_sentences
        self._heard: list[tuple[str, Rule]] = []
        self._looked_at = 0
        self._by_first_word: dict[str, list[tuple[str, Rule]]] = {}

    def __bool__(self) -> bool:
        return bool(self._heard)

    def remember(self, value: str, rule: Rule) -> None:
        """Remember a value."""
        if len(self._heard) < _MOST:
            self._heard.append((value, rule))

    def occur_in(self, text: str) -> bool:
        """Return whether the first word of a value stands in a text, be it one of JSON."""
        if not self._heard:
            return False
        return not self._values().keys().isdisjoint(_WORD_OR_ESCAPE.findall(text.casefold()))

    def occur_in_any(self, texts: list[str]) -> bool:
        """Return whether the first word of a value stands in one of several texts that may repeat it."""
        if self._only_in_sentences:
            texts = [text for text in texts if " " in text]
        return bool(texts) and self.occur_in("\n".join(texts))

    def replace(self, text: str, replace: Callable[[Rule, str], str]) -> str:
        """Return `text` with the values that it repeats, as whole words in whatever case, replaced."""
        if (self._only_in_sentences and " " not in text) or not self.occur_in(text):
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
                hidden = (value[first.start() :].rstrip(), rule)
                same = values.get(word := first[0].casefold())
                if same is None:
                    values[word] = [hidden]
                elif len(same) < _MOST_WITH_ONE_FIRST_WORD and hidden not in same:
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

"""Values that were hidden in a request and stand again, as words, in another text of the same entry."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from taplogs.core.field_names import Rule

_SHORTEST = 3
_SHORTEST_NUMBER = 6
_LONGEST = 200
_MOST_WITH_ONE_FIRST_WORD = 50
_WORD = re.compile(r"\w+")


class _Hidden(NamedTuple):
    value: str
    folded: str
    rule: Rule


class Echoes:
    """The values that were hidden so far. They are found by their first word, so that many cost no more than few."""

    def __init__(self) -> None:
        self.listening = True
        self._by_first_word: dict[str, list[_Hidden]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_first_word)

    def forget(self) -> None:
        """Forget all values."""
        self._by_first_word.clear()

    def remember(self, value: str, rule: Rule) -> None:
        """Remember a value of 3 characters or more, or 6 digits: shorter ones stand in many texts by chance."""
        if not self.listening:
            return
        first = _WORD.search(value)
        value = value[first.start() :].rstrip() if first else ""
        if first is None or not (_SHORTEST_NUMBER if value.isdigit() else _SHORTEST) <= len(value) <= _LONGEST:
            return
        same = self._by_first_word.setdefault(first[0].casefold(), [])
        hidden = _Hidden(value, value.casefold(), rule)
        if len(same) < _MOST_WITH_ONE_FIRST_WORD and hidden not in same:
            same.append(hidden)
            same.sort(key=_length, reverse=True)

    def replace(self, text: str, replace: Callable[[Rule, str], str]) -> str:
        """Return `text` with the values that it repeats, as whole words in whatever case, replaced."""
        if self._by_first_word.keys().isdisjoint(_WORD.findall(text.casefold())):
            return text
        pieces = []
        end = 0
        for word in _WORD.finditer(text):
            start = word.start()
            hidden = self._at(text, word) if start >= end else None
            if hidden:
                pieces += [text[end:start], replace(hidden.rule, hidden.value)]
                end = start + len(hidden.value)
        return "".join([*pieces, text[end:]])

    def _at(self, text: str, word: re.Match[str]) -> _Hidden | None:
        """Return the longest value that stands where a word begins."""
        for hidden in self._by_first_word.get(word[0].casefold(), ()):
            end = word.start() + len(hidden.value)
            if text[word.start() : end].casefold() == hidden.folded and not _WORD.match(text, end):
                return hidden
        return None


def _length(hidden: _Hidden) -> int:
    return len(hidden.value)

"""Names of fields, whatever their case and style: `firstName`, `first_name` and `First-Name` are one name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 100
_WORD_OF_NAME = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"


class Rule(NamedTuple):
    """What hides a value: the name that it is counted under, and the label of its pseudonym, or None to mask it."""

    name: str
    label: str | None


def folded(name: str) -> str:
    """Return the letters and digits of a name in small letters, without digits at its end: `E-Mail_2` is `email`."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold())).rstrip("0123456789")


class FieldNames:
    """The rules for values by the names that they stand under."""

    def __init__(self, rules: Iterable[tuple[str, Rule]], kept: Iterable[str]) -> None:
        """Take names, with `*` before those that longer names may end in, and names that no rule is for."""
        self._exact: dict[str, Rule | None] = {}
        self._endings: dict[str, Rule | None] = {}
        self._remembered: dict[str, Rule | None] = {}
        for name, rule in [*((name, None) for name in kept), *rules]:
            self._exact.setdefault(folded(name), rule)
            if name.startswith("*"):
                self._endings.setdefault(folded(name), rule)
        self._any_ending = tuple(self._endings)

    def rule(self, name: str) -> Rule | None:
        """Return the rule for values under `name`, if any."""
        if name in self._remembered:
            return self._remembered[name]
        rule = self._find(name)
        if len(name) <= _LONGEST_REMEMBERED:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = rule
        return rule

    def knows(self, name: str) -> bool:
        """Return whether `name` is one with a rule, or several words that end with one: `X-Auth-Token`, `userEmail`."""
        if self._exact.get(folded(name)):
            return True
        words = [folded(word) for word in re.findall(_WORD_OF_NAME, name)] if re.fullmatch(r"[\w.-]+", name) else []
        return any(self._endings.get("".join(words[-count:])) for count in range(1, len(words)))

    def _find(self, name: str) -> Rule | None:
        """Look at the whole name, else at each part of one such as `candidate.email` and `filter[email][]`."""
        for part in dict.fromkeys([name, *re.split(r"[][.:/]+", name)]):
            word = folded(part)
            rule = self._exact[word] if word in self._exact else self._by_ending(word)
            if rule:
                return rule
        return None

    def _by_ending(self, word: str) -> Rule | None:
        if not word.endswith(self._any_ending):
            return None
        return next(rule for ending, rule in self._endings.items() if word.endswith(ending))

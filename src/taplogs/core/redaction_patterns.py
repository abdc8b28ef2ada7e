"""What is hidden wherever it stands in a text: the patterns of a profile."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from taplogs.core.field_names import Rule
from taplogs.core.pattern_checks import CHECKS

if TYPE_CHECKING:
    from taplogs.core.redaction_profile import PatternRule

Replace = Callable[[Rule, str], str]
"""Returns what stands in for a value."""


class Pattern:
    """One pattern of a profile. It is compiled when it is first needed, which for most is never."""

    def __init__(self, rule: PatternRule) -> None:
        self._rule = Rule(f"pattern {rule.name}", rule.label)
        self._text = rule.pattern
        self._check = rule.check
        self.contains = rule.contains
        self.hint = rule.hint

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self._text)

    @cached_property
    def _group(self) -> int | str:
        return "value" if "value" in self._expression.groupindex else 0

    def may_occur(self, text: str) -> bool:
        """Return whether one of the texts occurs without which it cannot match."""
        return not self.contains or any(part in text for part in self.contains)

    @property
    def label(self) -> str | None:
        """The label of its pseudonyms; None where it masks."""
        return self._rule.label

    def is_all_of(self, text: str) -> bool:
        """Return whether all of `text` is one value."""
        found = self._expression.search(text)
        return found is not None and self._value(text, *found.span(self._group)) == (0, len(text))

    def replace(self, text: str, marks: Marks, replace: Replace) -> str:
        """Return `text` with all values replaced; marks of values that were replaced before stay as they are."""
        pieces = []
        end = position = 0
        while position <= len(text) and (found := self._expression.search(text, position)):
            value = self._value(text, *found.span(self._group))
            if value is None or value[0] >= value[1]:
                position = found.start() + 1
            elif marked := self._marked(text, value, marks):
                position = marked
            else:
                pieces += [text[end : value[0]], replace(self._rule, text[value[0] : value[1]])]
                position = end = value[1]
        return "".join([*pieces, text[end:]]) if pieces else text

    def _value(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        return CHECKS[self._check](text, start, end) if self._check else (start, end)

    def _marked(self, text: str, value: tuple[int, int], marks: Marks) -> int | None:
        """Return where to go on behind a mark: a masked value may hold marks, what gets a pseudonym may not."""
        if self._rule.label is None:
            return value[1] if marks.is_mark(text[slice(*value)]) else None
        return marks.end_of_overlap(text, *value)


class Marks:
    """What stands in a text for values that were replaced: `[redacted]`, masked API keys, pseudonyms."""

    def __init__(self, labels: Iterable[str]) -> None:
        words = "|".join(sorted(labels)) or "(?!)"
        self._mark = (
            r"\[redacted\]|sk_(?:live|test)_…[0-9A-Za-z]{0,4}"
            rf"|(?<![0-9A-Za-z])(?:{words})-[0-9a-f]{{16}}(?![0-9A-Za-z])"
        )
        self._only_mark = rf"\W*(?:{self._mark})\W*"

    def is_mark(self, text: str) -> bool:
        """Return whether `text` is a mark and nothing else, punctuation aside."""
        return re.fullmatch(self._only_mark, text) is not None

    def end_of_overlap(self, text: str, start: int, end: int) -> int | None:
        """Return the end of the first mark that has a part of the text from `start` to `end`."""
        begin = max(0, start - _LONGEST_MARK)
        for mark in re.finditer(self._mark, text[begin : end + _LONGEST_MARK]):
            if mark.start() + begin < end and mark.end() + begin > start:
                return mark.end() + begin
        return None


_LONGEST_MARK = 40

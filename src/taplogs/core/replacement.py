"""What stands in for hidden values, and the account of what was hidden."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from taplogs.core.apikey import mask_keys
from taplogs.core.echo import Echoes
from taplogs.core.field_names import Rule
from taplogs.core.redaction_patterns import Marks

if TYPE_CHECKING:
    from taplogs.core.pseudonym import Pseudonyms

MASK = "[redacted]"
_ONE_KEY = r"sk_(?:live|test)_[0-9A-Za-z]{5,}"


class Change(Struct, frozen=True):
    """One value that is hidden: where it stood as a JSON path, by which rule, and what stands there now."""

    place: str
    rule: str
    becomes: str


class Replacements:
    """Replaces values and counts them by rule.

    `echoes` are values that texts may repeat, `heard` is what remembers those that are replaced now, and `passed` are
    the texts that were gone through meanwhile, which may repeat those as well.
    """

    def __init__(self, labels: Iterable[str], pseudonyms: Pseudonyms | None) -> None:
        self.counts: Counter[str] = Counter()
        self.echoes: Echoes | None = None
        self.heard: Echoes | None = None
        self.passed: list[str] = []
        self.changes: list[Change] | None = None
        self.place: Callable[[], str] = str
        self.marks = Marks(labels)
        self._pseudonyms = pseudonyms

    @property
    def key_fingerprint(self) -> str | None:
        """What tells whether two keys are the same one; None where there are no pseudonyms."""
        return self._pseudonyms.fingerprint if self._pseudonyms else None

    def whole(self, rule: Rule, value: str, becomes: str) -> str:
        """Put `becomes` in the place of a whole value, which the rest of the entry may repeat."""
        if self.heard is not None:
            self.heard.remember(value, rule)
        return self.part(rule, becomes)

    def part(self, rule: Rule, becomes: str) -> str:
        """Put `becomes` in the place of a part of a text."""
        if self.changes is None:
            self.counts[rule.name] += 1
        else:
            self.changes.append(Change(self.place(), rule.name, becomes))
        return becomes

    def stand_in(self, label: str | None, value: str) -> str:
        """Return what stands in for a value; one that says nothing, or was replaced before, is left alone."""
        if not value.strip() or self.marks.is_mark(value):
            return value
        if label is None or self._pseudonyms is None:
            return mask_keys(value) if re.fullmatch(_ONE_KEY, value) else MASK
        return self._pseudonyms.of(label, value)

"""Redaction of entries: what a profile hides is replaced before anything else sees it."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.json_path import parse_path
from taplogs.core.redaction_hints import Glance, Hints
from taplogs.core.redaction_patterns import Pattern
from taplogs.core.redaction_profile import REDACTABLE, FieldRule, Profile
from taplogs.core.replacement import Change, Replacements

if TYPE_CHECKING:
    from taplogs.core.entry import LogEntry
    from taplogs.core.pseudonym import Pseudonyms
    from taplogs.core.redact_entry import EntryRedaction

_MOST_AT_ONCE = 64


class Redactor:
    """Redacts entries by one profile. `key` is that of the pseudonyms; it does not leave this.

    Redacting what was redacted changes nothing. `counts` says how many values each rule has replaced so far.
    """

    def __init__(self, profile: Profile, key: bytes) -> None:
        self.profile = profile
        self._made = Replacements(profile.labels, _pseudonyms(profile, key))
        kept = [name for name in profile.keep if not name.startswith("$")]
        named = _rules("field", profile.fields)
        self._names = FieldNames(named, kept)
        self._parameters = FieldNames([*named, *_rules("parameter", profile.parameters)], kept)
        self._patterns = list(map(Pattern, profile.patterns))
        self._hints = Hints(self._patterns, self._names)
        watched = [_watched(rule.path) for rule in profile.paths]
        self._glance = Glance(self._names, self._parameters, self._hints, watched)
        self._at_once = 1 if profile.pseudonyms else _MOST_AT_ONCE

    @property
    def counts(self) -> Counter[str]:
        """How many values each rule has replaced so far."""
        return self._made.counts

    @property
    def method(self) -> str:
        """How values are hidden, in words."""
        if self.profile.hides_nothing:
            return "none"
        return "mask, hmac-sha256 pseudonyms" if self.profile.pseudonyms else "mask"

    @property
    def key_fingerprint(self) -> str | None:
        """What tells whether two keys are the same one; None where there are no pseudonyms."""
        return self._made.key_fingerprint

    def redact_all(self, entries: list[LogEntry]) -> list[LogEntry]:
        """Return all entries, redacted, in their order."""
        if self.profile.hides_nothing:
            return entries
        redacted: list[LogEntry] = []
        for start in range(0, len(entries), self._at_once):
            some = entries[start : start + self._at_once]
            redacted += some if self._glance.is_harmless(some) else map(self.redact, some)
        return redacted

    def redact(self, entry: LogEntry) -> LogEntry:
        """Return `entry`, redacted: itself where nothing is to be hidden."""
        if self.profile.hides_nothing or self._glance.is_harmless([entry]):
            return entry
        return self._thorough.redact(entry)

    def explain(self, entry: LogEntry) -> list[Change]:
        """Return what `redact` changes in an entry, place by place; it is not counted."""
        changes = self._made.changes = []
        try:
            self.redact(entry)
        finally:
            self._made.changes = None
        return changes

    def text(self, text: str) -> str:
        """Return a free text, redacted: by names as far as they stand in it, and by patterns."""
        return text if self.profile.hides_nothing else self._thorough.text(text)

    def url(self, text: str) -> str:
        """Return a URL, redacted: its parameters by their names, all of it by patterns."""
        return text if self.profile.hides_nothing else self._thorough.url(text)

    @cached_property
    def _thorough(self) -> EntryRedaction:
        """What redacts; most runs meet nothing to hide, and do not wait for it to be loaded."""
        from taplogs.core.redact_entry import EntryRedaction

        return EntryRedaction(
            self.profile, self._names, self._parameters, self._patterns, self._hints, self._glance, self._made
        )


def _rules(kind: str, rules: tuple[FieldRule, ...]) -> list[tuple[str, Rule]]:
    return [(name, Rule(f"{kind} {name}", rule.label)) for rule in rules for name in rule.names]


def _watched(path: str) -> str | None:
    """Return the name that values at a path stand under in payloads; None where they may be a whole field's."""
    steps = parse_path(path)
    is_field = len(steps) == 1 and (not steps[0].deep or steps[0].name in REDACTABLE)
    return None if is_field else steps[-1].name


def _pseudonyms(profile: Profile, key: bytes) -> Pseudonyms | None:
    if not profile.pseudonyms:
        return None
    from taplogs.core.pseudonym import Pseudonyms  # its libraries are for those who make pseudonyms

    return Pseudonyms(key)

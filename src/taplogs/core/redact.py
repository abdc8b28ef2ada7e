"""Redaction of entries: what a profile hides is replaced before anything else sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from taplogs.core.entry import LogEntry
from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.json_path import Place, parse_path
from taplogs.core.redact_json import Meaning
from taplogs.core.redact_text import TextRedaction
from taplogs.core.redaction_hints import Glance, Hints
from taplogs.core.redaction_patterns import Marks, Pattern
from taplogs.core.redaction_profile import Profile
from taplogs.core.replacement import MASK, Change, Replacements

if TYPE_CHECKING:
    from taplogs.core.pseudonym import Pseudonyms

_UNREADABLE = Rule("could not be read", None)
_MOST_AT_ONCE = 64
_TEXTS = ("ip_address", "user_agent", "client_id", "company_id")


class Redactor:
    """Redacts entries by one profile. `key` is that of the pseudonyms; it does not leave this."""

    def __init__(self, profile: Profile, key: bytes) -> None:
        self.profile = profile
        self._made = Replacements(Marks(profile.labels), _pseudonyms(profile, key))
        named = [(name, Rule(f"field {name}", rule.label)) for rule in profile.fields for name in rule.names]
        asked = [(name, Rule(f"parameter {name}", rule.label)) for rule in profile.parameters for name in rule.names]
        kept = [name for name in profile.keep if not name.startswith("$")]
        names, parameters = FieldNames(named, kept), FieldNames(named + asked, kept)
        patterns = list(map(Pattern, profile.patterns))
        hints = Hints(patterns)
        self._texts = TextRedaction(names, parameters, patterns, hints, self._made)
        self._glance = Glance(names, parameters, hints, [_watched(rule.path) for rule in profile.paths])
        self._at_once = 1 if profile.pseudonyms else _MOST_AT_ONCE
        self._places = (_places(profile, failed=False), _places(profile, failed=True))

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
            if self._glance.is_harmless(some):
                redacted += some
            else:
                redacted += map(self.redact if len(some) > 1 else self._redact, some)
        return redacted

    def redact(self, entry: LogEntry) -> LogEntry:
        """Return `entry`, redacted: itself where nothing is to be hidden."""
        if self.profile.hides_nothing or self._glance.is_harmless([entry]):
            return entry
        return self._redact(entry)

    def _redact(self, entry: LogEntry) -> LogEntry:
        self._made.echoes.forget()
        places = self._places[entry.status_code >= 400]
        changed: dict[str, Any] = {}
        self._made.echoes.listening = True
        self._payload(entry, "request_payload", places, changed)
        self._url(entry, places, changed)
        self._made.echoes.listening = False
        texts = "\n".join(filter(None, (entry.user_agent, entry.client_id, entry.company_id, entry.ip_address)))
        if not self._glance.are_texts([entry]) or self._made.echoes.occur_in(texts):
            for field in _TEXTS:
                self._text(entry, field, places, changed)
        self._payload(entry, "response_payload", places, changed)
        return replace(entry, **changed) if changed else entry

    def explain(self, entry: LogEntry) -> list[Change]:
        """Return what `redact` changes in an entry, place by place; it is not counted."""
        changes = self._made.changes = []
        try:
            self.redact(entry)
        finally:
            self._made.changes = None
        return changes

    def text(self, text: str) -> str:
        """Return a free text, redacted: by names of fields as far as they stand in it, and by patterns."""
        self._made.echoes.forget()
        return text if self.profile.hides_nothing else self._texts.text(text)

    def url(self, text: str) -> str:
        """Return a URL, redacted: its parameters by their names, all of it by patterns."""
        self._made.echoes.forget()
        return text if self.profile.hides_nothing else self._texts.whole_url(text)

    def _url(self, entry: LogEntry, places: Place, changed: dict[str, Any]) -> None:
        url = entry.request_url
        if self._glance.is_url(url) and not self._made.echoes.occur_in(url):
            return
        self._replace(entry, "request_url", places, changed, self._texts.whole_url)

    def _text(self, entry: LogEntry, field: str, places: Place, changed: dict[str, Any]) -> None:
        self._replace(entry, field, places, changed, self._texts.text)

    def _replace(
        self, entry: LogEntry, field: str, places: Place, changed: dict[str, Any], redact: Callable[[str], str]
    ) -> None:
        """Put the redacted text of a field into `changed`, if it is another one."""
        text = getattr(entry, field)
        place = places.member(_NAMES[field])
        if not text or Meaning.KEPT in place.meanings:
            return
        self._made.place = lambda: f"$.{_NAMES[field]}"
        rule = next((meaning for meaning in place.meanings if isinstance(meaning, Rule)), None)
        redacted = self._texts.value(rule, text) if rule else redact(text)
        if redacted != text:
            changed[field] = redacted

    def _payload(self, entry: LogEntry, field: str, places: Place, changed: dict[str, Any]) -> None:
        payload = bytes(getattr(entry, field))
        if payload == b"null":
            return
        self._made.place = lambda: f"$.{_NAMES[field]}"
        try:
            text = payload.decode("utf-8")
            if self._glance.is_payload(text) and not self._made.echoes.occur_in(text):
                return
            redacted = self._texts.json.redact(text, 0, places.member(_NAMES[field]))
        except Exception:  # noqa: BLE001 - whatever it is that was not thought of, nothing of the payload may leak
            changed[field] = Raw(f'"{self._made.part(_UNREADABLE, MASK)}"'.encode())
            return
        if redacted != text:
            changed[field] = Raw(redacted.encode("utf-8"))


_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(LogEntry)}


def _watched(path: str) -> str | None:
    """Return the name that values at a path stand under in payloads; None where they may be a whole field's."""
    steps = parse_path(path)
    is_field = len(steps) == 1 and (not steps[0].deep or steps[0].name in _NAMES.values())
    return None if is_field else steps[-1].name


def _pseudonyms(profile: Profile, key: bytes) -> Pseudonyms | None:
    if not profile.pseudonyms:
        return None
    from taplogs.core.pseudonym import Pseudonyms

    return Pseudonyms(key)


def _places(profile: Profile, *, failed: bool) -> Place:
    """Return `$`, from where all places lead on that the profile names; messages are those of failed requests."""
    meanings: list[tuple[str, object]] = [(path, Meaning.KEPT) for path in profile.keep if path.startswith("$")]
    meanings += [(rule.path, Rule(f"path {rule.path}", rule.label)) for rule in profile.paths]
    if failed:
        meanings += [(path, Meaning.MESSAGES) for path in profile.messages]
    return Place((parse_path(path), meaning) for path, meaning in meanings)

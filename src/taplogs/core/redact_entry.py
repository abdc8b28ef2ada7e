"""Redaction of one entry, field by field, where a cheap look has found that there may be something to hide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from taplogs.core.echo import Echoes
from taplogs.core.entry import LogEntry
from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.json_path import Place, parse_path
from taplogs.core.redact_json import NOWHERE, Meaning
from taplogs.core.redact_text import TextRedaction
from taplogs.core.redaction_hints import Glance, Hints
from taplogs.core.redaction_patterns import Pattern
from taplogs.core.redaction_profile import Profile
from taplogs.core.replacement import MASK, Replacements

_UNREADABLE = Rule("could not be read", None)
_TEXTS = ("user_agent", "client_id", "company_id", "ip_address")
_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(LogEntry)}


class EntryRedaction:
    """Redacts entries: first the request, then what may repeat it."""

    def __init__(
        self,
        profile: Profile,
        names: FieldNames,
        parameters: FieldNames,
        patterns: list[Pattern],
        hints: Hints,
        glance: Glance,
        made: Replacements,
    ) -> None:
        self._texts = TextRedaction(names, parameters, patterns, hints, made)
        self._glance = glance
        self._made = made
        self._places = (_places(profile, failed=False), _places(profile, failed=True))

    def redact(self, entry: LogEntry) -> LogEntry:
        """Return `entry`, redacted: itself where nothing is to be hidden."""
        root = self._places[entry.status_code >= 400]
        made = self._made
        echoes = Echoes()
        changed = self._payload(entry, "request_payload", root, echoes, None)
        made.echoes = made.heard = echoes
        if not self._glance.is_url(entry.request_url) or echoes.occur_in(entry.request_url):
            changed |= self._text(entry, "request_url", root, self._texts.whole_url)
        made.heard = None
        if not self._glance.are_texts([entry]) or echoes.occur_in(_short_texts(entry)):
            for field in _TEXTS:
                changed |= self._text(entry, field, root, self._texts.text)
            changed |= self._text(entry, "method", NOWHERE, self._texts.text)
        changed |= self._payload(entry, "response_payload", root, Echoes(only_in_sentences=True), echoes)
        return replace(entry, **changed) if changed else entry

    def text(self, text: str) -> str:
        """Return a text that belongs to no entry, redacted."""
        self._made.echoes = self._made.heard = Echoes()
        return self._texts.text(text)

    def url(self, url: str) -> str:
        """Return a URL that belongs to no entry, redacted."""
        self._made.echoes = self._made.heard = Echoes()
        return self._texts.whole_url(url)

    def _text(self, entry: LogEntry, field: str, root: Place, redact: Callable[[str], str]) -> dict[str, Any]:
        """Return the field with its redacted text, if that is another one."""
        text = getattr(entry, field)
        place = root.member(_NAMES[field])
        if not text or Meaning.KEPT in place.meanings:
            return {}
        self._made.place = lambda: f"$.{_NAMES[field]}"
        rule = next((meaning for meaning in place.meanings if isinstance(meaning, Rule)), None)
        try:
            redacted = self._texts.value(rule, text) if rule else redact(text)
        except Exception:  # noqa: BLE001 - whatever it is that was not thought of, nothing of the text may leak
            redacted = self._made.part(_UNREADABLE, MASK)
        return {field: redacted} if redacted != text else {}

    def _payload(
        self, entry: LogEntry, field: str, root: Place, heard: Echoes, of_request: Echoes | None
    ) -> dict[str, Any]:
        """Return the field with its redacted payload, if that is another one; `heard` remembers what is hidden."""
        payload = bytes(getattr(entry, field))
        if payload == b"null":
            return {}
        self._made.place = lambda: f"$.{_NAMES[field]}"
        made = self._made
        made.echoes, made.heard = None, heard
        made.passed.clear()
        try:
            text = payload.decode("utf-8")
            if self._glance.is_payload(text) and not (of_request and of_request.occur_in(text)):
                return {}
            place = root.member(_NAMES[field])
            redacted = self._again(self._texts.json.redact(text, 0, place), place, of_request).encode("utf-8")
        except Exception:  # noqa: BLE001 - whatever it is that was not thought of, nothing of the payload may leak
            redacted = msgspec.json.encode(self._made.part(_UNREADABLE, MASK))
        return {field: Raw(redacted)} if redacted != payload else {}

    def _again(self, text: str, place: Place, of_request: Echoes | None) -> str:
        """Return a payload without what it repeats of the request and, behind or before it, of itself."""
        made = self._made
        heard, made.heard = made.heard, None
        for echoes in filter(None, (of_request, heard)):
            if echoes.occur_in_any(made.passed):
                made.echoes = echoes
                text = self._texts.json.redact(text, 0, place)
        return text


def _short_texts(entry: LogEntry) -> str:
    return "\n".join(
        filter(None, (entry.user_agent, entry.method, entry.client_id, entry.company_id, entry.ip_address))
    )


def _places(profile: Profile, *, failed: bool) -> Place:
    """Return `$`, from where all places lead on that the profile names; messages are those of failed requests."""
    meanings: list[tuple[str, object]] = [(path, Meaning.KEPT) for path in profile.keep if path.startswith("$")]
    meanings += [(rule.path, Rule(f"path {rule.path}", rule.label)) for rule in profile.paths]
    if failed:
        meanings += [(path, Meaning.MESSAGES) for path in profile.messages]
    return Place((parse_path(path), meaning) for path, meaning in meanings)

"""Redaction of texts: free text, URLs, forms, headers, XML, and JSON within them."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, unquote, unquote_plus

from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.redact_json import JsonRedaction, is_json, looks_like_json
from taplogs.core.redact_said import redact_said
from taplogs.core.redact_url import READABLE, UrlRedaction
from taplogs.core.redact_xml import redact_elements
from taplogs.core.redaction_hints import Hints
from taplogs.core.redaction_patterns import Pattern
from taplogs.core.replacement import MASK, Replacements

_TOO_DEEP = Rule("too deep", None)

_DEEPEST = 6
"""How many texts within texts are opened: JSON in a JSON string, a URL in a parameter of a URL, …"""

_TELEPHONE, _CARD = "phone", "payment"
_LONGEST_TELEPHONE = 15
"""Digits of a telephone number (E.164); cards of all schemes but a few have 16."""

_MOST_PASSES = 5
_MOST_REMEMBERED = 20_000
_LONGEST_REMEMBERED = 200
_LONGEST_PLAIN = 50

# No text makes these take longer than its length: a repetition gives nothing back (`++`), is short, or begins only
# where the one before has ended.
_URL = r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>`{}|\\^]*[^\s\"'<>`{}|\\^.,;:!?)]"
_WHOLE_URL = r"\s*+(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:/)?/\S++\s*\Z"
_FORM = r"[^\s=&?]++=[^\s=&]*+(?:&[^\s=&]++=[^\s=&]*+)*+\s*\Z"
_QUOTED = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_ESCAPED = r"(?P<escaped>\\{1,15}[\"'])(?:(?!(?<!\\)(?P=escaped)).)*+(?:(?P=escaped)|\Z)"
_ASSIGNED = (
    rf"(?s)(?:(?P<mark>\\{{0,15}}[\"'])(?P<member>[^\s\"'\\]{{1,60}})(?P=mark)[ \t]{{0,4}}(?::|=>?)\s{{0,4}}"
    rf"|(?<!form-data; )(?<![\w.\[\]%-])(?P<name>[\w.\[\]%-]++)=)"
    rf"(?P<value>{_QUOTED}|{_ESCAPED}|[\"']?[^\s&;,\"'<>(){{}}]++)"
)
"""`name=value` in a text; with a colon only where the name is quoted, for the rest see `redact_said`."""

_ESCAPED_JSON = r"[\s\[{]++\\++\""
_PART = (
    r"(?s)(?im:^content-disposition:)[^\r\n]*?\bname=\"?(?P<name>[^\"\r\n;]+)[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n){0,10}+\r?\n"
    r"(?P<value>(?:(?!\r?\n--).)++)"
)
"""A part of multipart/form-data (RFC 7578): its name, its other headers, its body up to the next boundary."""

_IN_WORD = r"[^\s\"'<>=&?/;,]"
_ENCODED_WORD = rf"(?<!{_IN_WORD})(?:(?!%){_IN_WORD})*+%{_IN_WORD}*+"
_CONSTANTS = ("null", "true", "false", "None", "True", "False")


class TextRedaction:
    """Redacts texts by the names that stand in them and by patterns."""

    def __init__(
        self,
        names: FieldNames,
        parameters: FieldNames,
        patterns: list[Pattern],
        hints: Hints,
        made: Replacements,
    ) -> None:
        self._names = names
        self._hints = hints
        self._patterns = patterns
        self._made = made
        self._plain: set[str] = set()
        self._stand_ins: dict[tuple[Rule, str], str] = {}
        self.json = JsonRedaction(names, self, made)
        self.url = UrlRedaction(parameters, self)

    def value(self, rule: Rule, value: str) -> str:
        """Return what stands in for a value under a name."""
        becomes = self._stand_ins.get((rule, value))
        if becomes is None:
            becomes = self._stand_in(rule, value)
            if len(value) <= _LONGEST_REMEMBERED:
                if len(self._stand_ins) >= _MOST_REMEMBERED:
                    self._stand_ins.clear()
                self._stand_ins[rule, value] = becomes
        return value if becomes == value else self._made.whole(rule, value, becomes)

    def _stand_in(self, rule: Rule, value: str) -> str:
        """Give what is all that a pattern finds the same pseudonym as where there is no name.

        Every tenth telephone number has the check digit of a card, and is one of a telephone all the same.
        """
        label = rule.label
        if label is not None and self._hints.in_words(value):
            value = value.strip()
            for pattern in self._patterns:
                if pattern.may_occur(value) and pattern.is_all_of(value):
                    if not (label == _TELEPHONE and pattern.label == _CARD and len(value) <= _LONGEST_TELEPHONE):
                        label = pattern.label
                    break
        return self._made.stand_in(label, value)

    def text(self, text: str, depth: int = 0) -> str:
        """Return a text of whatever kind, redacted; `depth` is how many texts it stands within."""
        if text in self._plain or not self._hints.in_text(text):
            if len(text) <= _LONGEST_PLAIN:
                if len(self._plain) >= _MOST_REMEMBERED:
                    self._plain.clear()
                self._plain.add(text)
            return self._without_echoes(text)
        if depth > _DEEPEST:
            return self._made.part(_TOO_DEEP, MASK)
        for _ in range(_MOST_PASSES):
            before, text = text, self._pass(text, depth)
            if text == before or not self._hints.in_text(text):
                break
        return text

    def whole_url(self, url: str) -> str:
        """Return a URL, redacted."""
        for _ in range(_MOST_PASSES):
            before, url = url, self.url.redact(url, 0)
            if url == before:
                break
        return url

    def _pass(self, text: str, depth: int) -> str:
        """Go through a text once. What it looks like afterwards may be something else, to be gone through again."""
        if looks_like_json(text):
            if re.match(_ESCAPED_JSON, text):
                text = self._escaped_json(text, depth)
            text = self.json.redact(text, depth + 1)
            return text if is_json(text) else self._free(text, depth)
        if re.match(_WHOLE_URL, text):
            return self.url.redact(text, depth + 1)
        if re.match(_FORM, text):
            return self.url.query(text, depth + 1)
        return self._free(text, depth)

    def _escaped_json(self, text: str, depth: int) -> str:
        """Return JSON as it stands in a string of JSON, redacted, without the quotation marks of that string."""
        try:
            inner = str(json.loads(f'"{text}"', strict=False))
        except ValueError:
            return text
        redacted = self.json.redact(inner, depth + 1)
        return text if redacted == inner else json.dumps(redacted, ensure_ascii=False)[1:-1]

    def _free(self, text: str, depth: int) -> str:
        if "://" in text:
            text = re.sub(_URL, lambda found: self.url.redact(found[0], depth + 1), text)
        if "=" in text or ":" in text:
            text = re.sub(_PART, self._named, text)
            text = re.sub(_ASSIGNED, self._assigned, text)
        if ":" in text:
            text = redact_said(text, self._names.rule, self.value)
        if "</" in text:
            text = redact_elements(text, self._names.rule, self.value)
        return self._words(text)

    def _words(self, text: str) -> str:
        """Return a text without structure, redacted: by patterns, and what it repeats of the request."""
        text = self._without_echoes(self.by_patterns(text))
        return re.sub(_ENCODED_WORD, self._encoded, text) if "%" in text else text

    def by_patterns(self, text: str) -> str:
        """Return a text with what matches a pattern redacted."""
        if not self._hints.in_words(text):
            return text
        for pattern in self._patterns:
            if pattern.may_occur(text):
                text = pattern.replace(text, self._made.marks, self._part)
        return text

    def _without_echoes(self, text: str) -> str:
        made = self._made
        if made.echoes is not None:
            text = made.echoes.replace(text, self._part)
        if made.heard is not None:
            made.passed.append(text)
        return text

    def _part(self, rule: Rule, value: str) -> str:
        return self._made.part(rule, self._made.stand_in(rule.label, value))

    def _encoded(self, found: re.Match[str]) -> str:
        decoded = unquote(unquote(found[0]))  # what was in a URL may have been encoded for another one
        redacted = self._without_echoes(self.by_patterns(decoded))
        return found[0] if redacted == decoded else quote(redacted, safe=READABLE)

    def _named(self, found: re.Match[str]) -> str:
        rule = self._names.rule(found["name"])
        return self._with_value(found, self.value(rule, found["value"])) if rule else found[0]

    def _assigned(self, found: re.Match[str]) -> str:
        text = found["value"]
        rule = self._names.rule(unquote(found["member"] or found["name"]))
        if rule is None or text in _CONSTANTS:
            return found[0]
        mark = found["escaped"] or (text[0] if text[0] in "\"'" else "")
        inner = text.removeprefix(mark).removesuffix(mark)
        becomes = self.value(rule, inner if mark else unquote_plus(inner))
        return self._with_value(found, f"{mark}{becomes}{mark}")

    def _with_value(self, found: re.Match[str], value: str) -> str:
        start, end = found.span("value")
        return found.string[found.start() : start] + value + found.string[end : found.end()]

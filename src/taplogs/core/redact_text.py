"""Redaction of texts: free text, URLs, forms, headers, XML, and JSON within them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus

from taplogs.core.field_names import FieldNames, Rule
from taplogs.core.redact_json import JsonRedaction, is_json, looks_like_json
from taplogs.core.redact_url import READABLE, UrlRedaction
from taplogs.core.redaction_patterns import Pattern
from taplogs.core.replacement import Replacements

_TOO_DEEP = Rule("too deep", None)

_DEEPEST = 6
"""How many texts within texts are opened: JSON in a JSON string, a URL in a parameter of a URL, …"""


_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>`{}|\\^]*[^\s\"'<>`{}|\\^.,;:!?)]")
_WHOLE_URL = re.compile(r"\s*+(?:[A-Za-z][A-Za-z0-9+.-]{0,20}:/)?/\S++\s*\Z")
_FORM = re.compile(r"[^\s=&?]++=[^\s=&]*+(?:&[^\s=&]++=[^\s=&]*+)*+\s*\Z")
_QUOTED = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'"
_ASSIGNED = re.compile(
    rf"(?:([\"'])(?P<member>[^\s\"'\\]{{1,60}})\1\s{{0,4}}(?::|=>?)\s{{0,4}}|(?<![\w.\[\]%-])(?P<name>[\w.\[\]%-]++)=)"
    rf"(?P<value>{_QUOTED}|[\"']?[^\s&;,\"'<>(){{}}]++)",
    re.DOTALL,
)
_ELEMENT = re.compile(r"<(?P<name>[^\s<>/!?]++)(?:\s[^<>]*+)?>(?P<value>[^<]++)</")
_PART = re.compile(
    r"(?im:^content-disposition:)[^\r\n]*?\bname=\"?(?P<name>[^\"\r\n;]+)[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n){0,10}+\r?\n"
    r"(?P<value>(?:(?!\r?\n--).)++)",
    re.DOTALL,
)
_IN_WORD = r"[^\s\"'<>=&?/;,]"
_ENCODED_WORD = re.compile(rf"(?<!{_IN_WORD})(?:(?!%){_IN_WORD})*+%{_IN_WORD}*+")
_CONSTANTS = ("null", "true", "false", "None", "True", "False")


class TextRedaction:
    """Redacts texts by the names that stand in them and by patterns."""

    def __init__(self, names: FieldNames, parameters: FieldNames, patterns: list[Pattern], made: Replacements) -> None:
        self._names = names
        self._patterns = patterns
        self._made = made
        self.json = JsonRedaction(names, self, made)
        self.url = UrlRedaction(parameters, self)

    def value(self, rule: Rule, value: str) -> str:
        """Return what stands in for a value under a name: the same as elsewhere, where it is all that a pattern asks."""
        if rule.label is not None:
            text = self._by_patterns(value)
            if text != value and self._made.marks.is_mark(text.strip()):
                self._made.echoes.remember(value, rule)
                return text
        return self._made.whole(rule, value)

    def text(self, text: str, depth: int = 0) -> str:
        """Return a text of whatever kind, redacted; `depth` is how many texts it stands within."""
        if depth > _DEEPEST:
            return self._made.whole(_TOO_DEEP, text)
        if looks_like_json(text):
            text = self.json.redact(text, depth + 1)
            if is_json(text):
                return text
        elif _WHOLE_URL.match(text):
            return self.url.redact(text, depth + 1)
        elif _FORM.match(text):
            return self.url.query(text, depth + 1)
        return self._free(text, depth)

    def _free(self, text: str, depth: int) -> str:
        if "://" in text:
            text = _URL.sub(lambda found: self.url.redact(found[0], depth + 1), text)
        if "=" in text or ":" in text:
            text = _PART.sub(self._named, text)
            text = _ASSIGNED.sub(self._assigned, text)
        if "</" in text:
            text = _ELEMENT.sub(self._named, text)
        return self.words(text)

    def words(self, text: str) -> str:
        """Return a text without structure, redacted: by patterns, and what it repeats of the request."""
        text = self._by_patterns(text)
        if self._made.echoes:
            text = self._made.echoes.replace(text, self._made.part)
        return _ENCODED_WORD.sub(self._encoded, text) if "%" in text else text

    def _by_patterns(self, text: str) -> str:
        lowered = text.lower()
        for pattern in self._patterns:
            if pattern.may_occur(lowered):
                text = pattern.replace(text, self._made.marks, self._made.part)
        return text

    def _encoded(self, found: re.Match[str]) -> str:
        decoded = unquote(found[0])
        if "%" in decoded:
            return found[0]
        redacted = self.words(decoded)
        return found[0] if redacted == decoded else quote(redacted, safe=READABLE)

    def _named(self, found: re.Match[str]) -> str:
        rule = self._names.rule(found["name"])
        return self._with_value(found, self.value(rule, found["value"])) if rule else found[0]

    def _assigned(self, found: re.Match[str]) -> str:
        text = found["value"]
        rule = self._names.rule(unquote(found["member"] or found["name"]))
        if rule is None or text in _CONSTANTS:
            return found[0]
        mark = text[0] if text[0] in "\"'" else ""
        inner = text.removeprefix(mark).removesuffix(mark)
        becomes = self.value(rule, inner if mark else unquote_plus(inner))
        return self._with_value(found, f"{mark}{becomes}{mark}")

    def _with_value(self, found: re.Match[str], value: str) -> str:
        start, end = found.span("value")
        return found.string[found.start() : start] + value + found.string[end : found.end()]

"""Redaction of URLs and of what has the form of their queries. All that is not hidden keeps its bytes."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from taplogs.core.field_names import FieldNames, Rule

READABLE = "[]…"
"""What marks of hidden values have, and is not percent-encoded."""

_IN_PATH = f"{READABLE}=@:!$&'()*+,;"

_URL = r"(?s)([A-Za-z][A-Za-z0-9+.-]*:)?(//[^/?#]*)?([^?#]*)(\?[^#]*)?(#.*)?"


class TextOf(Protocol):
    """What redacts the texts that stand in a URL or in JSON."""

    def value(self, rule: Rule, value: str) -> str:
        """Return what stands in for a value under a name."""
        ...

    def text(self, text: str, depth: int = 0) -> str:
        """Return a text of whatever kind, redacted; `depth` is how many texts it stands within."""
        ...

    def by_patterns(self, text: str) -> str:
        """Return a text with what matches a pattern redacted."""
        ...


class UrlRedaction:
    """Redacts each part of a URL as what it says when it is decoded."""

    def __init__(self, names: FieldNames, texts: TextOf) -> None:
        self._names = names
        self._texts = texts

    def redact(self, url: str, depth: int) -> str:
        """Return `url` with user, segments of the path, parameters and fragment redacted."""
        parts = re.match(_URL, url)
        if parts is None:
            return self._texts.text(url, depth)
        scheme, authority, path, query, fragment = (part or "" for part in parts.groups())
        if "@" in authority:
            authority = self._authority(authority)
        path = "/".join([self._segment(segment, depth) for segment in path.split("/")])
        if query:
            query = "?" + self.query(query[1:], depth)
        if fragment:
            fragment = "#" + self.query(fragment[1:], depth)
        return scheme + authority + path + query + fragment

    def query(self, query: str, depth: int) -> str:
        """Return `name=value&…` with values redacted by their names or by what they are."""
        return "&".join([self._parameter(parameter, depth) for parameter in query.split("&")])

    def _authority(self, authority: str) -> str:
        user, _, host = authority[2:].rpartition("@")
        name, colon, password = user.partition(":")
        name = self._segment(name, 0)
        return f"//{name}{colon}{password and 'redacted'}@{host}"

    def _segment(self, segment: str, depth: int) -> str:
        decoded = unquote(segment)
        redacted = self._texts.text(decoded, depth)
        return segment if redacted == decoded else quote(redacted, safe=_IN_PATH)

    def _parameter(self, parameter: str, depth: int) -> str:
        name, equals, value = parameter.partition("=")
        if not equals:
            return self._segment(name, depth)
        decoded = ("+" if re.match(r"\+[0-9]", value) else "") + unquote_plus(value).removeprefix(" ")
        rule = self._names.rule(unquote_plus(name))
        redacted = self._texts.value(rule, decoded) if rule else self._texts.text(decoded, depth)
        kept = value if redacted == decoded else quote_plus(redacted, safe=READABLE)
        return f"{self._segment(name, depth)}={kept}"

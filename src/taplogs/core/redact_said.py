"""Values that a text names with a colon and without quotation marks about the name: YAML, GraphQL, headers, messages.

`email: is invalid` is a message about a field; `email: jane` is a value of it. What comes behind a name is taken for
its value by where the name stands, and unless it begins as messages do.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from taplogs.core.field_names import Rule, folded

_NAME = re.compile(r"(?<![\w.\[\]$-])([^\W\d][\w.\[\]-]{0,31}+)[ \t]?:(?:[ \t]+(?=\S)|(?=\\{0,15}[\"']))")
_BEGINS_LINE = re.compile(r"(?:\A|[\r\n])[ \t]*(?:[>*<-] {1,3})?\Z")
_LONGEST_INDENT = 60

_QUOTED = re.compile(r"(?s)(\\{0,15}[\"'])((?:(?!(?<!\\)\1).)*+)\1")
_TO_QUOTE = re.compile(r"[^\"'\\\r\n]+")
_LINE = re.compile(r"[^\r\n]+")
_NEXT_NAME = re.compile(r"[,;]?[ \t]+[^\W\d][\w.\[\]-]{0,31}+: |[,;]?[ \t]*\Z")
_ITEM = re.compile(r"[^,;|(){}\[\]\"'\r\n]+")
_CREDENTIAL = re.compile(r"(?:(?i:basic|bearer|token|digest|apikey|negotiate|hmac|ntlm)[ \t]+)?[^\s\"',;<>(){}]+")

_MOST_WORDS = 6
"""Longer ones are sentences."""

_VARIABLE = re.compile(r"[$%{]?\$[A-Za-z_]\w*}?\Z|[%{]")
_MESSAGE_WORDS = re.compile(
    "a|all|already|also|an|and|any|are|array|at|bad|be|been|blank|bool|boolean|but|can|can't|cannot|could|did|"
    "do|does|doesn't|don't|duplicate|empty|error|exceeded|exists|expected|expired|expires|failed|failure|"
    "false|field|float|for|format|found|given|has|have|how|if|in|incorrect|int|integer|into|invalid|is|isn't|"
    "it|its|least|length|less|malformed|many|match|matches|max|maximum|may|min|minimum|mismatch|missing|more|"
    "most|must|no|none|nor|not|null|number|object|of|ok|on|one|only|optional|or|out|please|provided|read|"
    "refused|rejected|required|revoked|see|should|some|str|string|text|that|the|then|there|this|to|too|true|"
    "type|undefined|unexpected|unique|unknown|unsupported|use|valid|validation|value|verification|was|we|were|"
    "what|when|where|which|will|with|would|wrong|you|your"
)
"""What messages about a field begin with."""
_HEADERS = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie", "xapikey", "xauthtoken"})
"""The names that the pattern of headers is for, where a line or a quotation begins with them."""


def redact_said(text: str, rule_of: Callable[[str], Rule | None], value: Callable[[Rule, str], str]) -> str:
    """Return `text` with the values replaced that it names with a colon, where the name has a rule."""
    pieces = []
    end = 0
    for found in _NAME.finditer(text):
        rule = rule_of(found[1]) if found.start() >= end else None
        span = _value_behind(text, found, rule) if rule else None
        if rule and span:
            pieces += [text[end : span[0]], value(rule, text[slice(*span)])]
            end = span[1]
    return "".join([*pieces, text[end:]]) if pieces else text


def _value_behind(text: str, name: re.Match[str], rule: Rule) -> tuple[int, int] | None:
    """Return where the value stands that a name is followed by, if it is one."""
    start = name.end()
    if quoted := _QUOTED.match(text, start):
        return quoted.span(2)
    before = text[max(0, name.start() - _LONGEST_INDENT) : name.start()]
    is_quoted = before[-1:] in ('"', "'")
    begins_line = _BEGINS_LINE.search(before) is not None and (len(before) < _LONGEST_INDENT or before.strip() != "")
    if is_quoted or begins_line:
        if rule.label is None and folded(name[1]) in _HEADERS:
            return None
        found = (_TO_QUOTE if is_quoted else _LINE).match(text, start)
        if found and begins_line and (rest := _NEXT_NAME.search(text, start, found.end())):
            return _unless_message(text, start, rest.start())
    elif before.rstrip(" ")[-1:] in ("(", "{", "[", ",", ";", "|"):
        found = _ITEM.match(text, start)
    else:
        found = _CREDENTIAL.match(text, start) if rule.label is None else None
    return _unless_message(text, *found.span()) if found else None


def _unless_message(text: str, start: int, end: int) -> tuple[int, int] | None:
    value = text[start:end].rstrip()
    words = value.split(None, _MOST_WORDS)
    if not words or len(words) > _MOST_WORDS or _VARIABLE.match(value):
        return None
    first = words[0].casefold().strip(".,;:!?()`")
    return None if _MESSAGE_WORDS.fullmatch(first) else (start, start + len(value))

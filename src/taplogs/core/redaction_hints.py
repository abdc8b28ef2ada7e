"""A cheap look at entries: may there be anything to hide? Most have nothing, and need no closer look.

What is taken for harmless here is what `redact_text` and `redact_json` would leave as it is; not the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from taplogs.core.entry import NULL
from taplogs.core.field_names import FieldNames
from taplogs.core.redact_pairs import Pairs

if TYPE_CHECKING:
    from taplogs.core.entry import LogEntry
    from taplogs.core.redaction_patterns import Pattern

_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 300

# By how common they are in payloads, where ids are hexadecimal; all others, capitals among them, are rarer.
_COMMON = ' ",:etaoinsrlcdumpfgh.0123456789-bvyw/kxjqz_'
_MOST_COMMON = frozenset(_COMMON[:16])
_STRUCTURE = r"=|%|<|'(?:[ \t]{0,4}:|(?<=:'))|\\[^bfnrt]|\[\s*+\[\s*+\""
"""What a name and its value have between them; the escapes of JSON that stand for more than white space; arrays of
arrays, which may be pairs of names and values.
"""

_COLON = re.compile(r": (?:(?<=[\w\]]: )|(?<=[\w\]] : ))")
_WORD_BEFORE = re.compile(r"[\w.\[\]-]++(?= ?\Z)")
_LONGEST_WORD = 34
"""A name without quotation marks is followed by a colon and a space; see `redact_said` for what is taken for one."""

# Backwards, a name is what follows a colon, and no other string of the payload has to be looked at. Within a string,
# a name has a space on the other side of the colon.
_NAME_BACKWARDS = re.compile(r':(?=(?:[ \t\r\n]*+"|(?<= :)(?=[\w\] ]))([^"]{0,300}))')
_LONGEST_NAME = 300
_PLAIN_URLS = re.compile(r"[\w.~:/?#&=+ \n-]*")
_PARAMETER = re.compile(r"[?#&=\n]([^?#&=\n]*+)(?==)")


class Hints:
    """What must stand in a text for a pattern to match, or for the text to be more than words."""

    def __init__(self, patterns: Iterable[Pattern], names: FieldNames) -> None:
        patterns = list(patterns)
        parts = {part for pattern in patterns for part in pattern.contains}
        self._foreign = tuple(part for part in parts if not part.isascii())
        common = {part for part in parts if " " in part and set(part) <= _MOST_COMMON}
        self._has_part = re.compile("|".join(sorted(map(re.escape, common))) or "(?!)").search
        """Looked for where there is a space, as an expression of rare and common literals would be slow."""
        rarer = parts.difference(self._foreign, common)
        literals = "|".join(sorted({re.escape(_rare_ending(part)) for part in rarer}))
        self._names = names
        self._literal = re.compile(literals or "(?!)").search
        self._structure = re.compile("|".join(filter(None, (_STRUCTURE, literals)))).search
        self._expression = re.compile(
            "|".join({pattern.hint: "" for pattern in patterns if pattern.hint}) or "(?!)"
        ).search
        self._always = any(not pattern.contains and not pattern.hint for pattern in patterns)

    def in_words(self, text: str) -> bool:
        """Return whether a pattern may match."""
        return (
            bool(self._literal(text) or self._expression(text))
            or self._always
            or (" " in text and bool(self._has_part(text)))
            or (not text.isascii() and self._is_foreign(text))
        )

    def in_text(self, text: str) -> bool:
        """Return whether a pattern may match, or the text has a structure that names values."""
        return (
            bool('"' in text or self._structure(text) or self._expression(text))
            or self._always
            or (" " in text and (bool(self._has_part(text)) or self.says(text)))
            or (not text.isascii() and self._is_foreign(text))
        )

    def in_json(self, text: str) -> bool:
        """Return whether this is so for any string, number or name of JSON, or one has quotation marks in it.

        Names that are not in quotation marks are not looked for.
        """
        return (
            bool(self._structure(text) or self._expression(text))
            or self._always
            or (" " in text and bool(self._has_part(text)))
            or (not text.isascii() and self._is_foreign(text))
        )

    def _is_foreign(self, text: str) -> bool:
        return any(part in text for part in self._foreign)

    def says(self, text: str) -> bool:
        """Return whether a name that has a rule stands before a colon, without quotation marks."""
        for colon in _COLON.finditer(text) if ": " in text else ():
            if self.ends_in_name(text[max(0, colon.start() - _LONGEST_WORD) : colon.start()]):
                return True
        return False

    def ends_in_name(self, text: str) -> bool:
        """Return whether the last word of `text` is a name that has a rule."""
        word = _WORD_BEFORE.search(text)
        return word is not None and self._names.rule(word[0]) is not None


def _rare_ending(literal: str) -> str:
    """Return the end of a literal from its rarest character on, 2 characters at least: that is found faster."""
    start = max(range(max(1, len(literal) - 1)), key=lambda place: _COMMON.find(literal[place]) % (len(_COMMON) + 1))
    return literal[start:]


class Glance:
    """Tells whether entries have nothing to hide. What it has seen before, it knows."""

    def __init__(self, names: FieldNames, parameters: FieldNames, hints: Hints, watched: Iterable[str | None]) -> None:
        """`watched`: names that paths end with, whose values need a closer look; None: all values do."""
        self._names = names
        self._parameters = parameters
        self._hints = hints
        self._watched = frozenset(watched)
        self._pairs = Pairs(names)
        self._texts: set[str | None] = {None}
        self._urls: set[str] = set()
        self._backwards: set[str] = set()

    def is_harmless(self, entries: list[LogEntry]) -> bool:
        """Return whether nothing is to be hidden in any of these entries, as far as can be told at a glance."""
        return (
            self.are_texts(entries)
            and self._are_urls([entry.request_url for entry in entries])
            and self._are_payloads(entries)
        )

    def are_texts(self, entries: list[LogEntry]) -> bool:
        """Return whether nothing is to be hidden in the short texts of entries."""
        if None in self._watched:
            return False
        known = self._texts
        for entry in entries:
            if not (
                entry.user_agent in known
                and entry.method in known
                and entry.ip_address in known
                and entry.client_id in known
                and entry.company_id in known
            ):
                texts = (entry.user_agent, entry.method, entry.ip_address, entry.client_id, entry.company_id)
                if any(text is not None and self._hints.in_text(text) for text in texts):
                    return False
                _remember(known, texts)
        return True

    def _are_urls(self, urls: list[str]) -> bool:
        urls = [url for url in urls if url not in self._urls]
        if not urls:
            return True
        text = unquote_plus("\n".join(["", *urls]))
        if not _PLAIN_URLS.fullmatch(text) or self._hints.in_words(text) or self._hints.says(text):
            return False
        if any(map(self._parameters.rule, set(_PARAMETER.findall(text)))):
            return False
        _remember(self._urls, urls)
        return True

    def is_url(self, url: str) -> bool:
        """Return whether nothing is to be hidden in a URL."""
        return None not in self._watched and self._are_urls([url])

    def is_payload(self, text: str) -> bool:
        """Return whether nothing is to be hidden in a payload, or in several between line feeds."""
        return (
            None not in self._watched
            and self._are_names(_NAME_BACKWARDS.findall(text[::-1]), text)
            and not self._hints.in_json(text)
        )

    def _are_payloads(self, entries: list[LogEntry]) -> bool:
        payloads = [entry.request_payload for entry in entries if entry.request_payload is not NULL]
        payloads += [entry.response_payload for entry in entries if entry.response_payload is not NULL]
        return not payloads or self.is_payload(b"\n".join(payloads).decode("utf-8", "replace"))

    def _are_names(self, backwards: list[str], text: str) -> bool:
        """Return whether nothing is to be hidden under these names of a payload, nor in pairs of names and values."""
        if self._backwards.issuperset(backwards):
            return True
        may_pair = False
        for name in set(backwards) - self._backwards:
            forwards = name[::-1]
            if (
                forwards in self._watched
                or "\\" in forwards
                or self._names.rule(forwards)
                or self._hints.ends_in_name(forwards)
                or len(name) == _LONGEST_NAME
            ):
                return False
            if self._pairs.is_valued(forwards):  # not remembered: it is to be found each time
                may_pair = True
            else:
                _remember(self._backwards, [name])
        return not (may_pair and self._pairs.find(text))


def _remember(known: set[Any], texts: Iterable[str | None]) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known.update(text for text in texts if text is None or len(text) <= _LONGEST_REMEMBERED)

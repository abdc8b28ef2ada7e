"""The texts in the elements of XML or HTML that stand under a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from taplogs.core.field_names import Rule

_TAG = re.compile(r"<(/?)([^\s<>/!?]++)([^<>]*+)>")
_CHARACTERS = re.compile(r"(?s)(\s*+<!\[CDATA\[)(.*)(\]\]>\s*+)")
_LOOKED_BACK = 20
"""So many elements may be left open within one that is closed, as HTML allows."""


def redact_elements(text: str, rule_of: Callable[[str], Rule | None], value: Callable[[Rule, str], str]) -> str:
    """Return `text` with what stands in an element whose name has a rule replaced, however deep it stands there.

    Only elements that are closed count: `<name>` may stand for something in a sentence.
    """
    pieces = []
    end = 0
    for rule, start, until in _texts(text, rule_of):
        characters = _CHARACTERS.fullmatch(text, start, until)
        span = characters.span(2) if characters else (start, until)
        if text[slice(*span)].strip():
            pieces += [text[end : span[0]], value(rule, text[slice(*span)])]
            end = span[1]
    return "".join([*pieces, text[end:]]) if pieces else text


def _texts(text: str, rule_of: Callable[[str], Rule | None]) -> Iterator[tuple[Rule, int, int]]:
    """Yield the rule of each text between two tags that has one, and where the text stands."""
    tags = list(_TAG.finditer(text))
    closed_by = _closed(tags)
    rules: list[Rule | None] = [None]
    ends: list[int] = []
    position = 0
    for number, tag in enumerate(tags):
        rule = rules[-1]
        if rule and tag.start() > position:
            yield rule, position, tag.start()
        position = tag.end()
        if number in closed_by:
            rules.append(rule_of(tag[2]) or rule)
            ends.append(closed_by[number])
        while ends and ends[-1] <= number:
            ends.pop()
            rules.pop()


def _closed(tags: list[re.Match[str]]) -> dict[int, int]:
    """Return the number of the tag that closes each element, by the number of the tag that opens it."""
    closed: dict[int, int] = {}
    opened: list[int] = []
    for number, tag in enumerate(tags):
        if not tag[1]:
            if not tag[3].endswith("/"):
                opened.append(number)
            continue
        for back in range(1, min(len(opened), _LOOKED_BACK) + 1):
            if tags[opened[-back]][2] == tag[2]:
                closed[opened[-back]] = number
                del opened[-back:]
                break
        else:
            if opened and opened[-1] == number - 1:  # a text that was put together by hand
                closed[opened.pop()] = number
    return closed

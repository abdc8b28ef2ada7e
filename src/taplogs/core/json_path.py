"""Paths to places in an entry's JSON shape, a small part of JSONPath (RFC 9535).

    $.requestPayload.candidate.email     members by name
    $.requestPayload['first name']       a name that is not a word
    $.requestPayload.items[*].ref        every element of an array; one of them cannot be named
    $.requestPayload.*.ref               every member of an object
    $..candidate.location                at any depth

A path that ends at an object or array means all values within.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_STEP = r"(\.\.?)([^\s.\[\]'\"*]+|\*)|\[(\*)\]|\['([^']+)'\]"


class Step(NamedTuple):
    """One step: to the member of this name, or to every member and element (None); `deep`: from any depth below."""

    name: str | None
    deep: bool


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path from `$`; raises ValueError with the part that is not understood."""
    if not text.startswith("$") or text == "$":
        raise ValueError(f"the path {text!r}, which does not go anywhere from $")
    steps, position = [], 1
    while position < len(text):
        step = re.match(_STEP, text[position:])
        if step is None:
            raise ValueError(f"{text[position:]!r} in the path {text!r}")
        name = step[2] or step[4]
        steps.append(Step(None if step[3] or name == "*" else name, step[1] == ".."))
        position += step.end()
    return tuple(steps)


class Place:
    """A place in a document, and what the paths that end at it mean. From one place others are reached by names.

    Places are made when they are first reached, and kept. As all names that no path knows lead to the same one, there
    are few of them, however many names a document has.
    """

    __slots__ = ("_known", "_next", "_open", "meanings")

    def __init__(self, paths: Iterable[tuple[tuple[Step, ...], object]]) -> None:
        """Take what is left of each path from here on, with what it means."""
        paths = tuple(paths)
        self._open = tuple(dict.fromkeys(path for path in paths if path[0]))
        self.meanings = tuple(meaning for steps, meaning in paths if not steps)
        self._known = frozenset(step.name for steps, _ in self._open for step in steps)
        self._next: dict[str | None, Place] = {}

    def member(self, name: str | None) -> Place:
        """Return the place of a member; None for an element of an array."""
        key = name if name in self._known else None
        place = self._next.get(key)
        if place is None:
            place = self._next[key] = self._make(key)
        return place

    def _make(self, name: str | None) -> Place:
        left: list[tuple[tuple[Step, ...], object]] = []
        for steps, meaning in self._open:
            if steps[0].deep:
                left.append((steps, meaning))
            if steps[0].name in (None, name):
                left.append((steps[1:], meaning))
        return Place(left)

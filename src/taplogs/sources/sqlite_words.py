"""The words that entries have codes for instead: methods, addresses, user agents, clients, companies, and places."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from taplogs.sources.sqlite_urls import Place, UrlJoiner

NOTHING = 0
"""The code of a field that is None; those of words begin at 1."""

_MOST_REMEMBERED = 50_000
_AT_ONCE = 500

Meaning = TypeVar("Meaning")


class WordKind(IntEnum):
    """Whose word it is."""

    METHOD = 1
    IP = 2
    AGENT = 3
    CLIENT = 4
    COMPANY = 5


class KnownPlace:
    """What is made of the code of a place: its endpoint, and URLs again."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.join = UrlJoiner(place).join


class Dictionary:
    """What codes mean, as far as it was looked up; threads may share it.

    A code is never given again, so what is remembered of committed rows stays true.
    """

    def __init__(self) -> None:
        self._words: dict[int, str | None] = {}
        self._places: dict[int, KnownPlace] = {}

    def words(self, connection: sqlite3.Connection, codes: Iterable[int]) -> Mapping[int, str | None]:
        """Return what these codes of words mean, among others."""
        if len(self._words) > _MOST_REMEMBERED:
            self._words = {}  # another one, for a thread may still look into the last
        known = self._words
        known[NOTHING] = None
        _complete(connection, known, codes, "SELECT code, word FROM words", _word)
        return known

    def places(self, connection: sqlite3.Connection, codes: Iterable[int]) -> Mapping[int, KnownPlace]:
        """Return what these codes of places mean, among others."""
        if len(self._places) > _MOST_REMEMBERED:
            self._places = {}
        known = self._places
        _complete(connection, known, codes, "SELECT code, origin, endpoint FROM places", _known_place)
        return known


def all_words(connection: sqlite3.Connection, kind: WordKind) -> list[tuple[int, str]]:
    """Return all words of a kind with their codes."""
    rows = connection.execute("SELECT code, word FROM words WHERE kind = ?", (kind,))
    return [(code, _word(word)) for code, word in rows]


def all_places(connection: sqlite3.Connection) -> list[tuple[int, Place]]:
    """Return all places with their codes."""
    rows = connection.execute("SELECT code, origin, endpoint FROM places")
    return [(code, _place(*names)) for code, *names in rows]


class Coder:
    """Gives words and places their codes, new ones to those that have none, within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._codes: dict[WordKind, dict[str | None, int]] = {kind: {None: NOTHING} for kind in WordKind}
        self._places: dict[Place, int] = {}

    def words(self, kind: WordKind, words: Iterable[str | None]) -> list[int]:
        """Return the codes of `words`, in their order."""
        words = list(words)
        codes = self._codes[kind]
        if len(codes) > _MOST_REMEMBERED:
            codes = self._codes[kind] = {None: NOTHING}
        for word in {*words} - codes.keys():
            codes[word] = self._code("words", "kind, word", (int(kind), word))
        return [codes[word] for word in words]

    def places(self, places: Iterable[Place]) -> list[int]:
        """Return the codes of `places`, in their order."""
        places = list(places)
        if len(self._places) > _MOST_REMEMBERED:
            self._places = {}
        codes = self._places
        for place in {*places} - codes.keys():
            codes[place] = self._code("places", "endpoint, origin", (place.endpoint, place.origin))
        return [codes[place] for place in places]

    def _code(self, table: str, columns: str, values: tuple[Any, ...]) -> int:
        found = self._connection.execute(
            f"SELECT code FROM {table} WHERE ({columns}) = (?, ?)",  # noqa: S608 - our own words
            values,
        ).fetchone()
        if found:
            return int(found[0])
        statement = f"INSERT INTO {table} ({columns}) VALUES (?, ?)"  # noqa: S608 - our own words
        return int(self._connection.execute(statement, values).lastrowid or 0)


def _complete(
    connection: sqlite3.Connection,
    known: dict[int, Meaning],
    codes: Iterable[int],
    statement: str,
    meaning: Callable[..., Meaning],
) -> None:
    missing = list({*codes} - known.keys())
    for start in range(0, len(missing), _AT_ONCE):
        some = missing[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for code, *rest in connection.execute(f"{statement} WHERE code IN ({marks})", some):
            known[code] = meaning(*rest)


def _word(word: object) -> str:
    if not isinstance(word, str):
        raise sqlite3.DatabaseError(f"a word is none: {word!r}")
    return word


def _place(origin: object, endpoint: object) -> Place:
    return Place(_word(origin), _word(endpoint))


def _known_place(origin: object, endpoint: object) -> KnownPlace:
    return KnownPlace(_place(origin, endpoint))

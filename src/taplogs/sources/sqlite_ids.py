"""Ids as the store has them: UUIDs as 16 bytes, other texts as they are.

Bytes sort as the texts of UUIDs do, and texts as texts do; but SQLite sorts every text before all bytes. A store that
holds both kinds therefore sorts the ids of one moment by `TEXT_OF_ID`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UUIDS, TEXTS = 1, 2
"""The kinds of ids, as bits."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGITS = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))

TEXT_OF_ID = (
    "CASE typeof(id) WHEN 'blob' THEN lower("
    + " || '-' || ".join(f"substr(hex(id), {start}, {length})" for start, length in _DIGITS)
    + ") ELSE id END"
)
"""SQL: the id as its text."""


def stored_id(text: str) -> str | bytes:
    """Return an id as the store has it."""
    return bytes.fromhex(text.replace("-", "")) if len(text) == 36 and _UUID.fullmatch(text) else text


def stored_ids(texts: Iterable[str]) -> list[str | bytes]:
    """Return ids as the store has them."""
    return [stored_id(text) if len(text) == 36 else text for text in texts]


def id_text(stored: str | bytes) -> str:
    """Return the text of an id; raises ValueError where it is damaged."""
    if isinstance(stored, str):
        return stored
    digits = stored.hex()
    if len(digits) != 32:
        raise ValueError(f"{stored!r} is no id")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def kinds_of(stored: Iterable[str | bytes]) -> int:
    """Return which kinds of ids these are."""
    kinds = {*map(type, stored)}
    return (UUIDS if bytes in kinds else 0) | (TEXTS if str in kinds else 0)

"""Text in CSV kept from being run as a formula by a spreadsheet, and what it was before."""

from __future__ import annotations

import re

STARTS = "=+-@\uff1d\uff0b\uff0d\uff20'\0\ufeff"
"""What a text that needs the guard may start with, white space aside."""

FORMULA = re.compile(r"[\s\0\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'\0]")
"""Matches the start of a text that needs the guard."""


def guard(text: str) -> str:
    """Return a cell of foreign text with `'` before it where a spreadsheet would run it or take the `'` away.

    The characters are those of OWASP's page on CSV injection and of its ASVS 5.0, requirement 1.2.10: `= + - @`, tab,
    CR, LF and NUL, and the full-width forms that some spreadsheets read as their ASCII twins. White space before a
    formula hides it only until an import trims its cells, as several can. A leading `'` is guarded so that the guard
    can be taken off again without loss.
    """
    return f"'{text}" if FORMULA.match(text) else text


def unguard(text: str) -> str:
    """Return what `guard` was given."""
    return text[1:] if text[:1] == "'" else text


def is_guarded(text: str) -> bool:
    """Return whether `text` is what `guard` returns for some text; where it is not, its table has no guard."""
    return guard(unguard(text)) == text

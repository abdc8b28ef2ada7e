"""Keyed stable pseudonyms: one value has one pseudonym under one key, and without the key no value can be tried."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable

_DIGITS = 16
_AT = r"[\uff20\ufe6b]|&#(?:0{0,4}64|[xX]0{0,4}40);|&commat;"
_FINGERPRINT_OF = b"taplogs pseudonym key fingerprint"


class Pseudonyms:
    """Makes pseudonyms under one key, which never appears in anything that this returns."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell whether two keys are the same one."""
        return hmac.digest(self._key, _FINGERPRINT_OF, "sha256").hex()[:_DIGITS]

    def of(self, label: str, value: str) -> str:
        """Return `label-` and 16 hexadecimal digits of HMAC-SHA256 (RFC 2104) over the label, NUL and the value.

        Values that differ only in how they are written (see `normalised`) have the same pseudonym.
        """
        message = f"{label}\0{normalised(label, value)}".encode("utf-8", "surrogatepass")
        return f"{label}-{hmac.digest(self._key, message, 'sha256').hex()[:_DIGITS]}"


def normalised(label: str, value: str) -> str:
    """Return the one form of a value: telephone numbers as digits, accounts without separators, else words.

    Words are in Unicode's composed form (NFC), case folded, with single spaces.
    """
    return _FORMS.get(label, _words)(value)


def _words(value: str) -> str:
    folded = unicodedata.normalize("NFC", value).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def _person(value: str) -> str:
    """Return the words; an address of e-mail has one @, however that is written."""
    return _words(value if value.isascii() and "&" not in value else re.sub(_AT, "@", value, count=1))


def _telephone(value: str) -> str:
    """Return the digits; a number of something else, or of letters, goes by its words."""
    digits = re.sub(r"\(0\)|\D", "", value)
    return digits.removeprefix("00") or _words(value)


def _account(value: str) -> str:
    return re.sub(r"[\W_]", "", value).casefold() or _words(value)


_FORMS: dict[str, Callable[[str], str]] = {
    "person": _person,
    "phone": _telephone,
    "payment": _account,
    "account": _account,
}

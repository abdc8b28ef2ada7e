"""The API key as a value that cannot leak by accident, and the masking of keys in any text."""

from __future__ import annotations

import re

from taplogs.errors import AuthenticationError

_KEY = r"sk_(live|test)_[0-9A-Za-z]{22}"
_KEY_IN_TEXT = r"sk_(live|test)_[0-9A-Za-z]{5,}"
"""A key, or the beginning of one: messages of others are cut short, perhaps in the middle of a key."""


class ApiKey:
    """A well-formed API key. Its text is only to be had by `reveal`; `str`, `repr` and errors show it masked."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        """Take a key, surrounding white space ignored; raises AuthenticationError that does not repeat it."""
        key = text.strip()
        if not re.fullmatch(_KEY, key):
            raise AuthenticationError(
                "this is not an API key: " + _what_is_wrong(key),
                "a key is sk_live_ or sk_test_ and 22 letters and digits, as the dashboard shows it",
            )
        self.__text = key

    @property
    def environment(self) -> str:
        """`live` or `test`."""
        return self.__text[3:7]

    @property
    def masked(self) -> str:
        """The key as people may see it: `sk_live_…WXYZ`."""
        return mask_keys(self.__text)

    def reveal(self) -> str:
        """Return the secret itself, for the Authorization header and the keyring alone."""
        return self.__text

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"ApiKey({self.masked})"

    def __reduce__(self) -> str:
        raise TypeError("an API key is not to be pickled")


def mask_keys(text: str) -> str:
    """Return `text` with every API key in it masked."""
    return re.sub(_KEY_IN_TEXT, _masked, text)


def _masked(match: re.Match[str]) -> str:
    whole = len(match[0]) >= 30  # of a part no character is shown: other parts may be shown elsewhere
    return f"sk_{match[1]}_…{match[0][-4:] if whole else ''}"


def _what_is_wrong(key: str) -> str:
    if not key:
        return "it is empty"
    if not key.startswith(("sk_live_", "sk_test_")):
        return "it does not start with sk_live_ or sk_test_"
    if not re.fullmatch(r"[0-9A-Za-z]*", key[8:]):
        return "it holds something else than letters and digits after its prefix"
    return f"{len(key) - 8} characters follow its prefix, not 22"

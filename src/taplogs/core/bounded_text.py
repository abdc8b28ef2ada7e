"""Texts that strangers choose the length of, as keys that are kept: long ones are cut, and told apart all the same."""

from __future__ import annotations

LONGEST = 1000
"""Characters that are kept whole; real paths, user agents and ids are far below."""

LONGEST_WHOLE = 900
"""What is left of a text that is cut; a bounded text that is not longer was not cut."""


def bounded_text(text: str) -> str:
    """Return `text`, or the beginning of a long one with a digest of all of it: different texts stay different."""
    if len(text) <= LONGEST:
        return text
    from hashlib import blake2b

    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{text[:LONGEST_WHOLE]}...({len(text):,} characters, {digest})"

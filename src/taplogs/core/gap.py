"""What is known to be missing of a window of time."""

from __future__ import annotations

from msgspec import Struct


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a window that is missing, and why, in words.

    Its bounds are canonical timestamps; `since` None is the beginning of everything.
    """

    since: str | None
    until: str
    reason: str

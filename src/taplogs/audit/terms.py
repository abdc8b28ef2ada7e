"""What stays the same along a chain: the terms by which two exports are held against each other."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from taplogs.audit.checkpoint import Question
from taplogs.audit.manifest import ORDER, Manifest

Difference = tuple[str, str | None, str | None]
"""What it is that differs, what it was, and what it is."""


class Terms(Struct, frozen=True):
    """What two exports of a chain have in common, besides their company, which only their entries tell.

    The redaction profile counts by its name: its rules may grow, with taplogs or by the company's hand.
    """

    source: str
    environment: str | None
    filters: dict[str, str]
    order: str
    profile: str
    key_fingerprint: str | None

    def differences(self, later: Terms) -> Iterator[Difference]:
        """Yield what is not the same in a later export."""
        parts: list[Difference] = [
            ("source", self.source, later.source),
            ("environment", self.environment, later.environment),
            *(
                (f"filter {name}", self.filters.get(name), later.filters.get(name))
                for name in sorted({*self.filters, *later.filters})
            ),
            ("order", self.order, later.order),
            ("redaction profile", self.profile, later.profile),
        ]
        if self.key_fingerprint is not None:  # pseudonyms of an export with a key of its own go nowhere on
            parts.append(("pseudonym key's fingerprint", self.key_fingerprint, later.key_fingerprint))
        yield from (part for part in parts if part[1] != part[2])


def terms_of(manifest: Manifest) -> Terms:
    """Return the terms of an export that was made."""
    source, redaction = manifest.source, manifest.redaction
    return Terms(
        source.base_url,
        source.environment,
        manifest.query.filters,
        manifest.query.order,
        redaction.profile,
        redaction.key_fingerprint,
    )


def terms_asked(question: Question) -> Terms:
    """Return the terms of an export that is asked for."""
    return Terms(
        question.source, question.environment, question.filters, ORDER, question.profile, question.key_fingerprint
    )

"""Findings as they are collected: of each kind as many as somebody reads, and how many more there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from taplogs.audit.finding import Finding

MOST_OF_A_KIND = 100


class Findings:
    """Findings in the order in which they were made; of one kind in one place only the first hundred are kept."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, code: str, where: str, message: str) -> None:
        """Take note of one; `where` is a file, a part of it after a colon perhaps."""
        self.add_all([Finding(code, where, message)])

    def add_all(self, findings: Iterable[Finding], beyond: Counter[tuple[str, str]] | None = None) -> None:
        """Take note of all; `beyond`: how many more there were of a kind and place, which nobody kept."""
        for finding in findings:
            kind = _kind(finding)
            self._counts[kind] += 1
            if self._counts[kind] <= MOST_OF_A_KIND:
                self._kept.append(finding)
        self._counts.update(beyond or {})

    @property
    def kept(self) -> list[Finding]:
        """Those that were kept, in order."""
        return list(self._kept)

    @property
    def beyond(self) -> Counter[tuple[str, str]]:
        """How many more there are of a kind and place than were kept."""
        return +Counter({kind: count - MOST_OF_A_KIND for kind, count in self._counts.items()})

    @property
    def all(self) -> list[Finding]:
        """Those that were kept, and one for each kind of which there are more."""
        return self._kept + [
            Finding(code, file, f"and {count:,} more of this kind") for (code, file), count in self.beyond.items()
        ]


def _kind(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.where.partition(":")[0]

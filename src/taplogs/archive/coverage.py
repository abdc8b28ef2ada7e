"""Which stretches of time are known without a gap: disjoint half-open spans, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct


class Span(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The time `[since, until)` between two canonical timestamps; an empty `since` is the beginning of everything."""

    since: str
    until: str


Coverage = tuple[Span, ...]
"""Spans of which no two touch, the earliest first."""


def joined(spans: Iterable[Span], added: Span) -> Coverage:
    """Return the coverage of `spans` and one more; those that touch become one, an empty one is nothing."""
    united: list[Span] = []
    for span in sorted([*spans, added], key=lambda span: span.since):
        if span.since >= span.until:
            continue
        if united and span.since <= united[-1].until:
            united[-1] = Span(united[-1].since, max(united[-1].until, span.until))
        else:
            united.append(span)
    return tuple(united)


def missing(spans: Sequence[Span], wanted: Span) -> Coverage:
    """Return what of `wanted` a coverage lacks."""
    gaps = []
    since = wanted.since
    for span in spans:
        if span.until <= since:
            continue
        if span.since >= wanted.until:
            break
        if span.since > since:
            gaps.append(Span(since, span.since))
        since = span.until
    if since < wanted.until:
        gaps.append(Span(since, wanted.until))
    return tuple(gaps)


def since_only(spans: Iterable[Span], timestamp: str) -> Coverage:
    """Return what of a coverage does not lie before a canonical timestamp."""
    return tuple(Span(max(span.since, timestamp), span.until) for span in spans if span.until > timestamp)


def until_only(spans: Iterable[Span], timestamp: str) -> Coverage:
    """Return what of a coverage lies before a canonical timestamp."""
    return tuple(Span(span.since, min(span.until, timestamp)) for span in spans if span.since < timestamp)


def gaps_between(spans: Sequence[Span]) -> Coverage:
    """Return the spans that lie between those of a coverage."""
    return missing(spans, Span(spans[0].since, spans[-1].until)) if spans else ()

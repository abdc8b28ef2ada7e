"""Coverage: spans of time without a gap behave as the sets of moments that they stand for."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from taplogs.archive.coverage import Coverage, Span, gaps_between, joined, missing, since_only

_MOMENTS = 12


def text(moment: int) -> str:
    """Return a moment as text that sorts as it does; the first one is the beginning of everything."""
    return f"{moment:02}" if moment else ""


def moments(spans: Coverage) -> set[int]:
    return {moment for moment in range(_MOMENTS) for span in spans if span.since <= text(moment) < span.until}


def coverage(spans: list[Span]) -> Coverage:
    found: Coverage = ()
    for span in spans:
        found = joined(found, span)
    return found


def assert_in_order(spans: Coverage) -> None:
    assert all(span.since < span.until for span in spans)
    assert all(before.until < after.since for before, after in pairwise(spans))


bounds = st.integers(0, _MOMENTS - 1)
a_span = st.builds(lambda since, until: Span(text(since), text(until)), bounds, bounds)
some_spans = st.lists(a_span, max_size=6).map(coverage)


@given(st.lists(a_span, max_size=6), a_span)
def test_joining_is_the_union(spans: list[Span], added: Span) -> None:
    found = joined(coverage(spans), added)
    assert_in_order(found)
    assert moments(found) == moments((*spans, added))


@given(some_spans, a_span)
def test_what_is_missing_is_the_difference(spans: Coverage, wanted: Span) -> None:
    found = missing(spans, wanted)
    assert_in_order(found)
    assert moments(found) == moments((wanted,)) - moments(spans)


@given(some_spans, bounds)
def test_what_lies_before_a_moment_is_cut_off(spans: Coverage, moment: int) -> None:
    found = since_only(spans, text(moment))
    assert_in_order(found)
    assert moments(found) == {later for later in moments(spans) if later >= moment}


@given(some_spans)
def test_the_gaps_and_the_spans_leave_nothing_out(spans: Coverage) -> None:
    everything = moments(spans) | moments(gaps_between(spans))
    assert not moments(spans) & moments(gaps_between(spans))
    assert everything == (set(range(min(everything), max(everything) + 1)) if everything else set())

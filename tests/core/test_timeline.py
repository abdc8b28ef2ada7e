"""Entries over time: how finely they are counted, and how they are spread over the buckets of a chart."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from core_strategies import law
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.timeline import Timeline
from taplogs.core.timestamp import format_timestamp, parse_timestamp

START = datetime(2026, 11, 1, 20, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

limits = st.sampled_from((timedelta(hours=1), timedelta(hours=3), timedelta(days=9), timedelta(days=200)))


def moments_within(limit: timedelta) -> st.SearchStrategy[list[tuple[str, int]]]:
    """Return a strategy for canonical timestamps, each with a kind."""
    offsets = st.integers(0, limit // MILLISECOND).map(lambda offset: format_timestamp(START + offset * MILLISECOND))
    return st.lists(st.tuples(offsets, st.sampled_from((2, 4, 5))), max_size=40)


some_moments = limits.flatmap(moments_within)


def timeline_of(moments: list[tuple[str, int]], size: int = 1000, most_counts: int | None = None) -> Timeline[int]:
    """Return moments counted, so many at a time."""
    timeline: Timeline[int] = Timeline(most_counts)
    for start in range(0, len(moments), size):
        batch = moments[start : start + size]
        timeline.add([text for text, _ in batch], [kind for _, kind in batch])
    return timeline


def counted(timeline: Timeline[int], moments: list[tuple[str, int]]) -> list[Counter[int]]:
    """Return what a timeline tells of the time before, between and after moments."""
    return timeline.spread(["", *sorted({text for text, _ in moments}), "~"])


# --- counting


@pytest.mark.parametrize(
    ("apart", "step", "prefix"),
    [
        (timedelta(0), timedelta(seconds=1), len("2026-11-01T10:00:00")),
        (timedelta(hours=2), timedelta(seconds=1), len("2026-11-01T10:00:00")),
        (timedelta(hours=2, milliseconds=1), timedelta(minutes=1), len("2026-11-01T10:00")),
        (timedelta(days=10), timedelta(minutes=1), len("2026-11-01T10:00")),
        (timedelta(days=10, milliseconds=1), timedelta(minutes=15), len("2026-11-01T10:00")),
        (timedelta(days=3000), timedelta(minutes=15), len("2026-11-01T10:00")),
    ],
)
def test_how_finely_entries_are_counted_depends_on_how_far_apart_they_are(
    apart: timedelta, step: timedelta, prefix: int
) -> None:
    timeline = timeline_of([(format_timestamp(START), 2), (format_timestamp(START + apart), 2)])
    assert (timeline.step, timeline.prefix) == (step, prefix)


@pytest.mark.parametrize(
    ("most_counts", "step"),
    [
        (400, timedelta(minutes=15)),
        (399, timedelta(days=1)),
        (101, timedelta(days=1)),
        (100, timedelta(days=2)),
        (20, timedelta(days=8)),
        (1, timedelta(days=2**8)),
        (0, timedelta(days=2**22)),
    ],
)
def test_where_there_are_too_many_counts_time_is_told_less_finely(most_counts: int, step: timedelta) -> None:
    moments = [(format_timestamp(START + timedelta(hours=6 * number)), 2) for number in range(400)]
    timeline = timeline_of(moments, 7, most_counts)
    assert timeline.step == step
    assert len(timeline._counts) <= max(1, most_counts)  # the memory itself is what is looked at


def test_time_told_less_finely_is_told_by_whole_days() -> None:
    moments = [(f"2026-11-{day:02}T{hour:02}:00:00.000Z", day) for day in range(1, 31) for hour in range(24)]
    timeline = timeline_of(moments, most_counts=100)
    days = [f"2026-11-{day:02}T00:00:00.000Z" for day in range(1, 31)]
    assert timeline.step == timedelta(days=1)
    assert timeline.spread([*days, "~"]) == [Counter({day: 24}) for day in range(1, 31)]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_the_ends_of_the_calendar_can_be_told_less_finely(moment: str) -> None:
    timeline = timeline_of([(moment, kind) for kind in range(5)], most_counts=2)
    assert timeline.spread(["", "~"]) == [Counter(range(5))]


@law
@given(some_moments, st.integers(1, 50), st.none() | st.integers(0, 40), st.randoms(use_true_random=False))
def test_any_order_and_any_batches_give_the_same_timeline(
    moments: list[tuple[str, int]], size: int, most_counts: int | None, rng: random.Random
) -> None:
    shuffled = moments.copy()
    rng.shuffle(shuffled)
    straight, mixed = timeline_of(moments, 1000, most_counts), timeline_of(shuffled, size, most_counts)
    assert counted(mixed, moments) == counted(straight, moments)
    assert (mixed.first, mixed.last, mixed.step) == (straight.first, straight.last, straight.step)
    assert sum(counted(mixed, moments), Counter()) == Counter(kind for _, kind in moments)


@law
@given(some_moments)
def test_a_timeline_without_a_bound_loses_nothing_between_its_ends(moments: list[tuple[str, int]]) -> None:
    days = [format_timestamp(START + timedelta(days=day)) for day in range(-1, 202)]
    assert sum(timeline_of(moments).spread(days), Counter()) == Counter(kind for _, kind in moments)


@law
@given(some_moments)
def test_counts_from_elsewhere_are_counted_as_entries_are(moments: list[tuple[str, int]]) -> None:
    """A store counts by the beginning of timestamps, once the timeline says how much of them it needs."""
    straight = timeline_of(moments)
    elsewhere: Timeline[int] = Timeline()
    if moments:
        elsewhere.reach(min(moments)[0], max(moments)[0])
        counts = Counter((text[: elsewhere.prefix], kind) for text, kind in moments)
        elsewhere.add_counts((text, kind, number) for (text, kind), number in counts.items())
    assert counted(elsewhere, moments) == counted(straight, moments)


@pytest.mark.parametrize(("days", "most"), [(0.08, 7200), (9, 9 * 1440), (90, 90 * 96)])
def test_the_memory_goes_with_the_length_of_time_not_with_the_entries(days: float, most: int) -> None:
    rng = random.Random(7)
    length = int(days * 86_400_000)
    timeline = timeline_of([(format_timestamp(START + rng.randrange(length) * MILLISECOND), 2) for _ in range(40_000)])
    assert len(timeline._counts) <= most  # the memory itself is what is looked at


# --- spreading


@law
@given(limits.flatmap(lambda limit: st.tuples(st.just(limit), moments_within(limit))), st.data())
def test_every_entry_is_in_the_bucket_that_its_timestamp_lies_in(
    drawn: tuple[timedelta, list[tuple[str, int]]], data: st.DataObject
) -> None:
    """For boundaries as coarse as entries are counted: by the second, the minute or the quarter of an hour."""
    limit, moments = drawn
    unit = next(
        unit
        for unit, most in ((1, timedelta(hours=2)), (60, timedelta(days=10)), (900, timedelta.max))
        if limit <= most
    )
    beside = [
        (parse_timestamp(text) - START) // timedelta(seconds=unit) + after for text, _ in moments for after in (0, 1)
    ]
    steps = st.sampled_from(beside) if beside else st.integers(0, 1000)
    chosen = data.draw(st.lists(steps | st.integers(0, 1000), min_size=2, unique=True, max_size=12), "boundaries")
    boundaries = [format_timestamp(START + timedelta(seconds=unit * step)) for step in sorted(chosen)]
    naive = [Counter(kind for text, kind in moments if low <= text < high) for low, high in pairwise(boundaries)]
    assert timeline_of(moments).spread(boundaries) == naive


def test_quarters_of_an_hour_are_told_apart_over_months() -> None:
    """Some zones are 45 minutes beside UTC: there, days begin on a quarter."""
    far = [("2026-03-01T00:00:00.000Z", 5)]
    quarters = [f"2026-11-01T10:{minute:02}:00.000Z" for minute in (0, 15, 30, 45)]
    within = [(f"2026-11-01T10:{minute:02}:59.999Z", 2) for minute in range(60)]
    counts = timeline_of(far + within).spread([*quarters, "2026-11-01T11:00:00.000Z"])
    assert counts == [Counter({2: 15})] * 4


def test_what_lies_outside_of_the_boundaries_is_not_counted() -> None:
    moments = [("2026-11-01T09:59:59.999Z", 2), ("2026-11-01T10:00:00.000Z", 2), ("2026-11-01T10:00:01.000Z", 2)]
    assert timeline_of(moments).spread(["2026-11-01T10:00:00.000Z", "2026-11-01T10:00:01.000Z"]) == [Counter({2: 1})]

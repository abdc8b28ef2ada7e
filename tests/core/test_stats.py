"""Counting entries: figures as a naive computation gives them, in any order, in bounded memory."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC
from itertools import pairwise

import pytest
from core_strategies import entry, law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core import stats
from taplogs.core.dimensions import dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.stats import OTHERS, Figures, Grouping, Summary, fold

latencies = st.integers(0, 40) | st.integers(0, 2**53 - 1)
counts = st.lists(st.tuples(st.integers(0, 999), st.none() | latencies, st.integers(1, 50)), max_size=40)

entries = st.lists(
    st.builds(
        entry,
        timestamp=st.sampled_from(
            (
                "2026-11-01T10:00:00.000Z",
                "2026-11-01T10:00:00.999Z",
                "2026-11-01T12:30:00.000Z",
                "2027-01-01T00:00:00.000Z",
            )
        ),
        method=st.sampled_from(("GET", "POST", "")),
        request_url=st.sampled_from(
            ("https://a.example/jobs/1", "https://a.example/jobs/2?x", "https://a.example/x", "")
        ),
        status_code=st.sampled_from((0, 200, 204, 304, 404, 422, 500, 999)),
        latency_ms=st.none() | st.integers(0, 20),
        client_id=st.none() | st.sampled_from(("a", "b", "", OTHERS)),
    ),
    max_size=40,
)
groupings = st.builds(
    lambda names, timeline: Grouping(
        dimensions_named(names, EndpointTemplates(), UTC) if names else (), timeline=timeline
    ),
    st.sampled_from(("", "endpoint", "client", "status", "class", "hour", "endpoint,method", "client,day")),
    st.booleans(),
)


def expanded(counted: Iterable[tuple[int, int | None, int]]) -> list[tuple[int, int | None]]:
    """Return a pair for each entry that was counted."""
    return [(status, latency) for status, latency, number in counted for _ in range(number)]


def told(figures: Figures) -> tuple[object, ...]:
    """Return all that figures tell."""
    percentiles = tuple(figures.percentile(percent) for percent in (0, 1, 50, 90, 95, 99, 100))
    return figures.requests, figures.classes, figures.timed, figures.latencies, percentiles, figures.longest


# --- figures


@law
@given(counts, st.integers(0, 100))
@example([(200, 1, 1), (200, 2, 1)], 50)
@example([(200, latency, 1) for latency in range(1, 101)], 95)
@example([(200, 7, 1)], 0)
def test_a_percentile_is_the_nearest_rank_of_the_sorted_latencies(
    counted: list[tuple[int, int | None, int]], percent: int
) -> None:
    known = sorted(latency for _, latency in expanded(counted) if latency is not None)
    expected = known[max(1, math.ceil(len(known) * percent / 100)) - 1] if known else None
    assert Figures(counted).percentile(percent) == expected


@law
@given(counts)
def test_figures_are_those_of_the_entries_one_by_one(counted: list[tuple[int, int | None, int]]) -> None:
    pairs = expanded(counted)
    known = [latency for _, latency in pairs if latency is not None]
    figures = Figures(counted)
    assert figures.requests == len(pairs)
    assert figures.timed == len(known)
    assert figures.longest == max(known, default=None)
    assert figures.errors == sum(400 <= status < 600 for status, _ in pairs)
    for digit in range(10):
        of_class = sum(status // 100 == digit for status, _ in pairs)
        assert figures.classes[digit] == of_class
        assert figures.ratio(digit) == (of_class / len(pairs) if pairs else None)


@pytest.mark.parametrize(("percent", "expected"), [(0, 15), (5, 15), (30, 20), (40, 20), (50, 35), (99, 50), (100, 50)])
def test_percentiles_of_a_textbook(percent: int, expected: int) -> None:
    """The worked example of the nearest-rank method: 15, 20, 35, 40, 50."""
    assert Figures((200, latency, 1) for latency in (50, 15, 40, 20, 35)).percentile(percent) == expected


def test_unknown_latencies_are_requests_but_never_a_latency_of_0() -> None:
    figures = Figures([(200, None, 9), (500, 30, 1)])
    assert (figures.requests, figures.timed) == (10, 1)
    assert [figures.percentile(percent) for percent in (0, 50, 99)] == [30, 30, 30]
    assert figures.error_rate == 0.1


def test_a_latency_of_0_is_known() -> None:
    figures = Figures([(200, 0, 3)])
    assert (figures.timed, figures.percentile(50), figures.longest) == (3, 0, 0)


def test_nothing_counted_has_no_ratios_and_no_latencies() -> None:
    nothing = Figures()
    assert (nothing.requests, nothing.errors, nothing.timed) == (0, 0, 0)
    assert [nothing.ratio(2), nothing.error_rate, nothing.percentile(50), nothing.longest] == [None] * 4


def test_errors_are_4xx_and_5xx_alone() -> None:
    figures = Figures([(status, 1, 1) for status in (100, 200, 304, 399, 400, 499, 500, 599, 600, 999, 0)])
    assert figures.errors == 4
    assert figures.error_rate == 4 / 11


# --- summaries


@law
@given(entries, groupings, st.lists(st.integers(0, 40), max_size=4), st.randoms(use_true_random=False))
def test_any_order_and_any_batches_give_the_same_summary(
    generated: list[LogEntry], grouping: Grouping, cuts: list[int], rng: random.Random
) -> None:
    shuffled = generated.copy()
    rng.shuffle(shuffled)
    edges = [0, *sorted(cuts), len(shuffled)]
    batches = [shuffled[start:end] for start, end in pairwise(edges)]
    straight, mixed = fold([generated], grouping), fold(batches, grouping)
    assert mixed.counts == straight.counts
    moments = ["", *sorted({entry.timestamp for entry in generated}), "~"]
    assert mixed.timeline.spread(moments) == straight.timeline.spread(moments)
    assert (mixed.timeline.first, mixed.timeline.last) == (straight.timeline.first, straight.timeline.last)


@law
@given(entries, groupings)
def test_groups_add_up_to_the_total(generated: list[LogEntry], grouping: Grouping) -> None:
    summary = fold([generated], grouping)
    parts = summary.groups().values()
    total = summary.total
    assert sum(part.requests for part in parts) == total.requests == len(generated)
    assert sum((part.classes for part in parts), Counter()) == +total.classes
    pooled: Counter[int] = Counter()
    for part in parts:
        pooled.update(dict(part.latencies))
    assert sorted(pooled.items()) == total.latencies


@law
@given(entries)
def test_a_group_has_the_figures_of_its_entries_alone(generated: list[LogEntry]) -> None:
    groups = fold([generated], Grouping(dimensions_named("client,status", EndpointTemplates(), UTC))).groups()
    assert groups.keys() == {(one.client_id, one.status_code) for one in generated}
    for (client, status), figures in groups.items():
        own = [one for one in generated if (one.client_id, one.status_code) == (client, status)]
        assert told(figures) == told(Figures((one.status_code, one.latency_ms, 1) for one in own))


@law
@given(entries, groupings)
def test_counts_from_elsewhere_are_counted_as_entries_are(generated: list[LogEntry], grouping: Grouping) -> None:
    straight = fold([generated], grouping)
    elsewhere = Summary(grouping)
    elsewhere.add_counts((*combination, number) for combination, number in straight.counts.items())
    assert told(elsewhere.total) == told(straight.total)
    assert {group: told(part) for group, part in elsewhere.groups().items()} == {
        group: told(part) for group, part in straight.groups().items()
    }


def test_without_dimensions_all_entries_are_one_group() -> None:
    summary = fold([[entry(), entry(status_code=500)]], Grouping())
    assert summary.groups().keys() == {()}
    assert fold([], Grouping()).groups() == {}


def test_the_timeline_counts_status_classes_and_only_where_it_is_wanted() -> None:
    batch = [entry(status_code=status) for status in (200, 204, 404, 500)]
    (counted,) = fold([batch], Grouping(timeline=True)).timeline.spread(
        ["2026-07-15T00:00:00.000Z", "2026-07-16T00:00:00.000Z"]
    )
    assert counted == {2: 2, 4: 1, 5: 1}
    assert fold([batch], Grouping()).timeline.first is None


def test_the_ends_are_told_without_a_timeline() -> None:
    times = [f"2026-07-{day}T00:00:00.000Z" for day in (15, 14, 16)]
    timeline = fold([[], [entry(timestamp=time) for time in times]], Grouping(ends=True)).timeline
    assert (timeline.first, timeline.last) == (times[1], times[2])
    assert not any(timeline.spread([times[1], "9999"]))


def test_only_the_fields_that_are_counted_are_asked_for() -> None:
    dimensions = dimensions_named("endpoint,client", EndpointTemplates(), UTC)
    query = Grouping(dimensions, timeline=True).query(LogQuery(limit=3))
    assert query.fields == frozenset({"status_code", "latency_ms", "request_url", "client_id", "timestamp"})
    assert (query.limit, query.payloads) == (None, False)
    assert Grouping().query(LogQuery()).fields == frozenset({"status_code", "latency_ms"})


# --- bounded memory


BY_CLIENT = Grouping(dimensions_named("client", EndpointTemplates(), UTC))


@pytest.fixture
def few_counts(monkeypatch: pytest.MonkeyPatch) -> int:
    """The limit, made small enough to be reached."""
    monkeypatch.setattr(stats, "MOST_COUNTS", 200)
    return 200


def added(batches: Sequence[Sequence[LogEntry]], most: int) -> Summary:
    """Return the summary of `batches`, of which none took more memory than allowed."""
    summary = Summary(BY_CLIENT)
    for batch in batches:
        summary.add(batch)
        assert len(summary.counts) <= most
    return summary


def in_batches(many: list[LogEntry], size: int = 50) -> list[list[LogEntry]]:
    return [many[start : start + size] for start in range(0, len(many), size)]


def test_up_to_the_limit_everything_is_exact(few_counts: int) -> None:
    summary = added(in_batches([entry(latency_ms=1000 + number) for number in range(200)]), few_counts)
    assert (summary.is_rounded, summary.is_merged) == (False, False)
    assert summary.total.percentile(95) == 1189


def test_beyond_the_limit_latencies_are_rounded_and_groups_are_kept(few_counts: int) -> None:
    many = [
        entry(latency_ms=1000 + number, client_id=f"c{number % 2}", status_code=200 + number % 2)
        for number in range(900)
    ]
    summary = added(in_batches(many), few_counts)
    assert (summary.is_rounded, summary.is_merged) == (True, False)
    assert {group: figures.requests for group, figures in summary.groups().items()} == {("c0",): 450, ("c1",): 450}
    assert summary.total.requests == summary.total.timed == 900
    assert dict(summary.total.latencies).keys() == set(range(1000, 2000, 100))


def test_what_is_counted_after_rounding_began_is_rounded_too(few_counts: int) -> None:
    summary = added(in_batches([entry(latency_ms=1000 + number) for number in range(250)]), few_counts)
    summary.add([entry(latency_ms=54_321)])
    assert summary.total.longest == 54_000
    assert summary.groups()[(None,)].longest == 54_000


@law
@given(st.lists(st.integers(0, 2**53 - 1) | st.integers(0, 2000), min_size=1, max_size=30))
@example([105])
@example([0, 1, 99, 100, 101, 995, 999, 104, 115, 2**53 - 1])
def test_a_rounded_percentile_is_at_most_5_percent_off(exact: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats, "MOST_COUNTS", 0)
        summary = fold([[entry(latency_ms=latency) for latency in exact]], Grouping())
    assert summary.is_rounded
    expected = Figures((200, latency, 1) for latency in exact)
    for percent in (0, 50, 90, 95, 99, 100):
        rounded, right = summary.total.percentile(percent), expected.percentile(percent)
        assert rounded is not None
        assert right is not None
        assert abs(rounded - right) <= right * 0.05


def test_unknown_latencies_stay_unknown_when_the_others_are_rounded(few_counts: int) -> None:
    many = [entry(latency_ms=None if number % 2 else 1000 + number) for number in range(600)]
    summary = added(in_batches(many), few_counts)
    assert summary.is_rounded
    assert (summary.total.requests, summary.total.timed) == (600, 300)


def test_where_rounding_is_not_enough_the_smaller_groups_are_counted_as_one(few_counts: int) -> None:
    """Whoever calls the API chooses the user agent: a new one in each request must not fill the memory."""
    frequent = [entry(client_id="frequent", latency_ms=5) for _ in range(40)]
    many = [entry(client_id=f"c{number}", latency_ms=number % 7) for number in range(3000)]
    summary = added([frequent, *in_batches(many)], few_counts)
    assert (summary.is_rounded, summary.is_merged) == (True, True)
    groups = summary.groups()
    assert groups["frequent",].requests == 40
    assert groups[OTHERS,].requests > 2000
    assert sum(figures.requests for figures in groups.values()) == summary.total.requests == 3040


def test_a_group_of_many_counts_does_not_keep_the_memory_from_being_bounded(few_counts: int) -> None:
    """Half of the groups may hold nearly all of the counts: then half of the rest follows."""
    broad = [entry(client_id=f"c{client}", latency_ms=latency) for client in range(6) for latency in range(60)]
    narrow = [entry(client_id=f"n{client}") for client in range(6)]
    summary = added(in_batches([*broad, *narrow]), few_counts)
    assert summary.is_merged
    assert summary.total.requests == len(broad) + len(narrow)


@law
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2000), st.sampled_from((200, 404))), max_size=300),
    st.integers(1, 40),
)
def test_totals_stay_exact_however_much_is_merged(generated: list[tuple[int, int, int]], size: int) -> None:
    many = [
        entry(client_id=str(client), latency_ms=latency, status_code=status) for client, latency, status in generated
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats, "MOST_COUNTS", 60)
        summary = fold(in_batches(many, size), BY_CLIENT)
        total, parts = summary.total, summary.groups()
    assert total.classes == Counter(status // 100 for _, _, status in generated)
    assert total.timed == len(many) == sum(figures.requests for figures in parts.values())
    assert len(summary.counts) <= 60 or parts.keys() == {(OTHERS,)}
    assert summary.is_merged == ((OTHERS,) in parts)
    assert summary.is_rounded or not summary.is_merged


def test_one_group_is_never_called_others(few_counts: int) -> None:
    many = [entry(status_code=status, latency_ms=status) for status in range(100, 999)]
    summary = Summary(Grouping())
    summary.add(many)
    assert (summary.is_rounded, summary.is_merged) == (True, False)
    assert summary.groups()[()].requests == 899


def test_merged_groups_of_two_dimensions_have_two_keys(few_counts: int) -> None:
    grouping = Grouping(dimensions_named("client,method", EndpointTemplates(), UTC))
    summary = fold([[entry(client_id=str(number)) for number in range(400)]], grouping)
    assert (OTHERS, OTHERS) in summary.groups()


def test_counts_from_elsewhere_are_bounded_while_they_come(few_counts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that groups by plain columns hands over as many groups as strangers made."""
    monkeypatch.setattr(stats, "_BATCH", 50)
    summary = Summary(BY_CLIENT)
    most = 0

    def rows() -> Iterable[tuple[str, int, int, int]]:
        nonlocal most
        for number in range(5000):
            most = max(most, len(summary.counts))
            yield f"c{number}", 200, 7, 2

    summary.add_counts(rows())
    assert most <= few_counts + 50
    assert summary.is_merged
    assert summary.total.requests == 10_000

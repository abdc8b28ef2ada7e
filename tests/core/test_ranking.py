"""In which order groups are read: by a measure, by what changed, along time."""

from __future__ import annotations

import random
from datetime import UTC

import pytest
from core_strategies import law
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.dimensions import Group, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.ranking import MEASURES, SORTS, Ranked, compared, ranked, slowest, sort_for
from taplogs.core.stats import Figures
from taplogs.errors import UsageError

counts = st.lists(st.tuples(st.sampled_from((200, 404, 500)), st.none() | st.integers(0, 9), st.integers(1, 9)))
groups = st.dictionaries(st.tuples(st.none() | st.sampled_from("abcdef")), counts.map(Figures), max_size=6)


def figures(requests: int = 1, *, errors: int = 0, latency: int | None = 10) -> Figures:
    """Return figures of so many requests, of which some failed, each with the same latency."""
    return Figures([(200, latency, requests - errors), (500, latency, errors)])


def keys(rows: list[Ranked]) -> list[object]:
    return [row.group[0] for row in rows]


GROUPS: dict[Group, Figures] = {
    ("a",): figures(5, latency=300),
    ("b",): figures(9, errors=1, latency=20),
    ("c",): figures(2, errors=1, latency=None),
    (None,): figures(5, errors=5, latency=100),
}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("count", ["b", "a", None, "c"]),
        ("errors", [None, "c", "b", "a"]),
        ("p50", ["a", None, "b", "c"]),
        ("p95", ["a", None, "b", "c"]),
        ("max", ["a", None, "b", "c"]),
        ("key", ["a", "b", "c", None]),
    ],
)
def test_groups_are_sorted_by_a_measure_the_greatest_first(sort: str, expected: list[object]) -> None:
    assert keys(ranked(GROUPS, sort)) == expected


@law
@given(groups, st.sampled_from(SORTS), st.randoms(use_true_random=False))
def test_the_order_depends_on_the_groups_alone(generated: dict[Group, Figures], sort: str, rng: random.Random) -> None:
    """Not on what was counted first: two runs over the same entries print the same."""
    items = list(generated.items())
    rng.shuffle(items)
    assert [row.group for row in ranked(dict(items), sort)] == [row.group for row in ranked(generated, sort)]
    assert {row.group for row in ranked(generated, sort)} == generated.keys()


@law
@given(groups, st.sampled_from(sorted(MEASURES)))
def test_measures_descend_and_unknown_ones_come_last(generated: dict[Group, Figures], sort: str) -> None:
    values = [MEASURES[sort](row.figures) for row in ranked(generated, sort)]
    known = [value for value in values if value is not None]
    assert values == sorted(known, reverse=True) + [None] * (len(values) - len(known))


def test_percentiles_are_sorted_by_themselves() -> None:
    spread = Figures([(200, 1, 50), (200, 2, 40), (200, 3, 5), (200, 4, 4), (200, 5, 1)])
    values = {sort: MEASURES[sort](spread) for sort in ("p50", "p90", "p95", "p99", "max")}
    assert values == {"p50": 1, "p90": 2, "p95": 3, "p99": 4, "max": 5}


# --- beside another window

BEFORE: dict[Group, Figures] = {
    ("a",): figures(50, latency=310),
    ("b",): figures(10, errors=9, latency=20),
    ("d",): figures(3, latency=1000),
}


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("count", ["a", None, "d", "c", "b"]),
        ("errors", [None, "b", "c", "a", "d"]),
        ("p95", ["d", None, "a", "b", "c"]),
        ("key", ["a", "b", "c", "d", None]),
    ],
)
def test_beside_another_window_what_changed_most_comes_first(sort: str, expected: list[object]) -> None:
    assert keys(compared(GROUPS, BEFORE, sort, 1)) == expected


def test_groups_of_both_windows_are_marked_new_and_vanished() -> None:
    rows = compared(GROUPS, BEFORE, "key", 1)
    assert {row.group[0]: row.mark for row in rows} == {"a": None, "b": None, "c": "new", "d": "vanished", None: "new"}
    for row in rows:
        assert row.before
        assert row.figures.requests == (GROUPS[row.group].requests if row.group in GROUPS else 0)
        assert row.before.requests == (BEFORE[row.group].requests if row.group in BEFORE else 0)


def test_without_comparison_there_are_no_marks() -> None:
    assert {(row.before, row.mark) for row in ranked(GROUPS, "count")} == {(None, None)}


def test_counts_of_a_longer_window_are_scaled_before_they_are_compared() -> None:
    """Ten times the requests in ten times the time is no change."""
    now: dict[Group, Figures] = {("steady",): figures(20), ("grown",): figures(20)}
    then: dict[Group, Figures] = {("steady",): figures(200), ("grown",): figures(120)}
    assert keys(compared(now, then, "count", 0.1)) == ["grown", "steady"]
    assert keys(compared(now, then, "count", 1)) == ["steady", "grown"]


def test_only_counts_are_scaled() -> None:
    now: dict[Group, Figures] = {("same",): figures(latency=1000), ("slower",): figures(latency=110)}
    then: dict[Group, Figures] = {("same",): figures(latency=1000), ("slower",): figures(latency=100)}
    assert keys(compared(now, then, "p95", 0.1)) == ["slower", "same"]


# --- how to sort


@pytest.mark.parametrize(
    ("text", "by", "is_comparison", "expected"),
    [
        (None, "endpoint", False, "count"),
        (None, "hour", False, "key"),
        (None, "day,hour-of-day", False, "key"),
        (None, "day,client", False, "count"),
        (None, "hour", True, "count"),
        ("p95", "hour", False, "p95"),
        ("KEY", "endpoint", True, "key"),
    ],
)
def test_without_a_word_time_is_sorted_along_time_and_the_rest_by_count(
    text: str | None, by: str, is_comparison: bool, expected: str
) -> None:
    dimensions = dimensions_named(by, EndpointTemplates(), UTC)
    assert sort_for(text, dimensions, is_comparison=is_comparison) == expected


@pytest.mark.parametrize("text", ["", "p75", "latency", "count,p95", "-count"])
def test_another_measure_is_wrong_usage_that_says_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        sort_for(text, (), is_comparison=False)
    assert refused.value.message == f"--sort {text!r} is not understood"
    assert refused.value.hint == f"accepted: {', '.join(SORTS)}"


# --- the slowest


def test_the_slowest_group_is_the_one_with_the_greatest_p95() -> None:
    found = slowest({("a",): figures(20, latency=5), ("b",): figures(30, latency=7)})
    assert found
    assert found.group == ("b",)


def test_a_few_slow_requests_are_no_headline_beside_many() -> None:
    found = slowest({("once",): figures(19, latency=9000), ("often",): figures(20, latency=7)})
    assert found
    assert found.group == ("often",)


def test_unknown_latencies_do_not_make_a_group_telling() -> None:
    unknown = Figures([(200, None, 1000), (200, 9000, 1)])
    found = slowest({("unknown",): unknown, ("often",): figures(20, latency=7)})
    assert found
    assert found.group == ("often",)


def test_where_no_group_has_many_requests_the_slowest_of_all_is_told() -> None:
    found = slowest({("a",): figures(1, latency=5), ("b",): figures(1, latency=7)})
    assert found
    assert found.group == ("b",)


@pytest.mark.parametrize("unknown", [{}, {("a",): figures(30, latency=None)}])
def test_without_latencies_nothing_is_slowest(unknown: dict[Group, Figures]) -> None:
    assert slowest(unknown) is None

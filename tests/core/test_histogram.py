"""Latencies in classes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from core_strategies import law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.histogram import Bin, histogram

latencies = st.integers(0, 2000) | st.integers(0, 2**53 - 1)


@pytest.mark.parametrize(
    ("counted", "bins"),
    [
        ([], []),
        ([(0, 3)], [Bin(0, 1, 3)]),
        ([(1, 3)], [Bin(1, 2, 3)]),
        ([(2, 1), (4, 2), (5, 4)], [Bin(2, 5, 3), Bin(5, 10, 4)]),
        ([(9, 1), (10, 1), (19, 1), (20, 1)], [Bin(5, 10, 1), Bin(10, 20, 2), Bin(20, 50, 1)]),
        ([(0, 1), (7, 1)], [Bin(0, 1, 1), Bin(1, 2, 0), Bin(2, 5, 0), Bin(5, 10, 1)]),
        ([(999, 1), (1000, 1)], [Bin(500, 1000, 1), Bin(1000, 2000, 1)]),
    ],
)
def test_bins_reach_from_the_least_latency_to_the_greatest(counted: list[tuple[int, int]], bins: list[Bin]) -> None:
    assert histogram(counted) == bins


@law
@given(st.lists(st.tuples(latencies, st.integers(1, 9)), min_size=1, max_size=30))
@example([(2**53 - 1, 1)])
@example([(0, 1), (2**53 - 1, 1)])
def test_every_latency_is_in_the_one_bin_that_it_lies_in(counted: list[tuple[int, int]]) -> None:
    bins = histogram(iter(counted))
    for item in bins:
        assert item.requests == sum(number for latency, number in counted if item.low <= latency < item.high)
    assert sum(item.requests for item in bins) == sum(number for _, number in counted)
    assert all(low.high == high.low for low, high in pairwise(bins))
    assert bins[0].requests
    assert bins[-1].requests


@law
@given(latencies)
def test_a_bin_is_one_two_or_five_times_a_power_of_ten(latency: int) -> None:
    (only,) = histogram([(latency, 1)])
    assert only.low <= latency < only.high
    for edge in (only.low, only.high):
        assert edge == 0 or str(edge).rstrip("0") in ("1", "2", "5")

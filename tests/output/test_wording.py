"""Numbers as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.output.wording import counted, duration, percent, signed_percent


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (None, "-"),
        (0, "0.0 %"),
        (1e-9, "<0.1 %"),
        (0.0005, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.99999999, ">99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_a_share_is_0_or_100_percent_only_where_it_is(ratio: float | None, shown: str) -> None:
    assert percent(ratio) == shown


@given(st.floats(0, 1))
def test_no_share_but_0_and_1_is_shown_as_them(ratio: float) -> None:
    assert (percent(ratio) == "0.0 %") == (ratio == 0)
    assert (percent(ratio) == "100.0 %") == (ratio == 1)


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (0, "0.0 %"),
        (-0.0004, "0.0 %"),
        (-1, "-100.0 %"),
        (0.125, "+12.5 %"),
        (9.994, "+999.4 %"),
        (10, "x11"),
        (4999, "x5,000"),
    ],
)
def test_a_change_has_its_sign_and_a_great_one_is_a_factor(ratio: float, shown: str) -> None:
    assert signed_percent(ratio) == shown


@pytest.mark.parametrize(("number", "shown"), [(0, "0 errors"), (1, "1 error"), (2000, "2,000 errors")])
def test_only_one_is_singular(number: int, shown: str) -> None:
    assert counted(number, "error") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.25, "0.2 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (225, "3 min 45 s"),
        (3599.6, "1 h"),
        (5400, "1 h 30 min"),
        (39_600, "11 h"),
        (90_000, "1 d 1 h"),
        (10 * 86_400 + 7200, "10 d"),
    ],
)
def test_a_length_of_time_has_two_units_where_the_lesser_one_matters(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown

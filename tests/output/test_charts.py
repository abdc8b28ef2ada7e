"""Charts out of characters: nothing above zero disappears, and where there is no Unicode there is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.output.charts import bar, columns
from taplogs.output.terminal import Screen

UNICODE = Screen(is_terminal=True, width=80, color=False, unicode=True)
ASCII = Screen(is_terminal=True, width=80, color=False, unicode=False)

screens = st.sampled_from((UNICODE, ASCII))
values = st.lists(st.just(0) | st.integers(1, 9) | st.integers(1, 10**15), max_size=40)


@pytest.mark.parametrize(
    ("screen", "expected"), [(UNICODE, " ▁▂▃▄▅▆▇█"), (ASCII, " ..---=##")], ids=["unicode", "ascii"]
)
def test_a_line_of_columns_is_as_high_as_its_values(screen: Screen, expected: str) -> None:
    assert columns([0, 1, 2, 3, 4, 5, 6, 7, 8], 1, screen) == [expected]


@pytest.mark.parametrize(
    ("value", "expected", "in_ascii"),
    [(0, "", ""), (1, "▏", "#"), (50, "█████", "#####"), (55, "█████▌", "######"), (100, "█" * 10, "#" * 10)],
)
def test_a_bar_is_as_long_as_its_value(value: int, expected: str, in_ascii: str) -> None:
    assert bar(value, 100, 10, UNICODE) == expected
    assert bar(value, 100, 10, ASCII) == in_ascii


def test_columns_are_drawn_from_the_top_down() -> None:
    assert columns([0, 1, 8, 12, 16], 2, UNICODE) == ["   ▄█", " ▁███"]
    assert columns([0, 1, 4, 6, 8], 2, ASCII) == ["   -#", " .###"]


@given(values, st.integers(1, 9), screens)
def test_columns_fill_their_rectangle_and_show_all_above_zero(many: list[int], height: int, screen: Screen) -> None:
    lines = columns(many, height, screen)
    assert [len(line) for line in lines] == [len(many)] * height
    assert [character != " " for character in lines[-1]] == [value > 0 for value in many]
    for above, below in pairwise(lines):
        assert all(low != " " for high, low in zip(above, below, strict=True) if high != " ")


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 200), screens)
def test_a_bar_is_never_longer_than_its_room_and_never_hidden(
    value: int, greatest: int, width: int, screen: Screen
) -> None:
    drawn = bar(value, greatest, width, screen)
    assert len(drawn) <= width
    assert bool(drawn) == (value > 0 and greatest > 0)


@given(values, st.integers(1, 9))
def test_without_unicode_charts_are_ascii(many: list[int], height: int) -> None:
    greatest = max(many, default=0)
    drawn = [
        *columns(many, height, ASCII),
        *(bar(value, greatest, 9, ASCII) for value in many),
    ]
    assert "".join(drawn).isascii()


@given(values.filter(len), st.integers(1, 9), screens)
def test_a_greater_value_is_never_drawn_smaller(many: list[int], height: int, screen: Screen) -> None:
    ordered = sorted(many)
    levels = " .-=#" if not screen.unicode else " ▁▂▃▄▅▆▇█"
    heights = [
        sum(levels.index(line[place]) for line in columns(ordered, height, screen)) for place in range(len(ordered))
    ]
    assert heights == sorted(heights)
    assert heights[-1] == (height * (len(levels) - 1) if ordered[-1] else 0)

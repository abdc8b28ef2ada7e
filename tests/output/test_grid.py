"""Small tables: aligned, no wider than the screen, whatever strangers call themselves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hostile import ODD
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from command import OWN_SEQUENCES, assert_harmless
from taplogs.output.grid import Cell, GridColumn, grid_lines
from taplogs.output.terminal import Screen

COLUMNS = (
    GridColumn("CLIENT"),
    GridColumn("USER AGENT", flexible=True),
    GridColumn("REQUESTS", right=True),
    GridColumn("P95", right=True),
)


def screen(width: int | None, *, color: bool = False, unicode: bool = True) -> Screen:
    return Screen(is_terminal=width is not None, width=width, color=color, unicode=unicode)


def drawn(rows: Sequence[tuple[str, ...]], shown_on: Screen) -> list[str]:
    """Return the lines of a table of foreign texts."""
    return grid_lines(COLUMNS, [[Cell(shown_on.clean(text)) for text in row] for row in rows], shown_on)


ROWS = [("mobile", "curl/8.5.0", "1,204", "1.20s"), ("日本語", "é\u0301", "7", "3ms")]

foreign = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(ODD)
tables = st.lists(st.tuples(foreign, foreign, st.integers(0, 10**12).map("{:,}".format), foreign), max_size=6)
widths = st.integers(20, 200)


def test_columns_are_aligned_to_the_left_or_to_the_right() -> None:
    assert drawn(ROWS, screen(100)) == [
        "CLIENT  USER AGENT  REQUESTS    P95",
        "mobile  curl/8.5.0     1,204  1.20s",
        "日本語  é\u0301                  7    3ms",
    ]


def test_on_a_narrow_screen_the_gaps_are_narrow_too() -> None:
    assert drawn(ROWS[:1], screen(80)) == ["CLIENT USER AGENT REQUESTS   P95", "mobile curl/8.5.0    1,204 1.20s"]


def test_without_rows_there_is_the_heading() -> None:
    assert drawn([], screen(80)) == ["CLIENT USER AGENT REQUESTS P95"]


def test_in_a_pipe_nothing_is_shortened() -> None:
    assert f"mobile  {'x' * 500}" in drawn([("mobile", "x" * 500, "1", "1ms")], screen(None))[1]


def test_the_flexible_column_gives_way_first() -> None:
    _, line = drawn([("a-client-with-a-long-name", "x" * 100, "1,204", "1.20s")], screen(80))
    assert cell_len(line) == 80
    assert line.startswith("a-client-with-a-long-name xxx")
    assert "x…x" in line
    assert line.endswith(" 1,204 1.20s")


def test_other_text_gives_way_next_and_numbers_stay() -> None:
    _, line = drawn([("c" * 100, "x" * 100, "1,204", "1.20s")], screen(60))
    assert cell_len(line) == 60
    assert line.endswith(" xxxxxx…xxxxx    1,204 1.20s")


def test_a_text_of_a_million_characters_is_shortened_at_once() -> None:
    _, line = drawn([("mobile", "x" * 1_000_000, "1", "1ms")], screen(80))
    assert cell_len(line) == 80


@given(tables, widths, st.booleans())
@example([("x" * 3000, "y" * 3000, "1", "z" * 3000)], 20, False)
@example([("ｗ" * 40, "ｗ" * 40, "1", "ｗ")], 21, True)
def test_no_line_is_wider_than_the_screen(rows: list[tuple[str, ...]], width: int, unicode: bool) -> None:
    lines = drawn(rows, screen(width, unicode=unicode))
    assert len(lines) == len(rows) + 1
    assert max(map(cell_len, lines)) <= width
    assert unicode or "".join(lines).isascii()


@given(tables, st.none() | widths)
def test_a_table_is_harmless(rows: list[tuple[str, ...]], width: int | None) -> None:
    for line in drawn(rows, screen(width)):
        assert_harmless(line.encode("utf-8"))


@given(tables, widths)
def test_colours_change_nothing_but_colours(rows: list[tuple[str, ...]], width: int) -> None:
    cells = [[Cell(screen(width).clean(text), "31") for text in row] for row in rows]
    plain = grid_lines(COLUMNS, cells, screen(width))
    coloured = grid_lines(COLUMNS, cells, screen(width, color=True))
    assert [OWN_SEQUENCES.sub(b"", line.encode()).decode().rstrip() for line in coloured] == plain


@given(tables.filter(len), st.none() | widths)
def test_numbers_end_in_the_same_column(rows: list[tuple[str, ...]], width: int | None) -> None:
    """Measured as a terminal does, where some characters take two columns and some none."""
    table = [[Cell(screen(width).clean(text)) for text in (*row[:3], "|")] for row in rows]
    heading, *lines = grid_lines((*COLUMNS[:3], GridColumn("|", right=True)), table, screen(width))
    assert {cell_len(line) for line in lines} == {cell_len(heading)}


@pytest.mark.parametrize(
    ("text", "style", "color", "expected"),
    [
        ("5xx", "31", True, "\x1b[31m5xx\x1b[0m"),
        ("5xx", "31", False, "5xx"),
        ("5xx", "", True, "5xx"),
        ("", "31", True, ""),
    ],
)
def test_text_is_painted_where_there_are_colours(text: str, style: str, color: bool, expected: str) -> None:
    assert screen(80, color=color).paint(text, style) == expected

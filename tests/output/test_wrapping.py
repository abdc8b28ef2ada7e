"""Text is broken at spaces, by how wide it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taplogs.output.table import text_width
from taplogs.output.wrapping import wrapped


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("", 5, [""]),
        ("one two", None, ["one two"]),
        ("one two", 7, ["one two"]),
        ("one two", 6, ["one", "two"]),
        ("one two three", 9, ["one two", "three"]),
        ("CODE  message", 12, ["CODE", "message"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a abcdefgh b", 3, ["a", "abc", "def", "gh", "b"]),
        ("電話番号", 4, ["電話", "番号"]),
        ("電話番号 x", 5, ["電話", "番号", "x"]),
        ("電", 1, ["電"]),
    ],
)
def test_lines_are_no_wider_than_the_room(text: str, room: int | None, lines: list[str]) -> None:
    assert wrapped(text, room) == lines


@given(st.text(st.sampled_from("ab é電 "), max_size=60), st.integers(2, 20))
def test_nothing_but_spaces_is_lost(text: str, room: int) -> None:
    lines = wrapped(text, room)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(line) <= room for line in lines)

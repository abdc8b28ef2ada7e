"""Small tables of harmless cells, drawn as lines: aligned to the column, fitted to the screen, nothing wrapped."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from taplogs.output.palette import BOLD
from taplogs.output.table import shorten, text_width
from taplogs.output.terminal import Screen

_GAP = "  "
_NARROW_GAP = " "
_NARROW = 100
_LEAST = 12
_LEAST_TEXT = 8


class GridColumn(Struct, frozen=True):
    """A column: its heading, to which side it is set, and whether it gives way where the screen is narrow."""

    heading: str
    right: bool = False
    flexible: bool = False


class Cell(Struct, frozen=True):
    """Text that is harmless already, and its colour (SGR, see `output.palette`)."""

    text: str
    style: str = ""


def grid_lines(columns: Sequence[GridColumn], rows: Sequence[Sequence[Cell]], screen: Screen) -> list[str]:
    """Return the line of headings and a line for each row; without a width (in a pipe) nothing is shortened."""
    headings = [Cell(column.heading, BOLD) for column in columns]
    widths = [max(text_width(row[index].text) for row in (headings, *rows)) for index in range(len(columns))]
    gap = _GAP if screen.width is None or screen.width >= _NARROW else _NARROW_GAP
    if screen.width is not None:
        widths = [min(width, screen.width) for width in widths]
        _squeeze(widths, columns, sum(widths) + len(gap) * (len(widths) - 1) - screen.width)
    return [_line(row, columns, widths, gap, screen) for row in (headings, *rows)]


def _squeeze(widths: list[int], columns: Sequence[GridColumn], excess: int) -> None:
    """Narrow columns, the widest first, until `excess` is gone: the flexible ones, then other text, at last any."""
    flexible = [index for index, column in enumerate(columns) if column.flexible]
    text = [index for index, column in enumerate(columns) if not column.right]
    for those, least in ((flexible, _LEAST), (text, _LEAST_TEXT), (range(len(columns)), 1)):
        while excess > 0 and any(widths[index] > least for index in those):
            widths[max(those, key=lambda index: widths[index])] -= 1
            excess -= 1


def _line(row: Sequence[Cell], columns: Sequence[GridColumn], widths: Sequence[int], gap: str, screen: Screen) -> str:
    parts = []
    for cell, column, width in zip(row, columns, widths, strict=True):
        text = cell.text if text_width(cell.text) <= width else shorten(cell.text, width, screen.ellipsis)
        padding = " " * (width - text_width(text))
        painted = screen.paint(text, cell.style)
        parts.append(padding + painted if column.right else painted + padding)
    return gap.join(parts).rstrip()

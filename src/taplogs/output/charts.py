"""Charts out of characters: eighths of a block where the terminal has Unicode, ASCII elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from taplogs.output.terminal import Screen

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LEFT_EIGHTHS = " ▏▎▍▌▋▊▉█"
_ASCII_LEVELS = " .-=#"


def bar(value: float, greatest: float, width: int, screen: Screen) -> str:
    """Return a bar for `value` where `greatest` is `width` columns long; anything above zero is visible."""
    if not screen.unicode:
        return "#" * _level(value, greatest, width)
    whole, eighth = divmod(_level(value, greatest, width * 8), 8)
    return _LEFT_EIGHTHS[8] * whole + (_LEFT_EIGHTHS[eighth] if eighth else "")


def columns(values: Sequence[float], height: int, screen: Screen) -> list[str]:
    """Return a column for each value, as `height` lines from the top down; anything above zero is visible."""
    levels = _EIGHTHS if screen.unicode else _ASCII_LEVELS
    steps = len(levels) - 1
    greatest = max(values, default=0)
    heights = [_level(value, greatest, height * steps) for value in values]
    return [
        "".join(levels[min(steps, max(0, reached - row * steps))] for reached in heights)
        for row in reversed(range(height))
    ]


def _level(value: float, greatest: float, most: int) -> int:
    if value <= 0 or greatest <= 0:
        return 0
    return max(1, min(most, round(value / greatest * most)))

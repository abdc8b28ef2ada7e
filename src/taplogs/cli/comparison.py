"""--compare, which may stand without a value: made explicit, for typer has dropped options with optional values."""

from __future__ import annotations

from collections.abc import Sequence

from taplogs.core.comparison import BEFORE


def with_compared_window(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the window before as the value of each --compare that has none.

    A word that follows is its value, also a wrong one, unless it is an option; `-2d..-1d` is none. What follows `--`
    is left as it is.
    """
    given: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            return [*given, *arguments[position:]]
        following = arguments[position + 1] if position + 1 < len(arguments) else "-"
        is_option = following.startswith("-") and not following[1:2].isdigit()
        given.append(f"--compare={BEFORE}" if argument == "--compare" and is_option else argument)
    return given

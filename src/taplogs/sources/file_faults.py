"""What a file holds that is no entry: counted, and the first of it named."""

from __future__ import annotations

from taplogs.errors import TaplogsError

MOST_NAMED = 3

LONGEST = 64 * 1024 * 1024
"""How many bytes a line or an entry may have."""

TOO_LONG = f"longer than {LONGEST // 1024 // 1024} MiB"


class FileFaults:
    """The faults of one reading: `refused` is how many there are, `named` the first ones.

    `first` is the first one since `begin`.
    """

    def __init__(self, *, strict: bool) -> None:
        """`strict`: the first fault is an error."""
        self.strict = strict
        self.refused = 0
        self.named: list[tuple[str, str]] = []
        self.first: tuple[str, str] | None = None

    def begin(self) -> None:
        """Take note that another input is read."""
        self.first = None

    def refuse(self, place: str, reason: str) -> None:
        """Take note of a line or an entry that is left out; raises TaplogsError for the first one if it is strict."""
        if self.strict:
            raise TaplogsError(f"{place}: {reason}", "without --strict it is left out, and the rest is read")
        self.refused += 1
        self.first = self.first or (place, reason)
        if len(self.named) < MOST_NAMED:
            self.named.append((place, reason))

    def __str__(self) -> str:
        """What is left out, in words, for one or more."""
        number = "1 line is no entry" if self.refused == 1 else f"{self.refused:,} lines are no entries"
        named = ", ".join(f"{place} ({reason})" for place, reason in self.named)
        more = self.refused - len(self.named)
        return f"{number} and left out: {named}" + (f", and {more:,} more" if more else "")

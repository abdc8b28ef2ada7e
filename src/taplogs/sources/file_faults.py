"""What a file holds that is no entry: counted, and the first of it named."""

from __future__ import annotations

from msgspec import Struct

from taplogs.errors import TaplogsError

LONGEST = 64 * 1024 * 1024
"""How many bytes a line or an entry may have."""

TOO_LONG = f"longer than {LONGEST // 1024 // 1024} MiB"

_MOST_NAMED = 3


class FileFault(Struct, frozen=True):
    """What is left out of a file: a line, or an entry of a document, by its number from 1; and why."""

    name: str
    unit: str
    number: int | str
    reason: str

    @property
    def place(self) -> str:
        """Where it is, as editors and compilers write it where it is a line."""
        return f"{self.name}:{self.number}" if self.unit == "line" else f"{self.name}: {self.unit} {self.number}"


class FileFaults:
    """The faults of one reading. `total` is how many there are, `named` are the first ones of all.

    `first` is the first one since `begin`.
    """

    def __init__(self, *, strict: bool = False, most_named: int = _MOST_NAMED) -> None:
        """`strict`: the first fault is an error."""
        self.total = 0
        self.named: list[FileFault] = []
        self.first: FileFault | None = None
        self._strict = strict
        self._most_named = most_named

    def begin(self) -> None:
        """Take note that another input is read."""
        self.first = None

    def add(self, fault: FileFault) -> None:
        """Take note of a line or an entry that is left out; raises TaplogsError for the first one if it is strict."""
        if self._strict:
            raise TaplogsError(
                f"{fault.place}: {fault.reason}", "without --strict it is left out, and the rest is read"
            )
        self.total += 1
        self.first = self.first or fault
        if len(self.named) < self._most_named:
            self.named.append(fault)

    def __str__(self) -> str:
        """What is left out, in words, for one or more."""
        number = "1 line is no entry" if self.total == 1 else f"{self.total:,} lines are no entries"
        named = ", ".join(f"{fault.place} ({fault.reason})" for fault in self.named)
        more = self.total - len(self.named)
        return f"{number} and left out: {named}" + (f", and {more:,} more" if more else "")

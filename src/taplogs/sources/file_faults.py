"""What a file holds that is no entry: counted, and the first of it named."""

from __future__ import annotations

from msgspec import Struct

from taplogs.errors import TaplogsError

LONGEST = 64 * 1024 * 1024
"""How many bytes a line or an entry may have."""

TOO_LONG = f"longer than {LONGEST // 1024 // 1024} MiB"

_MOST_NAMED = 3


class FileFault(Struct, frozen=True):
    """What is left out of a file: a line, or an element of a document, by its number from 1; and why."""

    name: str
    unit: str
    number: int | str
    reason: str

    @property
    def place(self) -> str:
        """Where it is, as editors and compilers write it where it is a line."""
        return f"{self.name}:{self.number}" if self.unit == "line" else f"{self.name}: {self.place_within}"

    @property
    def place_within(self) -> str:
        """Where in its file it is."""
        return f"{self.unit} {self.number}"


class FileFaults:
    """The faults of one reading. `total` is how many there are, `named` are the first ones of all.

    `first` is the first one since `begin`.
    """

    def __init__(self, *, strict: bool = False, most_named: int = _MOST_NAMED) -> None:
        """`strict`: the first fault is an error. Of a great many faults the first `most_named` are kept."""
        self.first: FileFault | None = None
        self.total = 0
        self.named: list[FileFault] = []
        self._names: dict[str, None] = {}
        self._units: dict[str, None] = {}
        self._cut: dict[str, str] = {}
        self._strict = strict
        self._most_named = most_named

    def begin(self) -> None:
        """Take note that another input is read."""
        self.first = None

    def add(self, fault: FileFault) -> None:
        """Take note of what is no entry and left out; raises TaplogsError for the first one if it is strict."""
        if self._strict:
            raise TaplogsError(
                f"{fault.place}: {fault.reason}", "without --strict it is left out, and the rest is read"
            )
        self.total += 1
        self._names[fault.name] = self._units[fault.unit] = None
        self.first = self.first or fault
        if len(self.named) < self._most_named:
            self.named.append(fault)

    def add_cut(self, name: str, reason: str) -> None:
        """Take note that an input ends before it is complete; raises TaplogsError if that is strict."""
        if self._strict:
            raise damaged(name, reason)
        self._cut.setdefault(name, reason)

    def cut(self, name: str) -> str:
        """Return why an input is not complete; empty where nothing is known of that."""
        return self._cut.get(name, "")

    def messages(self) -> list[str]:
        """Return what is left out, in words: nothing, or a sentence for what is no entry and one for each cut."""
        sentences = [
            f"{name} is incomplete, and what follows is missing: {reason}" for name, reason in self._cut.items()
        ]
        return [self._sentence(), *sentences] if self.total else sentences

    def _sentence(self) -> str:
        units = " and ".join(unit if self.total == 1 else f"{unit}s" for unit in self._units)
        names = list(self._names)
        is_one = len(names) == 1
        file = names[0] if is_one else f"{len(names):,} files"
        verbs = "is not a log entry and was" if self.total == 1 else "are not log entries and were"
        named = ", ".join(f"{fault.place_within if is_one else fault.place} ({fault.reason})" for fault in self.named)
        more = self.total - len(self.named)
        return f"{self.total:,} {units} of {file} {verbs} left out: {named}" + (f", and {more:,} more" if more else "")


def damaged(name: str, reason: object) -> TaplogsError:
    """Return the fault that a file is not what was written once."""
    return TaplogsError(f"{name} is damaged: {reason}", "it may not have been copied completely")

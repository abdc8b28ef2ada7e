"""How far a file that grows was read, so that the next reading goes on from there."""

from __future__ import annotations

from taplogs.sources.file_input import Input

_KEPT = 256
"""So many bytes before a place tell whether the file is still the one that was read: they hold ids and times."""


class Place:
    """A place between the lines of a file: `offset` bytes are before it, and the line after it has the number `line`.

    It is nowhere until something was read.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.line = 1
        self._before = b""

    def advance(self, text: bytes) -> None:
        """Take note that this was read."""
        self.offset += len(text)
        self.line += text.count(b"\n")
        self._before = (self._before + text[-_KEPT:])[-_KEPT:]

    def is_in(self, source: Input) -> bool:
        """Return whether what was read is still before this place in an input; raises TaplogsError.

        It is not where the file was cut short, replaced or written anew since.
        """
        if not self.offset:
            return False
        with source.open() as file:
            file.seek(self.offset - len(self._before))
            return file.read(len(self._before)) == self._before

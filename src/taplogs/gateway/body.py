"""What is kept of a body while it passes: its beginning, its size, and what identifies all of it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


class Body:
    """A body. Adding a piece costs little, and at most `most` bytes are kept; longer ones are hashed as they pass."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes."""
        self._most = most
        self._kept: list[bytes] = []
        self._hash: HASH | None = None
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """Take note of the next piece."""
        room = self._most - self.size
        self.size += len(chunk)
        if self._hash is None and self.size > self._most:
            self._hash = sha256(b"".join(self._kept))
        if self._hash is not None:
            self._hash.update(chunk)
        if room > 0:
            self._kept.append(bytes(chunk[:room]))

    @property
    def beginning(self) -> bytes:
        """As much as is kept."""
        return b"".join(self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is kept."""
        return self.size <= self._most

    @property
    def kept_size(self) -> int:
        """How many bytes are kept."""
        return min(self.size, self._most)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the whole body, in hexadecimal digits."""
        return (sha256(self.beginning) if self._hash is None else self._hash).hexdigest()

"""What is kept of a body while it passes: its beginning, its size, and what identifies all of it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from hashlib import _Hash as HASH


class KeptBody(Struct, frozen=True, array_like=True):
    """A body that has passed. `sha256` is None where the beginning is all of it, which can be hashed later."""

    beginning: bytes
    size: int
    sha256: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of it is kept."""
        return self.size == len(self.beginning)

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole body, in hexadecimal digits."""
        return self.sha256 or sha256(self.beginning).hexdigest()


class PassingBody:
    """A body that passes. Adding a piece costs little: at most `most` bytes are kept, longer ones are hashed."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes."""
        self._most = most
        self._beginning: list[bytes] = []
        self._hash: HASH | None = None
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take note of the next piece."""
        room = self._most - self._size
        self._size += len(chunk)
        if self._hash is None and self._size > self._most:
            self._hash = sha256(b"".join(self._beginning))
        if self._hash is not None:
            self._hash.update(chunk)
        if room > 0:
            self._beginning.append(bytes(chunk[:room]))

    def kept(self) -> KeptBody:
        """Return what is kept of it, once it has passed."""
        return KeptBody(b"".join(self._beginning), self._size, self._hash.hexdigest() if self._hash else None)

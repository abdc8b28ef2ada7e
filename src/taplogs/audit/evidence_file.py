"""Files of evidence, opened so that a name cannot lead elsewhere, and read within bounds."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from taplogs.errors import VerificationFailed

LONGEST_LINE = 128 << 20
"""In bytes: twice what one reply of a backend may have."""

_BLOCK = 1 << 17


def open_evidence(path: Path) -> BinaryIO:
    """Open a regular file for reading, its name followed no further; raises VerificationFailed."""
    # Without O_NONBLOCK a pipe of this name would keep us waiting. Windows has neither.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise VerificationFailed(f"there is no {path}") from None
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise VerificationFailed(f"{path} cannot be read: {reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise VerificationFailed(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


def read_evidence(path: Path, most: int) -> bytes:
    """Return all bytes of a regular file; raises VerificationFailed, also where there are more than `most`."""
    with open_evidence(path) as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise VerificationFailed(f"{path} has more than {most:,} bytes")
    return text


class BrokenLine(VerificationFailed):
    """The last line, which has no end, or one that is too long; `last` are the bytes of the former."""

    def __init__(self, message: str, last: bytes | None) -> None:
        super().__init__(message)
        self.last = last


class Watched:
    """A file that is read while others may write: it tells whether somebody did."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = open_evidence(path)
        self._before = self._state(os.fstat(self.file.fileno()))

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def has_changed(self) -> bool:
        """Return whether it is not the file any more that was opened, or has been written to."""
        try:
            by_name = os.lstat(self._path)
        except OSError:
            return True
        return self._before != self._state(os.fstat(self.file.fileno())) or self._before != self._state(by_name)

    @staticmethod
    def _state(status: os.stat_result) -> tuple[int, ...]:
        return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, stat.S_IFMT(status.st_mode))


def line_blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield all bytes in blocks of whole lines, each with its line feed.

    Raises BrokenLine, which names the record, after the lines before it: where a line is longer than `LONGEST_LINE`, or
    the last has no end.
    """
    row = 1
    while block := file.read(_BLOCK):
        if not block.endswith(b"\n"):
            block += file.readline(LONGEST_LINE)
        whole = block if block.endswith(b"\n") else block[: block.rfind(b"\n") + 1]
        if whole:
            yield whole
        row += whole.count(b"\n")
        if len(whole) < len(block):
            if file.read(1):
                raise BrokenLine(f"record {row:,} has more than {LONGEST_LINE >> 20} MiB", None)
            raise BrokenLine(f"record {row:,} does not end with a line feed", block[len(whole) :])

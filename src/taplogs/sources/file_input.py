"""What entries are read from: a file, again and again; or a stream, which is kept while it is read the first time."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from msgspec import Struct

from taplogs.errors import TaplogsError
from taplogs.sources.compressed import is_compressed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_IN_MEMORY = 16 * 1024 * 1024
_STEP = 1024 * 1024

Signature = tuple[int, ...]
"""Changes whenever the content of an input does: device, inode, size in bytes, time of modification."""

Spool = Callable[[], BinaryIO]
"""Makes a file for what does not fit into the memory: nobody else can open it, and its end is its removal."""


class Input(Protocol):
    """Something that can be read from its beginning, any number of times."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Return it opened, to be closed by a `with` statement; raises TaplogsError."""
        ...

    def signature(self) -> Signature:
        """Return what tells whether the content is still the same; raises TaplogsError."""
        ...

    def may_grow(self) -> bool:
        """Return whether more may be read of it later than at its end now; raises TaplogsError."""
        ...

    def close(self) -> None:
        """Release what is kept of it."""
        ...


class FileInput:
    """A plain file, a link to one too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Give the file; raises TaplogsError where it cannot be opened."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.name, error) from error
        with file:
            yield file

    def signature(self) -> Signature:
        """Return which file this is, how long it is, and when it was changed; raises TaplogsError."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise _unreadable(self.name, error) from error
        return _signature(found)

    def may_grow(self) -> bool:
        """Return whether lines may be appended: nobody does that to a compressed file. Raises TaplogsError."""
        with self.open() as file:
            return not is_compressed(file.read(4))

    def close(self) -> None:
        """Nothing is kept."""


class StreamInput:
    """Standard input, a pipe or a device: it is read once, as far as somebody asks, and kept for who reads it again.

    Where it is a file (`taplogs stats --source - < logs.jsonl`), it is read again and nothing is kept.
    """

    def __init__(self, name: str, stream: BinaryIO | Path, spool: Spool) -> None:
        """`stream`: an open stream, or the path of a pipe or device that is opened when it is first read."""
        self.name = name
        self._stream = stream
        self._is_ours = isinstance(stream, Path)
        self._file = None if isinstance(stream, Path) else _PlainFile.of(stream)
        self._spool = spool
        self._kept: BinaryIO = io.BytesIO()
        self._size = 0
        self._ended = False
        self._lost: TaplogsError | None = None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Give the stream from its beginning; raises TaplogsError where it cannot be opened or was not kept."""
        if isinstance(self._stream, Path):
            try:
                self._stream = self._stream.open("rb")
            except OSError as error:
                raise _unreadable(self.name, error) from error
        if self._lost:
            raise self._lost
        _refuse_endless(self._stream, self.name)
        yield cast(BinaryIO, io.BufferedReader(_Rereading(self.read_at), _STEP))

    def signature(self) -> Signature:
        """Return the same always, for a stream has one content, unless it is a file; raises TaplogsError."""
        return _signature(os.fstat(self._file.descriptor)) if self._file else ()

    def may_grow(self) -> bool:
        """Return that it may not: its end is its end."""
        return False

    def close(self) -> None:
        """Forget what was kept; standard input is left to whoever opened it."""
        with suppress(OSError):  # on a full disk, what could not be written is tried again
            self._kept.close()
        if self._is_ours and not isinstance(self._stream, Path):
            self._stream.close()

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, none at the end; raises OSError."""
        if self._file:
            return self._file.read_at(position, size)
        if position < self._size and not self._lost:
            self._kept.seek(position)
            return self._kept.read(size)
        if self._ended or isinstance(self._stream, Path):
            return b""
        found = self._stream.read(size)
        self._ended = not found
        self._keep(found)
        return found

    def _keep(self, found: bytes) -> None:
        """Keep what was read. A full disk is a fault of those who read it again, if anybody does."""
        if self._lost:
            return
        try:
            if isinstance(self._kept, io.BytesIO) and self._size + len(found) > _IN_MEMORY:
                memory, self._kept = self._kept, self._spool()
                self._kept.write(memory.getbuffer())
            self._kept.seek(self._size)
            self._kept.write(found)
            self._kept.flush()
            self._size += len(found)
        except OSError as error:
            self._lost = unkept(error)
        except TaplogsError as error:
            self._lost = error


class _PlainFile(Struct, frozen=True):
    """A descriptor of a file that was open before, and where it stood."""

    descriptor: int
    start: int

    @staticmethod
    def of(stream: BinaryIO) -> _PlainFile | None:
        """Return the file that a stream reads; None where it is none, or cannot be read without moving it."""
        try:
            descriptor = stream.fileno()
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and hasattr(os, "pread"):
                return _PlainFile(descriptor, stream.tell())
        except OSError:  # io.UnsupportedOperation too: nothing of the system is behind it
            pass
        return None

    def read_at(self, position: int, size: int) -> bytes:
        return os.pread(self.descriptor, size, self.start + position)


class _Rereading(io.RawIOBase):
    """A stream read from its beginning: first what is kept of it, then what is not."""

    def __init__(self, read_at: Callable[[int, int], bytes]) -> None:
        self._read_at = read_at
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer)
        found = self._read_at(self._position, len(target))
        target[: len(found)] = found
        self._position += len(found)
        return len(found)


def _refuse_endless(stream: BinaryIO, name: str) -> None:
    """Raise TaplogsError for a device such as /dev/zero, which would fill the disk; a terminal ends, and /dev/null."""
    try:
        descriptor = stream.fileno()
        found = os.fstat(descriptor)
        ends = os.isatty(descriptor) or found.st_rdev == Path(os.devnull).stat().st_rdev
    except OSError:  # nothing of the system is behind it
        return
    if stat.S_ISBLK(found.st_mode) or (stat.S_ISCHR(found.st_mode) and not ends):
        raise TaplogsError(f"{name} is a device, and no log", "name a file or a pipe")


def _signature(found: os.stat_result) -> Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def input_at(path: Path, spool: Spool) -> Input:
    """Return what is at a path; raises TaplogsError where nothing can be read there."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(str(path), error) from error
    return FileInput(path) if stat.S_ISREG(mode) else StreamInput(str(path), path, spool)


def spool_in(folder: Callable[[], Path]) -> Spool:
    """Return what makes temporary files in a folder, which is made where it is missing, for nobody else to see."""

    def spool() -> BinaryIO:
        from tempfile import TemporaryFile

        place = folder()
        try:
            place.mkdir(0o700, parents=True, exist_ok=True)
            return cast(BinaryIO, TemporaryFile(dir=place))
        except OSError as error:
            raise unkept(error, place) from error

    return spool


def unkept(error: OSError, folder: Path | None = None) -> TaplogsError:
    """Return the fault that a temporary file cannot be written."""
    place = f" in {folder}" if folder else ""
    return TaplogsError(
        f"what does not fit into the memory cannot be kept{place}: {error.strerror or error}",
        "TAPLOGS_CACHE_DIR names another folder for it",
    )


def _unreadable(name: str, error: OSError) -> TaplogsError:
    return TaplogsError(f"{name} cannot be read: {error.strerror or error}")

"""Content that may be compressed, told by its first bytes and not by a name."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, BinaryIO

from taplogs.errors import TaplogsError
from taplogs.sources.file_faults import damaged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
"""The last three bytes of what a zstd file may begin with as well: a frame for others, as pzstd writes it."""

_CHUNK = 128 * 1024
_LARGEST_WINDOW = 128 * 1024 * 1024
"""The memory that a zstd file may ask for, in bytes: what the zstd command accepts without being told."""

_ZSTD_STEP = 1024
"""Compressed bytes taken at a time: four of them make 128 KiB at most, so no step makes more than 32 MiB."""

_BOMB_BYTES = 256 * 1024 * 1024
_BOMB_RATIO = 1000
"""Beyond so many bytes, content that is so many times as large as the file is made to exhaust who reads it.

Logs are compressed to a tenth, or a hundredth where they repeat themselves; each entry has an id of its own.
"""


def is_compressed(magic: bytes) -> bool:
    """Return whether a file whose first four bytes these are is compressed."""
    is_zstd = magic == _ZSTD_MAGIC or (magic[1:] == _SKIPPABLE_MAGIC and magic[0] >> 4 == 5)
    return magic.startswith(_GZIP_MAGIC) or is_zstd


class EndsEarly(Exception):
    """The end of a compressed file is missing; all that can be decompressed came before."""


def content(file: BinaryIO, name: str) -> Generator[bytes, None, None]:
    """Yield the content of a plain, gzip (RFC 1952) or zstd (RFC 8878) file from where it stands, in constant memory.

    `file` can seek. Raises TaplogsError, which says `name`, where it cannot be read or is damaged, and EndsEarly
    where it is sound as far as it goes.
    """
    try:
        start = file.tell()
        magic = file.read(4)
        file.seek(start)
        read = _reader_of(file, magic)
        size = 0
        while chunk := read(_CHUNK):
            size += len(chunk)
            if size > _BOMB_BYTES and size > _BOMB_RATIO * (file.tell() - start):
                raise TaplogsError(
                    f"{name} is more than {_BOMB_RATIO:,} times as large when it is decompressed: no log is",
                    "it was made to exhaust whoever reads it; decompress it yourself where you know better",
                )
            yield chunk
    except EOFError as error:
        raise EndsEarly("the compressed data ends early") from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise damaged(name, error) from error
    except OSError as error:
        raise TaplogsError(f"{name} cannot be read: {error.strerror or error}") from error


def _reader_of(file: BinaryIO, magic: bytes) -> Callable[[int], bytes]:
    """Return what reads the content on, up to so many bytes.

    `read1` gives what was decompressed before a fault, where `read` would have forgotten it.
    """
    if magic.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=file).read1
    if is_compressed(magic):
        return io.BufferedReader(_ZstdReader(file), _CHUNK).read1
    return file.read


class _ZstdReader(io.RawIOBase):
    """The content of a zstd file. zstandard's own reader takes a file that ends early for a complete one."""

    def __init__(self, file: BinaryIO) -> None:
        from zstandard import ZstdDecompressor

        self._file = file
        self._decompressor = ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` and return how many bytes it got, 0 at the end; raises EOFError or zlib.error."""
        from zstandard import ZstdError

        while not self._ready:
            compressed = self._frame.unused_data or self._file.read(_ZSTD_STEP)
            if not compressed:
                if not self._frame.eof:
                    raise EOFError
                return 0
            if self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            try:
                self._ready = memoryview(self._frame.decompress(compressed))
            except ZstdError as error:
                raise zlib.error(str(error)) from error
        target = memoryview(buffer)
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

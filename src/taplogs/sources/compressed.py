"""Content that may be compressed, told by its first bytes and not by a name."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Generator
from typing import TYPE_CHECKING, BinaryIO, cast

from taplogs.errors import TaplogsError

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


def content(file: BinaryIO, name: str) -> Generator[bytes, None, None]:
    """Yield the content of a plain, gzip (RFC 1952) or zstd (RFC 8878) file from where it stands, in constant memory.

    `file` can seek. Raises TaplogsError, which says `name`, where it cannot be read, ends early or is damaged.
    """
    try:
        start = file.tell()
        magic = file.read(4)
        file.seek(start)
        decompressed = _decompressed(file, magic)
        size = 0
        while chunk := decompressed.read(_CHUNK):
            size += len(chunk)
            if size > _BOMB_BYTES and size > _BOMB_RATIO * (file.tell() - start):
                raise TaplogsError(
                    f"{name} is more than {_BOMB_RATIO:,} times as large when it is decompressed: no log is",
                    "it was made to exhaust whoever reads it; decompress it yourself where you know better",
                )
            yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TaplogsError(f"{name} is damaged: {error}", "it may not have been copied completely") from error
    except OSError as error:
        raise TaplogsError(f"{name} cannot be read: {error.strerror or error}") from error


def _decompressed(file: BinaryIO, magic: bytes) -> BinaryIO:
    if magic.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if magic == _ZSTD_MAGIC or (magic[1:] == _SKIPPABLE_MAGIC and magic[0] >> 4 == 5):
        return cast(BinaryIO, io.BufferedReader(_ZstdReader(file), _CHUNK))
    return file


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
                    raise EOFError("the compressed data ends early")
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

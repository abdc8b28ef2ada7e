"""Files that are written whole or not at all, or are opened under their own name alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from taplogs.errors import TaplogsError, UsageError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, what a link leads to and a device too; raises TaplogsError."""
    try:
        target = path.resolve()  # a link stays a link
        if target.exists() and not target.is_file():  # a pipe or a device, which nothing can take the place of
            target.write_bytes(data)
        else:
            replace_file(target, data)
    except OSError as error:
        raise TaplogsError(f"{path} cannot be written: {error.strerror}") from None


def replace_file(target: Path, data: bytes, mode: int | None = None, *, durable: bool = False) -> None:
    """Put a new file in the place of `target`: whoever looks sees what was there before, or all of `data`.

    It gets this mode, and nobody else can open it before; for None it is as every new file. `durable`: that holds
    after a power failure too, and what was written before is written still. Raises OSError.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)  # left behind by a run that was killed
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if mode is not None:
            partial.chmod(mode)
        partial.replace(target)
        if durable:
            sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def writing_hint(error: OSError, elsewhere: str) -> str | None:
    """Return what to do where a file could not be written; `elsewhere` says how another place is named."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, and run it again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST):
        return f"{elsewhere} where you may write"
    return None


def open_unless_link(path: str | Path, flags: int, mode: int = 0o666) -> int:
    """Return the descriptor of a file, as an opener of `open` does; raises OSError, and UsageError for a link."""
    try:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), mode)  # Windows has no such flag
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UsageError(f"{path} is a link", "remove it: what is written there stays in its folder") from None


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlast a power failure, where the platform has a way. Raises OSError."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

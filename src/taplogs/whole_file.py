"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from taplogs.errors import TaplogsError


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


def replace_file(target: Path, data: bytes, mode: int | None = None) -> None:
    """Put a new file in the place of `target`: whoever looks sees what was there before, or all of `data`.

    It gets this mode, and nobody else can open it before; for None it is as every new file. Raises OSError.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)  # left behind by a run that was killed
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if mode is not None:
            partial.chmod(mode)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

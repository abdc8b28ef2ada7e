"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from taplogs.errors import TaplogsError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step: whoever looks sees what was there before, or all of `data`; raises TaplogsError."""
    try:
        _write(path, data)
    except OSError as error:
        raise TaplogsError(f"{path} cannot be written: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    target = path.resolve()  # a link stays a link
    if target.exists() and not target.is_file():  # a pipe or a device, which nothing can take the place of
        target.write_bytes(data)
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

"""Where the archive is: a folder that nobody else reads, and in it a SQLite store for each profile and backend."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from taplogs.errors import TaplogsError
from taplogs.file_lock import locked
from taplogs.sources.address import BackendAddress

SUFFIX = ".sqlite"
STORE_FILES = ("", "-wal", "-shm")
"""What a store's files are called after its name: SQLite keeps what was written last, and an index of it, beside it."""


def archive_folder(setting: str | None) -> Path:
    """Return the folder of the archive: the one that is set, or the platform's place for a program's own files."""
    if setting:
        return Path(setting).expanduser()
    from platformdirs import user_data_path

    return user_data_path("taplogs", appauthor=False) / "archive"


def archive_path(folder: str | None, profile: str, address: BackendAddress) -> Path:
    """Return the store that holds the entries of this profile and backend; `folder` is the setting `archive`.

    Another profile, or another backend of the same profile, has another store: entries of two companies never mix.
    """
    digest = sha256(address.logs_url.encode("utf-8")).hexdigest()
    return archive_folder(folder) / f"{quote(profile, safe='')}-{digest[:8]}{SUFFIX}"


def demo_path(folder: str | None) -> Path:
    """Return the store that holds entries of the demo."""
    return archive_folder(folder) / f"demo{SUFFIX}"


def archive_paths(folder: str | None) -> list[Path]:
    """Return all stores of the archive, by name; raises OSError."""
    return sorted(archive_folder(folder).glob(f"*{SUFFIX}"))


def make_folder(path: Path) -> None:
    """Have the folder of a store be there; a new one is for nobody else to read. Raises OSError."""
    path.parent.mkdir(0o700, parents=True, exist_ok=True)


def remove(path: Path) -> None:
    """Remove a store, with the files that SQLite keeps beside it; raises OSError."""
    for ending in STORE_FILES:
        path.with_name(path.name + ending).unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Have a store for this process alone to write to, in the block; others may read it meanwhile.

    Raises TaplogsError where another process has it, OSError where its folder cannot be written to.
    """
    lock = path.with_name(f"{path.name}.lock")
    descriptor = locked(lock)
    if descriptor is None:
        raise TaplogsError(f"another taplogs is writing to {path}", "wait until it has ended")
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)

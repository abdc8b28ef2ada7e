"""Where the archive is: a folder that nobody else reads, and in it a SQLite store for each profile and backend."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from taplogs.sources.address import BackendAddress

SUFFIX = ".sqlite"


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


def make_private(path: Path) -> None:
    """Have an empty file be where a store is to be, which nobody else can read, and its folder; raises OSError.

    What is there already stays as it is. SQLite gives the files that it makes beside a store the mode of the store.
    """
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

"""The folder of an export, and `.partial` in it while the export runs: held by one process, moved out of when whole."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree

from taplogs.audit.checkpoint import CHECKPOINT
from taplogs.audit.manifest import MOST_MANIFEST_BYTES
from taplogs.core.export_names import MANIFEST, RECORDS, SIGNATURE, TABLE
from taplogs.errors import TaplogsError, UsageError
from taplogs.file_lock import locked
from taplogs.whole_file import open_unless_link, sync_folder

PARTIAL = ".partial"
_LOCK = "lock"
_FILES = (RECORDS, TABLE, SIGNATURE, MANIFEST)
"""The files of an export, in the order in which they get their final names: the manifest speaks for all others."""


class ExportFolder:
    """A folder that holds one export, or is to hold one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path / PARTIAL

    @property
    def is_taken(self) -> bool:
        """Whether a file of an export is there already."""
        return any(os.path.lexists(self.path / name) for name in _FILES)

    def refuse_other_files(self) -> None:
        """Raise UsageError where the path leads to something else than a folder for an export."""
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise UsageError(f"{self.path} is not a folder", "-o names the folder of the export, which may be new")
        if self.partial.is_symlink():
            raise UsageError(f"{self.partial} is a link", "remove it; what an export writes stays in its folder")
        others = sorted({path.name for path in self.path.iterdir()} - {*_FILES, PARTIAL})
        if others:
            more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
            raise UsageError(
                f"{self.path} holds {others[0]!r}{more}, which is not of an export",
                "-o names a folder of its own for each export",
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have `.partial`, for this process alone, in the block; raises TaplogsError where another one has it."""
        made = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        self.partial.mkdir(0o700, exist_ok=True)
        self.partial.chmod(0o700)
        lock = _locked(self.partial / _LOCK)
        try:
            yield
        finally:
            if not (self.partial / CHECKPOINT).exists():
                rmtree(self.partial, ignore_errors=True)
            os.close(lock)
            if made:
                with suppress(OSError):  # it is not empty: something is kept
                    self.path.rmdir()

    def discard(self, *, records: bool = True) -> None:
        """Forget what an earlier run has kept, but for its records where they are open already; raises OSError."""
        for name in (CHECKPOINT, MANIFEST, SIGNATURE, TABLE, *([RECORDS] if records else [])):
            (self.partial / name).unlink(missing_ok=True)

    def is_finished(self, export_id: str) -> bool:
        """Return whether a run ended when this export was finished and got its names, or had just got them."""
        if (self.partial / RECORDS).exists():
            return False
        for folder in (self.partial, self.path):
            with suppress(OSError), open(folder / MANIFEST, "rb", opener=open_unless_link) as file:
                return f'"exportId":"{export_id}"'.encode("ascii") in file.read(MOST_MANIFEST_BYTES)
        return False

    def publish(self, names: Collection[str]) -> None:
        """Move the files of these names out of `.partial`, in place of an older export; raises OSError.

        The manifest comes last, and the older one is gone first: at no moment does a manifest stand beside files that
        are not its own.
        """
        sync_folder(self.partial)
        for name in (MANIFEST, SIGNATURE, TABLE):
            if name == MANIFEST or name not in names:
                (self.path / name).unlink(missing_ok=True)
        sync_folder(self.path)
        self.complete_moves()

    def complete_moves(self) -> None:
        """Move whatever is finished in `.partial`, and forget what was kept for going on; raises OSError."""
        for name in _FILES:
            if (self.partial / name).exists():
                (self.partial / name).replace(self.path / name)
        sync_folder(self.path)
        (self.partial / CHECKPOINT).unlink(missing_ok=True)


def _locked(path: Path) -> int:
    """Return the descriptor of a lock file that this process alone has locked; closing it lets others in."""
    descriptor = locked(path)
    if descriptor is None:
        raise TaplogsError(f"another export is writing to {path.parent.parent}", "wait until it has ended")
    return descriptor

"""What a user names -> what is read: files, patterns, exports, standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from taplogs.core.export_names import MANIFEST, RECORDS
from taplogs.errors import UsageError
from taplogs.sources.file_input import Input, Spool, StreamInput, input_at
from taplogs.sources.place import ACCEPTED

STANDARD_INPUT = "-"

_ACCEPTED = "--source names files, patterns such as logs/*.jsonl, folders of exports, or - for standard input"

Verify = Callable[[Path], None]
"""Raises VerificationFailed where the export in a folder is not what it says it is."""


def inputs_named(names: Sequence[str], *, stdin: BinaryIO | None, spool: Spool, verify: Verify | None) -> list[Input]:
    """Return what is read for these names, nothing twice; exports are verified unless `verify` is None.

    Raises UsageError for what is not there or no source of entries, TaplogsError for what cannot be read.
    """
    inputs: list[Input] = []
    taken: set[Path] = set()
    for name in dict.fromkeys(names):
        if name == STANDARD_INPUT:
            inputs.append(_standard_input(stdin, spool))
            continue
        for path in _paths(name):
            real = path.resolve()
            if real not in taken:
                taken.add(real)
                inputs.append(input_at(_records(path, verify) if path.is_dir() else path, spool))
    return inputs


def _standard_input(stdin: BinaryIO | None, spool: Spool) -> Input:
    if stdin is None:
        raise UsageError("standard input is closed", "name a file instead of -")
    return StreamInput("standard input", stdin, spool)


def _paths(name: str) -> Iterator[Path]:
    """Yield the paths that a name or a pattern means; a file whose name looks like a pattern is that file."""
    from glob import has_magic, iglob

    try:
        path = Path(name).expanduser()
        if path.exists():
            found = [path]
        elif has_magic(name):
            matching = sorted(iglob(str(path), recursive=True))  # noqa: PTH207 - a pattern may be absolute
            found = [path for path in map(Path, matching) if not path.is_dir() or _is_export(path)]
        else:
            found = []
    except (ValueError, RuntimeError, OSError) as error:  # an unknown ~user, a name that is too long
        raise UsageError(f"{name!r} is no name of a file: {error}", _ACCEPTED) from None
    if not found and path.is_symlink():
        raise UsageError(f"{name} is a link to nothing", "'ls -l' shows where it leads")
    if not found:
        what = "no file matches" if has_magic(name) else "there is no file"
        raise UsageError(f"{what} {name}", _ACCEPTED if path.suffix or has_magic(name) else ACCEPTED)
    yield from found


def _is_export(folder: Path) -> bool:
    return any((folder / name).exists() for name in (MANIFEST, RECORDS))


def _records(folder: Path, verify: Verify | None) -> Path:
    """Return the records of the export in a folder, verified."""
    if not _is_export(folder):
        raise UsageError(f"{folder} is a folder, but no export", f"name the files in it, such as {folder / '*.jsonl'}")
    if verify is not None:
        verify(folder)
    return folder / RECORDS

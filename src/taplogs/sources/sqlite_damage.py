"""A damaged store in words, told from a store that is merely busy, full or out of reach, and from a fault of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taplogs.errors import TaplogsError
from taplogs.sources.protocol import UnstorableEntry

MISREAD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What comes of reading, as what it should be, a value that is something else."""

_CAUSES = {
    "SQLITE_CORRUPT": "its pages do not fit together",
    "SQLITE_CONSTRAINT": "its tables contradict each other",
    "SQLITE_MISMATCH": "its tables contradict each other",
    "SQLITE_ERROR": "its tables are not as taplogs makes them",
}
"""The errors of SQLite that a sound store never causes, by how their names begin (sqlite.org/rescode.html)."""


class DamagedStore(TaplogsError):
    """A store holds what taplogs never writes: a disk or another program has changed it."""

    def __init__(self, path: Path, reason: str) -> None:
        from shlex import quote

        command = f"taplogs archive verify --source {quote(f'sqlite:{path}')}"
        super().__init__(
            f"the store {path} is damaged: {reason}", f"'{command}' names all that is wrong, and says how to replace it"
        )


@contextmanager
def stored(what: str) -> Iterator[None]:
    """Have misread values of a store come out as sqlite3.DatabaseError, in a block that handles nothing else."""
    try:
        yield
    except UnstorableEntry:
        raise
    except MISREAD as error:
        raise sqlite3.DatabaseError(f"{what} cannot be read ({type(error).__name__}: {error})") from error


def damage_in(error: sqlite3.Error) -> str | None:
    """Return in words what damage an error tells of; None where it tells of none."""
    if isinstance(error, sqlite3.ProgrammingError):  # the module's own, of a connection that is closed
        return None
    name = error_name(error)
    if not name:  # ours, or of a text that is not UTF-8
        return str(error)
    return next((f"{cause} ({error})" for start, cause in _CAUSES.items() if name.startswith(start)), None)


def error_name(error: sqlite3.Error) -> str:
    """Return SQLite's name of an error; faults that the module itself finds have none."""
    return getattr(error, "sqlite_errorname", "")

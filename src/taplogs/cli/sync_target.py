"""What a sync keeps entries in: the archive, or the store that --to names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

from taplogs.archive.place import held, make_folder, remove
from taplogs.cli.opening import open_store
from taplogs.cli.session import Session
from taplogs.errors import UsageError
from taplogs.sources.place import Kind, Place, place_named
from taplogs.sources.protocol import EntryStore

STORES = "accepted: sqlite:PATH, clickhouse://…"


class SyncTarget:
    """A store, which need not be there yet."""

    def __init__(self, session: Session, named: str | None) -> None:
        """`named` is what --to says, None is the archive; raises UsageError for what is no store, or is read from."""
        self._session = session
        self._place = _store_named(named)
        source = session.place
        if source and self._place and _is_same(source, self._place):
            raise UsageError(
                f"{_shown(source)} is both what is read and what its entries are to be kept in",
                "name another one with --to",
            )

    @property
    def is_archive(self) -> bool:
        """Whether it is the archive."""
        return self._place is None

    @property
    def is_shared(self) -> bool:
        """Whether entries of several origins may be kept in it."""
        return self._place is not None and self._place.kind is Kind.CLICKHOUSE

    @cached_property
    def path(self) -> Path | None:
        """The file that it is; None for a store that is none."""
        if self._place is None:
            return self._session.archive_path
        return Path(self._place.path).expanduser() if self._place.kind is Kind.SQLITE else None

    @cached_property
    def is_new(self) -> bool:
        """Whether it is a file that was not there when this was first asked."""
        return self.path is not None and not self.path.exists()

    @property
    def words(self) -> str:
        """What a person and a program know it by."""
        return str(self.path) if self._place is None or self.path else _shown(self._place)

    @contextmanager
    def opened(self) -> Iterator[EntryStore]:
        """Give the store; for this run alone, where it is a file. A new file is removed where nothing came into it."""
        place, path = self._place, self.path
        if place and path is None:
            with closing(open_store(self._session, place)) as store:
                yield store
        elif path:
            if place is None:
                make_folder(path)
            elif not path.parent.is_dir():
                raise UsageError(f"there is no folder {path.parent}", f"make it, or name another file than {path}")
            with held(path), self._file(path) as store:
                yield store

    @contextmanager
    def _file(self, path: Path) -> Iterator[EntryStore]:
        is_unused = self.is_new
        try:
            with closing(open_store(self._session, Place(Kind.SQLITE, (f"sqlite:{path}",)))) as store:
                try:
                    yield store
                finally:
                    is_unused = self.is_new and not store.states()
        finally:
            if is_unused:
                remove(path)


def _is_same(source: Place, target: Place) -> bool:
    """Return whether two places are one store."""
    if source.kind is not target.kind:
        return False
    if source.kind is Kind.CLICKHOUSE:
        from taplogs.sources.clickhouse_address import ClickHouseAddress

        return ClickHouseAddress.parse(source.text) == ClickHouseAddress.parse(target.text)
    return Path(source.path).expanduser().resolve() == Path(target.path).expanduser().resolve()


def _shown(place: Place) -> str:
    """Return the name of a place, without the user that ClickHouse knows."""
    return re.sub(r"//[^/@]*@", "//", place.text)


def _store_named(text: str | None) -> Place | None:
    """Return the store that --to names; raises UsageError."""
    if text is None:
        return None
    try:
        place = place_named([text])
    except UsageError:
        place = None
    if place is None or place.kind not in (Kind.SQLITE, Kind.CLICKHOUSE):
        raise UsageError(f"--to {text!r} is nothing that entries are kept in", STORES)
    return place

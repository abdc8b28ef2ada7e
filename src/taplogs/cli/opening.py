"""The place that a session reads from, opened: a backend, the demo, the archive, a store, or files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from taplogs.errors import ConfigurationError, UsageError, VerificationFailed
from taplogs.settings import SETTINGS
from taplogs.sources.locate import open_backend, open_demo
from taplogs.sources.place import DEMO, DEMO_ARCHIVE, Kind, Place

if TYPE_CHECKING:
    from taplogs.cli.ending import End
    from taplogs.cli.session import Session
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.protocol import EntryStore, LogSource


def open_source(session: Session, end: End | None) -> LogSource:
    """Return what the session reads from; `end` is when following it ends, None where it is not followed."""
    place = session.place
    return _OPENERS[place.kind](session, place, end) if place else _open_backend(session, place, end)


def open_store(session: Session, place: Place) -> EntryStore:
    """Return what entries are kept in, made where there is none; raises UsageError for what is no store."""
    if place.kind is Kind.CLICKHOUSE:
        return open_clickhouse(session, place.text)
    if place.kind is not Kind.SQLITE:
        raise UsageError(f"{place.text} is nothing that entries are kept in", "accepted: sqlite:PATH, clickhouse://…")
    from taplogs.sources.sqlite import SqliteStore

    return SqliteStore(Path(place.path).expanduser(), clock=session.runtime.clock)


def name_of(session: Session) -> str:
    """Return what an export's manifest calls the place that its entries come from: nothing of it is secret."""
    place = session.place
    if place is None or place.kind is Kind.BACKEND:
        return session.address.base_url
    if place == DEMO_ARCHIVE:
        return place.text
    if place.kind is Kind.ARCHIVE:
        return f"archive of {session.address.base_url}"
    return re.sub(r"//[^/@]*@", "//", place.text)


def _open_backend(session: Session, _place: Place | None, end: End | None) -> LogSource:
    # What is followed is read in order: of a window whose end lies far ahead, all slices but one are empty.
    reach = replace(session.reach, persistent=True, parallel=1) if end else session.reach
    surroundings = replace(session.surroundings, sleep=end.wait, left=end.left) if end else session.surroundings
    return open_backend(session.address, session.credential.key, reach, surroundings)


def _open_demo(session: Session, _place: Place, end: End | None) -> LogSource:
    surroundings = replace(session.surroundings, sleep=end.wait, left=end.left) if end else session.surroundings
    return open_demo(_cache_folder(session), surroundings, goes_on=end is not None)


def _open_archive(session: Session, _place: Place, end: End | None) -> LogSource:
    path = session.archive_path
    if not path.exists():
        raise no_archive(session, path)
    if end:
        end.awaited = f"what '{sync_command(session)}' pulls into the archive"
    return _stored(session, path)


def no_archive(session: Session, path: Path) -> ConfigurationError:
    """Return what is raised where the archive that is meant is not there, with the command that makes it."""
    is_demo = session.place in (DEMO, DEMO_ARCHIVE)
    whose = "the demo" if is_demo else f"the profile {session.settings.profile!r}"
    return ConfigurationError(f"there is no archive of {whose} yet: {path}", f"'{sync_command(session)}' makes it")


def sync_command(session: Session) -> str:
    """Return the command that fills the archive that is meant."""
    from taplogs.output.curl import shell_word

    place, profile = session.place, session.settings.profile
    if place in (DEMO, DEMO_ARCHIVE):
        return "taplogs sync --demo"
    words = ["taplogs", "sync"]
    words += ["--profile", profile] if profile != SETTINGS["profile"].default else []
    words += ["--source", place.text] if place and place.kind is Kind.BACKEND else []
    return " ".join(map(shell_word, words))


def _open_sqlite(session: Session, place: Place, end: End | None) -> LogSource:
    path = Path(place.path).expanduser()
    if not path.exists():
        raise UsageError(f"there is no store {path}", "'taplogs sync --to sqlite:PATH' makes one")
    if end:
        end.awaited = f"what is written to {path}"
    return _stored(session, path)


def _stored(session: Session, path: Path) -> LogSource:
    from taplogs.sources.sqlite import SqliteStore

    return SqliteStore(path, clock=session.runtime.clock, read_only=True)


def open_clickhouse(session: Session, text: str) -> ClickHouseStore:
    """Return the store that an address such as `clickhouse://user@host/db` names; nothing is sent yet."""
    from taplogs.clickhouse_password import find_password
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.clickhouse_address import ClickHouseAddress

    address, reach = ClickHouseAddress.parse(text), session.reach
    password = find_password(session.runtime.environ, address)
    return ClickHouseStore(address, password, ca_file=reach.ca_file, timeout=reach.timeout, clock=session.runtime.clock)


def _open_clickhouse(session: Session, place: Place, end: End | None) -> LogSource:
    if end:
        end.awaited = f"what is written to {name_of(session)}"
    return open_clickhouse(session, place.text)


def _open_files(session: Session, place: Place, end: End | None) -> LogSource:
    from taplogs.sources.file_source import open_files

    source = open_files(
        place.texts,
        stdin=_standard_input(session),
        strict=session.is_strict,
        verify=_verify if session.verifies else None,
        spool_folder=lambda: _cache_folder(session),
        events=session,
        clock=session.runtime.clock,
        is_followed=end is not None,
    )
    if end:
        growing = source.growing()
        files = growing[0] if len(growing) == 1 else f"{len(growing):,} files"
        end.awaited = f"new lines in {files}" if growing else None
    return source


def _standard_input(session: Session) -> BinaryIO | None:
    stream = session.runtime.stdin
    return stream.buffer if stream is not None else None


def _verify(folder: Path) -> None:
    """Raise VerificationFailed where anything is found of the export in a folder."""
    from taplogs.audit.export_check import check_export
    from taplogs.audit.segment_processes import processors

    findings = check_export(folder, None, processors()).findings
    if findings:
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise VerificationFailed(
            f"{folder}: {findings[0].where}: {findings[0].message}{more}",
            f"'taplogs verify {folder}' names every finding, --no-verify reads it all the same",
        )


def _cache_folder(session: Session) -> Path:
    from platformdirs import user_cache_path

    return Path(session.runtime.environ.get("TAPLOGS_CACHE_DIR") or user_cache_path("taplogs", appauthor=False))


_OPENERS: dict[Kind, Callable[[Session, Place, End | None], LogSource]] = {
    Kind.BACKEND: _open_backend,
    Kind.DEMO: _open_demo,
    Kind.ARCHIVE: _open_archive,
    Kind.SQLITE: _open_sqlite,
    Kind.CLICKHOUSE: _open_clickhouse,
    Kind.FILES: _open_files,
}

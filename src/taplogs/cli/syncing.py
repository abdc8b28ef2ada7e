"""One run of `taplogs sync`: what to pull, where it is kept, how the run ends, and what it says then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from taplogs.archive.place import demo_path, held, make_folder
from taplogs.archive.sync import Origin, OtherCompany, Sync
from taplogs.cli.ending import Interruption
from taplogs.cli.export_report import reason_of
from taplogs.cli.opening import name_of, open_store
from taplogs.cli.session import Session
from taplogs.core.duration import parse_duration
from taplogs.core.query import LogQuery
from taplogs.core.timespan import parse_window
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import IncompleteSync, TaplogsError, UsageError
from taplogs.output.archive_view import covered_records, covered_words
from taplogs.output.curl import shell_word
from taplogs.output.records import write_records
from taplogs.output.wording import counted
from taplogs.sources.place import DEMO, Kind, Place, place_named
from taplogs.sources.protocol import EntryStore

_SCHEMA = "taplogs.sync-report/1"
_STORES = "accepted: sqlite:PATH, clickhouse://…"


class Wanted(Struct, frozen=True):
    """What the options of `sync` ask for; `to` names a store, None is the archive."""

    since: str | None
    overlap: str
    to: str | None
    as_json: bool


class SyncRun:
    """One run, from what was asked to an exit code."""

    def __init__(self, session: Session, wanted: Wanted) -> None:
        """Raises UsageError for what cannot be asked; nothing is sent or opened yet."""
        self._session = session
        self._wanted = wanted
        self._overlap = parse_duration(wanted.overlap, least=timedelta(), option="--overlap")
        self._since(session.runtime.clock())  # a wrong time is told before all else
        self._target = _store_named(wanted.to)
        place = session.place
        if place and place.kind is Kind.ARCHIVE:
            raise UsageError(
                "--source archive is what sync pulls into", "leave it out, or name a backend with --source URL"
            )
        self._is_incremental = place is None or place.kind in (Kind.BACKEND, Kind.DEMO)
        if not self._is_incremental and self._target is None:
            raise UsageError(
                f"{place.text if place else ''} is no backend, and the archive is of a backend",
                f"--to says what its entries are to be kept in; {_STORES}",
            )

    def run(self) -> None:
        """Pull; raises TaplogsError, and IncompleteSync where something was kept before a fault.

        A fault before anything was kept stays what it is, with its own exit code, as with `export`; so does the
        refusal of another company, which no second run would mend.
        """
        session = self._session
        origin = self._origin()
        with session.source() as source, session.progress():
            now = source.now()
            with self._opened() as (place, store):
                sync = Sync(
                    source,
                    store,
                    origin,
                    shared=self._target is not None and self._target.kind is Kind.CLICKHOUSE,
                    monotonic=session.runtime.monotonic,
                )
                try:
                    self._pull(sync, now)
                except KeyboardInterrupt:
                    self._tell_kept(sync, place)
                    raise
                except (TaplogsError, OSError) as error:
                    if not sync.pulled or isinstance(error, OtherCompany):
                        raise
                    self._tell_kept(sync, place)
                    self._report(sync, store, place, is_complete=False)
                    raise IncompleteSync(f"the sync is incomplete: {reason_of(error)}") from error
                self._tell_end(sync, store, place)
                self._report(sync, store, place, is_complete=True)

    def _since(self, now: datetime) -> str | None:
        if self._wanted.since is None:
            return None
        return parse_window(self._wanted.since, None, now=now, zone=self._session.zone).since_text

    def _origin(self) -> Origin:
        session = self._session
        if session.place == DEMO:
            return Origin(DEMO.text, DEMO.text)
        profile = session.settings.profile
        if not session.asks_backend:
            return Origin(name_of(session), profile)
        key = session.credential.key
        return Origin(session.address.logs_url, profile, key.masked, key.environment)

    @contextmanager
    def _opened(self) -> Iterator[tuple[str, EntryStore]]:
        """Give what entries are kept in, and its name in words; for this run alone, where it is a file."""
        session, target = self._session, self._target
        if target and target.kind is not Kind.SQLITE:
            store = open_store(session, target)
            try:
                yield re.sub(r"//[^/@]*@", "//", target.text), store
            finally:
                store.close()
            return
        path = self._path()
        with held(path):
            store = open_store(session, Place(Kind.SQLITE, (f"sqlite:{path}",)))
            try:
                yield str(path), store
            finally:
                store.close()

    def _path(self) -> Path:
        session, target = self._session, self._target
        if target:
            path = Path(target.path).expanduser()
            if not path.parent.is_dir():
                raise UsageError(f"there is no folder {path.parent}", f"make it, or name another file than {path}")
            return path
        path = demo_path(session.settings.get("archive")) if session.place == DEMO else session.archive_path
        make_folder(path)
        return path

    def _pull(self, sync: Sync, now: datetime) -> None:
        session = self._session
        sync.refuse_other_company()
        until = format_timestamp(now)
        since = self._since(now)
        pruned = sync.state.pruned_before
        if since is not None and since < pruned:
            session.notice(f"what is earlier than {pruned} was pruned, and is not pulled again")
        with Interruption() as interruption:
            for stretch in sync.stretches(since, until, self._overlap if self._is_incremental else None):
                session.begin_work("pulled")
                sync.read(stretch, interruption.ends, lambda: interruption.came)
                if interruption.came:
                    raise KeyboardInterrupt
            sync.finish(until)

    def _tell_kept(self, sync: Sync, place: str) -> None:
        """Say what is kept of a run that ended early, and that the next one goes on."""
        if not sync.pulled:
            self._session.notice(f"nothing was pulled; {place} is as it was")
            return
        self._session.notice(f"{_pulled(sync)}; they are kept in {place}, and the same command goes on:")
        self._session.suggest(" ".join(map(shell_word, ["taplogs", *self._session.runtime.arguments])))

    def _tell_end(self, sync: Sync, store: EntryStore, place: str) -> None:
        """Say what was pulled, what there is now, and where."""
        session = self._session
        session.notice(_pulled(sync))
        total = store.count(LogQuery())
        session.notice(f"{place} holds {counted(total or 0, 'entry', 'entries')}")
        for words in covered_words(sync.state.covered, session.zone):
            session.notice(f"without a gap {words}")

    def _report(self, sync: Sync, store: EntryStore, place: str, *, is_complete: bool) -> None:
        """Write what was pulled for programs, where that is asked for."""
        if not self._wanted.as_json:
            return
        state = sync.state
        document: dict[str, Any] = {
            "schema": _SCHEMA,
            "complete": is_complete,
            "store": place,
            "source": state.source,
            "profile": state.profile,
            "pulled": sync.pulled,
            "new": sync.new,
            "late": sync.late,
            "lateInAll": state.late,
            "entries": store.count(LogQuery()),
            "covered": covered_records(state.covered),
        }
        write_records("json", document, [], self._session.output)


def _pulled(sync: Sync) -> str:
    """Return how many entries came, in words."""
    late = f", {sync.late:,} of them late" if sync.late else ""
    return f"{counted(sync.new, 'new entry', 'new entries')}{late} ({sync.pulled:,} pulled)"


def _store_named(text: str | None) -> Place | None:
    """Return the store that --to names; raises UsageError."""
    if text is None:
        return None
    try:
        place = place_named([text])
    except UsageError:
        place = None
    if place is None or place.kind not in (Kind.SQLITE, Kind.CLICKHOUSE):
        raise UsageError(f"--to {text!r} is nothing that entries are kept in", _STORES)
    return place

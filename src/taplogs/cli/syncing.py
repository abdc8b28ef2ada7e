"""One run of `taplogs sync`: what to pull, where it is kept, how the run ends, and what it says then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from taplogs.archive.ownership import OtherCompany
from taplogs.archive.sync import Origin, Sync
from taplogs.archive.sync_state import Redaction
from taplogs.cli.ending import Interruption
from taplogs.cli.export_report import reason_of
from taplogs.cli.opening import name_of
from taplogs.cli.session import Session
from taplogs.cli.sync_target import STORES, SyncTarget
from taplogs.core.duration import parse_duration
from taplogs.core.query import LogQuery
from taplogs.core.timespan import parse_window
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import IncompleteSync, TaplogsError, UsageError
from taplogs.output.archive_view import covered_records, covered_words, local_text
from taplogs.output.curl import shell_word
from taplogs.output.records import write_records
from taplogs.output.wording import counted
from taplogs.sources.place import DEMO, Kind
from taplogs.sources.protocol import EntryStore, LogSource

_SCHEMA = "taplogs.sync-report/1"


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
        self._target = SyncTarget(session, wanted.to)
        place = session.place
        if place and place.kind is Kind.ARCHIVE:
            raise UsageError(
                "--source archive is what sync pulls into", "leave it out, or name a backend with --source URL"
            )
        self._is_incremental = place is None or place.kind in (Kind.BACKEND, Kind.DEMO)
        if not self._is_incremental and self._target.is_archive:
            raise UsageError(
                f"{place.text if place else ''} is no backend, and the archive is of a backend",
                f"--to says what its entries are to be kept in; {STORES}",
            )

    def run(self) -> None:
        """Pull; raises TaplogsError, and IncompleteSync where something was kept before a fault.

        A fault before anything was kept stays what it is, with its own exit code, as with `export`; so does the
        refusal of another company, which no second run would mend.
        """
        session = self._session
        origin = self._origin()
        with session.source() as source, session.progress():
            now = self._asked(source)
            with self._target.opened() as store:
                sync = Sync(
                    source,
                    store,
                    origin,
                    shared=self._target.is_shared,
                    monotonic=session.runtime.monotonic,
                )
                try:
                    self._pull(sync, now)
                except KeyboardInterrupt:
                    self._tell_kept(sync)
                    raise
                except (TaplogsError, OSError) as error:
                    if not sync.pulled or isinstance(error, OtherCompany):
                        self._tell_untouched(sync.pulled)
                        raise
                    self._tell_kept(sync)
                    self._report(sync, store, is_complete=False)
                    raise IncompleteSync(f"the sync is incomplete: {reason_of(error)}") from error
                if session.left_out:
                    session.notice(f"{_pulled(sync)}; they are kept in {self._target.words}")
                    self._report(sync, store, is_complete=False)
                    raise IncompleteSync(
                        f"the sync is incomplete: {'; '.join(session.left_out)}",
                        "mend what is left out, and the same command reads everything again",
                    )
                sync.finish(format_timestamp(now))
                self._tell_end(sync, store)
                self._report(sync, store, is_complete=True)

    def _asked(self, source: LogSource) -> datetime:
        """Return the source's time: the first thing that it is asked."""
        try:
            return source.now()
        except (TaplogsError, OSError):
            self._tell_untouched()
            raise

    def _since(self, now: datetime) -> str | None:
        if self._wanted.since is None:
            return None
        return parse_window(self._wanted.since, None, now=now, zone=self._session.zone).since_text

    def _origin(self) -> Origin:
        session, hides = self._session, self._session.redaction_profile
        redaction = Redaction(hides.name, hides.sha256)
        if session.place == DEMO:
            return Origin(DEMO.text, DEMO.text, redaction=redaction)
        profile = session.settings.profile
        if not session.asks_backend:
            return Origin(name_of(session), profile, redaction=redaction)
        key = session.credential.key
        return Origin(session.address.logs_url, profile, key.masked, key.environment, redaction)

    def _pull(self, sync: Sync, now: datetime) -> None:
        session, zone = self._session, self._session.zone
        until = format_timestamp(now)
        since = self._since(now)
        self._tell_other_redaction(sync)
        if sync.refuse_other_company():
            session.notice(
                "there is no entry yet, and the API key is another one than before: all is read from the start"
            )
        forgotten = sync.forget_beyond(until) if self._is_incremental else None
        if forgotten:
            known = f"came after {local_text(forgotten.since, zone)}" if forgotten.since else "there is"
            session.notice(
                f"the last sync read until {local_text(forgotten.until, zone)}, which is still to come: "
                f"a clock was wrong; what {known} is read again"
            )
        pruned = sync.state.pruned_before
        if since is not None and since < pruned:
            session.notice(f"what is earlier than {local_text(pruned, zone)} was pruned, and is not pulled again")
        with Interruption() as interruption:
            for stretch in sync.stretches(since, until, self._overlap if self._is_incremental else None):
                session.begin_work("pulled")
                sync.read(stretch, interruption.ends, lambda: interruption.came)
                if interruption.came:
                    raise KeyboardInterrupt

    def _tell_other_redaction(self, sync: Sync) -> None:
        """Say that there will be entries of two redaction profiles, where those of another one have been stored."""
        hides = self._session.redaction_profile
        before = sync.state.redactions[-1:]
        if not before or before[0].sha256 == hides.sha256:
            return
        name = before[0].name
        others = name if name != hides.name else f"{name} as it was then"
        self._session.notice(
            f"the entries in {self._target.words} were stored with --redact {others}; "
            f"what comes now is stored with --redact {hides.name}, and then it holds both"
        )

    def _tell_untouched(self, pulled: int = 0) -> None:
        """Say that nothing came, where nothing did, and that what there was before is kept."""
        if not pulled:
            self._session.notice(
                "nothing was pulled" + ("" if self._target.is_new else f"; {self._target.words} is as it was")
            )

    def _tell_kept(self, sync: Sync) -> None:
        """Say what is kept of a run that ended early, and that the next one goes on."""
        if not sync.pulled:
            self._tell_untouched()
            return
        place = self._target.words
        self._session.notice(f"{_pulled(sync)}; they are kept in {place}, and the same command goes on:")
        self._session.suggest(" ".join(map(shell_word, ["taplogs", *self._session.runtime.arguments])))

    def _tell_end(self, sync: Sync, store: EntryStore) -> None:
        """Say what was pulled, what there is now, and where."""
        session = self._session
        session.notice(_pulled(sync))
        total = store.count(LogQuery())
        session.notice(f"{self._target.words} holds {counted(total or 0, 'entry', 'entries')}")
        for words in covered_words(sync.state.covered, session.zone):
            session.notice(f"without a gap {words}")

    def _report(self, sync: Sync, store: EntryStore, *, is_complete: bool) -> None:
        """Write what was pulled for programs, where that is asked for."""
        if not self._wanted.as_json:
            return
        state = sync.state
        document: dict[str, Any] = {
            "schema": _SCHEMA,
            "complete": is_complete,
            "store": self._target.words,
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

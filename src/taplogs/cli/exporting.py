"""One run of `taplogs export` into a folder: begun or gone on with, read, finished; or kept for another run."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from taplogs.audit.canonical import well_formed
from taplogs.audit.chain import PreviousExport
from taplogs.audit.checkpoint import Beginning, Checkpoint, Question, read_checkpoint
from taplogs.audit.export import Export
from taplogs.audit.export_folder import ExportFolder
from taplogs.audit.finishing import Ending, Finisher, missing
from taplogs.audit.manifest import Gap, Manifest
from taplogs.audit.records_table import TableForm
from taplogs.cli.ending import Interruption
from taplogs.cli.export_report import reason_of, tell_complete, tell_export, tell_kept, words_of
from taplogs.cli.options import CsvOptions, FilterOptions
from taplogs.cli.session import Session
from taplogs.core.apikey import mask_keys
from taplogs.core.query import LogQuery, Order
from taplogs.core.redact import Redactor
from taplogs.core.timespan import Window, is_relative
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import IncompleteExport, TaplogsError, UsageError
from taplogs.sources.locate import DEMO
from taplogs.sources.protocol import LogSource


class Wanted(Struct, frozen=True):
    """What the options of `export` ask for; `table` is how records.csv is written, None is no table."""

    folder: Path
    table: CsvOptions | None
    chain: Path | None
    sign_key: Path | None
    resume: bool
    allow_partial: bool
    force: bool

    @property
    def form(self) -> TableForm | None:
        """How records.csv is derived."""
        if self.table is None:
            return None
        return TableForm(formula_guard=not self.table.csv_raw, byte_order_mark=self.table.excel)


class ExportRun:
    """One run, from what was asked to an exit code."""

    def __init__(self, session: Session, filters: FilterOptions, wanted: Wanted) -> None:
        """Nothing is looked at yet."""
        self._session = session
        self._filters = filters
        self._wanted = wanted
        self._folder = ExportFolder(wanted.folder)

    def run(self) -> None:
        """Export; raises TaplogsError, and IncompleteExport where something is kept that can be gone on with."""
        runtime = self._session.runtime
        query = replace(self._filters.query(self._session.templates), order=Order.OLDEST_FIRST)
        window = self._filters.window(runtime.clock(), self._session.zone)
        self._folder.refuse_other_files()
        self._previous = PreviousExport(self._wanted.chain, None) if self._wanted.chain else None
        window = self._chained(window)
        with self._folder.held():
            leftover = self._leftover()
            redactor = self._redactor(leftover)
            question = self._question(query, window, redactor)
            if self._previous:
                self._previous.refuse_other_question(question)
            if leftover:
                self._refuse_other_question(leftover.beginning.question, question)
            elif self._is_there(question):
                return
            if leftover and self._folder.is_moving:
                self._folder.complete_moves()
                tell_complete(self._session, self._wanted.folder)
                return
            with self._session.unredacted_source() as source, self._session.progress():
                beginning = leftover.beginning if leftover else self._beginning(source, query, question)
                query = query.within(_window_of(beginning))
                export = Export(
                    self._folder,
                    beginning,
                    redactor,
                    monotonic=runtime.monotonic,
                    retries=lambda: self._session.retries,
                )
                try:
                    self._export(export, source, query, leftover)
                finally:
                    export.records.close()

    # Beginning

    def _chained(self, window: Window) -> Window:
        """Return the window from where the export before ends; raises UsageError for another --since."""
        if not self._previous:
            return window
        since = self._previous.since
        if self._filters.since is not None and window.since_text != since:
            raise UsageError(
                f"--since {self._filters.since} ({window.since_text}) is not where the export before ends: {since}",
                "leave --since out: --chain says where to begin",
            )
        return Window(parse_timestamp(since), window.until)

    def _leftover(self) -> Checkpoint | None:
        """Return what a run before has kept and this one is to go on with; raises UsageError where it is not."""
        if self._wanted.force:
            self._folder.discard()
            return None
        checkpoint = read_checkpoint(self._folder.partial)
        if checkpoint is None or self._wanted.resume:
            return checkpoint
        rows = checkpoint.progress.extent.rows
        if not rows and not checkpoint.progress.end_seen:
            self._folder.discard()  # nothing is lost
            return None
        self._session.notice(f"{self._wanted.folder} holds {rows:,} entries of a run that ended early. To go on:")
        self._session.suggest(words_of(self._session.runtime.arguments, "--resume"))
        raise UsageError(f"{self._wanted.folder} holds an unfinished export", "--resume goes on, --force begins anew")

    def _redactor(self, leftover: Checkpoint | None) -> Redactor:
        """Return what redacts the entries, with the key that the leftover was begun with where that is kept there."""
        key = leftover.beginning.pseudonym_key if leftover else None
        if key is None or not self._session.redaction_profile.pseudonyms:
            return self._session.redactor
        return self._session.redactor_with(bytes.fromhex(key))

    def _question(self, query: LogQuery, window: Window, redactor: Redactor) -> Question:
        """Return what is asked. Bounds that depend on the time of the run count by how they were typed."""
        texts = {item.option: item.texts() for item in query.filters}
        templates = list(self._session.settings.get("endpoint_templates")) if query.endpoint else []
        session = self._session
        since, until = self._filters.since, self._filters.until
        return Question(
            source=DEMO if session.is_demo else session.address.base_url,
            environment=None if session.is_demo else session.credential.key.environment,
            filters={item.option: well_formed(redactor.text(mask_keys(str(item)))) for item in query.filters},
            filters_sha256=sha256(json.dumps([texts, templates]).encode("ascii")).hexdigest(),
            since=since if is_relative(since) else window.since_text or None,
            until=until if is_relative(until) else window.until_text or None,
            profile=redactor.profile.name,
            profile_sha256=redactor.profile.sha256,
            key_fingerprint=redactor.key_fingerprint,
            previous=self._previous.sha256 if self._previous else None,
        )

    def _refuse_other_question(self, before: Question, now: Question) -> None:
        difference = before.difference(now)
        if difference:
            raise UsageError(
                f"{self._wanted.folder} cannot be gone on with: {difference}",
                "--resume takes the words of the run before; --force begins anew",
            )

    def _is_there(self, question: Question) -> bool:
        """Return whether the folder holds the answer already; raises UsageError where it holds another one."""
        if self._wanted.force or not self._folder.is_taken:
            if self._wanted.resume:
                self._session.notice(f"there is nothing to go on with in {self._wanted.folder}; the export begins")
            return False
        if self._wanted.resume and self._answers(question):
            tell_complete(self._session, self._wanted.folder)
            return True
        raise UsageError(
            f"{self._wanted.folder} holds an export already", "--force replaces it once the new one is complete"
        )

    def _answers(self, question: Question) -> bool:
        """Return whether the complete export in the folder answers the question, for good: with a fixed end."""
        try:
            there = PreviousExport(self._wanted.folder, None)
            there.refuse_other_question(question)
        except UsageError:
            return False
        period = there.manifest.period
        link = there.manifest.previous
        return (
            question.until is not None
            and period.effective_until == question.until == period.requested_until
            and period.requested_since == question.since
            and (link.manifest_sha256 if link else None) == question.previous
        )

    def _beginning(self, source: LogSource, query: LogQuery, question: Question) -> Beginning:
        """Settle what holds from here on: the window ends at what time it is at the source, if not before."""
        session, runtime = self._session, self._session.runtime
        source.now()  # which may have to ask; the second time it is but a look at the clock
        clock, now = runtime.clock(), source.now()
        window = self._chained(self._filters.window(now, session.zone))
        until = format_timestamp(now)
        if window.until:
            until = min(until, window.until_text)
        if window.since_text >= until:
            raise UsageError(
                f"nothing of the period has passed: it begins at {window.since_text}, and it is {until} at the source",
                "--since lies in the past",
            )
        session.tell_window(Window(window.since, parse_timestamp(until)))
        frozen = query.within(Window(window.since, parse_timestamp(until)))
        keeps_key = session.redaction_profile.pseudonyms and not session.pseudonym_key.is_lasting
        return Beginning(
            export_id=str(UUID(bytes=runtime.random_bytes(16), version=4)),
            started_at=format_timestamp(clock),
            question=question,
            requested_since=window.since_text or None,
            requested_until=window.until_text or None,
            effective_until=until,
            time_zone=_zone_name(session.zone, now),
            clock_skew_ms=round((now - clock).total_seconds() * 1000),
            count_before=source.count(frozen),
            pseudonym_key=session.pseudonym_key.key.hex() if keeps_key else None,
        )

    # The run itself

    def _export(self, export: Export, source: LogSource, query: LogQuery, leftover: Checkpoint | None) -> None:
        if leftover:
            self._session.begin_work("checked again", leftover.progress.extent.rows)
            export.resume(leftover.progress, self._session.receive)
            self._session.notice(f"going on after {export.records.rows:,} entries")
        else:
            export.begin()
        gap = None
        failure: Exception | None = None
        try:
            if not export.progress.end_seen:
                self._read(export, source, query)
            count = source.count(query)
            gap = missing(export, count)
            if gap and not self._wanted.allow_partial:
                raise IncompleteExport(gap.reason)
            self._finish(export, Ending(self._now(), count, gap))
        except KeyboardInterrupt:
            self._keep(export, "interrupted")
            raise
        except (TaplogsError, OSError) as error:
            failure = error
        if failure:
            self._end_early(export, failure)
        elif gap:
            raise _incomplete(gap.reason)

    def _read(self, export: Export, source: LogSource, query: LogQuery) -> None:
        self._session.begin_work("read")
        with Interruption() as interruption:
            export.read(source, query, self._previous.company if self._previous else None, interruption.ends)
        if interruption.came:
            raise KeyboardInterrupt
        export.end()

    def _finish(self, export: Export, ending: Ending) -> None:
        if self._wanted.form:
            self._session.begin_work("written as CSV", export.records.rows)
        finisher = Finisher(
            export,
            self._session.redactor,
            form=self._wanted.form,
            key_id=None if self._session.is_demo else self._session.credential.key.masked,
            previous=self._previous.link if self._previous else None,
            sign=None,
        )
        manifest, text = finisher.finish(ending, self._session.receive)
        self._tell(manifest, text)

    def _tell(self, manifest: Manifest, text: bytes) -> None:
        tell_export(self._session, self._wanted.folder, manifest, text)

    def _end_early(self, export: Export, error: Exception) -> None:
        """Keep what came, or finish with it where that is allowed; raises what the run ends with."""
        reason = reason_of(error)
        if self._wanted.allow_partial and export.records.rows and isinstance(error, TaplogsError):
            export.rescue()
            beginning, last = export.beginning, export.progress.last
            since = last.timestamp if last else beginning.requested_since
            self._finish(export, Ending(self._now(), None, Gap(since, beginning.effective_until, reason)))
            raise _incomplete(reason) from error
        if not self._keep(export, reason):
            raise error
        raise _incomplete(reason) from error

    def _keep(self, export: Export, reason: str) -> bool:
        """Keep what came and say how to go on; return False where nothing came, and nothing is kept."""
        if not export.progress.end_seen:
            export.rescue()
        if not export.records.rows:
            self._folder.discard()
            return False
        tell_kept(self._session, self._wanted.folder, export, reason)
        return True

    def _now(self) -> str:
        return format_timestamp(self._session.runtime.clock())


def _window_of(beginning: Beginning) -> Window:
    since = beginning.requested_since
    return Window(parse_timestamp(since) if since else None, parse_timestamp(beginning.effective_until))


def _zone_name(zone: tzinfo, now: datetime) -> str:
    """Return the name of the zone that times are typed in; of one that has none, its offset now."""
    return getattr(zone, "key", None) or f"UTC{now.astimezone(zone):%z}"


def _incomplete(reason: str) -> IncompleteExport:
    return IncompleteExport(f"the export is incomplete: {reason}")

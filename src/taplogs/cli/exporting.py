"""One run of `taplogs export` into a folder: begun or gone on with, read, finished; or kept for another run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from taplogs.audit.chain import PreviousExport
from taplogs.audit.checkpoint import Checkpoint, Question, read_checkpoint
from taplogs.audit.export import Batches, Export
from taplogs.audit.export_folder import ExportFolder
from taplogs.audit.finished_export import FinishedExport, Verify
from taplogs.audit.finishing import Ending, Finished, Finisher, missing
from taplogs.audit.records_table import TableForm
from taplogs.cli.ending import Interruption
from taplogs.cli.export_beginning import Asked, window_of
from taplogs.cli.export_report import (
    reason_of,
    reason_of_gaps,
    tell_complete,
    tell_export,
    tell_kept,
    tell_leftover,
    tell_unfinished,
)
from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.export_names import SIGNATURE
from taplogs.core.gap import Gap
from taplogs.core.query import LogQuery, Order
from taplogs.core.redact import Redactor
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import ConfigurationError, IncompleteExport, TaplogsError, UsageError, VerificationFailed
from taplogs.output.wording import counted
from taplogs.sources.protocol import LogSource
from taplogs.whole_file import writing_hint

if TYPE_CHECKING:
    from taplogs.audit.keys import SecretKey

_REPLACE = (
    "name another folder with -o; --force replaces it: the old export is lost then, and a chain built on it broken"
)

_ANEW = "name another folder with -o; --force begins anew, and what is kept there is lost"

_ENDED = (
    "--allow-partial has finished it as it is: --resume does not go on with it, a new export has a folder of its own"
)

_ANEW_WHEN_MENDED = "when what is missing is there, --force begins anew; what is kept here is lost then"

_FOLDER = "-o names a folder"


class Wanted(Struct, frozen=True):
    """What the options of `export` ask for; `form` is how records.csv is derived, None is no table."""

    folder: Path
    form: TableForm | None
    chain: Path | None
    sign_key: Path | None
    resume: bool
    allow_partial: bool
    force: bool


class ExportRun:
    """One run, from what was asked to an exit code."""

    def __init__(self, session: Session, filters: FilterOptions, wanted: Wanted) -> None:
        """Nothing is looked at yet."""
        self._session = session
        self._filters = filters
        self._wanted = wanted
        self._folder = ExportFolder(wanted.folder)
        self._previous: PreviousExport | None = None
        self._signing_key: SecretKey | None = None
        self._has_begun = False

    def run(self) -> None:
        """Export; raises TaplogsError, and IncompleteExport where something is kept that can be gone on with."""
        try:
            self._run()
        except BrokenPipeError:
            raise
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise TaplogsError(
                f"the export cannot be written to {self._wanted.folder}: {error.strerror or error}{place}",
                writing_hint(error, _FOLDER),
            ) from error

    def _run(self) -> None:
        session, wanted = self._session, self._wanted
        query = replace(self._filters.query(session.templates), order=Order.OLDEST_FIRST)
        self._filters.window(session.runtime.clock(), session.zone)  # a wrong time is told before all else
        self._folder.refuse_other_files()
        self._refuse_chain_to_itself()
        self._signing_key = self._find_signing_key()
        if wanted.chain:
            self._previous = PreviousExport(wanted.chain, self._verify)
        asked = Asked(session, self._filters, self._previous)
        with self._folder.held():
            leftover = self._leftover()
            redactor = self._redactor(leftover)
            question = asked.question(query, redactor, has_lasting_key=self._has_lasting_key(leftover))
            if self._previous:
                self._previous.refuse_other_question(question)
                self._tell_other_rules(self._previous, question)
            if leftover:
                self._refuse_leftover(leftover, question)
            if self._is_there(leftover, question):
                tell_complete(session, wanted.folder)
                return
            with session.unredacted_source() as source, session.progress():
                beginning = (
                    leftover.beginning
                    if leftover
                    else asked.beginning(source, query, question, allow_partial=wanted.allow_partial)
                )
                if wanted.force:
                    self._tell_lost_signature()
                export = Export(
                    self._folder,
                    beginning,
                    redactor,
                    monotonic=session.runtime.monotonic,
                    retries=lambda: session.retries,
                )
                try:
                    if not wanted.force:
                        self._begin(export, leftover)
                    self._export(export, source, query.within(window_of(beginning)))
                finally:
                    export.records.close()

    def _find_signing_key(self) -> SecretKey | None:
        if self._wanted.sign_key is None:
            return None
        from taplogs.cli.passphrase import ask_passphrase
        from taplogs.signing_key import find_signing_key

        runtime, path = self._session.runtime, self._wanted.sign_key.expanduser()
        return find_signing_key(path, runtime.environ, lambda: ask_passphrase(runtime, path))

    @property
    def _public_key(self) -> Path | None:
        """The file beside the signing key that holds its public key, where it does."""
        if self._signing_key is None or self._wanted.sign_key is None:
            return None
        from taplogs.signing_key import find_public_key

        path = self._wanted.sign_key.with_suffix(".pub")
        with suppress(ConfigurationError):
            return path if find_public_key(str(path)) == self._signing_key.public_key else None
        return None

    @property
    def _verify(self) -> Verify | None:
        """What has to hold for the signature of an export that this one goes on from, or would be."""
        return self._signing_key.public_key.verify if self._signing_key else None

    def _refuse_chain_to_itself(self) -> None:
        chain, folder = self._wanted.chain, self._wanted.folder
        if chain and chain.resolve() == folder.resolve():
            raise UsageError(
                f"--chain {chain} is the folder that -o names: the export would replace the one it goes on from",
                "each export of a chain has a folder of its own",
            )

    def _tell_other_rules(self, previous: PreviousExport, question: Question) -> None:
        if previous.has_other_rules(question):
            self._session.notice(
                f"the redaction profile {question.profile} has other rules than in {self._wanted.chain}; "
                "both manifests tell theirs by a hash"
            )

    def _leftover(self) -> Checkpoint | None:
        """Return what a run before has kept, unless that is to be lost; raises UsageError where an export is there."""
        wanted, folder = self._wanted, self._wanted.folder
        if wanted.force:
            return None
        checkpoint = read_checkpoint(self._folder.partial)
        if checkpoint and (wanted.resume or checkpoint.progress.extent.rows or checkpoint.progress.end_seen):
            return checkpoint
        self._folder.discard()  # nothing is lost
        if self._folder.is_taken and not wanted.resume:
            raise UsageError(f"{folder} holds an export already", _REPLACE)
        if wanted.resume and not self._folder.is_taken:
            self._session.notice(f"there is nothing to go on with in {folder}; the export begins")
        return None

    def _redactor(self, leftover: Checkpoint | None) -> Redactor:
        """Return what redacts the entries, with the key that the leftover was begun with where that is kept there."""
        key = leftover.beginning.pseudonym_key if leftover else None
        if key is None or not self._session.redaction_profile.pseudonyms:
            return self._session.redactor
        return self._session.redactor_with(bytes.fromhex(key))

    def _has_lasting_key(self, leftover: Checkpoint | None) -> bool:
        if leftover and leftover.beginning.pseudonym_key is not None:
            return False
        return self._session.redaction_profile.pseudonyms and self._session.pseudonym_key.is_lasting

    def _refuse_leftover(self, leftover: Checkpoint, question: Question) -> None:
        """Raise UsageError where a run before asked something else, or this one is not said to go on with it."""
        folder, rows = self._wanted.folder, leftover.progress.extent.rows
        if difference := "; ".join(leftover.beginning.question.differences(question)):
            raise UsageError(
                f"{folder} holds {counted(rows, 'record')} of a run that asked something else: {difference}",
                f"--resume with the words of that run goes on with it; {_ANEW}",
            )
        if not self._wanted.resume:
            tell_leftover(self._session, folder, rows)
            raise UsageError(f"{folder} holds an unfinished export", f"--resume goes on with it; {_ANEW}")

    def _tell_lost_signature(self) -> None:
        folder = self._wanted.folder
        if self._signing_key is None and (folder / SIGNATURE).exists():
            self._session.notice(
                f"the export in {folder} is signed, and the one that replaces it is not: no --sign-key"
            )

    def _is_there(self, leftover: Checkpoint | None, question: Question) -> bool:
        """Return whether the folder holds the answer already; raises UsageError where it holds another one."""
        if leftover:
            if not self._folder.is_finished(leftover.beginning.export_id):
                return False
            self._folder.complete_moves()
        elif self._wanted.force or not self._folder.is_taken:
            return False
        try:
            export = FinishedExport(self._wanted.folder, self._verify)
            # What a leftover was asked has been compared; the time of a question that has more answers may have passed.
            difference = (None if leftover else export.unlike(question)) or export.lacking(self._wanted.form)
        except VerificationFailed as error:
            difference = error.message
        if difference:
            folder = self._wanted.folder
            raise UsageError(f"{folder} holds an export, and not the one that is asked for: {difference}", _REPLACE)
        return True

    def _begin(self, export: Export, leftover: Checkpoint | None) -> None:
        self._has_begun = True
        if leftover is None:
            export.begin()
            return
        self._session.begin_work("checked again", leftover.progress.extent.rows)
        export.resume(leftover.progress, self._session.receive)
        self._session.notice(f"going on after {counted(export.records.rows, 'record')}")

    def _export(self, export: Export, source: LogSource, query: LogQuery) -> None:
        session, wanted = self._session, self._wanted
        known = self._known_gaps(export)
        try:
            finished = self._finished(export, source, query, known)
        except KeyboardInterrupt:
            if self._is_kept(export):
                tell_kept(session, wanted.folder, export)
            raise
        except IncompleteExport as error:
            if self._is_kept(export):
                tell_unfinished(session, wanted.folder, export)
            raise _incomplete(error.message, _ANEW_WHEN_MENDED) from None
        except (TaplogsError, OSError) as error:
            if not self._is_kept(export):
                raise
            reason = reason_of(error)
            if not wanted.allow_partial or isinstance(error, OSError):
                tell_kept(session, wanted.folder, export)
                raise _incomplete(reason, _hint_for(error)) from error
            gaps = (*known, *export.broken_off(reason, session.left_out))
            finished = self._finish(export, Ending(self._now(), None, gaps))
        tell_export(session, wanted.folder, finished, self._public_key)
        if lacking := finished.manifest.completeness.gaps:
            raise _incomplete(reason_of_gaps(lacking), _ENDED)

    def _finished(self, export: Export, source: LogSource, query: LogQuery, known: tuple[Gap, ...]) -> Finished:
        """Read the rest, and finish; raises IncompleteExport where something is missing and that is not allowed."""
        if not export.progress.end_seen:
            self._read(export, source, query)
        count = source.count(query)
        gaps = (*known, *missing(export, count))
        if gaps and not self._wanted.allow_partial:
            raise IncompleteExport(reason_of_gaps(gaps))
        return self._finish(export, Ending(self._now(), count, gaps))

    def _known_gaps(self, export: Export) -> tuple[Gap, ...]:
        """Return what the source lacked when the export began, and what else it lacks of the rest by now."""
        begun, since = export.beginning.gaps, export.rest_since
        if export.progress.end_seen:
            return begun
        rest = Window(parse_timestamp(since) if since else None, window_of(export.beginning).until)
        return begun + tuple(gap for gap in self._session.gaps(rest) if not _lies_in(gap, begun))

    def _read(self, export: Export, source: LogSource, query: LogQuery) -> None:
        self._session.begin_work("read")
        with Interruption() as interruption:
            company = self._previous.company if self._previous else None
            export.read(source, query, company, lambda batches: interruption.ends(self._begun(export, batches)))
        if interruption.came:
            raise KeyboardInterrupt
        export.end(self._session.left_out)

    def _begun(self, export: Export, batches: Batches) -> Batches:
        """Yield the batches; what --force replaces is forgotten when the source has given the first, or has none."""
        first = next(batches, None)
        if not self._has_begun:
            self._folder.discard(records=False)
            self._begin(export, None)
        if first is not None:
            yield first
            yield from batches

    def _finish(self, export: Export, ending: Ending) -> Finished:
        session, key = self._session, self._signing_key
        if self._wanted.form:
            session.begin_work("written as CSV", export.records.rows)
        finisher = Finisher(
            export,
            session.redactor.method,
            form=self._wanted.form,
            key_id=session.credential.key.masked if session.asks_backend else None,
            previous=self._previous,
            sign=key.sign if key else None,
        )
        return finisher.finish(ending, session.receive)

    def _is_kept(self, export: Export) -> bool:
        """Keep what came; return False where nothing did."""
        if not self._has_begun:
            return False
        if not export.progress.end_seen:
            export.rescue()
        if not export.records.rows:
            self._folder.discard()
        return export.records.rows > 0

    def _now(self) -> str:
        return format_timestamp(self._session.runtime.clock())


def _lies_in(gap: Gap, known: Sequence[Gap]) -> bool:
    return any((other.since or "") <= (gap.since or "") and gap.until <= other.until for other in known)


def _hint_for(error: Exception) -> str | None:
    is_full = isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT)
    return "free some space, then run the command above, which goes on with --resume" if is_full else None


def _incomplete(reason: str, hint: str | None = None) -> IncompleteExport:
    return IncompleteExport(f"the export is incomplete: {reason}", hint)

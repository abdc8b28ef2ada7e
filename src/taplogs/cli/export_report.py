"""What a run of `taplogs export` says at its end, on standard error: what there is now, or how to go on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from taplogs.audit.export import Export
from taplogs.audit.finishing import Finished
from taplogs.audit.manifest import Manifest, head_of
from taplogs.cli.gap_words import remedy, store_name, words_of
from taplogs.cli.session import Session
from taplogs.core.export_names import SIGNATURE
from taplogs.core.gap import Gap
from taplogs.core.timespan import Window
from taplogs.errors import IncompleteExport, TaplogsError
from taplogs.output.curl import shell_word
from taplogs.output.wording import counted

_ABOUT_ENDING = ("--resume", "--force", "--allow-partial")
_BEGINNING = "the beginning"
_WITH_PERSONAL_DATA = ("none", "secrets")
_GOES_ON = "this goes on with them:"
_MOST_RULES = 4
_PARTIAL = "--allow-partial exports the rest, as incomplete"


def reason_of(error: Exception) -> str:
    """Return why a run ended, in words."""
    if isinstance(error, TaplogsError):
        return error.message
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
    return str(error)


def tell_period(session: Session, window: Window) -> None:
    """Tell a person who waits which time is exported."""
    if session.messages and session.messages.screen.is_terminal:
        session.notice(f"from {window.since_text or _BEGINNING} until {window.until_text}")


def reason_of_gaps(gaps: Sequence[Gap]) -> str:
    """Return why an export is incomplete, in words."""
    return "; ".join(dict.fromkeys(gap.reason for gap in gaps))


def refused_for_gaps(session: Session, gaps: Sequence[Gap]) -> IncompleteExport:
    """Return what is raised before anything is read of a period that the source does not hold whole."""
    pulls = remedy(session, gaps)
    return IncompleteExport(
        f"{store_name(session)} does not hold all of the period: {words_of(session, gaps)}",
        f"{pulls}; {_PARTIAL}" if pulls else f"{_PARTIAL}; --since names a later beginning",
    )


def tell_complete(session: Session, folder: Path) -> None:
    """Say that there is nothing to do any more."""
    session.notice(f"the export in {folder} is complete")


def tell_kept(session: Session, folder: Path, export: Export) -> None:
    """Say what is kept of a run that ended early, and the command that goes on with it."""
    session.notice(f"{_kept(folder, export)}; {_GOES_ON}")
    session.suggest(_resuming(session.runtime.arguments))


def tell_unfinished(session: Session, folder: Path, export: Export) -> None:
    """Say what is kept of a run that read all there was, which was not all there should be; and how to finish it."""
    session.notice(f"{_kept(folder, export)}; this finishes it as it is, incomplete:")
    session.suggest(_resuming([*session.runtime.arguments, "--allow-partial"], without=_ABOUT_ENDING[:2]))


def _kept(folder: Path, export: Export) -> str:
    last = export.progress.last
    until = f" until {last.timestamp}" if last else ""
    return f"{counted(export.records.rows, 'record is', 'records are')} kept in {folder}{until}"


def tell_leftover(session: Session, folder: Path, rows: int) -> None:
    """Say what an earlier run has kept, and the command that goes on with it."""
    session.notice(f"{folder} holds {counted(rows, 'record')} of a run that ended early; {_GOES_ON}")
    session.suggest(_resuming(session.runtime.arguments))


def tell_export(session: Session, folder: Path, finished: Finished, public_key: Path | None) -> None:
    """Say what was exported, where it is, what was hidden, and how it is verified; with `public_key` where it is."""
    manifest = finished.manifest
    completeness, period = manifest.completeness, manifest.period
    head = head_of(manifest.sequence, finished.text)
    since = period.requested_since or _BEGINNING
    records = counted(completeness.rows, "record")
    session.notice(f"{completeness.status}: {records} from {since} until {period.effective_until} in {folder}")
    session.notice(f"hidden by the profile {manifest.redaction.profile}: {_hidden(manifest)}")
    if manifest.redaction.profile in _WITH_PERSONAL_DATA or manifest.redaction.method == "none":
        session.notice("this export holds personal data")
    if late := completeness.late_arrivals:
        session.notice(f"not in it: {counted(late, 'entry', 'entries')} that came into the period while it was read")
    session.notice(f"head: {head}")
    named = shell_word(str(public_key)) if public_key else "FILE"
    signed = f" --pubkey {named}" if (folder / SIGNATURE).exists() else ""
    session.notice("to verify it, without a key and offline:")
    session.suggest(f"taplogs verify {shell_word(str(folder))}{signed} --expect-head {head}")


def _resuming(arguments: Sequence[str], without: Collection[str] = _ABOUT_ENDING) -> str:
    """Return the command that goes on with what this one was to do."""
    kept = [argument for argument in arguments if argument not in without]
    return " ".join(map(shell_word, ["taplogs", *kept, "--resume"]))


def _hidden(manifest: Manifest) -> str:
    counts = manifest.redaction.fields_redacted
    if not counts:
        return "nothing"
    most = sorted(counts, key=lambda rule: (-counts[rule], rule))
    parts = [f"{rule} {counts[rule]:,}" for rule in most[:_MOST_RULES]]
    rest = len(most) - _MOST_RULES
    more = [f"{counted(rest, 'more rule')}"] if rest > 0 else []
    return f"{counted(sum(counts.values()), 'value')}: {', '.join(parts + more)}"

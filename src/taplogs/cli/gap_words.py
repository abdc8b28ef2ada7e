"""What a store lacks of a window, told to a person, with the command that pulls it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from taplogs.archive.gaps import NOT_SYNCED, gaps_of
from taplogs.archive.sync_state import SyncState
from taplogs.core.gap import Gap
from taplogs.core.timespan import UNBOUNDED
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import ConfigurationError
from taplogs.output.curl import shell_word
from taplogs.output.gap_words import gap_words
from taplogs.output.wording import duration
from taplogs.settings import SETTINGS
from taplogs.sources.address import BackendAddress
from taplogs.sources.place import DEMO, Kind

if TYPE_CHECKING:
    from taplogs.cli.session import Session
    from taplogs.core.timespan import Window

_FRESH = timedelta(minutes=1)
"""What is missing since so short a time is not told."""


def notice_of(session: Session, window: Window, gaps: Sequence[Gap], name: str) -> str | None:
    """Return in words what is missing of a window, and the command that pulls it; None where nothing is worth telling.

    `name` is the window's in words.
    """
    end = age_of_end(session, window, gaps)
    if end is not None and end < _FRESH:
        gaps = gaps[:-1]
    if not gaps:
        return None
    found = remedy(session, gaps)
    pulls = f"; {found}" if found else ""
    if end is None or len(gaps) > 1 or end < _FRESH:
        return f"{store_name(session)} does not hold all of {name}: {words_of(session, gaps)}{pulls}"
    since = words_of_time(session, gaps[0].since or "")
    return f"{store_name(session)} ends at {since}, {duration(end.total_seconds())} ago{pulls}"


def age_of_end(session: Session, window: Window, gaps: Sequence[Gap]) -> timedelta | None:
    """Return for how long a store has not been synced, where that is the last of its gaps; None in other cases.

    The window ends now then, and begins before the store ends.
    """
    last = gaps[-1] if gaps else None
    if last is None or last.since is None or last.since <= window.since_text or last.reason != NOT_SYNCED:
        return None
    now = session.runtime.clock()
    return now - parse_timestamp(last.since) if now - parse_timestamp(last.until) < _FRESH else None


def hint_of_missing_entry(session: Session) -> str | None:
    """Return until when a store was synced, and the command that goes on; None where that is not known."""
    gaps = session.gaps(UNBOUNDED)
    found = remedy(session, gaps)
    if not found:
        return None
    since = gaps[-1].since
    end = f"ends at {words_of_time(session, since)}" if since else "has nothing yet"
    return f"it may not be synced: {store_name(session)} {end}; {found}"


def store_name(session: Session) -> str:
    """Return what the open source is called."""
    return "the archive" if session.place and session.place.kind is Kind.ARCHIVE else "the store"


def words_of(session: Session, gaps: Sequence[Gap]) -> str:
    """Return in words what is missing, in the time zone of the run."""
    return gap_words(gaps, lambda timestamp: words_of_time(session, timestamp))


def words_of_time(session: Session, timestamp: str) -> str:
    """Return a canonical timestamp in the time zone of the run."""
    return session.local(parse_timestamp(timestamp))


def remedy(session: Session, gaps: Sequence[Gap]) -> str | None:
    """Return which command pulls what is missing, in words; None where none does: what was pruned stays away."""
    command = _sync_command(session, gaps)
    return f"'{command}' pulls it" if command else None


def _sync_command(session: Session, gaps: Sequence[Gap]) -> str | None:
    """Return the command that pulls what the first origin lacks that was not synced; None where nothing is that."""
    from taplogs.archive.coverage import Span

    for gap in gaps:
        for state in session.sync_states if gap.reason == NOT_SYNCED else ():
            if own := gaps_of([state], Span(gap.since or "", gap.until)):
                return " ".join(map(shell_word, ["taplogs", "sync", *_words(session, state, own[0])]))
    return None


def _words(session: Session, state: SyncState, gap: Gap) -> list[str]:
    """Return the options of the run that pulls a gap of this origin."""
    place = session.place
    words = _origin_words(session, state)
    words += ["--to", place.text] if place and place.kind is not Kind.ARCHIVE else []
    if state.covered and gap.since and gap.since < state.covered[0].since:  # sync alone goes on from where it began
        words += ["--since", gap.since]
    return words


def _origin_words(session: Session, state: SyncState) -> list[str]:
    """Return the options that name an origin, as far as the profile does not."""
    if state.source == DEMO.text:
        return ["--demo"]
    settings = session.settings
    default = SETTINGS["profile"].default
    words = [] if state.profile == settings.profile == default else ["--profile", state.profile]
    if not state.source or (session.place and session.place.kind is Kind.ARCHIVE):
        return words
    if not state.source.startswith(("http://", "https://")):
        return [*words, "--source", state.source]
    path = settings.get("logs_path").rstrip("/")
    if state.profile == settings.profile and state.source != _logs_url(session):
        words += ["--source", state.source.removesuffix(path)]
    return words


def _logs_url(session: Session) -> str | None:
    """Return where the logs of the profile are; None where it names no backend."""
    base_url = session.settings.get("base_url")
    try:
        return BackendAddress(base_url, session.settings.get("logs_path")).logs_url if base_url else None
    except ConfigurationError:
        return None

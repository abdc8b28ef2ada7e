"""What an export is asked, and what is settled when it begins: its window, its first count, its identity."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from uuid import UUID

from taplogs.archive.gaps import NOT_SYNCED
from taplogs.audit.canonical import manifest_text
from taplogs.audit.chain import PreviousExport
from taplogs.audit.checkpoint import Beginning, Question
from taplogs.cli.export_report import refused_for_gaps, tell_period
from taplogs.cli.gap_words import store_name
from taplogs.cli.opening import name_of
from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.gap import Gap
from taplogs.core.query import LogQuery
from taplogs.core.redact import Redactor
from taplogs.core.timespan import Window, is_relative
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import BackendError, UsageError
from taplogs.sources.protocol import LogSource

_FARTHEST_AHEAD = timedelta(days=1)
"""A clock further ahead than that is wrong: what time zones and summer time do to one that is set badly is less."""


class Asked:
    """The words of a run: its filters, its window by the clock of whoever is asked, the export it goes on from."""

    def __init__(self, session: Session, filters: FilterOptions, previous: PreviousExport | None) -> None:
        """Raises UsageError for times that cannot be, and for another --since than where the export before ends."""
        self._session = session
        self._filters = filters
        self._previous = previous
        self._window = self._window_at(session.runtime.clock())

    def question(self, query: LogQuery, redactor: Redactor, *, has_lasting_key: bool) -> Question:
        """Return what is asked. Bounds that depend on the time of the run count by how they were typed."""
        session, filters = self._session, self._filters
        texts = {item.option: item.texts() for item in query.filters}
        templates = list(session.settings.get("endpoint_templates")) if query.endpoint else []
        return Question(
            source=name_of(session),
            environment=session.credential.key.environment if session.asks_backend else None,
            filters={item.option: manifest_text(str(item), redactor) for item in query.filters},
            filters_sha256=sha256(json.dumps([texts, templates]).encode("ascii")).hexdigest(),
            since=filters.since if is_relative(filters.since) else self._window.since_text or None,
            until=filters.until if is_relative(filters.until) else self._window.until_text or None,
            profile=redactor.profile.name,
            profile_sha256=redactor.profile.sha256,
            key_fingerprint=redactor.key_fingerprint if has_lasting_key else None,
            previous=self._previous.sha256 if self._previous else None,
        )

    def beginning(
        self, source: LogSource, query: LogQuery, question: Question, *, allow_partial: bool = False
    ) -> Beginning:
        """Settle what holds from here on: the window ends at what time it is at the source, if not before.

        Without --until, it ends where a store that sync fills does. Raises IncompleteExport where that lacks more of
        the window, unless `allow_partial`.
        """
        session, runtime = self._session, self._session.runtime
        source.now()  # which may have to ask; the second time it is but a look at the clock
        clock, now = runtime.clock(), source.now()
        window = self._window_at(now)
        until = format_timestamp(now)
        if window.until:
            until = min(until, window.until_text)
        if window.since_text >= until:
            raise UsageError(
                f"nothing of the period has passed: it begins at {window.since_text}, and it is {until} at the source",
                "--since lies in the past",
            )
        if parse_timestamp(until) - clock > _FARTHEST_AHEAD:
            raise BackendError(
                f"it is {until} at the source and {format_timestamp(clock)} here: an export cannot end in the future",
                "one of the two clocks is wrong; --until names an end that has passed by both",
            )
        if window.until and window.until_text > until:
            session.notice(f"the end asked for, {window.until_text}, lies ahead: exported until now, {until}")
        end, gaps = self._held_until(window, until)
        if gaps:
            refused = refused_for_gaps(session, gaps)
            if not allow_partial:
                raise refused
            session.notice(refused.message)
        if end < until:
            session.notice(f"{store_name(session)} ends at {end}: exported until then")
            until = end
        frozen = Window(window.since, parse_timestamp(until))
        tell_period(session, frozen)
        keeps_key = session.redaction_profile.pseudonyms and not session.pseudonym_key.is_lasting
        return Beginning(
            export_id=str(UUID(bytes=runtime.random_bytes(16), version=4)),
            started_at=format_timestamp(clock),
            question=question,
            requested_since=window.since_text or None,
            requested_until=window.until_text or None,
            effective_until=until,
            time_zone=_name_of(session.zone, now),
            clock_skew_ms=round((now - clock).total_seconds() * 1000),
            count_before=source.count(query.within(frozen)),
            pseudonym_key=session.pseudonym_key.key.hex() if keeps_key else None,
            gaps=gaps,
        )

    def _held_until(self, window: Window, until: str) -> tuple[str, tuple[Gap, ...]]:
        """Return where a window ends that nobody has given an end, and what the source lacks of it.

        Raises IncompleteExport where a store holds nothing of it.
        """
        session = self._session
        gaps = session.gaps(Window(window.since, parse_timestamp(until)))
        if window.until or not gaps or (gaps[-1].until, gaps[-1].reason) != (until, NOT_SYNCED):
            return until, gaps
        *others, last = gaps
        if last.since is None or last.since <= window.since_text:
            raise refused_for_gaps(session, gaps)
        return last.since, tuple(others)

    def _window_at(self, now: datetime) -> Window:
        window = self._filters.window(now, self._session.zone)
        if self._previous is None:
            return window
        since = self._previous.since
        if self._filters.since is not None and window.since_text != since:
            raise UsageError(
                f"--since {self._filters.since} ({window.since_text}) is not where the export before ends: {since}",
                "leave --since out: --chain says where to begin",
            )
        window = Window(parse_timestamp(since), window.until)
        if window.until and window.until_text <= since:
            raise UsageError(
                f"--until {self._filters.until} ({window.until_text}) is before {since}, where the export before ends",
                "the next export of a chain ends later",
            )
        return window


def window_of(beginning: Beginning) -> Window:
    """Return the window that an export reads, frozen."""
    since = beginning.requested_since
    return Window(parse_timestamp(since) if since else None, parse_timestamp(beginning.effective_until))


def _name_of(zone: tzinfo, now: datetime) -> str:
    """Return the name of the zone that times are typed in; of one that has none, its offset now, such as UTC+0100."""
    return getattr(zone, "key", None) or f"UTC{now.astimezone(zone):%z}".removesuffix("+0000")

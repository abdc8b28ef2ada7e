"""One run that brings a store in step with a source: what to read, and each batch stored with how far that goes.

The order is that of time. With every step the store gets some entries and the state that they justify, so a run may
end at any instant: what is not stored then is not said to be covered, and the next run reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from taplogs.archive.coverage import Span, joined, missing, until_only
from taplogs.archive.ownership import companies_of, refuse_others, refuse_unless_same_company
from taplogs.archive.sync_state import Redaction, SyncState, decode_state, encode_state
from taplogs.audit.canonical import well_formed
from taplogs.audit.total_order import TotalOrder
from taplogs.core.entry import LogEntry
from taplogs.core.filters import CompanyFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import BackendError, TaplogsError, UsageError
from taplogs.sources.protocol import EntryStore, Kept, LogSource, UnstorableEntry

_MOST_COMPANIES = 1000
_NOTHING = Span("", "")

Batches = Iterator[list[LogEntry]]


class Origin(Struct, frozen=True):
    """Where entries are pulled from: the source in words, the profile, the API key and its world, and what is hidden.

    `key` is masked.
    """

    source: str
    profile: str
    key: str | None = None
    environment: str | None = None
    redaction: Redaction | None = None

    @property
    def name(self) -> str:
        """The name under which a store keeps the state."""
        return f"{self.profile} {self.source}"


class Step(Struct, frozen=True):
    """How much is stored at once: so many entries, bytes of payload, or seconds of reading, whatever comes first."""

    entries: int = 5000
    payload_bytes: int = 8 << 20
    seconds: float = 2.0


class Stretch(Struct, frozen=True):
    """A span to read, and what may be said to be covered of it; an empty `until` is no bound.

    New entries that are earlier than `late_before` are late. `by_steps`: what has been read so far is covered, until
    the last entry. `to_end`: read to its end, all of it is, also where nothing was.
    """

    span: Span
    late_before: str = ""
    by_steps: bool = True
    to_end: bool = True


class Sync:
    """A run. `state` is what the store holds as the state of the origin, but for how many entries were late last."""

    def __init__(
        self,
        source: LogSource,
        store: EntryStore,
        origin: Origin,
        *,
        shared: bool,
        monotonic: Callable[[], float],
        step: Step = Step(),  # noqa: B008 - frozen
    ) -> None:
        """`shared`: the store may hold entries of several origins; otherwise another one's raise UsageError."""
        states = dict(store.states())
        before = states.pop(origin.name, None)
        if states and not shared:
            other = decode_state(next(iter(states.values())))
            raise UsageError(
                f"the store holds entries of {other.source} (profile {other.profile})",
                "a store holds the entries of one backend and one profile; name another one",
            )
        self.state = SyncState(origin.source, origin.profile) if before is None else decode_state(before)
        self._source = source
        self._store = store
        self._origin = origin
        self._monotonic = monotonic
        self._step = step
        self._has_others = bool(states)
        self._begin = self.state.covered[0].since if self.state.covered else ""
        self._is_other_key = before is not None and self.state.key != origin.key
        self._known = frozenset(self.state.companies) if self._is_other_key else frozenset()
        self._read_whole = _NOTHING
        self.pulled = self.new = self.late = 0

    def refuse_other_company(self) -> bool:
        """Raise OtherCompany where the API key is not the one of the last run, and nothing shows it is of its company.

        Where the store holds nothing, the key of before may have been one to which nothing is shown: then the coverage
        is forgotten. Return whether it was.
        """
        if not self._is_other_key:
            return False
        newest = self._newest()
        if newest is not None:
            refuse_unless_same_company(self._source, newest, self._known)
            return False
        forgotten = self.state.covered
        self.state = replace(self.state, covered=())
        return bool(forgotten)

    def forget_beyond(self, now: str) -> Span | None:
        """Forget what is said to be covered where that reaches beyond `now`; return the span that is read again.

        A clock was ahead once. What came between the true time of that run and `now` was never read, so the coverage
        ends with the newest entry that came before now. None is where the clock is right.
        """
        end = self.state.covered[-1].until if self.state.covered else ""
        if end <= now:
            return None
        newest = self._newest(now)
        known = newest.timestamp if newest else ""
        self.state = replace(self.state, covered=until_only(self.state.covered, known))
        return Span(known, end)

    def stretches(self, since: str | None, now: str, overlap: timedelta | None) -> list[Stretch]:
        """Return what is to be read, in the order of time: what is not covered between two canonical timestamps.

        Without `since` that begins where the coverage did, or with the first entry there is. Where a covered span is
        gone on from, reading begins by `overlap` before its end. Where `now` is this machine's time and not the
        source's, nothing is said to be covered beyond the last entry that is read: this clock may be ahead.

        No `overlap` is for sources that get entries of any age at any time, and have no now: all is read again. Nothing
        that was pruned is.
        """
        pruned = self.state.pruned_before
        if overlap is None:
            return [Stretch(Span(max(since or "", pruned), ""), by_steps=False, to_end=False)]
        wanted = Span(max(self._begin if since is None else since, pruned), now)
        return [self._with_overlap(gap, now, overlap) for gap in missing(self.state.covered, wanted)]

    def read(self, stretch: Stretch, until: Callable[[Batches], Batches], is_over: Callable[[], bool]) -> None:
        """Read a stretch and store what comes, step by step; what came before an error is stored, too.

        `until` ends the batches early, and `is_over` says whether it did. Raises OtherCompany, and what the source and
        the store raise.
        """
        span = stretch.span
        window = Window(*(parse_timestamp(bound) if bound else None for bound in (span.since, span.until)))
        query = LogQuery(window=window, order=Order.OLDEST_FIRST)
        batches = TotalOrder().sort(self._source.batches(query))
        so_far = _NOTHING
        for batch in self._gathered(until(batches)):
            so_far = Span(span.since, batch[-1].timestamp)
            self._keep(batch, so_far if stretch.by_steps else _NOTHING, stretch.late_before)
        if is_over():
            return
        if stretch.to_end:
            self._keep([], span)
        self._read_whole = so_far

    def finish(self, now: str) -> None:
        """Take note that everything there was at `now` was read."""
        origin = self._origin
        self.state = replace(self.state, synced_at=now, key=origin.key, environment=origin.environment)
        self._keep([], self._read_whole)

    def _newest(self, before: str | None = None) -> LogEntry | None:
        """Return the newest entry that the store has, before a canonical timestamp where one is given.

        In a store that others pull into as well, it is the newest of the companies that are known.
        """
        query = LogQuery(window=Window(None, parse_timestamp(before) if before else None), limit=1, payloads=False)
        if self._has_others:
            if not self.state.companies:
                return None
            query = replace(query, company=CompanyFilter(tuple(map(well_formed, self.state.companies))))
        return next(iter(self._store.search(query)), None)

    def _with_overlap(self, gap: Span, now: str, overlap: timedelta) -> Stretch:
        to_end = gap.until < now or self._source.tells_time
        before = next((span for span in self.state.covered if span.until == gap.since), None)
        if before is None:
            return Stretch(gap, to_end=to_end)
        try:
            since = format_timestamp(parse_timestamp(gap.since) - overlap)
        except OverflowError:  # the calendar begins later
            since = ""
        return Stretch(Span(max(since, before.since), gap.until), late_before=gap.since, to_end=to_end)

    def _keep(self, batch: list[LogEntry], covered: Span, late_before: str = "") -> None:
        """Store a batch with the state that goes with it."""
        if self._known:
            refuse_others(batch, self._known)
        before, origin = self.state, self._origin
        companies, redactions = before.companies, before.redactions
        if len(companies) < _MOST_COMPANIES:
            added = sorted(companies_of(batch) - {*companies})
            companies = (*companies, *added)[:_MOST_COMPANIES]
        if batch and origin.redaction:
            redactions = (*(other for other in redactions if other != origin.redaction), origin.redaction)
        # Another key stays another one until a run has come to its end: what it reads is looked at until then.
        is_first = not self._is_other_key and before.key is None
        state = replace(
            before,
            covered=joined(before.covered, covered),
            companies=companies,
            key=origin.key if is_first else before.key,
            environment=origin.environment if is_first else before.environment,
            redactions=redactions,
        )
        kept = self._stored(batch, state, late_before)
        self.state = replace(state, late=state.late + kept.late)
        self.pulled += len(batch)
        self.new += kept.new
        self.late += kept.late

    def _stored(self, batch: list[LogEntry], state: SyncState, late_before: str) -> Kept:
        """Store a batch; of texts that no store can hold, what stands in for them in exports."""
        name, text = self._origin.name, encode_state(state)
        try:
            return self._store.keep(batch, origin=name, state=text, late_before=late_before)
        except UnstorableEntry:
            batch = list(map(_well_formed, batch))
        try:
            return self._store.keep(batch, origin=name, state=text, late_before=late_before)
        except UnstorableEntry as error:
            raise BackendError(f"the backend has an entry that cannot be stored: it holds {error}") from None

    def _gathered(self, batches: Batches) -> Batches:
        """Yield larger batches, which cost less to store; also what came before an error, and before it is raised."""
        gathered: list[LogEntry] = []
        size = 0
        due = self._monotonic() + self._step.seconds
        try:
            for batch in batches:
                gathered += batch
                size += sum(len(entry.request_payload) + len(entry.response_payload) for entry in batch)
                is_full = len(gathered) >= self._step.entries or size >= self._step.payload_bytes
                if gathered and (is_full or self._monotonic() >= due):
                    yield gathered
                    gathered, size = [], 0
                    due = self._monotonic() + self._step.seconds
        except TaplogsError:
            if gathered:
                yield gathered
            raise
        if gathered:
            yield gathered


def _well_formed(entry: LogEntry) -> LogEntry:
    """Return an entry with each lone surrogate as its escape."""
    values = ((name, getattr(entry, name)) for name in entry.__struct_fields__)
    return replace(entry, **{name: well_formed(value) for name, value in values if isinstance(value, str)})

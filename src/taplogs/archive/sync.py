"""One run that brings a store in step with a source: what to read, and each batch stored with how far that goes.

The order is that of time. With every step the store gets some entries and the state that they justify, so a run may
end at any instant: what is not stored then is not said to be covered, and the next run reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from taplogs.archive.coverage import Span, joined, missing
from taplogs.archive.sync_state import SyncState, decode_state, encode_state
from taplogs.audit.canonical import well_formed
from taplogs.audit.total_order import TotalOrder
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import BackendError, TaplogsError, UsageError
from taplogs.sources.protocol import EntryStore, Kept, LogSource, UnstorableEntry

_MOST_COMPANIES = 1000

Batches = Iterator[list[LogEntry]]

_company = attrgetter("company_id")


class Origin(Struct, frozen=True):
    """Where entries are pulled from: the source in words, the profile, and the API key, masked, and its world."""

    source: str
    profile: str
    key: str | None = None
    environment: str | None = None

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
    """A span to read; new entries in it that are earlier than `late_before` are late."""

    span: Span
    late_before: str = ""


class OtherCompany(UsageError):
    """The entries belong to another company than those that a store holds."""


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
        self._known = frozenset(self.state.companies) if self.state.key != origin.key else frozenset()
        self.pulled = self.new = self.late = 0

    def stretches(self, since: str | None, now: str, overlap: timedelta | None) -> list[Stretch]:
        """Return what is to be read, in the order of time: what is not covered between two canonical timestamps.

        Without `since` that begins where the coverage does, or with the first entry there is. Where a covered span is
        gone on from, reading begins by `overlap` before its end; None is for sources that get entries of any age at any
        time, and everything is read again. Nothing that was pruned is.
        """
        state = self.state
        if overlap is None:
            everything = Span(max(since or "", state.pruned_before), now)
            return [Stretch(everything)] if everything.since < now else []
        if since is None:
            since = state.covered[0].since if state.covered else ""
        gaps = missing(state.covered, Span(max(since, state.pruned_before), now))
        return [self._with_overlap(gap, overlap) for gap in gaps]

    def read(self, stretch: Stretch, until: Callable[[Batches], Batches], is_over: Callable[[], bool]) -> None:
        """Read a stretch and store what comes, step by step; what came before an error is stored, too.

        `until` ends the batches early, and `is_over` says whether it did. Raises OtherCompany, and what the source and
        the store raise.
        """
        span = stretch.span
        window = Window(parse_timestamp(span.since) if span.since else None, parse_timestamp(span.until))
        query = LogQuery(window=window, order=Order.OLDEST_FIRST)
        batches = TotalOrder().sort(self._source.batches(query))
        for batch in self._gathered(until(batches)):
            self._keep(batch, Span(span.since, batch[-1].timestamp), stretch.late_before)
        if not is_over():
            self._keep([], span)

    def finish(self, now: str) -> None:
        """Take note that all there was until `now` was read."""
        self.state = replace(self.state, synced_at=now)
        self._keep([], Span("", ""))

    def refuse_other_company(self) -> None:
        """Raise OtherCompany where the API key is not the one of the last run, nor another one of its company.

        The newest entry tells. To a key of another company the same time would seem to hold nothing, and would be
        taken for covered.
        """
        if not self._known:
            return
        query = LogQuery(limit=1, payloads=False)
        newest = [entry for batch in self._source.batches(query) for entry in batch]
        if not newest:
            raise OtherCompany(
                f"{self._difference}, and the backend shows it no entry that would tell whose it is",
                "sync again as soon as it has one, or with another --profile, which has an archive of its own",
            )
        self._refuse_others(newest)

    def _with_overlap(self, gap: Span, overlap: timedelta) -> Stretch:
        before = next((span for span in self.state.covered if span.until == gap.since), None)
        if before is None:
            return Stretch(gap)
        try:
            since = format_timestamp(parse_timestamp(gap.since) - overlap)
        except OverflowError:  # the calendar begins later
            since = ""
        return Stretch(Span(max(since, before.since), gap.until), late_before=gap.since)

    def _keep(self, batch: list[LogEntry], covered: Span, late_before: str = "") -> None:
        """Store a batch with the state that goes with it."""
        self._refuse_others(batch)
        companies = self.state.companies
        if len(companies) < _MOST_COMPANIES:
            added = sorted({*_companies(batch)} - {*companies})
            companies = (*companies, *added)[:_MOST_COMPANIES]
        origin = self._origin
        state = replace(
            self.state,
            covered=joined(self.state.covered, covered),
            companies=companies,
            key=origin.key,
            environment=origin.environment,
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

    def _refuse_others(self, batch: list[LogEntry]) -> None:
        others = {*_companies(batch)} - self._known if self._known else ()
        if others:
            raise OtherCompany(
                f"{self._difference}, and it reads entries of another company: {min(others)!r}",
                "give each company a profile of its own (--profile), which has an archive of its own",
            )

    @property
    def _difference(self) -> str:
        known = sorted(self._known)
        more = f" and {len(known) - 1:,} more" if len(known) > 1 else ""
        return f"the archive holds entries of the company {known[0]!r}{more}; the API key is another one than before"

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


def _companies(batch: list[LogEntry]) -> set[str]:
    return {company for company in map(_company, batch) if company is not None}


def _well_formed(entry: LogEntry) -> LogEntry:
    """Return an entry with each lone surrogate as its escape."""
    values = ((name, getattr(entry, name)) for name in entry.__struct_fields__)
    return replace(entry, **{name: well_formed(value) for name, value in values if isinstance(value, str)})

"""A sync, whatever becomes visible when and wherever a run ends: the store gets all there is, each entry once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from serving import log_entry, payload
from taplogs.archive.coverage import Span
from taplogs.archive.ownership import OtherCompany
from taplogs.archive.sync import Batches, Origin, Step, Sync
from taplogs.archive.sync_state import Redaction, decode_state
from taplogs.archive.upkeep import prune
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import BackendError, UsageError
from taplogs.sources.protocol import Kept
from taplogs.sources.sqlite import SqliteStore

START = datetime(2026, 11, 1, tzinfo=UTC)
OVERLAP = timedelta(minutes=10)
KEY = Origin("https://logs.example.com/v1/partner/logs", "team", "sk_test_…AAAA", "test")
OTHER_KEY = Origin(KEY.source, KEY.profile, "sk_test_…BBBB", "test")


def at(minutes: float) -> str:
    return format_timestamp(START + timedelta(minutes=minutes))


def entry(number: int, minute: float, company: str | None = "acme", **fields: object) -> LogEntry:
    return log_entry(number, timestamp=at(minute), company_id=company, **fields)


class TellingSource(SqliteStore):
    """A source with a clock of its own: the minutes of these tests are by that."""

    tells_time = True


@dataclass
class Stores:
    """A source and what it is synced into: two real stores in a folder."""

    folder: Path
    source: SqliteStore = field(init=False)
    store: SqliteStore = field(init=False)

    def __post_init__(self) -> None:
        self.source = TellingSource(self.folder / "source.sqlite")
        self.store = SqliteStore(self.folder / "store.sqlite")

    def close(self) -> None:
        self.source.close()
        self.store.close()

    def sync(
        self,
        minute: float,
        *,
        since: str | None = None,
        most: int | None = None,
        origin: Origin = KEY,
        step: Step = Step(entries=2),  # noqa: B008 - frozen
        overlap: timedelta | None = OVERLAP,
    ) -> Sync:
        """Run a sync at this minute, which ends after `most` batches of one entry."""
        sync = Sync(self.source, self.store, origin, shared=False, monotonic=lambda: 0.0, step=step)
        sync.refuse_other_company()
        if overlap is not None:
            sync.forget_beyond(at(minute))
        over = False

        def until(batches: Batches) -> Iterator[list[LogEntry]]:
            nonlocal over
            single = ([entry] for batch in batches for entry in batch)
            yield from islice(single, most)
            over = most is not None

        for stretch in sync.stretches(since, at(minute), overlap):
            sync.read(stretch, until, lambda: over)
            if over:
                return sync
        sync.finish(at(minute))
        return sync

    @property
    def numbers(self) -> list[int]:
        return [int(found.id[-5:]) for found in self.store.search(LogQuery(order=Order.OLDEST_FIRST))]


class RecordingStore(SqliteStore):
    """A store that notes how many entries it is given at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.sizes: list[int] = []

    def keep(self, entries: Sequence[LogEntry], *, origin: str, state: bytes, late_before: str = "") -> Kept:
        self.sizes.append(len(entries))
        return super().keep(entries, origin=origin, state=state, late_before=late_before)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with closing(Stores(tmp_path)) as found:
        yield found


# Gaps and overlaps


arrivals = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 9)), max_size=30)
runs = st.lists(st.tuples(st.integers(1, 40), st.none() | st.integers(0, 8)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(arrivals, runs)
def test_entries_late_by_less_than_the_overlap_are_never_missed_wherever_runs_end(
    arriving: list[tuple[int, int]], steps: list[tuple[int, int | None]]
) -> None:
    with TemporaryDirectory() as folder, closing(Stores(Path(folder))) as stores:
        minute = 0
        for pause, most in [*steps, (200, None)]:
            minute += pause
            visible = [entry(n, time) for n, (time, late) in enumerate(arriving) if time + late <= minute]
            stores.source.add(visible)
            stores.sync(minute, most=most)
        assert list(stores.store.search(LogQuery())) == list(stores.source.search(LogQuery()))


def test_a_run_reads_what_is_new_and_the_overlap_and_nothing_else(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    assert (stores.sync(30).pulled, stores.numbers) == (30, list(range(30)))
    second = stores.sync(60)
    assert (second.pulled, second.new, second.late) == (40, 30, 0)
    assert second.state.covered == (Span("", at(60)),)


def test_an_entry_that_became_visible_late_is_counted_as_late(stores: Stores) -> None:
    stores.source.add([entry(1, 1), entry(2, 25)])
    stores.sync(30)
    stores.source.add([entry(3, 22), entry(4, 31), entry(5, 10)])
    found = stores.sync(40)
    assert (found.new, found.late, found.state.late) == (2, 1, 1)
    assert stores.numbers == [1, 3, 2, 4]  # 5 became visible later than the overlap allows


def test_entries_at_the_bound_of_two_runs_are_read_once_the_bound_has_passed(stores: Stores) -> None:
    stores.source.add([entry(1, 30), entry(2, 29.999)])
    assert stores.sync(30).new == 1
    assert stores.sync(31).new == 1


def test_an_earlier_since_fills_in_what_is_older_and_nothing_of_it_is_late(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    stores.sync(60, since=at(40))
    assert stores.numbers == list(range(40, 60))
    found = stores.sync(60, since=at(20))
    assert (found.new, found.late) == (20, 0)
    assert found.state.covered == (Span(at(20), at(60)),)


def test_a_later_since_leaves_a_gap_that_the_next_run_closes(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    stores.sync(20)
    assert stores.sync(60, since=at(40)).state.covered == (Span("", at(20)), Span(at(40), at(60)))
    assert stores.sync(60).state.covered == (Span("", at(60)),)
    assert stores.numbers == list(range(60))


def test_a_run_that_ends_early_covers_what_is_before_its_last_entry(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    assert stores.sync(60, most=31).state.covered == (Span("", at(30)),)


def test_what_was_pruned_is_not_pulled_again(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    stores.sync(60)
    assert prune(stores.store, at(55)) == 55
    for since in (None, at(0)):
        found = stores.sync(60, since=since)
        assert found.state.covered == (Span(at(55), at(60)),)
    assert stores.sync(61).pulled == 5  # the overlap ends where pruning did
    assert stores.numbers == [55, 56, 57, 58, 59]


def test_an_overlap_that_is_longer_reads_more_of_what_is_covered_again(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(60)])
    stores.sync(60)
    stores.source.add([entry(100, 5.5)])
    assert stores.sync(61).new == 0
    assert stores.sync(62, overlap=timedelta(hours=1)).late == 1


# Clocks that are wrong


def test_what_came_while_a_clock_had_been_ahead_is_read_as_soon_as_the_clock_is_right(stores: Stores) -> None:
    stores.source.add([entry(1, 1), entry(2, 20)])
    assert stores.sync(2000).state.covered == (Span("", at(2000)),)  # in truth it is minute 21
    stores.source.add([entry(3, 30), entry(4, 15), entry(5, 500)])
    found = stores.sync(100)
    assert stores.numbers == [1, 4, 2, 3]
    assert found.state.covered == (Span("", at(100)),)
    assert stores.sync(2500).new == 1


def test_of_what_a_wrong_clock_covered_is_forgotten_what_follows_the_newest_entry_there_is(stores: Stores) -> None:
    stores.source.add([entry(1, 20), entry(2, 60)])
    sync = stores.sync(90)
    assert sync.forget_beyond(at(90)) is None
    assert sync.forget_beyond(at(50)) == Span(at(20), at(90))
    assert sync.state.covered == (Span("", at(20)),)
    assert sync.forget_beyond(at(10)) == Span("", at(20))
    assert not sync.state.covered


def test_where_all_that_is_covered_is_forgotten_reading_begins_where_it_did(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(2000, since=at(10))
    stores.source.add([entry(2, 30)])
    assert stores.sync(100).state.covered == (Span(at(10), at(100)),)
    assert stores.numbers == [2]


def test_by_this_machines_clock_nothing_is_covered_beyond_the_last_entry_that_was_read(stores: Stores) -> None:
    stores.source.close()
    stores.source = SqliteStore(stores.folder / "source.sqlite")
    stores.source.add([entry(1, 1), entry(2, 20)])
    assert stores.sync(2000).state.covered == (Span("", at(20)),)  # in truth it is minute 21
    stores.source.add([entry(3, 30)])
    assert stores.sync(2100).state.covered == (Span("", at(30)),)  # neither clock has been set right
    assert stores.numbers == [1, 2, 3]


@settings(max_examples=60)
@given(arrivals, st.lists(st.tuples(st.integers(1, 40), st.integers(-200, 2000)), min_size=1, max_size=6))
def test_however_wrong_this_machines_clock_is_nothing_is_missed_once_it_is_right(
    arriving: list[tuple[int, int]], steps: list[tuple[int, int]]
) -> None:
    with TemporaryDirectory() as folder, closing(Stores(Path(folder))) as stores:
        stores.source.close()
        stores.source = SqliteStore(stores.folder / "source.sqlite")
        minute = 0
        for pause, error in [*steps, (200, 0)]:
            minute += pause
            visible = [entry(n, time) for n, (time, late) in enumerate(arriving) if time + late <= minute]
            stores.source.add(visible)
            stores.sync(minute + error)
        assert list(stores.store.search(LogQuery())) == list(stores.source.search(LogQuery()))


def test_by_this_machines_clock_a_gap_in_the_past_is_covered_to_its_end(stores: Stores) -> None:
    stores.source.close()
    stores.source = SqliteStore(stores.folder / "source.sqlite")
    stores.source.add([entry(1, 1), entry(2, 20), entry(3, 50)])
    stores.sync(21)
    stores.sync(60, since=at(40))
    assert stores.sync(60).state.covered == (Span("", at(50)),)


# Sources that get entries of any age at any time


def test_such_a_source_is_read_whole_also_what_is_still_to_come(stores: Stores) -> None:
    stores.source.add([entry(1, 1), entry(2, 5000)])
    assert stores.sync(30, overlap=None).state.covered == (Span("", at(5000)),)
    stores.source.add([entry(3, 0)])
    assert stores.sync(30, overlap=None).new == 1
    assert stores.numbers == [3, 1, 2]


def test_such_a_source_covers_nothing_until_it_was_read_to_its_end(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(10)])
    assert stores.sync(30, overlap=None, most=7).state.covered == ()
    assert len(stores.numbers) == 7
    assert stores.sync(30, overlap=None).state.covered == (Span("", at(9)),)


# Steps


def test_large_payloads_make_small_steps(stores: Stores) -> None:
    body = payload('"' + "x" * 1000 + '"')
    stores.source.add([entry(minute, minute, request_payload=body) for minute in range(10)])
    with closing(RecordingStore(stores.folder / "recording.sqlite")) as stores.store:
        stores.sync(60, step=Step(payload_bytes=3000))
        assert stores.store.sizes == [3, 3, 3, 1, 0, 0]


def test_what_came_before_an_error_is_kept(stores: Stores) -> None:
    stores.source.add([entry(minute, minute) for minute in range(5)])
    sync = Sync(stores.source, stores.store, KEY, shared=False, monotonic=lambda: 0.0)

    def breaking(batches: Batches) -> Iterator[list[LogEntry]]:
        yield from batches
        raise BackendError("gone")

    (stretch,) = sync.stretches(None, at(60), OVERLAP)
    with pytest.raises(BackendError):
        sync.read(stretch, breaking, lambda: False)
    assert stores.numbers == [0, 1, 2, 3, 4]
    assert sync.state.covered == (Span("", at(4)),)


# Companies


def test_another_key_of_the_same_company_goes_on(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    stores.source.add([entry(2, 31)])
    assert stores.sync(60, origin=OTHER_KEY).state.key == OTHER_KEY.key
    assert stores.numbers == [1, 2]


def test_the_same_key_may_bring_another_company(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    stores.source.add([entry(2, 31, "globex"), entry(3, 32, None)])
    assert stores.sync(60).state.companies == ("acme", "globex")
    assert stores.numbers == [1, 2, 3]


def test_another_key_of_another_company_is_refused_and_nothing_of_it_is_stored(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    before = stores.sync(30).state
    stores.source.add([entry(2, 31, "globex")])
    with pytest.raises(OtherCompany, match="'globex'"):
        stores.sync(60, origin=OTHER_KEY)
    assert stores.numbers == [1]
    assert stores.sync(30).state.covered == before.covered


def test_another_company_is_refused_however_deep_in_a_run_it_comes(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    stores.source.add([entry(2, 31, "globex"), entry(3, 32)])
    with pytest.raises(OtherCompany, match="'globex'"):
        stores.sync(60, origin=OTHER_KEY)
    assert stores.numbers == [1]


def test_a_company_that_was_refused_once_is_refused_again(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    stores.source.add([entry(2, 31), entry(3, 32), entry(4, 33, "globex")])
    for _ in range(2):
        with pytest.raises(OtherCompany, match="'globex'"):
            stores.sync(60, origin=OTHER_KEY)
    assert stores.numbers == [1, 2, 3]


def test_another_key_to_which_nothing_is_shown_is_refused_so_that_no_gap_is_taken_for_covered(
    stores: Stores, tmp_path: Path
) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    with (
        closing(SqliteStore(tmp_path / "empty.sqlite")) as stores.source,
        pytest.raises(OtherCompany, match="no entry"),
    ):
        stores.sync(60, origin=OTHER_KEY)


@pytest.mark.parametrize("known", ["acme", None])
def test_another_key_whose_entries_name_no_company_is_refused(
    stores: Stores, tmp_path: Path, known: str | None
) -> None:
    stores.source.add([entry(1, 1, known)])
    before = stores.sync(30).state
    with closing(SqliteStore(tmp_path / "other.sqlite")) as stores.source:
        stores.source.add([entry(2, 31, None)])
        for _ in range(2):
            with pytest.raises(OtherCompany, match="names no company"):
                stores.sync(60, origin=OTHER_KEY)
    assert stores.numbers == [1]
    assert decode_state(stores.store.states()[KEY.name]) == before


def test_another_key_that_sees_the_newest_entry_goes_on_whatever_the_entries_name(stores: Stores) -> None:
    stores.source.add([entry(1, 1, None)])
    stores.sync(30)
    stores.source.add([entry(2, 31, None)])
    assert stores.sync(60, origin=OTHER_KEY).state.key == OTHER_KEY.key
    assert stores.numbers == [1, 2]


def test_an_entry_of_the_same_id_and_another_time_shows_nothing(stores: Stores, tmp_path: Path) -> None:
    stores.source.add([entry(1, 1, None)])
    stores.sync(30)
    with closing(SqliteStore(tmp_path / "other.sqlite")) as stores.source:
        stores.source.add([entry(1, 2, None)])
        with pytest.raises(OtherCompany, match="names no company"):
            stores.sync(60, origin=OTHER_KEY)


def test_another_key_goes_on_where_the_backend_has_forgotten_all_that_is_stored(stores: Stores, tmp_path: Path) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    with closing(TellingSource(tmp_path / "later.sqlite")) as stores.source:
        stores.source.add([entry(2, 31)])
        assert stores.sync(60, origin=OTHER_KEY).state.key == OTHER_KEY.key
    assert stores.numbers == [1, 2]


def test_what_a_key_covered_that_saw_nothing_is_read_again_with_another_one(stores: Stores, tmp_path: Path) -> None:
    with closing(TellingSource(tmp_path / "empty.sqlite")) as stores.source:
        assert stores.sync(30).state.covered == (Span("", at(30)),)
    with closing(TellingSource(tmp_path / "right.sqlite")) as stores.source:
        stores.source.add([entry(1, 1), entry(2, 31)])
        found = stores.sync(60, origin=OTHER_KEY)
    assert (found.state.key, found.state.covered) == (OTHER_KEY.key, (Span("", at(60)),))
    assert stores.numbers == [1, 2]


# Origins


def test_a_store_of_another_origin_is_refused(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    stores.sync(30)
    for other in (Origin("https://else.example.com", "team"), Origin(KEY.source, "else")):
        with pytest.raises(
            UsageError, match=r"holds entries of https://logs.example.com/v1/partner/logs \(profile team"
        ):
            stores.sync(60, origin=other)


def test_a_shared_store_keeps_a_state_for_each_origin(stores: Stores) -> None:
    stores.source.add([entry(1, 1)])
    for origin in (KEY, Origin(KEY.source, "else")):
        sync = Sync(stores.source, stores.store, origin, shared=True, monotonic=lambda: 0.0)
        for stretch in sync.stretches(None, at(60), OVERLAP):
            sync.read(stretch, lambda batches: batches, lambda: False)
    assert sorted(stores.store.states()) == [f"else {KEY.source}", KEY.name]


def test_a_shared_store_shows_nothing_of_a_key_by_entries_of_another_origin(stores: Stores, tmp_path: Path) -> None:
    stores.source.add([entry(1, 1, "globex")])

    def synced(origin: Origin) -> Sync:
        sync = Sync(stores.source, stores.store, origin, shared=True, monotonic=lambda: 0.0)
        sync.refuse_other_company()
        for stretch in sync.stretches(None, at(60), OVERLAP):
            sync.read(stretch, lambda batches: batches, lambda: False)
        sync.finish(at(60))
        return sync

    synced(Origin("https://else.example.com", "team"))
    with closing(TellingSource(tmp_path / "empty.sqlite")) as stores.source:
        assert synced(KEY).state.covered == (Span("", at(60)),)
    with closing(TellingSource(tmp_path / "right.sqlite")) as stores.source:
        stores.source.add([entry(2, 2)])
        assert synced(OTHER_KEY).state.companies == ("acme",)
    assert stores.numbers == [1, 2]


# Redaction


def test_what_entries_were_redacted_by_is_kept_the_last_profile_at_the_end(stores: Stores) -> None:
    secrets, personal = Redaction("secrets", "1" * 64), Redaction("personal", "2" * 64)
    for number, redaction in enumerate([secrets, personal, secrets]):
        stores.source.add([entry(number, 10 * number)])
        stores.sync(10 * number + 5, origin=replace(KEY, redaction=redaction))
    assert decode_state(stores.store.states()[KEY.name]).redactions == (personal, secrets)

"""Following: each entry once, whatever becomes visible when; in a time that passes only where somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faulty_server import FaultyServer, Told, page, reply, source_at
from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.filters import StatusFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.follow import Follower, Pace
from taplogs.sources.sqlite import SqliteStore
from taplogs.sources.sqlite_query import Position

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
PACE = Pace(timedelta(seconds=2), timedelta(seconds=60))


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class World:
    """A time that passes where somebody waits, in which entries become visible. `reading` is how long reads take."""

    def __init__(self, path: Path) -> None:
        self.seconds = 0.0
        self.wrong_by = 0.0
        self.reading: Iterator[float] = iter([])
        self.slept: list[float] = []
        self.notices: list[str] = []
        self.store = Snapshots(path, self)
        self._coming: list[tuple[float, LogEntry]] = []
        self._ids = count(1)

    def monotonic(self) -> float:
        return self.seconds

    def clock(self) -> datetime:
        return after(self.seconds + self.wrong_by)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wait(seconds)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        visible = [entry for moment, entry in self._coming if moment <= self.seconds]
        self._coming = [item for item in self._coming if item[0] > self.seconds]
        self.store.add(visible)

    def add(self, dated: float, visible: float | None = None, **fields: int) -> str:
        """Have an entry of this second be there, or become visible at another; return its id."""
        entry = log_entry(next(self._ids), timestamp=format_timestamp(after(dated)), **fields)
        self._coming.append((dated if visible is None else visible, entry))
        self.wait(0)
        return entry.id

    def follower(self, query: LogQuery | None = None, pace: Pace = PACE) -> Follower:
        return Follower(
            self.store,
            query or LogQuery(),
            pace,
            monotonic=self.monotonic,
            sleep=self.sleep,
            notice=self.notices.append,
        )


class Snapshots(SqliteStore):
    """A store whose answers are as it was when it was asked, and take a while to arrive, a few entries at a time."""

    def __init__(self, path: Path, world: World) -> None:
        super().__init__(path, clock=world.clock)
        self._world = world
        self.queries: list[LogQuery] = []
        self.between: Callable[[], object] = lambda: None

    def search(self, query: LogQuery, *, after: Position | None = None, offset: int = 0) -> Iterator[LogEntry]:
        self.queries.append(query)
        entries = list(super().search(query, after=after, offset=offset))
        self._world.wait(next(self._world.reading, 0.0))
        self.between()
        return iter(entries)

    def batches(self, query: LogQuery) -> Iterator[list[LogEntry]]:
        entries = self.search(query)
        while batch := list(islice(entries, 7)):
            yield batch


@contextmanager
def new_world() -> Iterator[World]:
    with TemporaryDirectory() as folder:
        world = World(Path(folder) / "logs.db")
        yield world
        world.store.close()


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as made:
        yield made


def ids(batches: Iterator[list[LogEntry]]) -> list[str]:
    return [entry.id for batch in batches for entry in batch]


def polled(world: World, follower: Follower, seconds: float) -> list[str]:
    """Return the ids that polls every two seconds give in so many seconds."""
    found = []
    for _ in range(int(seconds / 2)):
        world.wait(2)
        found += ids(follower.poll())
    return found


milliseconds = st.integers(0, 20_000).map(lambda number: number / 1000)


@settings(max_examples=150)
@given(
    arrivals=st.lists(st.tuples(milliseconds, st.sampled_from([0.0, 0.0, 0.001, 1.0, 2.5, 4.999, 5.0])), max_size=40),
    there=st.lists(st.integers(1, 20), max_size=10),
    interval=st.sampled_from([0.1, 1.0, 2.0, 7.0]),
    reading=st.lists(st.sampled_from([0.0, 0.0, 0.3, 3.0]), max_size=30),
    most_ids=st.sampled_from([100_000, 6]),
)
def test_an_entry_late_by_no_more_than_the_overlap_is_given_once_and_in_time_and_no_other_twice(
    arrivals: list[tuple[float, float]], there: list[int], interval: float, reading: list[float], most_ids: int
) -> None:
    with new_world() as world:
        expected = {world.add(-seconds) for seconds in there}
        visible = {world.add(moment - late, moment): moment for moment, late in arrivals}
        longest = max(reading, default=0.0)
        world.reading = iter(reading)
        pace = Pace(timedelta(seconds=interval), timedelta(seconds=5), most_ids)
        follower = world.follower(LogQuery(window=Window(until=after(60))), pace)
        given_at: dict[str, float] = {}
        order = []
        for batches in (follower.first(None), follower.arriving()):
            for batch in batches:
                for entry in batch:
                    order.append(entry.id)
                    given_at[entry.id] = world.seconds
        assert len(order) == len(set(order))
        if most_ids < 40:
            return
        assert set(order) == expected | visible.keys()
        for name, moment in visible.items():
            assert given_at[name] - moment <= max(interval, longest) + longest + 0.001
        assert world.notices == []


def test_the_last_ones_are_taken_from_both_sides_of_the_overlap(world: World) -> None:
    names = [world.add(seconds) for seconds in (-300, -200, -100, -50, -10, 0)]
    for last, expected in ((0, []), (2, names[4:]), (3, names[3:]), (5, names[1:]), (6, names), (99, names)):
        assert ids(world.follower().first(last)) == expected


@pytest.mark.parametrize("dated", [-300, -61, -60, -59, -1, 0])
def test_an_entry_that_appears_between_the_first_two_reads_is_given_at_most_once_and_not_lost(
    world: World, dated: float
) -> None:
    old = [world.add(-200), world.add(-100)]
    follower = world.follower()
    appeared: list[str] = []
    world.store.between = lambda: appeared.append(world.add(dated)) if not appeared else None
    found = ids(follower.first(10))
    later = polled(world, follower, 60)
    assert sorted([*found, *later]) == sorted([*old, *appeared])


def test_all_since_a_time_comes_first_in_order(world: World) -> None:
    names = [world.add(seconds) for seconds in (-300, -200, -100, -30, -1)]
    assert ids(world.follower(LogQuery(window=Window(since=after(-200)))).first(None)) == names[1:]
    assert ids(world.follower(LogQuery(window=Window(since=after(-30)))).first(None)) == names[3:]
    assert ids(world.follower(LogQuery(window=Window(since=after(-200)))).first(2)) == names[3:]


def test_nothing_from_before_the_window_is_ever_given(world: World) -> None:
    follower = world.follower(LogQuery(window=Window(since=after(-5))))
    assert ids(follower.first(None)) == []
    world.add(-6, 1)
    late = world.add(-5, 1)
    assert polled(world, follower, 10) == [late]


def test_a_window_that_begins_in_the_future_is_waited_for(world: World) -> None:
    follower = world.follower(LogQuery(window=Window(since=after(9))))
    assert ids(follower.first(10)) == []
    world.add(8)
    name = world.add(9)
    assert polled(world, follower, 20) == [name]


def test_the_window_may_begin_where_the_calendar_ends(world: World) -> None:
    follower = world.follower(LogQuery(window=Window(since=datetime(9999, 6, 1, tzinfo=UTC))))
    assert ids(follower.first(10)) == []
    assert polled(world, follower, 4) == []


def test_entries_dated_ahead_are_given_when_they_come_and_not_again(world: World) -> None:
    follower = world.follower()
    assert ids(follower.first(0)) == []
    ahead = world.add(3000, 1)
    assert polled(world, follower, 2) == [ahead]
    assert polled(world, follower, 4000) == []


def test_entries_of_one_moment_are_all_given_whenever_each_appears(world: World) -> None:
    names = [world.add(5, 5 + late) for late in range(0, 60, 3)]
    follower = world.follower()
    assert ids(follower.first(10)) == []
    assert sorted(polled(world, follower, 100)) == names


def test_only_what_matches_is_given(world: World) -> None:
    follower = world.follower(LogQuery(status=StatusFilter(("5xx",)), limit=1))
    assert ids(follower.first(10)) == []
    names = [world.add(number, status_code=status) for number, status in enumerate((200, 503, 404, 500))]
    assert polled(world, follower, 10) == [names[1], names[3]]


def test_a_clock_that_is_set_back_repeats_nothing_and_hides_nothing(world: World) -> None:
    follower = world.follower()
    assert ids(follower.first(10)) == []
    world.wrong_by = 3600
    ahead = [world.add(3600 + seconds, seconds) for seconds in range(0, 600, 10)]
    assert polled(world, follower, 600) == ahead
    world.wrong_by = 0
    right = [world.add(world.seconds + seconds, world.seconds + seconds) for seconds in range(3, 600, 10)]
    assert polled(world, follower, 7200) == right


def test_what_is_remembered_is_bounded_and_the_overlap_gives_way(world: World) -> None:
    follower = world.follower(pace=Pace(timedelta(seconds=2), timedelta(seconds=60), most_ids=100))
    assert ids(follower.first(0)) == []
    names = [world.add(number / 20) for number in range(2000)]
    assert polled(world, follower, 102) == names
    assert len(follower._seen) <= 107
    assert len(world.notices) == 1
    assert "are read again, not 60 s" in world.notices[0]
    late = [world.add(101, 103), world.add(60, 103)]
    assert polled(world, follower, 4) == late[:1]


def test_after_a_long_absence_all_of_it_is_given_and_little_remembered(world: World) -> None:
    follower = world.follower(pace=Pace(timedelta(seconds=2), timedelta(seconds=60), most_ids=100))
    assert ids(follower.first(0)) == []
    names = [world.add(seconds) for seconds in range(5000)]
    world.wait(5000)
    assert ids(follower.poll()) == names
    assert len(follower._seen) <= 107
    assert world.notices == []
    assert polled(world, follower, 100) == []


def test_entries_ahead_of_time_never_push_the_present_out_of_memory(world: World) -> None:
    follower = world.follower(pace=Pace(timedelta(seconds=2), timedelta(seconds=60), most_ids=100))
    assert ids(follower.first(0)) == []
    names = {world.add(3000 + number, 1) for number in range(500)}
    assert set(polled(world, follower, 2)) == names
    present = [world.add(seconds) for seconds in range(3, 200)]
    assert polled(world, follower, 300) == present


def test_polls_begin_at_intervals_however_long_they_take(world: World) -> None:
    world.reading = iter([0.0, 0.0, 0.5, 1.5, 2.0, 3.0, 0.0])
    follower = world.follower(LogQuery(window=Window(until=after(15))))
    assert ids(follower.first(10)) == []
    assert ids(follower.arriving()) == []
    assert world.slept == [2.0, 1.5, 0.5, 0.0, 0.0, 2.0, 2.0]


def test_it_ends_with_the_window_and_not_before_a_last_look(world: World) -> None:
    follower = world.follower(LogQuery(window=Window(until=after(5))))
    assert ids(follower.first(10)) == []
    last = world.add(4.9)
    world.add(5)
    assert ids(follower.arriving()) == [last]
    assert world.slept == [2.0, 2.0, 1.0]
    assert world.seconds == 5


def test_an_entry_at_the_very_end_is_still_seen_where_the_last_poll_is_late(world: World) -> None:
    follower = world.follower(LogQuery(window=Window(until=after(5))))
    assert ids(follower.first(10)) == []
    world.reading = iter([0.0, 3.0])
    last = world.add(4.5)
    assert ids(follower.arriving()) == [last]


def test_polls_ask_for_the_overlap_oldest_first_with_an_end_far_ahead(world: World) -> None:
    follower = world.follower(LogQuery(payloads=False))
    assert ids(follower.first(0)) == []
    polled(world, follower, 4)
    polls = [query for query in world.store.queries if query.order is Order.OLDEST_FIRST]
    assert len(polls) == 3
    for query, start in zip(polls, (-60, -60, -58), strict=True):
        assert query.window.since == after(start)
        assert query.window.until
        assert query.window.until > after(300 * 86400)
        assert (query.order, query.limit, query.payloads) == (Order.OLDEST_FIRST, None, False)


def test_a_backend_that_only_knows_newest_first_is_followed_too() -> None:
    entries = [log_entry(number) for number in (9, 8, 7)]
    told = Told()
    noon = "2026-11-01T00:00:20.000Z"
    with (
        FaultyServer(
            *[[reply(page(entries, serverTime=noon))]] * 3,
            [reply(page([log_entry(11), log_entry(10), *entries], serverTime=noon))],
        ) as server,
        source_at(server.url, clock=lambda: START, told=told) as source,
    ):
        follower = Follower(
            source, LogQuery(), PACE, monotonic=lambda: 0.0, sleep=told.slept.append, notice=told.notice
        )
        assert ids(follower.first(10)) == ["entry-00007", "entry-00008", "entry-00009"]
        assert ids(follower.poll()) == ["entry-00010", "entry-00011"]


def test_ids_are_not_forgotten_while_a_poll_has_yet_to_come_to_them(world: World) -> None:
    """Late entries come before what is remembered: the memory overflows at the beginning of the poll."""
    there = [world.add(-50 + number) for number in range(40)]
    follower = world.follower(pace=Pace(timedelta(seconds=2), timedelta(minutes=10), most_ids=41))
    assert ids(follower.first(None)) == there
    late = [world.add(-100 + number, visible=1) for number in range(20)]
    assert polled(world, follower, 10) == late


@pytest.mark.parametrize("last", [0, 1, 10, None])
@pytest.mark.parametrize("there", [0, 3])
def test_a_clock_that_was_ahead_at_first_hides_nothing_that_arrives(world: World, there: int, last: int | None) -> None:
    """One wrong answer: all that arrives within the next hour lies before the moment that following began at."""
    before = [world.add(-30 + number) for number in range(there)]
    world.wrong_by = 3600
    follower = world.follower()
    assert ids(follower.first(last)) == (before if last is None else before[len(before) - min(last, there) :])
    world.wrong_by = 0
    arriving = [world.add(number, visible=number) for number in (1, 3, 5)]
    assert polled(world, follower, 10) == arriving

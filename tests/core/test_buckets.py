"""The buckets of a chart on clocks of all kinds, and windows that get two bounds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from core_strategies import instants, instants_between, law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.buckets import buckets, covered, even_buckets
from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

ZONES = tuple(
    map(
        ZoneInfo,
        (
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/St_Johns",  # changed at 00:01 until 2011
            "America/Havana",  # changes at midnight
            "Africa/Cairo",  # has days without a midnight
            "Africa/Casablanca",  # changes twice within weeks
            "Asia/Kolkata",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Pacific/Chatham",
            "Pacific/Apia",  # skipped a day in 2011
            "Pacific/Kwajalein",  # had a day twice in 1969, and skipped one in 1993
            "America/Juneau",  # had a day twice in 1867
            "Africa/Monrovia",  # had seconds in its offset until 1972
        ),
    )
)

spans = st.one_of(
    st.integers(1, 2 * 3_600_000),
    st.integers(1, 12 * 86_400_000),
    st.integers(1, 900 * 86_400_000),
).map(lambda milliseconds: timedelta(milliseconds=milliseconds))


def timeline_at(moments: list[str]) -> Timeline[int]:
    """Return moments counted."""
    timeline: Timeline[int] = Timeline()
    timeline.add(moments, [2] * len(moments))
    return timeline


def texts(boundaries: list[datetime]) -> list[str]:
    return [format_timestamp(moment) for moment in boundaries]


def local(boundaries: list[datetime], zone: tzinfo) -> list[str]:
    """Return what clocks in the zone show at each boundary."""
    return [moment.astimezone(zone).strftime("%m-%d %H:%M") for moment in boundaries]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# --- buckets


@law
@given(instants, instants, st.sampled_from(ZONES), st.integers(2, 200))
@example(FIRST, LAST, ZoneInfo("UTC"), 2)
@example(FIRST, LAST, ZoneInfo("Pacific/Apia"), 100)
@example(FIRST, LAST, ZoneInfo("America/New_York"), 120)
@example(FIRST, FIRST + MILLISECOND, ZoneInfo("America/New_York"), 100)
@example(FIRST, FIRST + MILLISECOND, ZoneInfo("Europe/Berlin"), 100)
@example(FIRST, FIRST + timedelta(days=100), ZoneInfo("UTC"), 60)
@example(LAST - MILLISECOND, LAST, ZoneInfo("Asia/Kolkata"), 100)
@example(LAST - MILLISECOND, LAST, ZoneInfo("America/New_York"), 100)
@example(LAST - timedelta(days=40), LAST - timedelta(hours=20), ZoneInfo("Pacific/Apia"), 60)
def test_buckets_of_any_window_cover_it_and_are_not_too_many(
    one: datetime, other: datetime, zone: ZoneInfo, most: int
) -> None:
    since, until = sorted((one, other))
    until = min(max(until, since + MILLISECOND if since < LAST else since), LAST)
    since = min(since, until - MILLISECOND)
    check_buckets(since, until, zone, most)


@law
@given(
    instants_between(datetime(1850, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)),
    spans,
    st.sampled_from(ZONES),
    st.integers(2, 200),
)
@example(at("2011-12-29T12:00Z"), timedelta(days=3), ZoneInfo("Pacific/Apia"), 60)
@example(at("2011-12-01T12:00Z"), timedelta(days=45), ZoneInfo("Pacific/Apia"), 60)
@example(at("2010-11-07T02:29Z"), timedelta(minutes=90), ZoneInfo("America/St_Johns"), 60)
@example(at("2010-11-07T03:15Z"), timedelta(minutes=5), ZoneInfo("America/St_Johns"), 60)
@example(at("1969-09-29T00:00Z"), timedelta(days=4), ZoneInfo("Pacific/Kwajalein"), 60)
@example(at("2026-10-24T22:00Z"), timedelta(hours=25), ZoneInfo("Europe/Berlin"), 14)
@example(at("2026-03-28T22:30Z"), timedelta(days=2), ZoneInfo("Europe/Berlin"), 3)
def test_buckets_of_common_windows_cover_them_and_are_not_too_many(
    since: datetime, span: timedelta, zone: ZoneInfo, most: int
) -> None:
    check_buckets(since, since + span, zone, most)


def check_buckets(since: datetime, until: datetime, zone: ZoneInfo, most: int) -> None:
    boundaries = buckets(Window(since, until), zone, most)
    assert boundaries[0] <= since < until <= boundaries[-1]
    assert 1 <= len(boundaries) - 1 <= most
    assert all(low < high for low, high in pairwise(boundaries))
    assert {moment.tzinfo for moment in boundaries} == {UTC}
    assert len(boundaries) == 2 or boundaries[-2] < until


@pytest.mark.parametrize(
    ("span", "most", "step"),
    [
        (timedelta(milliseconds=1), 60, timedelta(seconds=1)),
        (timedelta(minutes=1), 61, timedelta(seconds=1)),
        (timedelta(minutes=15), 60, timedelta(seconds=30)),
        (timedelta(hours=1), 62, timedelta(minutes=1)),
        (timedelta(hours=1), 60, timedelta(minutes=2)),
        (timedelta(days=1), 62, timedelta(minutes=30)),
        (timedelta(days=1), 100, timedelta(minutes=15)),
        (timedelta(days=7), 100, timedelta(hours=2)),
        (timedelta(days=30), 62, timedelta(hours=12)),
        (timedelta(days=90), 100, timedelta(days=1)),
        (timedelta(days=365), 60, timedelta(days=7)),
        (timedelta(days=3650), 100, timedelta(days=91)),
    ],
)
def test_buckets_are_as_long_as_people_divide_time(span: timedelta, most: int, step: timedelta) -> None:
    boundaries = buckets(Window(NOW, NOW + span), UTC, most)
    assert {high - low for low, high in pairwise(boundaries)} == {step}


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("most", [4, 10, 30, 100])
def test_buckets_begin_at_round_times_of_the_clocks_there(zone: ZoneInfo, most: int) -> None:
    """On a day without a change of clocks: the time of day is a multiple of the bucket's length, or it is midnight."""
    since = datetime(2026, 7, 15, 9, 17, 23, 456_789, tzinfo=zone).astimezone(UTC)
    for span in (timedelta(seconds=20), timedelta(minutes=7), timedelta(hours=3), timedelta(days=2), timedelta(days=9)):
        boundaries = buckets(Window(since, since + span), zone, most)
        step = max(high - low for low, high in pairwise(boundaries))
        for moment in boundaries:
            clock = moment.astimezone(zone).replace(tzinfo=None)
            of_day = clock - clock.replace(hour=0, minute=0, second=0, microsecond=0)
            assert of_day % step == timedelta(0) or (step >= timedelta(days=1) and not of_day)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("days", [200, 1000, 3000])
def test_buckets_of_weeks_begin_on_a_monday(zone: str, days: int) -> None:
    boundaries = buckets(Window(NOW, NOW + timedelta(days=days)), ZoneInfo(zone), 60)
    assert boundaries[1] - boundaries[0] >= timedelta(days=7)
    assert {moment.astimezone(ZoneInfo(zone)).strftime("%A %H:%M") for moment in boundaries} == {"Monday 00:00"}


@pytest.mark.parametrize(
    ("zone", "since", "until", "most", "clocks"),
    [
        # a night of 23 hours, stepped through by elapsed time, and anew from midnight
        (
            "Europe/Berlin",
            "2026-03-28T21:00+01:00",
            "2026-03-30T01:00+02:00",
            12,
            [
                "28 21:00",
                "29 00:00",
                "29 04:00",
                "29 07:00",
                "29 10:00",
                "29 13:00",
                "29 16:00",
                "29 19:00",
                "29 22:00",
                "30 00:00",
                "30 03:00",
            ],
        ),
        # a night of 25 hours: its last bucket is one hour long
        (
            "Europe/Berlin",
            "2026-10-25T00:00+02:00",
            "2026-10-26T03:00+01:00",
            12,
            [
                "25 00:00",
                "25 02:00",
                "25 05:00",
                "25 08:00",
                "25 11:00",
                "25 14:00",
                "25 17:00",
                "25 20:00",
                "25 23:00",
                "26 00:00",
                "26 03:00",
            ],
        ),
        # days are days, however long
        (
            "Europe/Berlin",
            "2026-10-24T12:00+02:00",
            "2026-10-26T13:00+01:00",
            4,
            ["24 00:00", "25 00:00", "26 00:00", "27 00:00"],
        ),
        # half an hour
        (
            "Australia/Lord_Howe",
            "2026-04-05T00:30+11:00",
            "2026-04-05T04:10+10:30",
            6,
            ["05 00:00", "05 01:00", "05 01:30", "05 02:30", "05 03:30", "05 04:30"],
        ),
        # a day that begins at one o'clock
        (
            "Africa/Cairo",
            "2026-04-23T22:30+02:00",
            "2026-04-24T03:10+03:00",
            6,
            ["23 22:00", "23 23:00", "24 01:00", "24 02:00", "24 03:00", "24 04:00"],
        ),
        (
            "Asia/Kathmandu",
            "2026-11-01T00:10+05:45",
            "2026-11-01T02:10+05:45",
            4,
            ["01 00:00", "01 01:00", "01 02:00", "01 03:00"],
        ),
        ("Asia/Kolkata", "2026-11-01T23:50+05:30", "2026-11-02T00:10+05:30", 4, ["01 23:50", "02 00:00", "02 00:10"]),
        # the day before Samoa went over the date line, and the day after
        (
            "Pacific/Apia",
            "2011-12-29T05:00-10:00",
            "2011-12-31T05:00+14:00",
            4,
            ["29 00:00", "29 12:00", "31 00:00", "31 12:00"],
        ),
    ],
)
def test_buckets_of_nights_on_which_the_clocks_change(
    zone: str, since: str, until: str, most: int, clocks: list[str]
) -> None:
    boundaries = buckets(Window(at(since), at(until)), ZoneInfo(zone), most)
    assert [text[3:] for text in local(boundaries, ZoneInfo(zone))] == clocks


def test_a_skipped_day_is_not_a_bucket() -> None:
    zone = ZoneInfo("Pacific/Apia")
    window = Window(at("2011-12-28T00:00-10:00"), at("2012-01-02T00:00+14:00"))
    assert local(buckets(window, zone, 6), zone) == [
        f"{day} 00:00" for day in ("12-28", "12-29", "12-31", "01-01", "01-02")
    ]


@pytest.mark.parametrize("window", [Window(), Window(NOW), Window(None, NOW)])
def test_a_window_without_bounds_cannot_be_divided(window: Window) -> None:
    with pytest.raises(ValueError, match="bounds"):
        buckets(window, UTC, 10)
    with pytest.raises(ValueError, match="bounds"):
        even_buckets(window, 10)


@law
@given(
    instants_between(datetime(1975, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)),
    spans,
    st.sampled_from(ZONES),
    st.integers(2, 200),
    st.data(),
)
def test_a_chart_of_a_window_counts_every_entry_once_and_where_it_belongs(
    since: datetime, span: timedelta, zone: ZoneInfo, most: int, data: st.DataObject
) -> None:
    """Buckets are never finer than the counts, wherever clocks have no odd minutes."""
    offsets = st.lists(st.integers(0, span // MILLISECOND - 1 if span > MILLISECOND else 0), max_size=20)
    moments = [format_timestamp(since + offset * MILLISECOND) for offset in data.draw(offsets, "entries")]
    boundaries = texts(buckets(Window(since, since + span), zone, most))
    found = timeline_at(moments).spread(boundaries)
    assert found == [Counter([2] * sum(low <= text < high for text in moments)) for low, high in pairwise(boundaries)]


# --- the window that is covered


BUSY = timeline_at(["2026-10-30T10:00:00.000Z", "2026-10-31T10:00:00.000Z"])
IDLE: Timeline[int] = Timeline()


@pytest.mark.parametrize(
    ("since", "until", "timeline", "expected"),
    [
        ("2026-10-01T00:00Z", "2026-11-01T00:00Z", BUSY, ("2026-10-01T00:00Z", "2026-11-01T00:00Z")),
        ("2026-10-01T00:00Z", None, BUSY, ("2026-10-01T00:00Z", "2026-11-01T12:00Z")),
        ("2026-10-01T00:00Z", None, IDLE, ("2026-10-01T00:00Z", "2026-11-01T12:00Z")),
        (None, "2026-11-01T00:00Z", BUSY, ("2026-10-30T10:00Z", "2026-11-01T00:00Z")),
        (None, "2026-11-01T00:00Z", IDLE, ("2026-10-31T23:59Z", "2026-11-01T00:00Z")),
        (None, None, BUSY, ("2026-10-30T10:00Z", "2026-10-31T10:00:00.001Z")),
        (None, None, IDLE, ("2026-11-01T11:59:00.001Z", "2026-11-01T12:00:00.001Z")),
        ("2027-01-01T00:00Z", None, IDLE, ("2027-01-01T00:00Z", "2027-01-01T00:00:00.001Z")),
        (None, "0001-01-01T00:00Z", IDLE, ("0001-01-01T00:00Z", "0001-01-01T00:00:00.001Z")),
        ("9999-12-31T23:59:59.999Z", None, IDLE, ("9999-12-31T23:59:59.998Z", "9999-12-31T23:59:59.999Z")),
    ],
)
def test_a_window_without_bounds_reaches_over_its_entries(
    since: str | None, until: str | None, timeline: Timeline[int], expected: tuple[str, str]
) -> None:
    window = Window(at(since) if since else None, at(until) if until else None)
    assert covered(window, timeline, NOW) == Window(at(expected[0]), at(expected[1]))


def test_entries_at_the_end_of_the_calendar_are_covered() -> None:
    window = covered(Window(), timeline_at([format_timestamp(LAST)]), NOW)
    assert window == Window(LAST - timedelta(minutes=1), LAST)
    assert window.until_text == "9999-12-31T23:59:59.999Z"


@law
@given(
    st.none() | instants,
    st.none() | instants,
    st.lists(instants.map(format_timestamp), max_size=3),
    instants,
)
def test_a_covered_window_has_two_bounds_and_a_length(
    since: datetime | None, until: datetime | None, moments: list[str], now: datetime
) -> None:
    if since and until:
        since, until = min(since, until), max(since, until)
    until = min(until, LAST) if until else None
    found = covered(Window(since, until), timeline_at(moments), now)
    assert found.length >= MILLISECOND or found == Window(since, until)
    assert found.since_text <= found.until_text


# --- even parts


@law
@given(instants_between(datetime(2, 1, 1, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)), spans, st.integers(1, 60))
def test_even_parts_cover_a_window_in_steps_of_one_length(since: datetime, span: timedelta, number: int) -> None:
    window = Window(since, since + span)
    parts = even_buckets(window, number)
    assert (len(parts), parts[0], parts[-1]) == (number + 1, format_timestamp(since), window.until_text)
    assert parts == sorted(parts)
    exact = span / number
    for low, high in pairwise(map(parse_timestamp, parts)):
        assert abs((high - low) - exact) <= 2 * MILLISECOND

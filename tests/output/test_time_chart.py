"""Requests and errors over a window: everything is visible, fits the screen, and stands at its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp
from taplogs.output.terminal import Screen
from taplogs.output.time_chart import time_chart

BERLIN = ZoneInfo("Europe/Berlin")
SINCE = datetime(2026, 11, 1, 10, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def timeline_of(counts: list[tuple[datetime, int, int]]) -> Timeline[int]:
    """Return a timeline of so many entries of a class at each moment."""
    timeline: Timeline[int] = Timeline()
    texts = [format_timestamp(moment) for moment, _, _ in counts]
    if texts:
        timeline.reach(min(texts), max(texts))
        size = timeline.prefix
        timeline.add_counts((text[:size], kind, number) for text, (_, kind, number) in zip(texts, counts, strict=True))
    return timeline


def chart(
    counts: list[tuple[datetime, int, int]],
    window: Window,
    width: int = 80,
    *,
    zone: tzinfo = UTC,
    unicode: bool = True,
    color: bool = False,
) -> list[str]:
    screen = Screen(is_terminal=True, width=width, color=color, unicode=unicode)
    return time_chart(timeline_of(counts), window, zone, screen, width)


def per_minute(minutes: int) -> list[tuple[datetime, int, int]]:
    """Return requests that grow from minute to minute, with errors in a few of them."""
    requests = [(SINCE + timedelta(minutes=minute), 2, minute) for minute in range(1, minutes)]
    return [*requests, (SINCE + timedelta(minutes=5), 5, 2), (SINCE + timedelta(minutes=15), 4, 1)]


def test_a_chart_of_some_minutes() -> None:
    lines = chart(per_minute(20), Window(SINCE, SINCE + timedelta(minutes=20)), 60, zone=BERLIN)
    assert lines == [
        "requests, a column is 30 s",
        "19 │                              ▂ ▂ ▄ ▆ █",
        "   │                        ▁ ▃ ▅ █ █ █ █ █",
        "   │                ▁ ▃ ▅ ▇ █ █ █ █ █ █ █ █",
        "   │          ▇ ▅ ▇ █ █ █ █ █ █ █ █ █ █ █ █",
        " 0 │  ▂ ▄ ▆ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █ █",
        "errors (4xx and 5xx)",
        " 2 │          █",
        "   │          █                   ▄",
        " 0 │          █                   █",
        "   └┴───────────────────┴───────────────────",
        "    11-01 11:00         11:10",
    ]


def test_the_same_without_unicode() -> None:
    lines = chart(per_minute(20), Window(SINCE, SINCE + timedelta(minutes=20)), 60, zone=BERLIN, unicode=False)
    assert "\n".join(lines).isascii()
    assert [line.strip() for line in lines[-6:]] == [
        "errors (4xx and 5xx)",
        "2 |          #",
        "|          #                   -",
        "0 |          #                   #",
        "++-------------------+-------------------",
        "11-01 11:00         11:10",
    ]


@pytest.mark.parametrize(
    ("length", "zone", "title", "labels"),
    [
        (timedelta(seconds=30), "UTC", "1 s", "11-01 10:00   10:00:15"),
        (timedelta(hours=1), "UTC", "1 min", "11-01 10:00   10:20   10:30   10:40   10:50"),
        (timedelta(days=1), "UTC", "30 min", "11-01 10:00   18:00   11-02   06:00"),
        (timedelta(days=1), "Asia/Kolkata", "30 min", "11-01 15:30   11-02   06:00   12:00"),
        (timedelta(days=21), "Europe/Berlin", "12 h", "11-01 00:00   11-08   11-12   11-16   11-20"),
        (timedelta(days=60), "UTC", "1 d", "2026-11-01   11-14   11-22   11-30   12-08   12-16   12-24"),
        (timedelta(days=365), "UTC", "7 d", "2026-10-26   01-25   03-22   05-17   07-12   09-06   11-01"),
        (timedelta(days=3650), "UTC", "91 d", "2026-08-03   2029-10   2032-04   2034-10"),
    ],
)
def test_the_axis_tells_times_of_the_zone_the_roundest_first(
    length: timedelta, zone: str, title: str, labels: str
) -> None:
    lines = chart([], Window(SINCE, SINCE + length), zone=ZoneInfo(zone))
    assert lines[0] == f"requests, a column is {title}"
    assert lines[-1].split()[: len(labels.split())] == labels.split()


def test_a_label_stands_below_the_column_that_begins_then() -> None:
    noon = SINCE.replace(hour=12)
    lines = chart([(noon, 2, 1)], Window(SINCE, SINCE + timedelta(hours=4)), 100)
    column = lines[-1].index("12:00")
    assert lines[5][column] == "█"
    assert lines[-2][column] == "┴"


def test_a_column_is_as_long_as_most_are_where_the_clocks_change() -> None:
    """The last bucket of a day of 25 hours is one hour long; the chart begins with it."""
    window = Window(at("2026-10-25T23:10+01:00"), at("2026-10-28T23:10+01:00"))
    assert chart([], window, 60, zone=BERLIN)[0] == "requests, a column is 2 h"


def test_an_empty_window_is_an_empty_chart() -> None:
    lines = chart([], Window(SINCE, SINCE + timedelta(hours=1)))
    assert [line.strip() for line in lines[:-2]] == [
        "requests, a column is 1 min",
        *["│"] * 4,
        "0 │",
        "errors (4xx and 5xx)",
        *["│"] * 2,
        "0 │",
    ]


def test_errors_are_red_where_there_are_colours() -> None:
    counts = [(SINCE, 5, 1), (SINCE, 2, 1)]
    window = Window(SINCE, SINCE + timedelta(minutes=1))
    coloured = chart(counts, window, color=True)
    assert "1 │\x1b[31m█\x1b[0m" in coloured
    assert [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in coloured] == chart(counts, window)


@given(
    st.lists(st.tuples(st.floats(0, 0.999), st.sampled_from((2, 3, 4, 5)), st.integers(1, 10**9)), max_size=20),
    st.integers(1, 10**6) | st.integers(1, 10**11),
    st.sampled_from(ZONES),
    st.integers(20, 200),
    st.booleans(),
)
@example([(0.5, 2, 10**9)], 3_600_000, "UTC", 20, True)
@example([(0.5, 2, 10**9)], 3_600_000, "UTC", 80, True)
def test_no_line_is_wider_than_the_screen_and_nothing_is_hidden(
    shares: list[tuple[float, int, int]], length: int, zone: str, width: int, unicode: bool
) -> None:
    counts = [(SINCE + int(share * length) * MILLISECOND, kind, number) for share, kind, number in shares]
    lines = chart(counts, Window(SINCE, SINCE + length * MILLISECOND), width, zone=ZoneInfo(zone), unicode=unicode)
    assert max(map(cell_len, lines)) <= width
    assert unicode or "".join(lines).isascii()
    assert len(lines) == 12
    bar = "│" if unicode else "|"
    assert bool(lines[5].split(bar)[1].strip()) == bool(counts)
    assert bool(lines[9].split(bar)[1].strip()) == any(kind in (4, 5) for _, kind, _ in counts)
    assert lines[1].split(bar)[0].strip().replace(",", "").isdigit() == bool(counts)


@pytest.mark.parametrize("width", [20, 80, 160])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "window",
    [
        Window(FIRST, LAST),
        Window(FIRST, FIRST + MILLISECOND),
        Window(LAST - MILLISECOND, LAST),
        Window(SINCE, SINCE + MILLISECOND),
        Window(FIRST, FIRST + timedelta(days=3)),
        Window(LAST - timedelta(days=30), LAST),
    ],
    ids=["all", "first", "last", "moment", "first days", "last days"],
)
def test_any_window_of_the_calendar_has_a_chart(window: Window, zone: str, width: int) -> None:
    assert window.since
    lines = chart([(window.since, 2, 1)], window, width, zone=ZoneInfo(zone))
    assert max(map(cell_len, lines)) <= width
    assert "█" in lines[5]

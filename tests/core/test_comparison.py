"""The window that another is compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from core_strategies import instants_between, law
from hypothesis import given
from hypothesis import strategies as st

from taplogs.core.comparison import BEFORE, compared_window
from taplogs.core.timespan import UNBOUNDED, Window
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import UsageError

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
DAY = Window(NOW - timedelta(days=1), NOW)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def beside(text: str, window: Window = DAY) -> Window:
    return compared_window(text, window, now=NOW, zone=BERLIN)


@law
@given(
    instants_between(datetime(4000, 1, 1, tzinfo=UTC), datetime(5000, 1, 1, tzinfo=UTC)),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=300_000)),
)
def test_the_window_before_has_the_same_length_and_ends_where_the_window_begins(
    since: datetime, length: timedelta
) -> None:
    window = Window(since, since + length)
    before = beside(BEFORE, window)
    assert before.until_text == window.since_text
    texts = [(window.since_text, window.until_text), (before.since_text, before.until_text)]
    assert len({parse_timestamp(last) - parse_timestamp(first) for first, last in texts}) == 1


def test_the_window_before_has_the_same_length_when_the_clocks_change() -> None:
    """Elapsed time: a day of 25 hours is compared with 25 hours, else it would seem busier."""
    window = Window(at("2026-10-25T00:00+02:00"), at("2026-10-26T00:00+01:00"))
    assert beside(BEFORE, window) == Window(at("2026-10-23T23:00+02:00"), at("2026-10-25T00:00+02:00"))


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026-11-01..2026-11-08", "2026-11-01T00:00+01:00", "2026-11-08T00:00+01:00"),
        ("2026-11-01T10:00Z..2026-11-01T11:00Z", "2026-11-01T10:00Z", "2026-11-01T11:00Z"),
        (" 2026-11-01 .. 2026-11-08 ", "2026-11-01T00:00+01:00", "2026-11-08T00:00+01:00"),
        ("8d..7d", "2026-11-07T12:00Z", "2026-11-08T12:00Z"),
        ("yesterday..today", "2026-11-14T00:00+01:00", "2026-11-15T00:00+01:00"),
    ],
)
def test_any_window_can_be_named(text: str, since: str, until: str) -> None:
    for window in (DAY, UNBOUNDED):
        assert beside(text, window) == Window(at(since), at(until))


@pytest.mark.parametrize("text", ["", "..", "2026-11-01", "2026-11-01..", "..2026-11-08", "1d", "BEFORE", "a-b"])
def test_half_a_window_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        beside(text)
    assert refused.value.message == f"--compare takes A..B, not {text!r}"
    assert refused.value.hint
    assert "2026-11-01..2026-11-08" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-08..2026-11-01", "is not before"),
        ("2026-11-01..2026-11-01", "is not before"),
        ("2026-11-01..2026-11-31", "is not a time that exists"),
        ("01/03/2026..02/03/2026", "is not understood"),
        ("2026-11-01...2026-11-08", "is not understood"),
    ],
)
def test_what_is_wrong_with_a_named_window_is_told_with_the_option(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        beside(text)
    assert refused.value.message.startswith(f"--compare {text!r}: ")


@pytest.mark.parametrize("window", [UNBOUNDED, Window(None, NOW)])
def test_before_all_time_there_is_nothing_to_compare_with(window: Window) -> None:
    with pytest.raises(UsageError, match="begins somewhere") as refused:
        beside(BEFORE, window)
    assert refused.value.hint == "give --since, such as --since 1d"


def test_a_window_before_the_calendar_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="before the year 1"):
        beside(BEFORE, Window(at("0002-01-01T00:00Z"), NOW))


def test_a_window_that_has_not_begun_yet_has_nothing_before_it() -> None:
    """It ends now, before it begins: the window before would end before it began, too."""
    with pytest.raises(UsageError, match="has begun"):
        beside(BEFORE, Window(NOW + timedelta(days=1), NOW))

"""What is told of groups of errors: which are shown, their part of all, and when their errors were."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from core_strategies import entry
from msgspec import Raw

from taplogs.core.comparison import Mark
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.error_groups import ErrorGroups, group_errors
from taplogs.core.error_report import ErrorReport, Trends
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
TWO_HOURS_BEFORE = Window(START - timedelta(hours=2), START)


def errors(messages: Iterable[str], start: datetime = START, apart: timedelta = timedelta(seconds=1)) -> ErrorGroups:
    """Return the groups of errors with these messages, the first one at `start`."""
    found = [
        entry(
            id=f"e{number}",
            timestamp=format_timestamp(start + number * apart),
            status_code=500,
            response_payload=Raw(json.dumps({"message": message}).encode()),
        )
        for number, message in enumerate(messages)
    ]
    return group_errors([found[::-1]], EndpointTemplates())


def names(report: ErrorReport) -> list[str]:
    return [item.group.key.message for item in report.shown]


@pytest.mark.parametrize(("top", "shown", "hidden"), [(None, "abc", 0), (0, "abc", 0), (2, "ab", 1), (9, "abc", 0)])
def test_the_first_groups_are_shown(top: int | None, shown: str, hidden: int) -> None:
    report = ErrorReport(errors("aaabbc"), HOUR, top=top)
    assert (names(report), report.hidden) == (list(shown), hidden)


def test_of_the_vanished_groups_as_many_are_shown_after_them() -> None:
    report = ErrorReport(errors("aab"), HOUR, errors("xxxyyz"), TWO_HOURS_BEFORE, order="change", top=1)
    assert (names(report), report.hidden) == (["a", "x"], 3)
    assert report.marks == {Mark.NEW: 2, Mark.VANISHED: 3}


def test_a_share_is_of_all_errors_of_the_window() -> None:
    report = ErrorReport(errors("aaab"), HOUR, errors("x"), TWO_HOURS_BEFORE)
    assert [report.share(item) for item in report.shown] == [0.75, 0.25, 0]


def test_without_errors_a_share_is_unknown() -> None:
    report = ErrorReport(errors(""), HOUR, errors("x"), TWO_HOURS_BEFORE)
    assert [report.share(item) for item in report.shown] == [None]


@pytest.mark.parametrize(("now", "before", "change"), [("ab", "aaaa", 0.0), ("ab", "", None), ("", "a", -1.0)])
def test_all_errors_are_compared_by_their_rate(now: str, before: str, change: float | None) -> None:
    assert ErrorReport(errors(now), HOUR, errors(before), TWO_HOURS_BEFORE).change == change


def test_without_an_earlier_window_there_is_no_change() -> None:
    assert ErrorReport(errors("a"), HOUR).change is None


def test_a_trend_counts_the_errors_of_a_group_in_each_part_of_the_window() -> None:
    groups = errors("ab" * 30, apart=timedelta(minutes=1))
    trends = Trends(groups, HOUR, 4)
    assert trends.starts == [f"2026-11-01T00:{minute:02}:00.000Z" for minute in (0, 15, 30, 45)]
    assert {group.key.message: trends.of(group.key) for group in groups.groups} == {
        "a": [8, 7, 8, 7],
        "b": [7, 8, 7, 8],
    }


def test_a_group_of_another_window_has_no_errors_in_any_part() -> None:
    """Its number is that of another group here."""
    (other,) = errors("x").groups
    assert Trends(errors("a"), HOUR, 3).of(other.key) == [0, 0, 0]


@pytest.mark.parametrize(("seconds", "parts"), [(5, 5), (23.999, 23), (24, 24), (3600, 24), (0.001, 1)])
def test_a_part_is_no_shorter_than_times_are_known(seconds: float, parts: int) -> None:
    assert Trends(errors("a"), Window(START, START + timedelta(seconds=seconds)), 24).parts == parts


def test_times_that_are_rounded_to_before_the_window_are_within_it() -> None:
    groups = errors("aa", START + timedelta(minutes=10), apart=timedelta(days=20))
    window = Window(START + timedelta(minutes=5), START + timedelta(days=21))
    (group,) = groups.groups
    assert Counter(Trends(groups, window, 3).of(group.key)) == {1: 2, 0: 1}

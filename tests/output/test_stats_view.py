"""The figures for people: every line fits the screen, is harmless, and shows nothing as what it is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hostile import ODD
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from command import assert_harmless
from serving import log_entry
from taplogs.core.dimensions import dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.ranking import compared, ranked, slowest
from taplogs.core.stats import Figures, Grouping, fold
from taplogs.core.timespan import Window
from taplogs.output.stats_view import StatsView
from taplogs.output.terminal import Screen

WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
EARLIER = Window(datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))

foreign = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(ODD)
entries = st.lists(
    st.builds(
        log_entry,
        st.integers(1, 80_000),
        status_code=st.sampled_from((0, 200, 302, 404, 500, 999)),
        latency_ms=st.none() | st.integers(0, 2000) | st.integers(0, 2**53 - 1),
        request_url=foreign.map("https://a.example/{}".format) | foreign,
        client_id=st.none() | foreign,
        user_agent=st.none() | foreign,
        ip_address=st.none() | foreign,
    ),
    max_size=12,
)


def view(width: int | None, *, unicode: bool = True) -> StatsView:
    return StatsView(Screen(is_terminal=width is not None, width=width, color=False, unicode=unicode), UTC)


def panel(many: list[LogEntry], width: int, *, unicode: bool = True) -> list[str]:
    by_endpoint = Grouping(dimensions_named("endpoint", EndpointTemplates(), UTC), timeline=True)
    summary = fold([many], by_endpoint)
    return view(width, unicode=unicode).panel(summary, WINDOW, slowest(summary.groups()))


@given(entries, st.integers(48, 200), st.booleans())
@example([log_entry(latency_ms=2**53 - 1)], 48, False)
def test_no_line_of_the_panel_is_wider_than_the_screen(many: list[LogEntry], width: int, unicode: bool) -> None:
    lines = panel(many, width, unicode=unicode)
    assert max(map(cell_len, lines)) <= width
    assert unicode or "".join(lines).isascii()
    assert_harmless("\n".join(lines).encode())


@given(
    entries,
    entries,
    st.sampled_from(("endpoint", "client,user-agent", "user-agent,endpoint", "ip", "status,client", "hour,client")),
    st.integers(20, 200),
    st.booleans(),
)
def test_no_line_of_a_table_of_groups_is_wider_than_the_screen(
    now: list[LogEntry], then: list[LogEntry], names: str, width: int, unicode: bool
) -> None:
    dimensions = dimensions_named(names, EndpointTemplates(), UTC)
    summary, before = fold([now], Grouping(dimensions)), fold([then], Grouping(dimensions))
    shown = view(width, unicode=unicode)
    rows = compared(summary.groups(), before.groups(), "count", 1)
    tables = [
        shown.table(ranked(summary.groups(), "count"), dimensions, summary.total),
        shown.compared_table(rows, dimensions, WINDOW, EARLIER),
        shown.comparison(summary.total, WINDOW, before.total, EARLIER),
    ]
    for lines in tables:
        assert max(map(cell_len, lines)) <= width
        assert unicode or "".join(lines).isascii()
        assert_harmless("\n".join(lines).encode())


def test_latencies_without_end_stand_in_several_lines() -> None:
    lines = panel([log_entry(latency_ms=2**53 - 1)], 55)
    place = next(index for index, line in enumerate(lines) if line.startswith("latency "))
    assert lines[place : place + 4] == [
        "latency      p50 9007199254741s  p90 9007199254741s",
        "             p95 9007199254741s  p99 9007199254741s",
        "             max 9007199254741s",
        "slowest      /v1/part…obs/{id}  p95 9007199254741s of 1",
    ]


@pytest.mark.parametrize(
    ("now", "then", "change"),
    [
        (10, 8, "+25.0 %"),
        (8, 10, "-20.0 %"),
        (10, 10, "0.0 %"),
        (200, 1, "x200"),
        (10, 0, "-"),
        (0, 10, "-100.0 %"),
    ],
)
def test_a_change_of_requests_is_told_in_percent_of_what_it_was(now: int, then: int, change: str) -> None:
    lines = view(80).comparison(Figures([(200, 1, now)]), WINDOW, Figures([(200, 1, then)]), EARLIER)
    assert lines[1].split()[-len(change.split()) :] == change.split()


def test_a_change_of_a_share_is_told_in_points() -> None:
    now, then = Figures([(200, 1, 90), (500, 1, 10)]), Figures([(200, 1, 95), (500, 1, 5)])
    changes = [line.split("  ")[-1].strip() for line in view(120).comparison(now, WINDOW, then, EARLIER)]
    assert changes[3:6] == ["-5.0 points", "0.0 points", "+5.0 points"]


def test_requests_of_windows_that_differ_in_length_are_compared_by_the_minute() -> None:
    dimensions = dimensions_named("method", EndpointTemplates(), UTC)
    week = Window(datetime(2026, 10, 25, tzinfo=UTC), WINDOW.since)
    rows = compared({("GET",): Figures([(200, 1, 10)])}, {("GET",): Figures([(200, 1, 70)])}, "count", 1 / 7)
    _, line = view(100).compared_table(rows, dimensions, WINDOW, week)
    assert line.split()[:5] == ["GET", "10", "70", "0.0", "%"]

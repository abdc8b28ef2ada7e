"""Time expressions: what each one means, in which time zone, and that everything else is refused."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from core_strategies import instants_between, law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.timespan import (
    ACCEPTED,
    UNBOUNDED,
    Window,
    is_relative,
    parse_instant,
    parse_window,
)
from taplogs.errors import UsageError

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")

WEDNESDAY = datetime(2026, 7, 15, 12, 34, 56, 789_000, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def instant(expression: str, now: datetime = WEDNESDAY, zone: ZoneInfo = BERLIN) -> datetime:
    return parse_instant(expression, now=now, zone=zone)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30s", "2026-07-15T12:34:26.789Z"),
        ("15m", "2026-07-15T12:19:56.789Z"),
        ("2h", "2026-07-15T10:34:56.789Z"),
        ("2d", "2026-07-13T12:34:56.789Z"),
        ("1w", "2026-07-08T12:34:56.789Z"),
        ("1mo", "2026-06-15T12:34:56.789Z"),
        ("1d12h", "2026-07-14T00:34:56.789Z"),
        ("1mo1w1d1h1m1s", "2026-06-07T11:33:55.789Z"),
        ("-2d", "2026-07-13T12:34:56.789Z"),
        ("2d ago", "2026-07-13T12:34:56.789Z"),
        ("+10m", "2026-07-15T12:44:56.789Z"),
        ("in 10m", "2026-07-15T12:44:56.789Z"),
        ("+0s", "2026-07-15T12:34:56.789Z"),
        ("in 1d12h", "2026-07-17T00:34:56.789Z"),
        ("+1mo1w1d1h1m1s", "2026-08-23T13:35:57.789Z"),
        ("now", "2026-07-15T12:34:56.789Z"),
        ("today", "2026-07-15T00:00:00+02:00"),
        ("yesterday", "2026-07-14T00:00:00+02:00"),
        ("monday", "2026-07-13T00:00:00+02:00"),
        ("tuesday", "2026-07-14T00:00:00+02:00"),
        ("wednesday", "2026-07-08T00:00:00+02:00"),
        ("thursday", "2026-07-09T00:00:00+02:00"),
        ("friday", "2026-07-10T00:00:00+02:00"),
        ("saturday", "2026-07-11T00:00:00+02:00"),
        ("sunday", "2026-07-12T00:00:00+02:00"),
        ("2026-11-01", "2026-11-01T00:00:00+01:00"),
        ("2026-11-01T10:00", "2026-11-01T10:00:00+01:00"),
        ("2026-11-01 10:00", "2026-11-01T10:00:00+01:00"),
        ("2026-11-01T10:00:30", "2026-11-01T10:00:30+01:00"),
        ("2026-11-01T10:00:30.250", "2026-11-01T10:00:30.250+01:00"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
        ("2026-11-01T10:00:00+05:30", "2026-11-01T04:30:00Z"),
        ("2026-11-01T10:00:00-0800", "2026-11-01T18:00:00Z"),
        ("@1762000000", "2025-11-01T12:26:40Z"),
        ("@1762000000.5", "2025-11-01T12:26:40.500Z"),
        ("@1762000000123", "2025-11-01T12:26:40.123Z"),
        ("@0", "1970-01-01T00:00:00Z"),
        ("@-1", "1969-12-31T23:59:59Z"),
    ],
)
def test_an_expression_names_an_instant(expression: str, expected: str) -> None:
    assert instant(expression) == at(expected)


@pytest.mark.parametrize("expression", ["2d", "today", "monday", "2026-11-01T10:00", "@1762000000", "now"])
def test_every_instant_comes_in_utc(expression: str) -> None:
    assert instant(expression, now=WEDNESDAY.astimezone(NEW_YORK)).tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  2d  ", "2d"),
        ("2D", "2d"),
        ("1MO", "1mo"),
        ("2d \t ago\n", "2d ago"),
        ("2D AGO", "2d"),
        ("IN  10M", "+10m"),
        (" +10M ", "in 10m"),
        ("Now", "now"),
        (" YESTERDAY", "yesterday"),
        ("Monday", "monday"),
        ("2026-11-01t10:00:00z", "2026-11-01T10:00:00Z"),
        ("2026-11-01   10:00", "2026-11-01T10:00"),
    ],
)
def test_case_and_white_space_around_do_not_matter(written: str, meant: str) -> None:
    assert instant(written) == instant(meant)


@pytest.mark.parametrize(
    "expression",
    [
        "2x",
        "1month3",
        "1month",
        "2d3",
        "x2d",
        "2 d",
        "2",
        "d",
        "--2d",
        "+ 2d",
        "+-2d",
        "++2d",
        "+2d ago",
        "in 2d ago",
        "in +2d",
        "in -2d",
        "in",
        "+",
        "1.5h",
        "1e3s",
        "ago",
        "now ago",
        "today ago",
        "in2d",
        "tomorrow",
        "mon",
        "mondayy",
        "",
        "   ",
        "-",
        "@",
        "@1e9",
        "@0x10",
        "@1762000000Z",
        "20261101",
        "2026-11",
        "2026-11-1",
        "2026-11-01T",
        "2026-11-01T10",
        "2026-11-01T10:0",
        "2026-11-01T10:00:00,5",
        "2026-11-01Z",
        "2026-11-01T10:00+1",
        "2026-11-01T10:00 Europe/Berlin",
        "2026-11-01..2026-11-02",
        "2026-W45",
        "10:00",
        "2026-11-01T10:00:00.0000000001",
        "2d\0",
        "\0",
        "2\u202fd",
    ],
)
def test_anything_around_or_between_is_refused_with_what_is_accepted(expression: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_instant(expression, now=WEDNESDAY, zone=BERLIN, option="--since")
    assert refused.value.message == f"--since {expression!r} is not understood"
    assert refused.value.hint == ACCEPTED


@pytest.mark.parametrize("expression", ["01/03/2026", "1/3/26", "01.03.2026", "12.31.2026 10:00"])
def test_day_and_month_are_never_guessed(expression: str) -> None:
    with pytest.raises(UsageError) as refused:
        instant(expression)
    assert refused.value.hint == "day and month are not guessed; write the date as 2026-11-01"


@pytest.mark.parametrize(
    "expression",
    [
        "٢d",
        "２d",  # full-width
        "2०h",
        "@١٧٦٢٠٠٠٠٠٠",
        "٢٠٢٦-١١-٠١",
        "2026-11-0١",
        "2026-11-01T1٠:00",
        "2026-11-01T10:00:00+0١:00",
        "ſunday",  # the long s is an s only when its case is folded
    ],
)
def test_only_ascii_digits_and_letters_are_read(expression: str) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        instant(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "999999999d",
        "999999999w",
        "999999999mo",
        "999999999h",
        "999999999d" * 50,
        "+999999999d",
        "in 999999999mo",
        "3000mo999999999d",
        "0000-01-01",
        "0001-01-01",  # in Berlin, where UTC is still in the year 0
        "9999-12-31T23:00:00-05:00",
        "9999-12-31T23:59:59.9999Z",  # no whole millisecond of the calendar is at or after it
        "@-99999999999999",
        "2026-02-29",
        "2026-13-01",
        "2026-11-31",
        "2026-11-01T24:00",
        "2026-11-01T23:60",
        "2026-11-01T23:59:60",
        "2026-11-01T10:00:00+24:00",
        "10000-01-01",
        "9999999999d",
    ],
)
def test_a_time_outside_the_calendar_is_wrong_usage(expression: str) -> None:
    with pytest.raises(UsageError) as refused:
        instant(expression)
    assert refused.value.hint == ACCEPTED


def test_the_ends_of_the_calendar_are_read() -> None:
    assert instant("0001-01-01T00:00:00Z") == datetime(1, 1, 1, tzinfo=UTC)
    assert instant("9999-12-31T23:59:59.999Z") == datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def test_naive_times_are_read_in_the_zone() -> None:
    assert instant("2026-07-01T10:00", zone=BERLIN) == at("2026-07-01T08:00Z")
    assert instant("2026-07-01T10:00", zone=NEW_YORK) == at("2026-07-01T14:00Z")
    assert instant("2026-12-01T10:00", zone=NEW_YORK) == at("2026-12-01T15:00Z")


def test_an_explicit_offset_wins_over_the_zone() -> None:
    zones = (BERLIN, NEW_YORK, LORD_HOWE, KIRITIMATI)
    assert {instant("2026-07-01T10:00+03:00", zone=zone) for zone in zones} == {at("2026-07-01T07:00Z")}


@pytest.mark.parametrize(
    ("zone", "today"),
    [(NEW_YORK, "2026-07-15T00:00-04:00"), (BERLIN, "2026-07-16T00:00+02:00"), (KIRITIMATI, "2026-07-16T00:00+14:00")],
)
def test_which_day_it_is_depends_on_the_zone(zone: ZoneInfo, today: str) -> None:
    late = at("2026-07-15T22:30Z")
    assert instant("today", now=late, zone=zone) == at(today)


@pytest.mark.parametrize("name", [name.lower() for name in calendar.day_name])
@pytest.mark.parametrize("days", range(7))
def test_the_name_of_a_day_is_the_last_one_strictly_before_today(name: str, days: int) -> None:
    now = WEDNESDAY + timedelta(days=days)
    day = instant(name, now=now).astimezone(BERLIN)
    assert calendar.day_name[day.weekday()].lower() == name
    assert (day.hour, day.minute, day.second) == (0, 0, 0)
    assert 1 <= (now.astimezone(BERLIN).date() - day.date()).days <= 7


@pytest.mark.parametrize(
    ("zone", "now", "expression", "expected"),
    [
        # Berlin: 29 March 2026, 02:00 -> 03:00; 25 October 2026, 03:00 -> 02:00
        (BERLIN, "2026-03-29T12:00+02:00", "1d", "2026-03-28T12:00+01:00"),
        (BERLIN, "2026-03-29T12:00+02:00", "24h", "2026-03-28T11:00+01:00"),
        (BERLIN, "2026-03-29T12:00+02:00", "today", "2026-03-29T00:00+01:00"),
        (BERLIN, "2026-10-25T12:00+01:00", "1d", "2026-10-24T12:00+02:00"),
        (BERLIN, "2026-10-25T12:00+01:00", "1w", "2026-10-18T12:00+02:00"),
        (BERLIN, "2026-10-25T12:00+01:00", "24h", "2026-10-24T13:00+02:00"),
        (BERLIN, "2026-10-25T12:00+01:00", "1d1h", "2026-10-24T11:00+02:00"),
        (BERLIN, "2026-10-25T12:00+01:00", "1mo", "2026-09-25T12:00+02:00"),
        (BERLIN, "2026-10-26T00:30+01:00", "yesterday", "2026-10-25T00:00+02:00"),
        # New York: 8 March 2026, 02:00 -> 03:00; 1 November 2026, 02:00 -> 01:00
        (NEW_YORK, "2026-03-08T09:00-04:00", "1d", "2026-03-07T09:00-05:00"),
        (NEW_YORK, "2026-11-02T09:00-05:00", "2d", "2026-10-31T09:00-04:00"),
        (NEW_YORK, "2026-11-01T23:00-05:00", "today", "2026-11-01T00:00-04:00"),
        # Lord Howe Island moves by half an hour: 5 April 2026, 02:00 -> 01:30; 4 October 2026, 02:00 -> 02:30
        (LORD_HOWE, "2026-04-05T12:00+10:30", "1d", "2026-04-04T12:00+11:00"),
        (LORD_HOWE, "2026-10-04T12:00+11:00", "1d", "2026-10-03T12:00+10:30"),
        (LORD_HOWE, "2026-10-04T12:00+11:00", "24h", "2026-10-03T11:30+10:30"),
        (BERLIN, "2026-03-28T12:00+01:00", "+1d", "2026-03-29T12:00+02:00"),
        (BERLIN, "2026-03-28T12:00+01:00", "+24h", "2026-03-29T13:00+02:00"),
        (BERLIN, "2026-10-24T12:00+02:00", "in 1d1h", "2026-10-25T13:00+01:00"),
    ],
)
def test_days_are_steps_of_the_calendar_and_hours_are_elapsed_time(
    zone: ZoneInfo, now: str, expression: str, expected: str
) -> None:
    assert instant(expression, now=at(now), zone=zone) == at(expected)


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        (BERLIN, "2026-03-29T02:30", "2026-03-29T03:30+02:00"),
        (BERLIN, "2026-03-29T01:59:59", "2026-03-29T01:59:59+01:00"),
        (BERLIN, "2026-03-29T03:00", "2026-03-29T03:00+02:00"),
        (NEW_YORK, "2026-03-08T02:00", "2026-03-08T03:00-04:00"),
        (LORD_HOWE, "2026-10-04T02:15", "2026-10-04T02:45+11:00"),
        (ZoneInfo("Africa/Cairo"), "2026-04-24", "2026-04-24T01:00+03:00"),  # midnight itself is skipped
    ],
)
def test_a_local_time_that_a_clock_change_skips_moves_forward_by_the_change(
    zone: ZoneInfo, local: str, expected: str
) -> None:
    assert instant(local, zone=zone) == at(expected)


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        (BERLIN, "2026-10-25T02:30", "2026-10-25T02:30+02:00"),
        (BERLIN, "2026-10-25T03:00", "2026-10-25T03:00+01:00"),
        (NEW_YORK, "2026-11-01T01:30", "2026-11-01T01:30-04:00"),
        (LORD_HOWE, "2026-04-05T01:45", "2026-04-05T01:45+11:00"),
    ],
)
def test_of_a_local_time_that_occurs_twice_the_first_is_meant(zone: ZoneInfo, local: str, expected: str) -> None:
    assert instant(local, zone=zone) == at(expected)


def test_a_day_back_into_the_skipped_hour_moves_forward() -> None:
    assert instant("1d", now=at("2026-03-30T02:30+02:00")) == at("2026-03-29T03:30+02:00")


def test_a_day_back_from_the_second_of_two_equal_hours_is_the_same_hour() -> None:
    second = at("2026-10-25T02:30+01:00")
    assert instant("1d", now=second) == at("2026-10-24T02:30+02:00")
    assert instant("0d", now=second) == second


@pytest.mark.parametrize(
    ("now", "expression", "expected"),
    [
        ("2026-03-31T10:00Z", "1mo", "2026-02-28T10:00Z"),
        ("2028-03-31T10:00Z", "1mo", "2028-02-29T10:00Z"),
        ("2026-05-31T10:00Z", "1mo", "2026-04-30T10:00Z"),
        ("2026-05-31T10:00Z", "2mo", "2026-03-31T10:00Z"),
        ("2028-02-29T10:00Z", "12mo", "2027-02-28T10:00Z"),
        ("2026-01-15T10:00Z", "1mo", "2025-12-15T10:00Z"),
        ("2026-03-31T10:00Z", "1mo1d", "2026-02-27T10:00Z"),
        ("2026-01-31T10:00Z", "+1mo", "2026-02-28T10:00Z"),
    ],
)
def test_a_month_back_from_a_day_that_month_lacks_is_its_last_day(now: str, expression: str, expected: str) -> None:
    assert instant(expression, now=at(now), zone=ZoneInfo("UTC")) == at(expected)


ZONES = tuple(
    map(
        ZoneInfo,
        (
            "UTC",
            "Europe/Berlin",
            "Europe/Dublin",
            "Europe/Lisbon",
            "America/New_York",
            "America/St_Johns",
            "America/Sao_Paulo",
            "America/Caracas",
            "Africa/Cairo",
            "Africa/Casablanca",
            "Asia/Kolkata",
            "Asia/Kathmandu",
            "Asia/Gaza",
            "Asia/Pyongyang",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Pacific/Chatham",
            "Pacific/Kiritimati",
            "Antarctica/Troll",
        ),
    )
)
offsets = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timedelta(minutes=minutes))


def occurrences(wall_clock: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return every instant at which the clocks of `zone` show `wall_clock`: found by looking, not by asking for it."""
    around = [wall_clock.replace(tzinfo=UTC) + timedelta(hours=hours) for hours in range(-30, 31)]
    known = {moment.astimezone(zone).utcoffset() for moment in around}
    candidates = [wall_clock.replace(tzinfo=UTC) - offset for offset in known if offset is not None]
    return sorted(moment for moment in candidates if moment.astimezone(zone).replace(tzinfo=None) == wall_clock)


@law
@given(
    instants_between(at("1971-01-01T00:00Z"), at("2037-12-31T00:00Z")),
    st.sampled_from(ZONES),
    st.integers(1, 400),
)
@example(at("2026-03-30T02:30+02:00"), BERLIN, 1)
@example(at("2026-10-26T02:30+01:00"), BERLIN, 1)
@example(at("2011-12-31T12:00+14:00"), ZoneInfo("Pacific/Apia"), 1)
def test_days_back_keep_the_wall_clock_where_that_time_exists(now: datetime, zone: ZoneInfo, days: int) -> None:
    wall_clock = now.astimezone(zone).replace(tzinfo=None, fold=0) - timedelta(days=days)
    found = instant(f"{days}d", now=now, zone=zone)
    existing = occurrences(wall_clock, zone)
    if existing:
        assert found == existing[0]
    else:
        assert found.astimezone(zone).replace(tzinfo=None) > wall_clock


@law
@given(
    instants_between(at("0300-01-01T00:00Z"), at("9800-01-01T00:00Z")),
    st.sampled_from(ZONES),
    st.integers(0, 10**6),
    st.sampled_from("smh"),
)
def test_seconds_minutes_and_hours_are_elapsed_time_everywhere(
    now: datetime, zone: ZoneInfo, number: int, unit: str
) -> None:
    elapsed = timedelta(seconds=number * {"s": 1, "m": 60, "h": 3600}[unit])
    assert instant(f"{number}{unit}", now=now, zone=zone) == now - elapsed
    assert instant(f"+{number}{unit}", now=now, zone=zone) == now + elapsed


almost_expressions = st.one_of(
    st.text(max_size=20),
    st.text("0123456789smhdwoT:-+.@Z /ag", max_size=28),
    st.from_regex(r"(-|\+|in )?([0-9]{1,9}(mo|s|m|h|d|w)){1,4}( ago)?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?)?"),
    st.from_regex(r"[09]{3}[019]-(01-01|12-31)T[02][03]:[0-5]9:59\.999[0-9]{0,6}(Z|[+-][0-2][0-9]:?[0-9]{2})"),
    st.from_regex(r"@-?[0-9]{1,14}(\.[0-9]{1,9})?", fullmatch=True),
)


@law
@given(
    almost_expressions,
    st.datetimes(timezones=st.builds(lambda offset: (UTC, BERLIN, KIRITIMATI)[offset], st.integers(0, 2))),
    st.sampled_from(ZONES),
)
@example("yesterday", datetime.min.replace(tzinfo=UTC), BERLIN)
@example("today", datetime.max.replace(tzinfo=UTC), KIRITIMATI)
@example("now", datetime.max.replace(tzinfo=UTC), BERLIN)
def test_any_text_is_a_time_or_wrong_usage_and_nothing_else(text: str, now: datetime, zone: ZoneInfo) -> None:
    try:
        found = parse_instant(text, now=now, zone=zone)
    except UsageError as refused:
        shown, hint = refused.message, refused.hint
    else:
        shown, hint = repr(text), Window(found, found).since_text
    assert repr(text) in shown
    assert hint


@pytest.mark.parametrize(
    ("text", "relative"),
    [
        ("2d", True),
        ("now", True),
        ("monday", True),
        ("-1h", True),
        ("2026-11-01", False),
        (" 2026-11-01T10:00Z", False),
        ("@0", False),
        (None, False),
    ],
)
def test_an_expression_knows_whether_it_depends_on_now(text: str | None, relative: bool) -> None:
    assert is_relative(text) is relative


def window(since: str | None, until: str | None) -> Window:
    return parse_window(since, until, now=WEDNESDAY, zone=BERLIN)


def test_a_window_is_half_open() -> None:
    hour = window("2026-11-01T10:00Z", "2026-11-01T11:00Z")
    assert hour.contains("2026-11-01T10:00:00.000Z")
    assert hour.contains("2026-11-01T10:59:59.999Z")
    assert not hour.contains("2026-11-01T09:59:59.999Z")
    assert not hour.contains("2026-11-01T11:00:00.000Z")


def test_a_bound_between_two_milliseconds_lets_in_exactly_what_lies_after_it() -> None:
    split = window("2026-11-01T10:00:00.000500Z", "2026-11-01T10:00:00.002001Z")
    milliseconds = [f"2026-11-01T10:00:00.00{digit}Z" for digit in range(4)]
    assert [split.contains(text) for text in milliseconds] == [False, True, True, False]


@law
@given(
    instants_between(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z")),
    instants_between(at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:01Z")),
    st.integers(-1, 1001),
)
def test_a_window_compares_instants_although_it_compares_texts(since: datetime, until: datetime, offset: int) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=offset)
    text = f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    assert Window(since, until).contains(text) == (since <= moment < until)
    assert Window(since, None).contains(text) == (since <= moment)
    assert Window(None, until).contains(text) == (moment < until)


@pytest.mark.parametrize("timestamp", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_without_bounds_everything_lies_within(timestamp: str) -> None:
    assert window(None, None) == UNBOUNDED
    assert UNBOUNDED.contains(timestamp)


@pytest.mark.parametrize(("since", "until"), [("1h", "2h"), ("1h", "1h"), ("today", "yesterday"), ("now", "1d")])
def test_a_window_that_does_not_start_before_it_ends_is_refused(since: str, until: str) -> None:
    with pytest.raises(UsageError, match=f"--since {since} .*is not before --until {until}"):
        window(since, until)


@pytest.mark.parametrize(("since", "until", "option"), [("2x", "1h", "--since"), ("2h", "", "--until")])
def test_a_bound_that_is_not_understood_is_named_by_its_option(since: str, until: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"^{option} "):
        window(since, until)


def test_now_is_one_instant_for_both_bounds() -> None:
    assert window("1h", "now") == Window(WEDNESDAY - timedelta(hours=1), WEDNESDAY)

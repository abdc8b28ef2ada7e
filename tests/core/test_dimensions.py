"""What entries are grouped by: the key of each dimension, clocks of all kinds, names, and the order of groups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from core_strategies import entry, instants, instants_between, law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.dimensions import DIMENSION_NAMES, Dimension, Group, Key, dimensions_named, in_order
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp, is_canonical, parse_timestamp
from taplogs.errors import UsageError

PLAIN = EndpointTemplates()
TIMES = ("hour", "day", "weekday", "hour-of-day")
ZONES = tuple(
    map(
        ZoneInfo,
        (
            "UTC",
            "Europe/Berlin",
            "Asia/Kolkata",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Pacific/Chatham",
            "America/St_Johns",
            "America/Havana",
            "Africa/Cairo",
            "Pacific/Apia",
            "Africa/Monrovia",
            "Europe/Amsterdam",
        ),
    )
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def dimension(name: str, zone: tzinfo = UTC, templates: EndpointTemplates = PLAIN) -> Dimension:
    (found,) = dimensions_named(name, templates, zone)
    return found


def key_of(name: str, one: LogEntry, zone: tzinfo = UTC) -> Key:
    """Return the key of the group that an entry is counted in."""
    found = dimension(name, zone)
    value: Key = getattr(one, found.field)
    return value if found.key is None else found.key(str(value))


def at(text: str, zone: str = "UTC") -> dict[str, Key]:
    """Return the keys of all dimensions of time, by their names."""
    timestamp = format_timestamp(datetime.fromisoformat(text))
    return {name: key_of(name, entry(timestamp=timestamp), ZoneInfo(zone)) for name in TIMES}


# --- fields


@pytest.mark.parametrize(
    ("name", "member", "expected"),
    [
        ("endpoint", "endpoint", "/v1/partner/jobs/{id}"),
        ("method", "method", "GET"),
        ("status", "statusCode", 404),
        ("class", "statusClass", "4xx"),
        ("client", "clientId", "client_1"),
        ("company", "companyId", "company_1"),
        ("ip", "ipAddress", "2001:db8::1"),
        ("user-agent", "userAgent", "curl/8.5.0"),
        ("hour", "hour", "2026-07-15T12:00:00.000Z"),
        ("day", "day", "2026-07-15"),
        ("weekday", "weekday", "Wednesday"),
        ("hour-of-day", "hourOfDay", "12:00"),
    ],
)
def test_every_dimension_has_its_key_and_its_member(name: str, member: str, expected: Key) -> None:
    one = entry(
        request_url="https://partner-api.taptalent.io/v1/partner/jobs/17?page=2",
        status_code=404,
        client_id="client_1",
        company_id="company_1",
        ip_address="2001:db8::1",
        user_agent="curl/8.5.0",
    )
    assert key_of(name, one) == expected
    assert dimension(name).member == member
    assert dimension(name).is_time is (name in TIMES)


def test_every_name_is_a_dimension_of_that_name() -> None:
    assert [dimension(name).name for name in DIMENSION_NAMES] == list(DIMENSION_NAMES)


@pytest.mark.parametrize("name", ["client", "company", "ip", "user-agent"])
def test_an_unknown_field_is_a_group_of_its_own_unlike_an_empty_one(name: str) -> None:
    empty = entry(client_id="", company_id="", ip_address="", user_agent="")
    assert key_of(name, entry()) is None
    assert key_of(name, empty) == ""


@pytest.mark.parametrize(
    ("status", "expected"), [(0, "0xx"), (99, "0xx"), (100, "1xx"), (299, "2xx"), (500, "5xx"), (999, "9xx")]
)
def test_a_class_is_the_first_of_three_digits(status: int, expected: str) -> None:
    assert key_of("class", entry(status_code=status)) == expected


def test_endpoints_are_those_of_the_company() -> None:
    own = dimension("endpoint", templates=EndpointTemplates(["/v1/stages/{name}"]))
    assert own.key
    assert own.key("https://a.example/v1/stages/screening?x=1") == "/v1/stages/{name}"


# --- clocks


@pytest.mark.parametrize(
    ("zone", "instant", "hour", "day", "weekday", "hour_of_day"),
    [
        ("UTC", "2026-11-01T00:00Z", "2026-11-01T00:00Z", "2026-11-01", "Sunday", "00:00"),
        ("UTC", "2026-10-31T23:59:59.999Z", "2026-10-31T23:00Z", "2026-10-31", "Saturday", "23:00"),
        ("Europe/Berlin", "2026-10-31T23:00Z", "2026-10-31T23:00Z", "2026-11-01", "Sunday", "00:00"),
        ("America/New_York", "2026-11-01T03:59Z", "2026-11-01T03:00Z", "2026-10-31", "Saturday", "23:00"),
        # Berlin in March: 02:00 does not exist
        ("Europe/Berlin", "2026-03-29T00:59:59.999Z", "2026-03-29T00:00Z", "2026-03-29", "Sunday", "01:00"),
        ("Europe/Berlin", "2026-03-29T01:00Z", "2026-03-29T01:00Z", "2026-03-29", "Sunday", "03:00"),
        ("Europe/Berlin", "2026-03-29T21:59:59.999Z", "2026-03-29T21:00Z", "2026-03-29", "Sunday", "23:00"),
        ("Europe/Berlin", "2026-03-29T22:00Z", "2026-03-29T22:00Z", "2026-03-30", "Monday", "00:00"),
        # Berlin in October: 02:00 comes twice, which is two hours
        ("Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T00:00Z", "2026-10-25", "Sunday", "02:00"),
        ("Europe/Berlin", "2026-10-25T01:30Z", "2026-10-25T01:00Z", "2026-10-25", "Sunday", "02:00"),
        ("Europe/Berlin", "2026-10-25T22:59:59.999Z", "2026-10-25T22:00Z", "2026-10-25", "Sunday", "23:00"),
        # half an hour and 45 minutes beside UTC
        ("Asia/Kolkata", "2026-11-01T18:29:59.999Z", "2026-11-01T17:30Z", "2026-11-01", "Sunday", "23:00"),
        ("Asia/Kolkata", "2026-11-01T18:30Z", "2026-11-01T18:30Z", "2026-11-02", "Monday", "00:00"),
        ("Asia/Kathmandu", "2026-11-01T18:14:59.999Z", "2026-11-01T17:15Z", "2026-11-01", "Sunday", "23:00"),
        ("Asia/Kathmandu", "2026-11-01T18:15Z", "2026-11-01T18:15Z", "2026-11-02", "Monday", "00:00"),
        # Lord Howe Island in April: at 02:00 the clocks go back to 01:30, which begins 30 more minutes of 1 o'clock
        ("Australia/Lord_Howe", "2026-04-04T14:59Z", "2026-04-04T14:00Z", "2026-04-05", "Sunday", "01:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:00Z", "2026-04-04T15:00Z", "2026-04-05", "Sunday", "01:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:29:59.999Z", "2026-04-04T15:00Z", "2026-04-05", "Sunday", "01:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:30Z", "2026-04-04T15:30Z", "2026-04-05", "Sunday", "02:00"),
        # and in October: at 02:00 they go forward to 02:30, which begins a short hour
        ("Australia/Lord_Howe", "2026-10-03T15:29Z", "2026-10-03T14:30Z", "2026-10-04", "Sunday", "01:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:30Z", "2026-10-03T15:30Z", "2026-10-04", "Sunday", "02:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:59:59.999Z", "2026-10-03T15:30Z", "2026-10-04", "Sunday", "02:00"),
        ("Australia/Lord_Howe", "2026-10-03T16:00Z", "2026-10-03T16:00Z", "2026-10-04", "Sunday", "03:00"),
        # local mean time: Berlin was 53 minutes and 28 seconds ahead
        ("Europe/Berlin", "1880-01-01T00:06:31.999Z", "1879-12-31T23:06:32Z", "1880-01-01", "Thursday", "00:00"),
        ("Europe/Berlin", "1880-01-01T00:06:32Z", "1880-01-01T00:06:32Z", "1880-01-01", "Thursday", "01:00"),
        # a day that Samoa skipped
        ("Pacific/Apia", "2011-12-30T09:59Z", "2011-12-30T09:00Z", "2011-12-29", "Thursday", "23:00"),
        ("Pacific/Apia", "2011-12-30T10:00Z", "2011-12-30T10:00Z", "2011-12-31", "Saturday", "00:00"),
    ],
)
def test_hours_and_days_are_those_of_the_clocks_of_the_zone(
    zone: str, instant: str, hour: str, day: str, weekday: str, hour_of_day: str
) -> None:
    assert at(instant, zone) == {
        "hour": format_timestamp(datetime.fromisoformat(hour)),
        "day": day,
        "weekday": weekday,
        "hour-of-day": hour_of_day,
    }


@pytest.mark.parametrize(
    ("zone", "instant", "hour", "day"),
    [
        # where the clocks of the zone leave the calendar, those of UTC count
        ("America/New_York", "0001-01-01T00:30:00.000Z", "0001-01-01T00:00:00.000Z", "0001-01-01"),
        ("Asia/Tokyo", "9999-12-31T23:30:00.999Z", "9999-12-31T23:00:00.000Z", "9999-12-31"),
        ("Asia/Kathmandu", "9999-12-31T23:59:59.999Z", "9999-12-31T23:00:00.000Z", "9999-12-31"),
        ("America/New_York", "9999-12-31T23:59:59.999Z", "9999-12-31T23:00:00.000Z", "9999-12-31"),
        ("UTC", "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z", "0001-01-01"),
    ],
)
def test_the_ends_of_the_calendar_have_keys(zone: str, instant: str, hour: str, day: str) -> None:
    one = entry(timestamp=instant)
    assert (key_of("hour", one, ZoneInfo(zone)), key_of("day", one, ZoneInfo(zone))) == (hour, day)


@law
@given(instants, st.sampled_from(ZONES))
@example(datetime.min.replace(tzinfo=UTC), ZoneInfo("Europe/Berlin"))
@example(datetime.max.replace(tzinfo=UTC), ZoneInfo("Pacific/Chatham"))
def test_any_instant_has_keys_and_that_of_its_hour_is_canonical(instant: datetime, zone: ZoneInfo) -> None:
    one = entry(timestamp=format_timestamp(instant))
    hour = key_of("hour", one, zone)
    assert isinstance(hour, str)
    assert is_canonical(hour)
    assert timedelta(0) <= instant - parse_timestamp(hour) < timedelta(hours=1)
    assert key_of("weekday", one, zone) in WEEKDAYS
    datetime.strptime(f"{key_of('day', one, zone)} {key_of('hour-of-day', one, zone)}", "%Y-%m-%d %H:%M")  # noqa: DTZ007


@law
@given(
    instants_between(datetime(1850, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)),
    st.sampled_from(ZONES),
    st.integers(-7_200_000, 7_200_000).map(lambda offset: timedelta(milliseconds=offset)),
)
@example(datetime(2026, 4, 4, 15, tzinfo=UTC), ZoneInfo("Australia/Lord_Howe"), timedelta(minutes=-30))
def test_two_instants_share_an_hour_where_the_clock_ran_from_one_to_the_other_within_it(
    instant: datetime, zone: ZoneInfo, apart: timedelta
) -> None:
    """Found by looking at every change between them, not by computing where an hour begins."""
    first, second = sorted((instant, instant + apart))
    minutes = [first + timedelta(minutes=minute) for minute in range(int((second - first) / timedelta(minutes=1)) + 1)]
    faces = [moment.astimezone(zone) for moment in (*minutes, second)]
    shared = len({(face.date(), face.hour, face.utcoffset()) for face in faces}) == 1
    hours = [key_of("hour", entry(timestamp=format_timestamp(moment)), zone) for moment in (first, second)]
    assert (hours[0] == hours[1]) is shared


@law
@given(
    st.lists(instants_between(datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 4, 6, tzinfo=UTC)), max_size=30),
    st.sampled_from(ZONES),
    st.sampled_from(TIMES),
)
def test_the_key_of_an_entry_does_not_depend_on_those_before_it(
    moments: list[datetime], zone: ZoneInfo, name: str
) -> None:
    """Keys are remembered by the hour; in some zones an hour of UTC lies in two of theirs."""
    shared = dimension(name, zone)
    assert shared.key
    for moment in moments:
        text = format_timestamp(moment)
        assert shared.key(text) == key_of(name, entry(timestamp=text), zone)


# --- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("endpoint", ["endpoint"]),
        ("client,status", ["client", "status"]),
        (" Client , STATUS ", ["client", "status"]),
        ("hour-of-day", ["hour-of-day"]),
        ("day,", ["day"]),
    ],
)
def test_one_or_two_dimensions_are_named_in_their_order(text: str, expected: list[str]) -> None:
    assert [found.name for found in dimensions_named(text, PLAIN, UTC)] == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "one, or two that differ"),
        (" , ", "one, or two that differ"),
        ("status,status", "one, or two that differ"),
        ("client,status,method", "one, or two that differ"),
        ("url", "there is no 'url'"),
        ("status;client", "there is no 'status;client'"),
        ("status,statusCode", "there is no 'statuscode'"),
        ("user agent", "there is no 'user agent'"),
        ("\x1b[2J", "there is no '\\x1b[2j'"),
    ],
)
def test_anything_else_is_wrong_usage_that_says_what_is_accepted(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as refused:
        dimensions_named(text, PLAIN, UTC)
    assert refused.value.message == f"--by {text!r} is not understood: {reason}"
    assert refused.value.hint == f"accepted: {', '.join(DIMENSION_NAMES)}"


# --- order


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([(404,), (99,), (1000,), (200,)], [(99,), (200,), (404,), (1000,)]),
        ([(day,) for day in sorted(WEEKDAYS)], [(day,) for day in WEEKDAYS]),
        ([(None,), ("b",), ("",), ("a",)], [("",), ("a",), ("b",), (None,)]),
        ([("10:00",), ("09:00",), ("00:00",)], [("00:00",), ("09:00",), ("10:00",)]),
        (
            [("b", 200), (None, 200), ("a", 500), ("a", 404), ("a", None)],
            [("a", 404), ("a", 500), ("a", None), ("b", 200), (None, 200)],
        ),
        ([()], [()]),
        ([], []),
    ],
)
def test_groups_are_in_the_order_of_their_keys(groups: list[Group], expected: list[Group]) -> None:
    assert in_order(groups) == expected


@law
@given(st.permutations([None, "", "a", "(others)", "Monday", "Sunday", "9", "10", 200, 404]))
def test_keys_of_every_kind_have_one_order(keys: list[Key]) -> None:
    expected = in_order([(key,) for key in sorted(keys, key=repr)])
    assert in_order([(key,) for key in keys]) == expected
    assert expected[-1] == (None,)

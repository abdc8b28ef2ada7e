"""Canonical timestamps: one text for every instant, in an order that is that of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from core_strategies import instants, instants_between, law
from hypothesis import example, given
from hypothesis import strategies as st

from taplogs.core.timestamp import (
    are_canonical,
    ceil_to_millisecond,
    format_timestamp,
    from_epoch,
    is_canonical,
    parse_timestamp,
)


@law
@given(instants)
@example(datetime.min.replace(tzinfo=UTC))
@example(datetime.max.replace(tzinfo=UTC))
def test_the_canonical_text_reads_back_to_the_millisecond(instant: datetime) -> None:
    text = format_timestamp(instant)
    assert is_canonical(text)
    assert instant - parse_timestamp(text) < timedelta(milliseconds=1)
    assert format_timestamp(parse_timestamp(text)) == text


@law
@given(instants, instants)
def test_the_order_of_texts_is_the_order_of_times(first: datetime, second: datetime) -> None:
    if first <= second:
        assert format_timestamp(first) <= format_timestamp(second)
    else:
        assert format_timestamp(first) >= format_timestamp(second)


def test_any_zone_is_written_in_utc() -> None:
    instant = datetime(2026, 11, 1, 10, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert format_timestamp(instant) == "2026-11-01T04:30:00.999Z"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01T10:00:00.1Z", "2026-11-01T10:00:00.100Z"),
        ("2026-11-01T10:00:00.123456789Z", "2026-11-01T10:00:00.123Z"),
        ("2026-11-01t10:00:00z", "2026-11-01T10:00:00.000Z"),
        ("2026-11-01 10:00:00+01:00", "2026-11-01T09:00:00.000Z"),
        ("2026-11-01T10:00:00-00:00", "2026-11-01T10:00:00.000Z"),
    ],
)
def test_rfc_3339_is_read_in_all_its_spellings(text: str, canonical: str) -> None:
    assert format_timestamp(parse_timestamp(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-01",
        "2026-11-01T10:00Z",
        "2026-11-01T10:00:00",
        "2026-11-01T10:00:00.Z",
        "2026-11-01T10:00:00+01",
        "2026-11-01T10:00:00+0100",
        "2026-11-01T10:00:00Z\n",
        " 2026-11-01T10:00:00Z",
        "2026-11-0١T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-01T23:59:60Z",
    ],
)
def test_what_is_not_rfc_3339_or_does_not_exist_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1762000000, "2025-11-01T12:26:40.000Z"),
        (1762000000.123, "2025-11-01T12:26:40.123Z"),
        (1762000000123, "2025-11-01T12:26:40.123Z"),
        (1762000000123.4, "2025-11-01T12:26:40.123Z"),
        (99_999_999_999, "5138-11-16T09:46:39.000Z"),
        (100_000_000_000, "1973-03-03T09:46:40.000Z"),
        (-1, "1969-12-31T23:59:59.000Z"),
    ],
)
def test_epoch_numbers_are_seconds_until_they_can_only_be_milliseconds(number: float, canonical: str) -> None:
    assert format_timestamp(from_epoch(number)) == canonical


@pytest.mark.parametrize("number", [1e300, -1e300, float("inf"), float("nan"), 10**400, -(10**17)])
def test_an_epoch_number_outside_the_calendar_is_a_value_error(number: float) -> None:
    with pytest.raises(ValueError):
        from_epoch(number)


@law
@given(instants_between(datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)))
def test_rounding_up_gives_the_first_whole_millisecond_not_before(instant: datetime) -> None:
    rounded = ceil_to_millisecond(instant)
    assert rounded.microsecond % 1000 == 0
    assert timedelta(0) <= rounded - instant < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text",
    ["2026-11-01T10:00:00Z", "2026-11-01 10:00:00.000Z", "2026-11-01T10:00:00.000z", "2026-11-01T10:00:00,000Z", ""],
)
def test_another_spelling_is_not_canonical(text: str) -> None:
    assert not is_canonical(text)


almost_canonical = st.sampled_from(
    [
        "2026-11-01T10:00:00.000Z",
        "2026-11-01T10:00:00.000+",
        "2026-11-01 10:00:00.000Z",
        "2026-11-01T10:00:00,000Z",
        "T",
    ]
)


@law
@given(st.lists(almost_canonical, max_size=4))
@example(["T" * 24, "." * 24, "Z" * 24])
@example(["2026-11-01T10:00:00.000", "Z2026-11-01T10:00:00.000Z"])
def test_many_texts_are_canonical_where_each_of_them_is(texts: list[str]) -> None:
    assert are_canonical(texts) is all(map(is_canonical, texts))

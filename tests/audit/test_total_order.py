"""Batches put into the total order (timestamp, id), whatever a backend does within one timestamp."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import log_entry
from taplogs.audit.manifest import Key
from taplogs.audit.total_order import TotalOrder
from taplogs.core.entry import LogEntry
from taplogs.errors import BackendError

Keys = list[tuple[str, str]]


def entry(second: int, name: str, **fields: Any) -> LogEntry:
    return log_entry(timestamp=f"2026-11-01T10:00:{second:02}.000Z", id=name, **fields)


def batches_of(*groups: str) -> list[list[LogEntry]]:
    """Return batches written as `1a 1b 2a`: second and id of each entry."""
    return [[entry(int(word[:-1]), word[-1]) for word in group.split()] for group in groups]


def words(batches: Iterable[list[LogEntry]]) -> list[str]:
    """Return batches written in the same way."""
    return [" ".join(f"{int(item.timestamp[17:19])}{item.id}" for item in batch) for batch in batches]


def in_order(*groups: str) -> list[str]:
    return words(TotalOrder().sort(batches_of(*groups)))


def test_the_entries_of_the_last_timestamp_wait_for_a_later_one() -> None:
    assert in_order("1a 2a", "3a 3b", "4a") == ["1a", "2a", "3a 3b", "4a"]


def test_entries_of_one_timestamp_are_sorted_over_batches() -> None:
    assert in_order("1b 2c", "2a", "", "2b 3a") == ["1b", "2a 2b 2c", "3a"]


def test_a_group_that_ends_the_listing_is_given_out() -> None:
    assert in_order("1b", "1a") == ["1a 1b"]


def test_nothing_gives_nothing() -> None:
    assert in_order() == in_order("", "") == []


@pytest.mark.parametrize("groups", [("1a 1b 1a 2a",), ("1a 1b", "1a 2a"), ("1a", "1a", "1b 2a")])
def test_an_entry_that_comes_twice_is_given_out_once_and_counted(groups: tuple[str, ...]) -> None:
    order = TotalOrder()
    assert " ".join(words(order.sort(batches_of(*groups)))).startswith("1a 1b")
    assert order.duplicates == 1


def test_of_two_entries_with_one_key_the_first_stays() -> None:
    order = TotalOrder()
    (batch,) = order.sort([[entry(1, "a", status_code=200), entry(1, "a", status_code=500)]])
    assert [item.status_code for item in batch] == [200]


@pytest.mark.parametrize("groups", [("1a 3b 2c",), ("1a 3b", "2c"), ("1a 3b", "4a", "2c 5a")])
def test_time_that_goes_backwards_is_an_error_that_names_both_entries(groups: tuple[str, ...]) -> None:
    with pytest.raises(BackendError, match=r"out of order: 'c' \(2026-11-01T10:00:02.000Z\) comes after '[ab]'"):
        in_order(*groups)


def test_what_was_in_order_before_an_error_is_given_out() -> None:
    batches = TotalOrder().sort(batches_of("1a 2a", "3a", "1b"))
    assert words([next(batches), next(batches)]) == ["1a", "2a"]
    with pytest.raises(BackendError):
        next(batches)


def test_a_run_that_goes_on_leaves_out_what_an_earlier_one_gave_out_and_counts_no_duplicates() -> None:
    order = TotalOrder(after=Key("2026-11-01T10:00:01.000Z", "b"))
    assert words(order.sort(batches_of("1a 1b", "1c 1a 2a", "3a"))) == ["1c", "2a", "3a"]
    assert order.duplicates == 0


def test_more_entries_of_one_timestamp_than_are_held_are_given_out_as_they_come() -> None:
    order = TotalOrder(most_held=2)
    assert words(order.sort(batches_of("1b 1a", "1c", "1d", "1d 1e", "2a"))) == ["1a 1b 1c", "1d 1e", "2a"]
    assert order.duplicates == 1


def test_beyond_what_is_held_an_id_that_comes_too_late_is_an_error() -> None:
    with pytest.raises(BackendError, match=r"'a' .* comes after 'c'"):
        words(TotalOrder(most_held=1).sort(batches_of("1b 1c", "1a")))


@given(st.lists(st.tuples(st.integers(0, 5), st.text("abc", min_size=1, max_size=2)), max_size=40), st.data())
def test_any_order_within_timestamps_in_any_batches_comes_out_sorted_and_once(keys: Keys, data: st.DataObject) -> None:
    rows = sorted(keys, key=lambda key: key[0])
    entries = [entry(int(second), name) for second, name in rows]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=6)))
    batches = [entries[start:end] for start, end in zip([0, *cuts], [*cuts, len(entries)], strict=True)]
    order = TotalOrder()
    given_out = [item.sort_key for batch in order.sort(batches) for item in batch]
    assert given_out == sorted({item.sort_key for item in entries})
    assert order.duplicates == len(entries) - len(given_out)


@given(st.lists(st.tuples(st.integers(0, 5), st.text("abc", min_size=1, max_size=2)), max_size=40), st.data())
def test_wherever_a_run_ends_the_next_one_gives_out_the_rest(keys: Keys, data: st.DataObject) -> None:
    entries = sorted({item.sort_key: item for item in (entry(int(s), n) for s, n in keys)}.values(), key=_key)
    kept = data.draw(st.integers(0, len(entries)))
    last = Key(*entries[kept - 1].sort_key) if kept else None
    since = last.timestamp if last else ""
    order = TotalOrder(after=last)
    rest = [item for batch in order.sort([[e for e in entries if e.timestamp >= since]]) for item in batch]
    assert rest == entries[kept:]


def _key(item: LogEntry) -> tuple[str, str]:
    return item.sort_key

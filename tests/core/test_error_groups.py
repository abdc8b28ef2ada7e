"""Errors in groups: what is the same, how often, since when, for whom, and who repeats what fails."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core_strategies import entries, entry, law
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from taplogs.core.comparison import Mark
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.error_comparison import RankedGroup, compared_groups, new_groups, ranked_groups, sorted_groups
from taplogs.core.error_groups import (
    MOST_CLIENTS,
    MOST_GROUPS,
    OTHER,
    STORM_PAUSE,
    STORM_REQUESTS,
    Client,
    ErrorGroup,
    ErrorGroups,
    ErrorKey,
    group_errors,
    only_errors,
)
from taplogs.core.filters import StatusFilter
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import UsageError

START = datetime(2026, 11, 1, tzinfo=UTC)


def failed(second: float, message: str = "m", **fields: Any) -> LogEntry:
    """Return an entry of an error, so many seconds after the start."""
    values: dict[str, Any] = {
        "id": f"e{second}",
        "timestamp": format_timestamp(START + timedelta(seconds=second)),
        "status_code": 500,
        "client_id": "client",
        "response_payload": Raw(json.dumps({"code": "C", "message": message}).encode()),
    }
    return entry(**(values | fields))


def grouped(found: Sequence[LogEntry], batch: int = 7) -> ErrorGroups:
    """Return the groups of entries in any order, read newest first in batches."""
    newest_first = sorted(found, key=lambda item: item.sort_key, reverse=True)
    batches = [newest_first[start : start + batch] for start in range(0, len(found), batch)]
    return group_errors(batches, EndpointTemplates())


def only_group(found: Sequence[LogEntry]) -> ErrorGroup:
    (group,) = grouped(found).groups
    return group


@pytest.mark.parametrize(
    "different",
    [
        {"method": "POST"},
        {"request_url": "https://partner-api.taptalent.io/v1/partner/candidates"},
        {"status_code": 502},
        {"response_payload": Raw(b'{"code":"D","message":"m"}')},
        {"response_payload": Raw(b'{"code":"C","message":"n"}')},
    ],
)
def test_method_endpoint_status_code_and_message_tell_groups_apart(different: dict[str, Any]) -> None:
    assert len(grouped([failed(1), failed(2), failed(3, **different)]).groups) == 2


def test_ids_in_urls_and_messages_do_not() -> None:
    urls = [f"https://partner-api.taptalent.io/v1/partner/jobs/{number}?page={number}" for number in range(9)]
    group = only_group([failed(number, f"Job {number} is gone", request_url=url) for number, url in enumerate(urls)])
    assert group.key == ErrorKey("GET", "/v1/partner/jobs/{id}", 500, "C", "Job {n} is gone")
    assert group.count == 9


@pytest.mark.parametrize(("status", "counts"), [(399, 0), (400, 1), (499, 1), (500, 1), (599, 1), (600, 0), (200, 0)])
def test_only_4xx_and_5xx_are_errors(status: int, counts: int) -> None:
    groups = grouped([failed(1, status_code=status)])
    assert (groups.total, len(groups.groups)) == (counts, counts)


def test_a_group_says_when_how_often_for_whom_and_gives_the_newest_as_examples() -> None:
    clients = ["a", "a", "b", None, None]
    addresses = [None, "192.0.2.1", None, "192.0.2.7", None]
    group = only_group(
        [failed(n, client_id=c, ip_address=a) for n, (c, a) in enumerate(zip(clients, addresses, strict=True))]
    )
    assert (group.count, group.first, group.last) == (5, "2026-11-01T00:00:00.000Z", "2026-11-01T00:00:04.000Z")
    assert group.clients == {Client("a", None): 2, Client("b", None): 1, Client(None, "192.0.2.7"): 1}
    assert group.example_ids == ["e4", "e3", "e2"]


def test_the_times_of_a_group_are_right_also_where_a_backend_sends_no_order() -> None:
    group = only_group([failed(5), failed(9), failed(2), failed(7)])
    assert (group.first, group.last) == (failed(2).timestamp, failed(9).timestamp)


def test_clients_are_counted_up_to_a_bound() -> None:
    exact = only_group([failed(n, client_id=f"c{n}") for n in range(MOST_CLIENTS)])
    assert (len(exact.clients), exact.more_clients) == (MOST_CLIENTS, False)
    more = only_group([failed(n, client_id=f"c{n}") for n in range(MOST_CLIENTS + 1)])
    assert (len(more.clients), more.more_clients) == (MOST_CLIENTS, True)


def test_the_hash_is_the_same_in_every_run_and_version() -> None:
    assert ErrorKey("POST", "/v1/partner/candidates", 422, "INVALID_REQUEST", "m").hash == "b0106e19"
    assert ErrorKey("GET", "/", 500, "\ud800", "\udfff").hash == "01d75a81"


def test_the_hash_keeps_the_fields_apart() -> None:
    assert len({ErrorKey("GET", "/", 500, *pair).hash for pair in (("ab", "c"), ("a", "bc"), ("", "abc"))}) == 3


def test_hostile_messages_end_in_one_group_for_each_status() -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    found = [
        failed(n, str(n).translate(letters), status_code=500 + n % 2, request_url="/x") for n in range(MOST_GROUPS + 50)
    ]
    groups = grouped(found, batch=1000)
    assert groups.overflowed
    assert len(groups.groups) == MOST_GROUPS + 2
    others = [group for group in groups.groups if group.key.message == OTHER]
    assert [(group.key, group.count) for group in sorted(others, key=lambda group: group.key)] == [
        (ErrorKey("*", "*", 500, "", OTHER), 25),
        (ErrorKey("*", "*", 501, "", OTHER), 25),
    ]
    assert groups.total == len(found)


def test_what_is_beyond_the_bounds_is_told_from_groups_by_its_key() -> None:
    assert ErrorKey("*", "*", 500, "", OTHER).is_other
    assert not ErrorKey("GET", "/x", 500, "", OTHER).is_other


def test_beyond_the_bounds_nothing_is_called_new_or_vanished() -> None:
    """A group that is missing may be among the others of that window."""
    words = ["".join(chr(97 + number // 26**place % 26) for place in range(4)) for number in range(MOST_GROUPS + 2000)]
    groups, earlier = (grouped([failed(0, word) for word in order]) for order in (words, words[::-1]))
    assert {item.mark for item in compared_groups(groups, earlier, 1.0)} <= {None, Mark.GROWN, Mark.SHRUNK}


def test_as_many_groups_as_are_told_apart_are_not_too_many() -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    groups = grouped([failed(n, str(n).translate(letters), request_url="/x") for n in range(MOST_GROUPS)], batch=1000)
    assert (len(groups.groups), groups.overflowed) == (MOST_GROUPS, False)


def test_the_same_request_again_and_again_is_a_retry_storm() -> None:
    group = only_group([failed(13 * n, request_payload=Raw(b'{"a":1}')) for n in range(277)])
    (storm,) = group.storms
    assert (storm.client.name, storm.requests, storm.seconds) == ("client", 277, 276 * 13)
    assert (storm.first, storm.last, storm.example_id) == (group.first, group.last, group.example_ids[0])
    assert (group.storm_count, group.storm_requests) == (1, 277)


@pytest.mark.parametrize(
    ("number", "pause", "storms"),
    [
        (STORM_REQUESTS, STORM_PAUSE, 1),
        (STORM_REQUESTS - 1, 1, 0),
        (100, STORM_PAUSE + 1, 0),
        (100, 0, 1),
    ],
)
def test_ten_requests_with_pauses_of_five_minutes_are_a_storm(number: int, pause: float, storms: int) -> None:
    found = [failed(pause * n, id=f"e{n:03}") for n in range(number)]
    assert only_group(found).storm_count == storms


@pytest.mark.parametrize(
    "vary",
    [
        lambda n: {"client_id": f"c{n}"},
        lambda n: {"client_id": None, "ip_address": f"192.0.2.{n}"},
        lambda _: {"client_id": None, "ip_address": None},
        lambda n: {"request_url": f"https://partner-api.taptalent.io/v1/partner/jobs/{n}"},
        lambda n: {"request_url": f"https://partner-api.taptalent.io/v1/partner/jobs?page={n}"},
        lambda n: {"request_payload": Raw(b"%d" % n)},
        lambda n: {"response_payload": Raw(b'{"code":"C%d"}' % n)},
    ],
)
def test_different_clients_requests_or_errors_are_none(vary: Any) -> None:
    groups = grouped([failed(n, **vary(n)) for n in range(30)])
    assert [group.storm_count for group in groups.groups if group.storm_count] == []


def test_a_pause_ends_a_storm_and_the_largest_three_are_kept() -> None:
    found = []
    for storm, size in enumerate((12, 40, 11, 30, 20)):
        found += [failed(storm * 10_000 + n) for n in range(size)]
    group = only_group(found)
    assert [storm.requests for storm in group.storms] == [40, 30, 20]
    assert (group.storm_count, group.storm_requests) == (5, 113)


def test_storms_of_several_clients_at_once_are_told_apart() -> None:
    found = [
        failed(n + client / 10, client_id=f"c{client}", id=f"{n}/{client}") for n in range(20) for client in range(3)
    ]
    assert Counter(storm.client.name for storm in only_group(found).storms) == {"c0": 1, "c1": 1, "c2": 1}


def test_the_memory_does_not_grow_with_the_number_of_requests() -> None:
    def many(number: int) -> Iterator[list[LogEntry]]:
        for start in range(number, 0, -500):
            yield [failed(n, request_url=f"https://x.example/{n}/a") for n in range(start, start - 500, -1)]

    def peak(number: int) -> int:
        tracemalloc.start()
        group_errors(many(number), EndpointTemplates())
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(1000)
    # two hours, kept by the second, and the bursts of five minutes are in both
    assert peak(40_000) < 1.3 * peak(20_000)


def test_when_the_errors_of_very_many_groups_were_is_known_less_finely() -> None:
    letters = str.maketrans("0123456789", "abcdefghij")
    groups = ErrorGroups(EndpointTemplates())
    for week in range(30, 0, -1):
        groups.add([failed(week * 604_800, str(n).translate(letters), request_url="/x") for n in range(8000)])
    assert groups.timeline.step > timedelta(days=1)
    tracked = groups.timeline.spread(["", "~"])[0]
    assert set(tracked.values()) == {30}


@law
@given(st.lists(entries, max_size=40))
def test_every_error_is_in_one_group(found: list[LogEntry]) -> None:
    groups = grouped(found)
    errors = [item for item in found if 400 <= item.status_code <= 599]
    assert groups.total == len(errors) == sum(group.count for group in groups.groups)
    assert len({group.key.hash for group in groups.groups}) == len(groups.groups)
    spread = groups.timeline.spread(["", "~"])[0]
    for group in groups.groups:
        assert spread[group.number] == group.count
        assert group.first <= group.last
        assert len(group.example_ids) == min(3, group.count)


def plain_storms(times: list[int]) -> list[int]:
    """Return the sizes of the storms of one request at these seconds, found the simple way."""
    sizes = [0]
    for before, second in zip([times[0], *times], times, strict=False):
        sizes = [*sizes, 1] if second - before > STORM_PAUSE else [*sizes[:-1], sizes[-1] + 1]
    return [size for size in sizes if size >= STORM_REQUESTS]


@law
@given(
    st.lists(st.sampled_from([1, 100, 300, 301, 400]) | st.integers(0, 310), min_size=1, max_size=80),
    st.integers(1, 50),
)
def test_storms_are_those_that_a_plain_reading_finds(pauses: list[int], batch: int) -> None:
    times = [sum(pauses[: n + 1]) for n in range(len(pauses))]
    (group,) = grouped([failed(second, id=f"{n:03}") for n, second in enumerate(times)], batch).groups
    storms = plain_storms(times)
    assert (group.storm_count, group.storm_requests) == (len(storms), sum(storms))
    assert [storm.requests for storm in group.storms] == sorted(storms, reverse=True)[:3]


@pytest.mark.parametrize(
    ("given_terms", "used"),
    [
        (None, ["error"]),
        (["!404"], ["error,!404"]),
        (["404"], ["404"]),
        (["5xx,!503"], ["5xx,!503"]),
        (["2xx,404"], ["404"]),
        (["300-404"], ["400-404"]),
        (["500-699"], ["500-599"]),
        (["400-599", "error"], ["400-599,error"]),
    ],
)
def test_a_status_filter_is_narrowed_to_errors(given_terms: list[str] | None, used: list[str]) -> None:
    assert only_errors(StatusFilter.parse(given_terms) if given_terms else None).texts() == used


@pytest.mark.parametrize("text", ["2xx", "ok,!204", "100-399", "600"])
def test_a_status_filter_without_errors_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as fault:
        only_errors(StatusFilter.parse([text]))
    assert fault.value.hint == "errors are 4xx and 5xx"


def several(**counts: int) -> ErrorGroups:
    """Return groups with these messages and so many errors."""
    total = [name for name, count in counts.items() for _ in range(count)]
    return grouped([failed(n, name) for n, name in enumerate(total)])


def marks(ranked: Sequence[RankedGroup]) -> dict[str, tuple[int, int | None, str | None]]:
    return {item.group.key.message: (item.count, item.before, item.mark) for item in ranked}


def test_groups_are_marked_by_what_they_were_before() -> None:
    now = several(born=1, grown=20, nearly=19, few=6, same=50, shrunk=10)
    before = several(grown=10, nearly=10, few=1, same=40, shrunk=30, gone=3)
    assert marks(compared_groups(now, before, 1.0)) == {
        "born": (1, 0, Mark.NEW),
        "grown": (20, 10, Mark.GROWN),
        "nearly": (19, 10, None),
        "few": (6, 1, None),
        "same": (50, 40, None),
        "shrunk": (10, 30, Mark.SHRUNK),
        "gone": (0, 3, Mark.VANISHED),
    }


def test_rates_are_compared_where_the_windows_differ_in_length() -> None:
    compared = compared_groups(several(a=20, b=20), several(a=20, b=100), 0.2)
    assert marks(compared) == {"a": (20, 20, Mark.GROWN), "b": (20, 100, None)}
    assert {item.group.key.message: item.change for item in compared} == {"a": 4.0, "b": 0.0}


def test_the_change_of_a_new_group_is_unknown_and_of_a_vanished_one_whole() -> None:
    compared = compared_groups(several(a=1), several(b=1), 1.0)
    assert [item.change for item in compared] == [None, -1.0]


def test_groups_are_sorted() -> None:
    found = [failed(n, "old", client_id="x") for n in range(3)]
    found += [failed(10 + n, "most", client_id="x") for n in range(5)]
    found += [failed(20 + n, "wide", client_id=f"c{n}") for n in range(2)]
    ranked = ranked_groups(grouped(found))

    def names(order: str) -> list[str]:
        return [item.group.key.message for item in sorted_groups(ranked, order)]

    assert names("count") == ["most", "old", "wide"]
    assert names("last") == ["wide", "most", "old"]
    assert names("first") == ["old", "most", "wide"]
    assert names("clients") == ["wide", "most", "old"]


def test_beside_another_window_new_and_grown_ones_come_first_and_vanished_ones_last() -> None:
    compared = compared_groups(
        several(same=90, born=1, grown=40, less=10), several(same=80, grown=5, less=40, gone=99), 1
    )
    order = [item.group.key.message for item in sorted_groups(compared, "change")]
    assert order == ["grown", "born", "less", "same", "gone"]
    assert [item.group.key.message for item in sorted_groups(compared, "count")][-1] == "gone"


def test_the_groups_that_an_earlier_window_has_none_of_are_new() -> None:
    found = new_groups(several(new=2, old=1, other=1), several(old=1, gone=1))
    assert [(group.key.message, group.count) for group in found] == [("new", 2), ("other", 1)]

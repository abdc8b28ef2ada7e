"""The remote source against the reference backend: the same answers as the entries in memory would give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from werkzeug.wrappers import Request

from faulty_server import Told, served, source_at
from serving import Backend, log_entry, payload, running_backend
from taplogs.backend.app import create_app
from taplogs.core.entry import NULL, LogEntry
from taplogs.core.filters import (
    ClientFilter,
    CompanyFilter,
    EndpointFilter,
    GrepFilter,
    IpFilter,
    LatencyFilter,
    MethodFilter,
    StatusFilter,
    UrlFilter,
    UserAgentFilter,
)
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import AuthenticationError, BackendError, EntryNotFound, UsageError
from taplogs.sources.protocol import LogSource
from taplogs.sources.sqlite import SqliteStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")
STATUSES = (200, 201, 204, 301, 400, 401, 404, 422, 429, 500, 503, 200)
MANY = 2600


def mixed_entry(number: int) -> LogEntry:
    """Return an entry that differs from its neighbours in everything but its time, which three of them share."""
    status = STATUSES[number % len(STATUSES)]
    return log_entry(
        number // 3,
        id=f"entry-{number:05}",
        method=METHODS[number % len(METHODS)],
        request_url=f"https://partner-api.taptalent.io/v1/partner/{('jobs', 'candidates')[number % 2]}/{number}?q=a",
        status_code=status,
        latency_ms=None if number % 11 == 0 else number % 1500,
        ip_address=f"203.0.113.{number % 256}" if number % 5 else f"2001:db8::{number % 7:x}",
        user_agent=("python-requests/2.32.3", "Java/17", None)[number % 3],
        client_id=f"client-{number % 4}",
        company_id=f"company-{number % 2}",
        request_payload=payload(f'{{"name":"person {number}"}}') if number % 7 == 1 else NULL,
        response_payload=NULL if status == 200 else payload(f'{{"error":{{"code":"E{number % 10}"}}}}'),
    )


ENTRIES = [mixed_entry(number) for number in range(MANY)]


def expected(query: LogQuery, entries: Iterable[LogEntry] = ENTRIES) -> list[LogEntry]:
    """Return what filtering, sorting and cutting the entries in memory gives."""
    newest_first = query.order is Order.NEWEST_FIRST
    found = sorted(filter(query.matches, entries), key=lambda entry: entry.sort_key, reverse=newest_first)
    if not query.needs_payloads:
        found = [replace(entry, request_payload=NULL, response_payload=NULL) for entry in found]
    return found[: query.limit]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over ENTRIES."""
    with running_backend(tmp_path_factory.mktemp("full") / "logs.db") as backend:
        backend.store.add(ENTRIES)
        yield backend


@pytest.fixture
def source(full: Backend) -> Iterator[LogSource]:
    with source_at(full.url, full.key) as source:
        yield source


def at(number: float) -> datetime:
    """Return the instant of that second of the entries' day."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=number)


FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status class": {"status": StatusFilter.parse(["4xx"])},
    "status code": {"status": StatusFilter.parse(["404"])},
    "status codes": {"status": StatusFilter.parse(["404,500"])},
    "status range": {"status": StatusFilter.parse(["400-404"])},
    "wide status range": {"status": StatusFilter.parse(["204-422"])},
    "class and code": {"status": StatusFilter.parse(["5xx,404"])},
    "all but a class": {"status": StatusFilter.parse(["!2xx"])},
    "error but one": {"status": StatusFilter.parse(["error,!503"])},
    "informational": {"status": StatusFilter.parse(["1xx"])},
    "method": {"method": MethodFilter.parse(["POST"])},
    "methods": {"method": MethodFilter.parse(["GET,PUT"])},
    "all but a method": {"method": MethodFilter.parse(["!GET"])},
    "endpoint template": {"endpoint": EndpointFilter.parse(["/v1/partner/jobs/{id}"])},
    "endpoint glob": {"endpoint": EndpointFilter.parse(["/v1/partner/*/12*"])},
    "url": {"url": UrlFilter.parse(["candidates"])},
    "latency": {"latency": LatencyFilter.parse([">1s"])},
    "address": {"ip": IpFilter.parse(["203.0.113.7"])},
    "block": {"ip": IpFilter.parse(["2001:db8::/32"])},
    "user agent": {"user_agent": UserAgentFilter.parse(["java"])},
    "client": {"client": ClientFilter.parse(["client-2"])},
    "company": {"company": CompanyFilter.parse(["!company-0"])},
    "grep in a payload": {"grep": GrepFilter.parse(["person 1[0-9]{2}\\b"])},
    "grep in a payload, without payloads": {"grep": GrepFilter.parse(['"E3"']), "payloads": False},
    "window": {"window": Window(at(100), at(200.5))},
    "since": {"window": Window(since=at(700.001))},
    "until": {"window": Window(until=at(123))},
    "empty window": {"window": Window(at(1.1), at(1.2))},
    "several": {"status": StatusFilter.parse(["error"]), "method": MethodFilter.parse(["GET"]), "limit": 20},
    "several, inexact": {"status": StatusFilter.parse(["!200"]), "url": UrlFilter.parse(["jobs"]), "limit": 700},
}


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("fields", FILTERS.values(), ids=FILTERS)
def test_every_filter_gives_what_filtering_in_memory_gives(
    source: LogSource, fields: dict[str, Any], order: Order
) -> None:
    query = LogQuery(**fields, order=order)
    assert list(source.search(query)) == expected(query)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("payloads", [True, False])
@pytest.mark.parametrize("limit", [0, 1, 2, 499, 500, 501, 999, 1000, 1001, 2100, MANY - 1, MANY, MANY + 1, None])
def test_a_limit_gives_so_many_entries(source: LogSource, limit: int | None, payloads: bool, order: Order) -> None:
    query = LogQuery(limit=limit, payloads=payloads, order=order)
    assert list(source.search(query)) == expected(query)


@pytest.mark.parametrize("parallel", [1, 2, 4, 8])
@pytest.mark.parametrize("order", Order)
def test_the_number_of_slices_read_at_once_changes_nothing(full: Backend, parallel: int, order: Order) -> None:
    query = LogQuery(order=order)
    with source_at(full.url, full.key, parallel=parallel) as source:
        assert list(source.search(query)) == expected(query)


def test_batches_are_the_same_entries_in_lists(source: LogSource) -> None:
    batches = list(source.batches(LogQuery()))
    assert len(batches) > 2
    assert [entry for batch in batches for entry in batch] == expected(LogQuery())


@pytest.mark.parametrize("fields", FILTERS.values(), ids=FILTERS)
def test_a_count_is_the_number_of_matches_or_unknown(source: LogSource, fields: dict[str, Any]) -> None:
    query = LogQuery(**fields)
    count = source.count(query)
    assert count is None or count == len(expected(replace(query, limit=None)))


@pytest.mark.parametrize("name", ["none", "status class", "status codes", "status range", "methods", "window", "until"])
def test_what_the_backend_filters_itself_is_counted(source: LogSource, name: str) -> None:
    assert source.count(LogQuery(**FILTERS[name])) is not None


def test_an_entry_is_found_by_its_id_with_its_payloads(source: LogSource) -> None:
    assert source.get("entry-00008") == ENTRIES[8]


@pytest.mark.parametrize("entry_id", ["nope", "entry-00008/", "../logs", "..", ".", "%2e%2e", "\ud800", "a" * 3000])
def test_an_unknown_id_is_not_found(source: LogSource, entry_id: str) -> None:
    with pytest.raises(EntryNotFound, match="no entry has the id"):
        source.get(entry_id)


def test_an_id_longer_than_any_url_is_a_clear_error(source: LogSource) -> None:
    with pytest.raises(BackendError, match=r"cannot be asked: .*too long"):
        source.get("a" * 70_000)


def test_an_empty_id_is_refused_and_nothing_sent(full: Backend) -> None:
    told = Told()
    with source_at(full.url, full.key, told=told) as source, pytest.raises(UsageError, match="empty"):
        source.get("")
    assert told.debugged == []


@pytest.fixture(scope="module")
def odd_ids(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, LogSource]]:
    with (
        running_backend(tmp_path_factory.mktemp("ids") / "logs.db") as backend,
        source_at(backend.url, backend.key) as source,
    ):
        yield backend, source


@settings(deadline=None, max_examples=60)
@given(entry_id=st.text(min_size=1, max_size=20) | st.text("./%?#;\\ +\x00\n", min_size=1, max_size=6))
def test_any_id_finds_its_entry(odd_ids: tuple[Backend, LogSource], entry_id: str) -> None:
    backend, source = odd_ids
    backend.store.add([log_entry(1, id=entry_id)])
    assert source.get(entry_id).id == entry_id


def test_progress_is_told_how_many_entries_are_on_their_way(full: Backend) -> None:
    queries = {
        MANY: LogQuery(),
        10: LogQuery(limit=10),
        0: LogQuery(limit=0),
        len(expected(LogQuery(**FILTERS["methods"]))): LogQuery(**FILTERS["methods"]),
    }
    for total, query in queries.items():
        told = Told()
        with source_at(full.url, full.key, told=told) as source:
            list(source.search(query))
        assert told.expected == [total]


def test_progress_is_told_how_many_must_be_read_where_the_backend_cannot_filter(full: Backend) -> None:
    told = Told()
    with source_at(full.url, full.key, told=told) as source:
        list(source.search(LogQuery(**FILTERS["url"])))
    assert told.expected == [MANY]
    assert sum(told.received) == MANY


def test_an_entry_without_the_payloads_is_asked_for_only_where_nobody_looks_into_them(full: Backend) -> None:
    told = Told()
    with source_at(full.url, full.key, told=told) as source:
        list(source.search(LogQuery(limit=1, payloads=False)))
        list(source.search(LogQuery(limit=1)))
        list(source.search(LogQuery(limit=1, payloads=False, grep=GrepFilter.parse(["a"]))))
    asked = [line for line in told.debugged if line.startswith("GET")]
    assert ["fields=summary" in line for line in asked] == [True, *[False] * (len(asked) - 1)]


def test_a_listing_that_fits_one_page_takes_one_request(full: Backend) -> None:
    told = Told()
    with source_at(full.url, full.key, told=told) as source:
        list(source.search(LogQuery(limit=1000)))
    assert len([line for line in told.debugged if line.startswith("GET")]) == 1


def test_an_empty_backend_gives_nothing(backend: Backend) -> None:
    with source_at(backend.url, backend.key) as source:
        assert list(source.search(LogQuery())) == []
        assert source.count(LogQuery()) == 0


def test_two_listings_may_be_read_in_turns(full: Backend) -> None:
    with source_at(full.url, full.key, parallel=1) as source:
        listings = [source.search(LogQuery()) for _ in range(4)]
        rows = list(zip(*listings, strict=True))
    assert [row[0] for row in rows] == expected(LogQuery())
    assert all(row[0] == other for row in rows for other in row)


def test_an_entry_may_be_fetched_while_a_listing_is_read(full: Backend) -> None:
    with source_at(full.url, full.key) as source:
        listing = source.search(LogQuery())
        first = next(listing)
        assert source.get(first.id) == first
        assert len(list(listing)) == MANY - 1


class Capped:
    """A backend whose pages are small, so that a few entries already make a long listing; it may know no streams."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.streams = True
        self.application: WSGIApplication | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self.application is not None
        arguments = Request(environ).args.copy()
        if "perPage" in arguments:
            arguments["perPage"] = str(min(self.most, int(arguments["perPage"])))
        query = "&".join(f"{name}={value}" for name, value in arguments.items(multi=True))
        accept = environ["HTTP_ACCEPT"] if self.streams else "application/json"
        return self.application({**environ, "QUERY_STRING": query, "HTTP_ACCEPT": accept}, start_response)


@pytest.fixture(scope="module")
def capped() -> Iterator[tuple[Capped, str]]:
    application = Capped(5)
    with served(application) as url:
        yield application, url


@contextmanager
def stored(folder: Path, entries: Iterable[LogEntry]) -> Iterator[SqliteStore]:
    store = SqliteStore(folder / "logs.db")
    try:
        store.add(entries)
        yield store
    finally:
        store.close()


CLOCK = at(86_400)


def crowd(numbers: list[int]) -> list[LogEntry]:
    """Return an entry for each number, which is its millisecond; the ids are in no order."""
    return [
        log_entry(
            1,
            id=f"{place * 7919 % 1009:04}",
            timestamp=format_timestamp(at(number / 1000)),
            status_code=STATUSES[place % len(STATUSES)],
        )
        for place, number in enumerate(numbers)
    ]


@settings(deadline=None, max_examples=50)
@given(
    numbers=st.lists(st.integers(0, 40) | st.sampled_from([0, 7, 7, 40, 86_000_000]), max_size=70),
    order=st.sampled_from(Order),
    parallel=st.sampled_from([1, 4]),
    streams=st.booleans(),
    limit=st.none() | st.integers(0, 70),
    status=st.sampled_from([None, StatusFilter.parse(["2xx"]), StatusFilter.parse(["!404"])]),
    window=st.sampled_from([Window(), Window(at(0.007), at(0.04)), Window(since=at(0.003)), Window(until=at(0.041))]),
)
def test_many_equal_times_come_in_the_same_sequence_however_they_are_read(
    capped: tuple[Capped, str],
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    order: Order,
    parallel: int,
    streams: bool,
    limit: int | None,
    status: StatusFilter | None,
    window: Window,
) -> None:
    application, url = capped
    application.streams = streams
    entries = crowd(numbers)
    query = LogQuery(order=order, limit=limit, status=status, window=window)
    with stored(tmp_path_factory.mktemp("crowd"), entries) as store:
        application.application = create_app(store, clock=lambda: CLOCK)
        with source_at(url, clock=lambda: CLOCK, parallel=parallel) as source:
            assert list(source.search(query)) == expected(query, entries)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("parallel", [1, 4])
def test_entries_written_while_paging_make_no_duplicate_and_no_gap(
    capped: tuple[Capped, str], tmp_path: Path, order: Order, streams: bool, parallel: int
) -> None:
    application, url = capped
    application.streams = streams
    entries = [log_entry(number // 2, id=f"{number:04}") for number in range(400)]
    new = (log_entry(4000 + number, id=f"new-{number}") for number in range(1_000_000))
    query = LogQuery(order=order)
    with stored(tmp_path, entries) as store:
        application.application = create_app(store, clock=lambda: at(3600))
        with source_at(url, clock=lambda: at(3600), parallel=parallel) as source:
            found: list[LogEntry] = []
            for batch in source.batches(query):
                found += batch
                store.add(islice(new, 20))
    assert found == expected(query, entries)


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("parallel", [1, 4])
def test_entries_that_arrive_late_in_the_middle_hide_no_others(
    capped: tuple[Capped, str], tmp_path: Path, order: Order, streams: bool, parallel: int
) -> None:
    application, url = capped
    application.streams = streams
    entries = [log_entry(number // 2, id=f"{number:04}") for number in range(400)]
    late = (log_entry(number * 7919 % 200, id=f"late-{number}") for number in range(1_000_000))
    with stored(tmp_path, entries) as store:
        application.application = create_app(store, clock=lambda: at(3600))
        with source_at(url, clock=lambda: at(3600), parallel=parallel) as source:
            found: list[LogEntry] = []
            for batch in source.batches(LogQuery(order=order)):
                found += batch
                store.add(islice(late, 3))
    assert [entry for entry in found if entry in entries] == expected(LogQuery(order=order), entries)
    assert len({entry.id for entry in found}) == len(found)


@pytest.mark.parametrize("parallel", [1, 4])
def test_an_entry_that_the_backend_dates_later_than_its_own_clock_ends_no_listing(
    capped: tuple[Capped, str], tmp_path: Path, parallel: int
) -> None:
    application, url = capped
    application.streams = False
    entries = [log_entry(number) for number in range(60)]
    with stored(tmp_path, entries) as store:
        application.application = create_app(store, clock=lambda: at(30))
        with source_at(url, clock=lambda: at(30), parallel=parallel) as source:
            assert list(source.search(LogQuery())) == expected(LogQuery(), entries)


@pytest.mark.parametrize("order", Order)
def test_an_entry_of_the_last_millisecond_there_is_does_no_harm(
    capped: tuple[Capped, str], tmp_path: Path, order: Order
) -> None:
    application, url = capped
    application.streams = True
    end = "9999-12-31T23:59:59.999Z"
    entries = [log_entry(number) for number in range(40)]
    entries += [log_entry(1, id=f"end-{number}", timestamp=end) for number in range(7)]
    window = Window(at(0), parse_timestamp("9999-12-31T23:59:59.999Z"))
    with stored(tmp_path, entries) as store:
        application.application = create_app(store, clock=lambda: CLOCK)
        with source_at(url, clock=lambda: CLOCK) as source:
            assert list(source.search(LogQuery())) == expected(LogQuery(), entries)
            query = LogQuery(order=order, window=window)
            assert list(source.search(query)) == expected(query, entries)


def test_the_backends_clock_is_now(full: Backend) -> None:
    told = Told()
    before = datetime.now(UTC)
    with source_at(full.url, full.key, told=told) as source:
        now = source.now()
    assert before - timedelta(seconds=1) <= now <= datetime.now(UTC) + timedelta(seconds=1)
    assert told.notices == []


@pytest.mark.parametrize(
    ("here", "notice"),
    [
        (at(3600), []),
        (at(3604), []),
        (at(3000), ["the backend's clock is 600 s ahead of this machine's; relative times follow the backend's"]),
        (at(3700), ["the backend's clock is 100 s behind this machine's; relative times follow the backend's"]),
    ],
)
def test_clock_skew_is_measured_once_and_told_once(
    capped: tuple[Capped, str], tmp_path: Path, here: datetime, notice: list[str]
) -> None:
    application, url = capped
    told = Told()
    with stored(tmp_path, crowd(list(range(30)))) as store:
        application.application = create_app(store, clock=lambda: at(3600))
        with source_at(url, clock=lambda: here, told=told) as source:
            assert source.now() == at(3600)
            list(source.search(LogQuery()))
            assert source.now() == at(3600)
    assert told.notices == notice


def test_now_moves_with_this_machines_clock(capped: tuple[Capped, str], tmp_path: Path) -> None:
    application, url = capped
    moments = iter([at(0), at(5), at(10)])
    with stored(tmp_path, []) as store:
        application.application = create_app(store, clock=lambda: at(600))
        with source_at(url, clock=lambda: next(moments)) as source:
            assert [source.now(), source.now()] == [at(605), at(610)]


def test_a_key_that_the_backend_does_not_know_is_refused(full: Backend) -> None:
    with (
        source_at(full.url, "sk_test_" + "Z" * 22) as source,
        pytest.raises(AuthenticationError, match=r"sk_test_…ZZZZ.*UNAUTHORIZED"),
    ):
        list(source.search(LogQuery()))


def test_a_wrong_logs_path_is_not_a_missing_entry(full: Backend) -> None:
    with (
        source_at(full.url.removesuffix("/v1") + "/v2", full.key) as source,
        pytest.raises(BackendError, match="there is no log endpoint here"),
    ):
        list(source.search(LogQuery()))

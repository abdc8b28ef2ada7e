"""Backends that differ from the contract, on a real socket: what the client takes all the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from faulty_server import Told, served, source_at
from serving import log_entry
from taplogs.backend.app import create_app
from taplogs.core.entry import LogEntry
from taplogs.core.filters import MethodFilter, StatusFilter, UrlFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp, parse_timestamp
from taplogs.errors import BackendError
from taplogs.sources.protocol import LogSource
from taplogs.sources.sqlite import SqliteStore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Arguments = MultiDict[str, str]
Body = dict[str, Any]

START = datetime(2026, 11, 1, tzinfo=UTC)
NOW = START + timedelta(hours=3)
STATUSES = (200, 404, 200, 500, 201)
ENTRIES = [
    log_entry(
        number // 3,
        id=str(1000 + number),
        status_code=STATUSES[number % 5],
        method=("GET", "POST")[number % 2],
        latency_ms=number % 900,
    )
    for number in range(1300)
]


def without(*names: str) -> Callable[[Body], Body]:
    return lambda body: {name: value for name, value in body.items() if name not in names}


def deaf_to(*names: str) -> Callable[[Arguments], Arguments]:
    return lambda arguments: MultiDict([pair for pair in arguments.items(multi=True) if pair[0] not in names])


def with_value(name: str, value: str) -> Callable[[Arguments], Arguments]:
    return lambda arguments: MultiDict([*deaf_to(name)(arguments).items(multi=True), (name, value)])


def capped(most: int, *ignored: str) -> Callable[[Arguments], Arguments]:
    def change(arguments: Arguments) -> Arguments:
        changed = deaf_to(*ignored)(arguments)
        changed["perPage"] = str(min(most, int(arguments.get("perPage", most))))
        return changed

    return change


hundred_a_page = capped(100)


@dataclass
class Variant:
    """How a backend departs from the contract: what it makes of a request, and what of the reply.

    Its pages are small, so that a listing is long enough to be read in slices.
    """

    request: Callable[[Arguments], Arguments] = hundred_a_page
    reply: Callable[[Body], Any] = lambda body: body
    asked: list[Arguments] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def over(self, application: WSGIApplication) -> WSGIApplication:
        """Return the application as this variant of it; none of them knows streams."""

        @Request.application
        def answer(request: Request) -> Response:
            with self.lock:
                self.asked.append(request.args.copy())
            arguments = self.request(request.args.copy())
            inner = Client(application).get(request.path, query_string=arguments)
            assert inner.status_code == 200, inner.get_data()
            body = json.loads(inner.get_data())
            return Response(json.dumps(self.reply(body)), content_type="application/json")

        return answer


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WSGIApplication]:
    store = SqliteStore(tmp_path_factory.mktemp("variants") / "logs.db")
    store.add(ENTRIES)
    yield create_app(store, clock=lambda: NOW)
    store.close()


@contextmanager
def backend_of(
    variant: Variant, reference: WSGIApplication, parallel: int = 4, told: Told | None = None
) -> Iterator[LogSource]:
    with (
        served(variant.over(reference)) as url,
        source_at(url, clock=lambda: NOW, parallel=parallel, told=told) as source,
    ):
        yield source


def expected(query: LogQuery, entries: list[LogEntry] = ENTRIES) -> list[str]:
    newest_first = query.order is Order.NEWEST_FIRST
    found = sorted(filter(query.matches, entries), key=lambda entry: entry.sort_key, reverse=newest_first)
    return [entry.id for entry in found[: query.limit]]


def ids(entries: Iterator[LogEntry]) -> list[str]:
    return [entry.id for entry in entries]


def other_names(body: Body) -> Body:
    """Return the same page with every field under another of its known names, and other types."""
    entries = [
        {
            "_id": int(entry["id"]),
            "time": round(parse_timestamp(entry["timestamp"]).timestamp() * 1000),
            "httpMethod": entry["method"],
            "url": entry["requestUrl"],
            "status": entry["statusCode"],
            "responseTime": float(entry["latencyMs"]),
            "ip": entry["ipAddress"],
            "somethingElse": {"a": [1]},
        }
        for entry in body["logs"]
    ]
    return {**body, "logs": entries}


WINDOW = Window(START + timedelta(seconds=50), START + timedelta(seconds=350))
QUERIES: dict[str, LogQuery] = {
    "all": LogQuery(),
    "oldest first": LogQuery(order=Order.OLDEST_FIRST),
    "a few": LogQuery(limit=7),
    "more than a page": LogQuery(limit=620, order=Order.OLDEST_FIRST),
    "a window": LogQuery(window=WINDOW),
    "a window, oldest first": LogQuery(window=WINDOW, order=Order.OLDEST_FIRST),
    "filters": LogQuery(status=StatusFilter.parse(["5xx"]), method=MethodFilter.parse(["GET"])),
    "an inexact filter": LogQuery(status=StatusFilter.parse(["!200"]), url=UrlFilter.parse(["jobs/1"]), limit=300),
}

VARIANTS: dict[str, Callable[[], Variant]] = {
    "pages without streams": Variant,
    "large pages without streams": lambda: Variant(deaf_to()),
    "page numbers": lambda: Variant(reply=without("nextCursor")),
    "page numbers without a total": lambda: Variant(reply=without("nextCursor", "totalLogs")),
    "cursors without a total": lambda: Variant(reply=without("totalLogs")),
    "no server time": lambda: Variant(reply=without("serverTime")),
    "page numbers without total and time": lambda: Variant(reply=without("nextCursor", "totalLogs", "serverTime")),
    "bare arrays": lambda: Variant(reply=lambda body: body["logs"]),
    "large bare arrays": lambda: Variant(deaf_to(), lambda body: body["logs"]),
    "data and total": lambda: Variant(reply=lambda body: {"data": body["logs"], "total": body["totalLogs"]}),
    "data, total and cursor": lambda: Variant(
        reply=lambda body: {"data": body["logs"], "total": body["totalLogs"], "nextCursor": body["nextCursor"]}
    ),
    "other names and types": lambda: Variant(reply=other_names),
    "large pages by number": lambda: Variant(deaf_to(), without("nextCursor")),
    "80 a page whatever is asked": lambda: Variant(with_value("perPage", "80")),
    "an empty cursor at the end": lambda: Variant(reply=lambda body: {**body, "nextCursor": body["nextCursor"] or ""}),
    "filters ignored": lambda: Variant(capped(100, "statusCode", "statusClass", "method")),
    "start ignored": lambda: Variant(capped(100, "startDate")),
    "end ignored": lambda: Variant(capped(100, "endDate")),
    "window ignored": lambda: Variant(capped(100, "startDate", "endDate")),
    "window ignored, large pages": lambda: Variant(deaf_to("startDate", "endDate")),
    "window ignored, by number": lambda: Variant(capped(100, "startDate", "endDate"), without("nextCursor")),
    "filters and window ignored, nothing told": lambda: Variant(
        capped(100, "statusCode", "statusClass", "method", "startDate", "endDate", "fields"), lambda body: body["logs"]
    ),
}


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_a_variant_gives_the_same_entries(
    reference: WSGIApplication, variant: Callable[[], Variant], parallel: int
) -> None:
    with backend_of(variant(), reference, parallel) as source:
        for name, query in QUERIES.items():
            assert (name, ids(source.search(query))) == (name, expected(query))


def test_the_fields_of_a_variant_are_understood(reference: WSGIApplication) -> None:
    with backend_of(Variant(reply=other_names), reference) as source:
        (entry,) = source.search(LogQuery(limit=1))
    newest = max(ENTRIES, key=lambda entry: entry.sort_key)
    for name in ("id", "timestamp", "method", "request_url", "status_code", "latency_ms", "ip_address"):
        assert getattr(entry, name) == getattr(newest, name)


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("name", ["all", "a few", "a window", "filters", "an inexact filter"])
def test_a_backend_that_knows_one_order_only_is_read_in_it_whole(
    reference: WSGIApplication, name: str, parallel: int
) -> None:
    with backend_of(Variant(capped(100, "order")), reference, parallel) as source:
        assert ids(source.search(QUERIES[name])) == expected(QUERIES[name])


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("name", ["oldest first", "more than a page", "a window, oldest first"])
def test_a_backend_that_sends_the_other_order_is_an_error_not_the_wrong_rows(
    reference: WSGIApplication, name: str, parallel: int
) -> None:
    with (
        backend_of(Variant(deaf_to("order")), reference, parallel) as source,
        pytest.raises(BackendError, match="asked for the oldest entries first and sends the newest first"),
    ):
        list(source.search(QUERIES[name]))


def test_a_backend_that_always_begins_with_the_oldest_is_an_error_too(reference: WSGIApplication) -> None:
    with (
        backend_of(Variant(with_value("order", "asc")), reference) as source,
        pytest.raises(BackendError, match="asked for the newest entries first and sends the oldest first"),
    ):
        list(source.search(LogQuery(window=Window(since=START + timedelta(seconds=400)))))


def shuffled(body: Body) -> Body:
    logs = body["logs"]
    return {**body, "logs": [*logs[1::2], *logs[::2]]}


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("order", Order)
def test_a_backend_that_sorts_only_roughly_loses_and_repeats_nothing(
    reference: WSGIApplication, order: Order, parallel: int
) -> None:
    with backend_of(Variant(capped(100), shuffled), reference, parallel) as source:
        found = ids(source.search(LogQuery(order=order)))
    assert sorted(found) == sorted(entry.id for entry in ENTRIES)


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize(
    "variant",
    [
        Variant(deaf_to("cursor")),
        Variant(capped(100, "cursor")),
        Variant(capped(100, "pageNumber"), without("nextCursor")),
        Variant(capped(700, "pageNumber", "perPage"), without("nextCursor")),
        Variant(lambda _: MultiDict()),
    ],
    ids=["cursor ignored", "cursor ignored, 100 a page", "number ignored", "number ignored, 700 a page", "all ignored"],
)
def test_a_backend_that_repeats_its_page_is_an_error_and_no_endless_listing(
    reference: WSGIApplication, variant: Variant, parallel: int
) -> None:
    with (
        backend_of(variant, reference, parallel) as source,
        pytest.raises(BackendError, match="sent the same page twice"),
    ):
        list(source.search(LogQuery()))
    assert len(variant.asked) < 40


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_a_circle_of_several_pages_is_found(length: int) -> None:
    def answer(environ: Any, start_response: Any) -> Any:
        arguments = Request(environ).args
        number = int(arguments.get("cursor", "0"))
        body = {"logs": [raw(9 - number)], "nextCursor": str((number + 1) % length)}
        return Response(json.dumps(body), content_type="application/json")(environ, start_response)

    with (
        served(answer) as url,
        source_at(url, parallel=1) as source,
        pytest.raises(BackendError, match="sent the same page twice"),
    ):
        list(islice(source.search(LogQuery()), 30))


def raw(number: int) -> Body:
    entry = log_entry(number)
    return {
        "id": entry.id,
        "timestamp": entry.timestamp,
        "method": entry.method,
        "requestUrl": entry.request_url,
        "statusCode": entry.status_code,
    }


def test_a_backend_without_paging_that_sends_all_it_has_is_read_once(reference: WSGIApplication) -> None:
    everything = MultiDict([("perPage", "1000"), ("endDate", ENTRIES[990].timestamp)])
    variant = Variant(lambda _: everything, lambda body: body["logs"])
    with backend_of(variant, reference, parallel=1) as source:
        assert ids(source.search(LogQuery())) == expected(LogQuery(), ENTRIES[:990])
    assert len([asked for asked in variant.asked if "perPage" in asked]) == 2


@pytest.mark.parametrize("cursor_at_the_end", [None, "same"])
def test_an_empty_page_with_a_cursor_is_not_the_end(cursor_at_the_end: str | None) -> None:
    """As of a backend that reads so many entries a page and filters afterwards."""
    pages: dict[str, Body] = {
        "": {"logs": [], "nextCursor": "b"},
        "b": {"logs": [raw(9)], "nextCursor": "c"},
        "c": {"logs": [], "nextCursor": "d"},
        "d": {"logs": [], "nextCursor": "e"},
        "e": {"logs": [raw(8)], "nextCursor": cursor_at_the_end},
        "same": {"logs": [], "nextCursor": "same"},
    }

    def answer(environ: Any, start_response: Any) -> Any:
        body = pages[Request(environ).args.get("cursor", "")]
        return Response(json.dumps(body), content_type="application/json")(environ, start_response)

    with served(answer) as url, source_at(url) as source:
        for query in (LogQuery(), LogQuery(window=Window(since=START))):
            assert ids(source.search(query)) == ["entry-00009", "entry-00008"]


def test_a_page_number_beyond_the_end_that_gives_the_last_page_again_is_the_end() -> None:
    def answer(environ: Any, start_response: Any) -> Any:
        number = min(3, int(Request(environ).args.get("pageNumber", "1")))
        return Response(json.dumps([raw(10 - number)]), content_type="application/json")(environ, start_response)

    with served(answer) as url, source_at(url, parallel=1) as source:
        assert ids(source.search(LogQuery())) == ["entry-00009", "entry-00008", "entry-00007"]


@pytest.mark.parametrize("parallel", [1, 4])
def test_new_entries_do_not_hide_others_where_the_window_cannot_be_frozen(tmp_path: Path, parallel: int) -> None:
    store = SqliteStore(tmp_path / "logs.db")
    store.add(ENTRIES[:600])
    count = 0

    def change(arguments: Arguments) -> Arguments:
        nonlocal count
        count += 1
        store.add([log_entry(5000 + count, id=f"new-{count}-{place}") for place in range(20)])
        return capped(100, "endDate")(arguments)

    with backend_of(Variant(change, without("nextCursor")), create_app(store, clock=lambda: NOW), parallel) as source:
        found = ids(source.search(LogQuery()))
    store.close()
    assert [name for name in found if not name.startswith("new")] == expected(LogQuery(), ENTRIES[:600])
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("parallel", [1, 4])
def test_entries_dated_after_the_backends_clock_move_no_page(tmp_path: Path, parallel: int) -> None:
    store = SqliteStore(tmp_path / "logs.db")
    entries = [log_entry(number, id=str(number)) for number in range(1000, 1400)]
    store.add(entries)
    clock = parse_timestamp(log_entry(1370).timestamp)
    variant = Variant(capped(50), without("nextCursor"))
    with backend_of(variant, create_app(store, clock=lambda: clock), parallel) as source:
        assert ids(source.search(LogQuery())) == expected(LogQuery(), entries)
    store.close()


def test_a_count_is_unknown_where_the_backend_ignores_the_filter(reference: WSGIApplication) -> None:
    query = LogQuery(status=StatusFilter.parse(["404"]))
    assert max(ENTRIES, key=lambda entry: entry.sort_key).status_code != 404
    with backend_of(Variant(deaf_to("statusCode")), reference) as source:
        assert source.count(query) is None
        assert source.count(LogQuery()) == len(ENTRIES)


def test_a_count_is_unknown_where_the_backend_tells_none(reference: WSGIApplication) -> None:
    with backend_of(Variant(reply=without("totalLogs")), reference) as source:
        assert source.count(LogQuery()) is None


def test_without_the_backends_time_this_machines_counts_and_the_backend_is_asked_once(
    reference: WSGIApplication,
) -> None:
    variant = Variant(reply=without("serverTime"))
    told = Told()
    with backend_of(variant, reference, told=told) as source:
        assert [source.now() for _ in range(5)] == [NOW] * 5
        assert not source.tells_time
    assert len(variant.asked) == 1
    assert told.notices == []


@pytest.mark.parametrize("server_time", ["soon", 7e300, True, [], ""])
def test_a_server_time_that_is_nonsense_is_none(reference: WSGIApplication, server_time: object) -> None:
    variant = Variant(reply=lambda body: {**body, "serverTime": server_time})
    with backend_of(variant, reference) as source:
        assert (source.now(), source.tells_time) == (NOW, False)
        assert ids(source.search(LogQuery())) == expected(LogQuery())


def test_a_server_time_may_be_an_epoch_number(reference: WSGIApplication) -> None:
    moment = NOW + timedelta(seconds=90)
    variant = Variant(reply=lambda body: {**body, "serverTime": int(moment.timestamp())})
    with backend_of(variant, reference) as source:
        assert format_timestamp(source.now()) == format_timestamp(moment)
        assert source.tells_time

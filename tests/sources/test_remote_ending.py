"""What is under way when nobody waits for it any more, or several threads wait at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from faulty_server import FaultyServer, Told, lines, page, reply, served, source_at
from serving import log_entry, running_backend
from taplogs.backend.app import create_app
from taplogs.core.filters import UrlFilter
from taplogs.core.query import LogQuery
from taplogs.errors import BackendError, EntryNotFound
from taplogs.sources.retry import Retrier, RetryPolicy, TransientFault
from taplogs.sources.sqlite import SqliteStore

MANY = 6000


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "logs.db")
    store.add(log_entry(number) for number in range(MANY))
    return store


def test_threads_that_wait_for_a_silent_backend_end_soon_and_say_nothing(store: SqliteStore) -> None:
    released = threading.Event()
    application = create_app(store)
    asked = []

    @Request.application
    def silent_after_eight_requests(request: Request) -> Response:
        asked.append(request.query_string)
        if len(asked) > 8:
            released.wait(20)
        reply = Client(application).get(request.path, query_string=request.query_string.decode())
        return Response(reply.get_data(), content_type="application/json")

    told = Told()
    with served(silent_after_eight_requests) as url:
        with source_at(url, told=told) as source:
            assert len(list(islice(source.search(LogQuery()), 600))) == 600
        deadline = time.monotonic() + 5
        while any(thread.name.startswith("slice-") for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        released.set()
    assert told.notices == []


def test_threads_told_to_wait_at_once_wait_together_and_are_charged_once() -> None:
    told: list[str] = []
    retrier = Retrier(RetryPolicy(max_wait=0.5), sleep=time.sleep, random=lambda: 0.0, notice=told.append)
    fault = TransientFault(BackendError("busy"), retry_after=0.4)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        for waiting in [threads.submit(retrier.wait, fault, 1) for _ in range(4)]:
            waiting.result()
    assert time.monotonic() - began >= 0.4
    assert len(told) == 1


def test_a_filter_of_ours_is_read_in_one_stream_not_in_pages(store: SqliteStore) -> None:
    told = Told()
    with served(create_app(store)) as url, source_at(url, told=told) as source:
        assert list(source.search(LogQuery(url=UrlFilter(("nowhere",)), limit=50))) == []
    assert sum(message.startswith("GET") for message in told.debugged) == 2


def test_a_wrong_base_url_is_told_in_the_backends_words_beside_the_missing_entry(tmp_path: Path) -> None:
    with (
        running_backend(tmp_path / "logs.db") as backend,
        source_at(backend.url.removesuffix("/v1"), backend.key) as source,
        pytest.raises(EntryNotFound) as missing,
    ):
        source.get("entry-1")
    assert "There is nothing at this path" in str(missing.value.hint)


def pages_only(store: SqliteStore, change: Callable[[dict[str, Any]], dict[str, Any]], *ignored: str) -> Any:
    """Return the backend over `store` without streams and cursors, deaf to some parameters, its replies changed."""
    application = create_app(store)

    @Request.application
    def answer(request: Request) -> Response:
        arguments = {name: value for name, value in request.args.items() if name not in ignored}
        body = Client(application).get(request.path, query_string=arguments).get_json()
        return Response(json.dumps(change({**body, "nextCursor": None})), content_type="application/json")

    return answer


def test_a_backend_stuck_on_its_first_full_page_is_an_error_not_a_short_listing(store: SqliteStore) -> None:
    stuck = pages_only(store, lambda body: {"logs": body["logs"], "serverTime": body["serverTime"]}, "pageNumber")
    with (
        served(stuck) as url,
        source_at(url, parallel=1) as source,
        pytest.raises(BackendError, match="same page twice"),
    ):
        list(source.search(LogQuery()))


@pytest.mark.parametrize("total", [0, 1, 400])
def test_a_total_below_what_came_already_is_not_believed(store: SqliteStore, total: int) -> None:
    liar = pages_only(store, lambda body: {**body, "totalLogs": total})
    with served(liar) as url, source_at(url) as source:
        assert len({entry.id for entry in source.search(LogQuery())}) == MANY


def test_entries_that_a_stream_sends_twice_come_once() -> None:
    newest_first = [log_entry(number) for number in range(40, 0, -1)]
    twice = [entry for entry in newest_first for _ in range(2)]
    first = reply(page([log_entry(number) for number in range(45, 40, -1)], totalLogs=45, nextCursor="next"))
    with (
        FaultyServer(
            [first], [reply(lines(twice, len(twice)), content_type="application/x-ndjson")], streams=True
        ) as server,
        source_at(server.url) as source,
    ):
        ids = [entry.id for entry in source.search(LogQuery())]
    assert ids == [f"entry-{number:05}" for number in range(45, 0, -1)]


def test_a_stream_without_order_that_breaks_is_an_error_not_a_gap() -> None:
    """Where it broke off says nothing about what has come, so it cannot be taken up again."""
    shuffled = [log_entry(number) for number in (40, 12, 33, 7, 21, 39, 2)]
    first = reply(page([log_entry(number) for number in range(45, 40, -1)], totalLogs=45, nextCursor="next"))
    with (
        FaultyServer([first], [reply(lines(shuffled), content_type="application/x-ndjson")], streams=True) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="without its last record"),
    ):
        list(source.search(LogQuery()))


def test_a_stream_in_the_other_order_is_an_error() -> None:
    first = reply(page([log_entry(number) for number in range(45, 40, -1)], totalLogs=45, nextCursor="next"))
    ascending = [log_entry(number) for number in range(1, 40)]
    other = reply(lines(ascending, len(ascending)), content_type="application/x-ndjson")
    with (
        FaultyServer([first], [other], streams=True) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="asked for the newest entries first"),
    ):
        list(source.search(LogQuery()))

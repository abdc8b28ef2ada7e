"""What is under way when nobody waits for it any more, or several threads wait at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from faulty_server import Told, served, source_at
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

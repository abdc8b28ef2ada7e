"""Backends and the demo -> a LogSource over HTTP."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from taplogs import __version__
from taplogs.core.apikey import ApiKey
from taplogs.errors import TaplogsError
from taplogs.sources.address import BackendAddress
from taplogs.sources.protocol import LogSource, SourceEvents

if TYPE_CHECKING:
    import httpx
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from taplogs.sources.sqlite import SqliteStore
    from taplogs.sources.transport import Deadline


class Surroundings(Struct, frozen=True):
    """What a source takes from outside: clocks, randomness, whom it tells what happens, and how long the run may last.

    `left` returns the seconds until the run ends by itself.
    """

    clock: Callable[[], datetime]
    sleep: Callable[[float], object]
    random: Callable[[], float]
    events: SourceEvents
    left: Callable[[], float] = lambda: math.inf


class Reach(Struct, frozen=True):
    """How a backend is reached: an authority to trust as well, slices at once, seconds a request and of retries.

    `persistent`: once it has been reached, it is asked until it answers, however long it is away.
    """

    ca_file: str | None = None
    parallel: int = 4
    timeout: float = 60.0
    max_wait: float = 60.0
    persistent: bool = False


def open_backend(address: BackendAddress, key: ApiKey, reach: Reach, surroundings: Surroundings) -> LogSource:
    """Return the backend at `address`; nothing is sent yet. Raises AuthenticationError for another world's key."""
    from taplogs.sources.transport import Deadline, DeadlineTransport, proxy_for, tls_context

    address.admit(key)
    deadline = Deadline(threading.Event(), surroundings.left)
    transport = DeadlineTransport(
        deadline,
        tls=tls_context(reach.ca_file) if address.is_encrypted else None,
        proxy=proxy_for(address),
        connections=reach.parallel + 1,
    )
    return _remote(address, key, transport, deadline, reach, surroundings)


def open_demo(folder: Path, surroundings: Surroundings, *, goes_on: bool = False) -> LogSource:
    """Return the demo: the reference backend in this process, over a store in `folder` that is filled up to now.

    `goes_on`: it is filled again with every request, so that new entries arrive.
    """
    import httpx

    from taplogs.backend.app import create_app
    from taplogs.sources.transport import Deadline

    store = _demo_store(folder, surroundings)
    application = create_app(store, clock=surroundings.clock)
    if goes_on:
        application = _filled_before(application, store, surroundings.clock)

    class StoreTransport(httpx.WSGITransport):
        def close(self) -> None:
            store.close()

    transport = StoreTransport(app=application)
    key = ApiKey("sk_test_" + "0" * 22)
    deadline = Deadline(threading.Event(), surroundings.left)
    return _remote(BackendAddress("http://127.0.0.1/v1"), key, transport, deadline, Reach(parallel=1), surroundings)


def _filled_before(application: WSGIApplication, store: SqliteStore, clock: Callable[[], datetime]) -> WSGIApplication:
    """Return the application with its store filled up to now before each request."""
    from taplogs.backend.sample import fill_demo

    def filled(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        fill_demo(store, clock(), stale_after=timedelta())
        return application(environ, start_response)

    return filled


def _demo_store(folder: Path, surroundings: Surroundings) -> SqliteStore:
    """Return the demo's store, filled up to now; a file that cannot be used is made anew, for it is only a cache."""
    from taplogs.backend.sample import SEED, fill_demo
    from taplogs.sources.sqlite import SCHEMA_VERSION, SqliteStore
    from taplogs.sources.sqlite_database import StoreLocked

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{SEED.replace(' ', '-')}-{SCHEMA_VERSION}.sqlite"
    for may_be_damaged in (True, False):
        if not path.exists():
            surroundings.events.notice("first use of the demo: making up 20,000 entries")
        try:
            store = SqliteStore(path)
            fill_demo(store, surroundings.clock())
        except StoreLocked:
            raise
        except TaplogsError:
            if not may_be_damaged:
                raise
            for remains in folder.glob(f"{path.name}*"):
                remains.unlink(missing_ok=True)
        else:
            break
    return store


def _remote(
    address: BackendAddress,
    key: ApiKey,
    transport: httpx.BaseTransport,
    deadline: Deadline,
    reach: Reach,
    surroundings: Surroundings,
) -> LogSource:
    from taplogs.sources.connection import Connection, Limits
    from taplogs.sources.remote import RemoteSource
    from taplogs.sources.retry import Retrier, RetryPolicy

    retrier = Retrier(
        RetryPolicy(max_wait=reach.max_wait, persistent=reach.persistent),
        sleep=surroundings.sleep,
        random=surroundings.random,
        notice=surroundings.events.notice,
        retried=surroundings.events.retried,
    )
    connection = Connection(
        address,
        key,
        transport,
        deadline=deadline,
        retrier=retrier,
        events=surroundings.events,
        limits=Limits(silence=reach.timeout, request=reach.timeout),
        user_agent=f"taplogs/{__version__}",
    )
    return RemoteSource(connection, surroundings.events, clock=surroundings.clock, parallel=reach.parallel)

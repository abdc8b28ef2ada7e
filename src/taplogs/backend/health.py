"""How the backend is: what `/healthz` and `/metrics` tell, of itself and of whoever runs it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec.json import encode

from taplogs import __version__
from taplogs.backend.exposition import Metric, exposition, gauge
from taplogs.core.query import LogQuery
from taplogs.errors import TaplogsError
from taplogs.sources.protocol import LogSource

_PROBE_SECONDS = 5.0
"""How long an answer of the store counts, so that a page which is open to everybody cannot keep the store busy."""

_logger = logging.getLogger("taplogs.backend")


class Health(Protocol):
    """What a server knows of itself beyond the log endpoints. Nothing of it may wait for what traffic holds."""

    def reasons(self) -> Sequence[str]:
        """Return why it is not well, each in words for everybody; nothing where it is."""
        ...

    def figures(self) -> Mapping[str, Any]:
        """Return further members of `/healthz`, as JSON takes them: nothing that is secret."""
        ...

    def metrics(self) -> Iterable[Metric]:
        """Return further metrics."""
        ...


class BackendHealth:
    """The health of one application: its requests counted, its store looked at, and what its `Health` adds."""

    def __init__(
        self, store: LogSource, more: Health | None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe = _StoreProbe(store, monotonic)
        self._more = more
        self._monotonic = monotonic
        self._began = monotonic()
        self._counting = threading.Lock()
        self._requests: Counter[int] = Counter()

    def answered(self, status: int) -> None:
        """Take note of a request for log entries that was answered."""
        with self._counting:  # among those who count alone: to look at the counts nobody takes it
            self._requests[status] += 1

    def report(self) -> tuple[int, bytes]:
        """Return the status and the JSON body of `/healthz`."""
        reasons = [*self._reasons(), *(self._more.reasons() if self._more else ())]
        body = {
            "status": "degraded" if reasons else "ok",
            "reasons": reasons,
            "version": __version__,
            "uptimeSeconds": int(self._uptime()),
            "logRequests": sum(self._counts().values()),
            **(self._more.figures() if self._more else {}),
        }
        return 503 if reasons else 200, encode(body)

    def page(self) -> bytes:
        """Return the body of `/metrics`."""
        return exposition([*self._metrics(), *(self._more.metrics() if self._more else ())])

    def _metrics(self) -> list[Metric]:
        by_status = [("", {"status": str(status)}, number) for status, number in sorted(self._counts().items())]
        return [
            Metric("taplogs_build_info", "gauge", "The version that runs.", [("", {"version": __version__}, 1)]),
            gauge("taplogs_uptime_seconds", "Seconds since the start.", round(self._uptime(), 3)),
            gauge("taplogs_store_readable", "1 where log entries can be read, 0 where not.", self._probe.is_well()),
            Metric("taplogs_log_requests_total", "counter", "Requests for log entries, by status.", by_status),
        ]

    def _reasons(self) -> list[str]:
        return [] if self._probe.is_well() else ["log entries cannot be read from the store"]

    def _counts(self) -> dict[int, int]:
        return dict(self._requests)  # one step of the interpreter, so no other thread is in between

    def _uptime(self) -> float:
        return self._monotonic() - self._began


class _StoreProbe:
    """Whether a store can be read, asked by at most one thread at a time: one that hangs holds no other up."""

    def __init__(self, store: LogSource, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._asking = threading.Lock()
        self._until = -1.0
        self._was_well = True

    def is_well(self) -> bool:
        if self._monotonic() >= self._until and self._asking.acquire(blocking=False):
            try:
                self._was_well = self._asks()
                self._until = self._monotonic() + _PROBE_SECONDS
            finally:
                self._asking.release()
        return self._was_well

    def _asks(self) -> bool:
        try:
            next(self._store.search(LogQuery(limit=1, payloads=False)), None)
        except TaplogsError as error:
            _logger.warning("the store cannot be read: %s", error.message)
            return False
        except Exception:  # whatever failed, it cannot be read, and the log has the fault
            _logger.exception("the store cannot be read")
            return False
        return True

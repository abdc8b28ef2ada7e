"""How a gateway is: what passes through it, and whether all of it gets into the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taplogs.backend.exposition import Metric, Sample, counter, gauge, histogram_samples
from taplogs.gateway.log_writer import WriterStatus
from taplogs.gateway.traffic import BOUNDS, TrafficCounts

_LOSS_SECONDS = 60.0
"""How long after entries were lost a gateway is not well: whoever looks every half minute is to see it."""


class TrafficHealth:
    """The health of a gateway, as `taplogs.backend.health.Health` has it. It waits for nothing."""

    def __init__(
        self,
        counts: TrafficCounts,
        writer_status: Callable[[], WriterStatus],
        *,
        place: str,
        monotonic: Callable[[], float],
    ) -> None:
        """`place`, where the store is, is left out of what everybody is told."""
        self._counts = counts
        self._writer_status = writer_status
        self._place = place
        self._monotonic = monotonic
        self._lost_seen = 0
        self._well_from = float("-inf")

    def reasons(self) -> Sequence[str]:
        """Return why the log is not whole just now; traffic passes all the same."""
        status = self._writer_status()
        reasons = [f"entries cannot be written: {fault}"] if (fault := self._fault(status)) else []
        if status.lost > self._lost_seen:
            self._lost_seen = status.lost
            self._well_from = self._monotonic() + _LOSS_SECONDS
        if self._monotonic() < self._well_from:
            reasons.append("entries were lost within the last minute")
        return reasons

    def figures(self) -> Mapping[str, Any]:
        """Return the figures of `/healthz`."""
        status = self._writer_status()
        return {
            "requests": sum(dict(self._counts.requests).values()),
            "entries": {
                "queued": status.queued,
                "stored": status.stored,
                "lost": status.lost,
                "lastStoredAt": status.last_stored_at,
                "storeFault": self._fault(status),
            },
        }

    def metrics(self) -> list[Metric]:
        """Return the metrics of traffic and log."""
        return [*self._of_traffic(), *self._of_log()]

    def _of_traffic(self) -> list[Metric]:
        counts = self._counts
        requests = sorted(dict(counts.requests).items())
        faults = sorted(dict(counts.upstream_faults).items())
        return [
            Metric(
                "taplogs_gateway_requests_total",
                "counter",
                "Requests that were passed on, by method and status; 499: the client went away.",
                [("", {"method": method, "status": str(status)}, number) for (method, status), number in requests],
            ),
            Metric(
                "taplogs_gateway_request_duration_seconds",
                "histogram",
                "From the request's head to the response's last byte, by method and status class.",
                self._durations(),
            ),
            Metric(
                "taplogs_gateway_upstream_errors_total",
                "counter",
                "Requests that the upstream did not answer, by kind: refused, timeout, broken.",
                [("", {"kind": kind}, number) for kind, number in faults],
            ),
            gauge("taplogs_gateway_requests_running", "Requests that are being answered.", counts.running),
            gauge("taplogs_gateway_connections", "Connections of clients.", counts.connections),
        ]

    def _durations(self) -> list[Sample]:
        buckets: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        for (method, group, bucket), number in dict(self._counts.durations).items():
            buckets[method, group][bucket] = number
        seconds = dict(self._counts.seconds)
        samples: list[Sample] = []
        for (method, group), numbers in sorted(buckets.items()):
            labels = {"method": method, "class": group}
            samples += histogram_samples(labels, BOUNDS, numbers, seconds.get((method, group), 0.0))
        return samples

    def _of_log(self) -> list[Metric]:
        status = self._writer_status()
        return [
            gauge("taplogs_gateway_entries_queued", "Entries that wait to be stored.", status.queued),
            counter("taplogs_gateway_entries_stored_total", "Entries that were stored.", status.stored),
            counter("taplogs_gateway_entries_lost_total", "Entries that never got into the log.", status.lost),
            counter(
                "taplogs_gateway_entries_removed_total", "Entries that were removed for their age.", status.removed
            ),
            gauge(
                "taplogs_gateway_store_writable", "1 where entries can be written, 0 where not.", status.fault is None
            ),
        ]

    def _fault(self, status: WriterStatus) -> str | None:
        if status.fault is None:
            return None
        return status.fault.replace(f"the store {self._place}", "the store").replace(self._place, "the store")

"""How a gateway is: what /healthz and /metrics tell while requests pass and the log is, or is not, written."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from recording_upstream import RecordingUpstream, recording_upstream, response

from command import Command, Finished, interrupt, wait_until
from taplogs.backend.exposition import exposition
from taplogs.gateway.health import TrafficHealth
from taplogs.gateway.log_writer import WriterStatus
from taplogs.gateway.traffic import TrafficCounts

WELL = WriterStatus(0, 5, 0, None, "2026-11-01T10:00:00.000Z", removed=7)


def samples_of(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the samples of a page, read by the library of Prometheus."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


class Watched:
    """The health of a gateway whose writer is as the test says, at a time that the test says."""

    def __init__(self) -> None:
        self.status = WELL
        self.now = 1000.0
        self.counts = TrafficCounts()
        self.health = TrafficHealth(
            self.counts, lambda: self.status, place="/srv/logs.sqlite", monotonic=lambda: self.now
        )

    @property
    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return samples_of(exposition(self.health.metrics()).decode())


def test_a_gateway_that_stores_everything_is_well() -> None:
    assert Watched().health.reasons() == []


def test_a_store_that_fails_is_a_reason_and_its_place_is_not_told() -> None:
    watched = Watched()
    watched.status = WriterStatus(3, 5, 0, "the store /srv/logs.sqlite failed: database or disk is full", None)
    assert watched.health.reasons() == ["entries cannot be written: the store failed: database or disk is full"]
    assert watched.health.figures()["entries"]["storeFault"] == "the store failed: database or disk is full"
    assert watched.samples["taplogs_gateway_store_writable", frozenset()] == 0


def test_a_loss_is_a_reason_for_a_minute_and_counted_for_ever() -> None:
    watched = Watched()
    watched.status = WriterStatus(0, 5, 2, None, None)
    said = []
    for seconds in (0, 59, 2):
        watched.now += seconds
        said.append(watched.health.reasons())
    assert said == [["entries were lost within the last minute"]] * 2 + [[]]
    watched.status = WriterStatus(0, 5, 3, None, None)
    assert watched.health.reasons() == ["entries were lost within the last minute"]
    assert watched.samples["taplogs_gateway_entries_lost_total", frozenset()] == 3


def test_requests_are_measured_by_method_and_status() -> None:
    watched = Watched()
    for method, status, seconds in (("GET", 200, 0.004), ("GET", 204, 0.3), ("POST", 502, 99.0), ("BREW", 200, 0.0)):
        watched.counts.ended(method, status, seconds)
    watched.counts.upstream_failed("refused")
    found = watched.samples
    assert found["taplogs_gateway_requests_total", frozenset({("method", "POST"), ("status", "502")})] == 1
    assert found["taplogs_gateway_requests_total", frozenset({("method", "other"), ("status", "200")})] == 1
    assert found["taplogs_gateway_upstream_errors_total", frozenset({("kind", "refused")})] == 1
    assert found["taplogs_gateway_entries_removed_total", frozenset()] == 7
    name, labels = "taplogs_gateway_request_duration_seconds", {("method", "GET"), ("class", "2xx")}
    assert found[f"{name}_bucket", frozenset({*labels, ("le", "0.005")})] == 1
    assert found[f"{name}_bucket", frozenset({*labels, ("le", "0.5")})] == 2
    assert found[f"{name}_count", frozenset(labels)] == 2
    assert found[f"{name}_sum", frozenset(labels)] == pytest.approx(0.304)
    slow = {("method", "POST"), ("class", "5xx")}
    assert found[f"{name}_bucket", frozenset({*slow, ("le", "30")})] == 0
    assert found[f"{name}_bucket", frozenset({*slow, ("le", "+Inf")})] == 1


@dataclass
class Gateway:
    """A running `taplogs serve --upstream`: its URL without a path, its key, and its process."""

    url: str
    key: str
    process: subprocess.Popen[bytes]
    store: Path

    def health(self) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.url}/healthz", trust_env=False).json()
        return told

    def own(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"authorization": f"Bearer {self.key}"}, trust_env=False)

    def pass_on(self, method: str = "GET", path: str = "/v1/partner/jobs", **more: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, trust_env=False, **more)

    def stop(self) -> Finished:
        return interrupt(self.process, 15)


@contextmanager
def gateway(taplogs: Command, upstream: RecordingUpstream, *arguments: str) -> Iterator[Gateway]:
    store = taplogs.folder / "logs.sqlite"
    listening = ("--listen", "127.0.0.1:0", "--store", str(store), "--upstream", upstream.url)
    process = taplogs.start("serve", *listening, *arguments)
    try:
        assert process.stdout
        lines = [process.stdout.readline().decode().rstrip() for _ in range(2)]
        assert all(lines), process.communicate()[1].decode()
        url, key = (line.partition("=")[2] for line in lines)
        yield Gateway(url.removesuffix("/v1"), key, process, store)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream() as running:
        yield running


def test_it_says_where_the_integration_is_to_be_pointed_and_logs_what_passes(
    taplogs: Command, upstream: RecordingUpstream
) -> None:
    upstream.answers(response(201, b'{"id":1}', (b"Content-Type", b"application/json")))
    with gateway(taplogs, upstream, "--company", "acme", "--keep", "90d") as running:
        answer = running.pass_on(
            "POST", "/v1/partner/jobs?a=1", json={"title": "Cook"}, headers={"authorization": "Bearer k"}
        )
        assert (answer.status_code, answer.json()) == (201, {"id": 1})
        ended = running.stop()
    assert ended.code == 0
    assert ended.err.splitlines() == [
        "the API key is shown this once; only its hash is kept",
        f"point the integration's base URL at {running.url}/v1 instead of {upstream.url}",
        f"listening on {running.url}/v1 (Ctrl-C stops)",
        "stopped",
    ]
    shown = taplogs.run("list", "--source", f"sqlite:{running.store}", "-o", "jsonl")
    (entry,) = shown.rows
    assert entry["requestUrl"] == f"{upstream.url}/partner/jobs?a=1"
    assert (entry["requestPayload"], entry["responsePayload"]) == ({"title": "Cook"}, {"id": 1})
    assert (entry["companyId"], entry["ipAddress"]) == ("acme", "127.0.0.1")
    assert entry["clientId"].startswith("client-")


def test_its_health_and_its_metrics_count_what_passes_and_not_what_is_read(
    taplogs: Command, upstream: RecordingUpstream
) -> None:
    with gateway(taplogs, upstream) as running:
        for _ in range(3):
            running.pass_on()
        wait_until(lambda: running.own("/v1/partner/logs").json()["totalLogs"] == 3)
        told = running.health()
        assert (told["status"], told["requests"]) == ("ok", 3)
        assert {name: told["entries"][name] for name in ("queued", "stored", "lost", "storeFault")} == {
            "queued": 0,
            "stored": 3,
            "lost": 0,
            "storeFault": None,
        }
        found = samples_of(running.own("/metrics").text)
    assert found["taplogs_gateway_requests_total", frozenset({("method", "GET"), ("status", "200")})] == 3
    assert found["taplogs_gateway_entries_stored_total", frozenset()] == 3


def test_the_metrics_need_our_key_and_the_health_none(taplogs: Command, upstream: RecordingUpstream) -> None:
    with gateway(taplogs, upstream) as running:
        assert running.pass_on(path="/metrics").status_code == 401
        assert running.pass_on(path="/healthz").status_code == 200
    assert upstream.received == []


def test_while_the_store_fails_traffic_passes_and_it_says_degraded(
    taplogs: Command, upstream: RecordingUpstream
) -> None:
    with gateway(taplogs, upstream) as running:
        with closing(sqlite3.connect(running.store)) as connection:
            connection.execute("DROP TABLE entries")
        assert running.pass_on().status_code == 200
        wait_until(lambda: running.health()["status"] == "degraded")
        answer = running.pass_on(path="/healthz")
        assert answer.status_code == 503
        assert str(taplogs.folder) not in answer.text
        wait_until(lambda: running.health()["entries"]["storeFault"])
        assert running.pass_on().status_code == 200


def test_a_trusted_proxy_tells_the_address_of_the_caller(taplogs: Command, upstream: RecordingUpstream) -> None:
    with gateway(taplogs, upstream, "--trusted-proxy", "127.0.0.0/8") as running:
        running.pass_on(headers={"x-forwarded-for": "198.51.100.9, 192.0.2.7"})
        wait_until(lambda: running.own("/v1/partner/logs").json()["totalLogs"] == 1)
        assert running.own("/v1/partner/logs").json()["logs"][0]["ipAddress"] == "192.0.2.7"


def test_what_is_kept_of_a_body_goes_by_the_option(taplogs: Command, upstream: RecordingUpstream) -> None:
    with gateway(taplogs, upstream, "--max-body", "4") as running:
        running.pass_on("POST", content=b"a long text", headers={"content-type": "text/plain"})
        wait_until(lambda: running.own("/v1/partner/logs").json()["totalLogs"] == 1)
        payload = running.own("/v1/partner/logs").json()["logs"][0]["requestPayload"]
    assert (payload["bodyCut"], payload["bodyBeginning"], payload["bodySize"]) == (True, "a lo", 11)


def test_what_is_too_old_is_removed(taplogs: Command, upstream: RecordingUpstream) -> None:
    from serving import log_entry
    from taplogs.core.entry import encode_entry

    old = taplogs.folder / "old.jsonl"
    old.write_bytes(encode_entry(log_entry(1, timestamp="2020-01-01T00:00:00.000Z")))
    with gateway(taplogs, upstream, "--keep", "90d", "--load", str(old)) as running:
        wait_until(lambda: running.own("/v1/partner/logs").json()["totalLogs"] == 0)
        assert samples_of(running.own("/metrics").text)["taplogs_gateway_entries_removed_total", frozenset()] == 1


def test_an_upstream_that_does_not_answer_is_given_up_after_the_timeout(
    taplogs: Command, upstream: RecordingUpstream
) -> None:
    from recording_upstream import script

    upstream.answers(script(2.0))
    with gateway(taplogs, upstream, "--upstream-timeout", "200ms") as running:
        answer = running.pass_on()
        found = samples_of(running.own("/metrics").text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "GATEWAY_TIMEOUT")
    assert found["taplogs_gateway_upstream_errors_total", frozenset({("kind", "timeout")})] == 1


def test_what_could_not_be_stored_in_the_end_is_told_and_a_failure(
    taplogs: Command, upstream: RecordingUpstream
) -> None:
    with gateway(taplogs, upstream) as running:
        with closing(sqlite3.connect(running.store)) as connection:
            connection.execute("DROP TABLE entries")
        running.pass_on()
        ended = running.stop()
    assert ended.code == 1
    assert "stopped, but the last entries could not be stored, 1 of them: " in ended.err
    assert "these requests were answered, and are missing in the log" in ended.err

"""What the backend tells of itself: `/healthz` for everybody, `/metrics` with a key."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving import Backend, log_entry, running_backend
from taplogs import __version__
from taplogs.backend.app import BASE_PATH, create_app
from taplogs.backend.exposition import Metric, exposition, gauge, histogram_samples
from taplogs.backend.health import BackendHealth
from taplogs.backend.keys import ApiKeys
from taplogs.backend.ratelimit import RateLimit
from taplogs.sources.sqlite import SqliteStore

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def origin(backend: Backend) -> str:
    return backend.url.removesuffix(BASE_PATH)


def ask(url: str, key: str | None = None, method: str = "GET") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.request(method, url, headers=headers, trust_env=False)


def samples_of(page: bytes | str) -> Samples:
    """Return the samples of a page, read by the library of Prometheus."""
    text = page.decode() if isinstance(page, bytes) else page
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def destroy(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE entries")


def test_a_backend_that_is_well_says_so_to_everybody(backend: Backend) -> None:
    backend.get()
    response = ask(f"{origin(backend)}/healthz")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    assert told.pop("uptimeSeconds") in range(60)
    assert told == {"status": "ok", "reasons": [], "version": __version__, "logRequests": 1}


def test_a_store_that_cannot_be_read_makes_it_degraded_and_its_place_is_not_told(
    tmp_path: Path, backend: Backend
) -> None:
    destroy(tmp_path / "logs.db")
    response = ask(f"{origin(backend)}/healthz")
    assert response.status_code == 503
    assert response.json()["status"] == "degraded"
    assert response.json()["reasons"] == ["log entries cannot be read from the store"]
    assert str(tmp_path) not in response.text


def test_the_store_is_looked_at_again_after_a_while(tmp_path: Path) -> None:
    time = [0.0]
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        health = BackendHealth(store, None, monotonic=lambda: time[0])
        assert health.report()[0] == 200
        destroy(tmp_path / "logs.db")
        assert health.report()[0] == 200
        time[0] = 5.0
        assert health.report()[0] == 503


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_both_pages_answer_head_and_refuse_other_methods(backend: Backend, path: str) -> None:
    head = ask(origin(backend) + path, backend.key, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert ask(origin(backend) + path, backend.key, "POST").status_code == 405


@pytest.mark.parametrize("key", [None, "sk_test_" + "0" * 22])
def test_the_metrics_are_not_for_everybody(backend: Backend, key: str | None) -> None:
    assert ask(f"{origin(backend)}/metrics", key).status_code == 401


def test_the_metrics_count_the_requests_for_log_entries_by_status(backend: Backend) -> None:
    for query in ("", "", "perPage=0"):
        backend.get(query)
    response = ask(f"{origin(backend)}/metrics", backend.key)
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples_of(response.text)
    assert found["taplogs_log_requests_total", frozenset({("status", "200")})] == 2
    assert found["taplogs_log_requests_total", frozenset({("status", "400")})] == 1
    assert found["taplogs_build_info", frozenset({("version", __version__)})] == 1
    assert found["taplogs_store_readable", frozenset()] == 1


def test_neither_page_counts_as_a_request_with_the_key(tmp_path: Path) -> None:
    with running_backend(tmp_path / "logs.db", RateLimit.parse("1/h")) as backend:
        assert [ask(f"{origin(backend)}/metrics", backend.key).status_code for _ in range(3)] == [200] * 3
        assert [backend.get().status_code for _ in range(2)] == [200, 429]


class Unwell:
    """A server that has something to add."""

    def reasons(self) -> Sequence[str]:
        return ["log entries are being lost"]

    def figures(self) -> Mapping[str, Any]:
        return {"entries": {"lost": 3}}

    def metrics(self) -> Iterable[Metric]:
        return [gauge("extra", "More.", 0.25)]


def test_a_server_adds_reasons_figures_and_metrics(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        transport = httpx.WSGITransport(create_app(store, health=Unwell()))
        with httpx.Client(transport=transport, base_url="http://backend") as client:
            told = client.get("/healthz")
            assert told.status_code == 503
            assert told.json()["reasons"] == ["log entries are being lost"]
            assert told.json()["entries"] == {"lost": 3}
            assert samples_of(client.get("/metrics").text)["extra", frozenset()] == 0.25


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def test_the_application_runs_under_another_server_and_breaks_none_of_its_rules(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "logs.db")) as store:
        store.add([log_entry(1), log_entry(2, id="with/slash and space")])
        keys = ApiKeys(store.database)
        key = keys.create()
        with served_by_the_standard_library(create_app(store, keys=keys)) as url:
            assert ask(f"{url}/healthz").json()["status"] == "ok"
            assert ask(f"{url}/metrics", key).status_code == 200
            assert ask(f"{url}/v1/partner/logs", key).json()["totalLogs"] == 2
            assert ask(f"{url}/v1/partner/logs/with%2Fslash%20and%20space", key).status_code == 200
            assert ask(f"{url}/v1/partner/logs", key, "HEAD").content == b""
            assert ask(f"{url}/v1/partner/logs").status_code == 401


def test_the_application_of_the_documentation_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is ours
    with closing(names["store"]), served_by_the_standard_library(names["application"]) as url:
        assert ask(f"{url}/healthz").json()["status"] == "ok"
        assert ask(f"{url}/v1/partner/logs", "sk_test_" + "0" * 22).status_code == 401


@contextmanager
def served_by_the_standard_library(application: Any) -> Any:
    """Serve with wsgiref behind its validator, which raises where PEP 3333 is broken."""
    from wsgiref.validate import validator

    with make_server("127.0.0.1", 0, validator(application), handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_histogram_adds_its_buckets_up() -> None:
    samples = histogram_samples({"method": "GET"}, (0.1, 1.0), (3, 2, 1), 7.5)
    found = samples_of(exposition([Metric("took_seconds", "histogram", "How long it took.", samples)]))
    labels = {("method", "GET")}
    assert [found["took_seconds_bucket", frozenset({*labels, ("le", le)})] for le in ("0.1", "1", "+Inf")] == [3, 5, 6]
    assert found["took_seconds_sum", frozenset(labels)] == 7.5
    assert found["took_seconds_count", frozenset(labels)] == 6


def test_labels_and_help_of_any_text_come_back_as_they_were() -> None:
    text = 'a "quoted" \\ back\\n\nslash'
    (family,) = text_string_to_metric_families(
        exposition([Metric("odd", "gauge", text, [("", {"name": text}, 1)])]).decode()
    )
    assert family.documentation == text
    assert family.samples[0].labels == {"name": text}

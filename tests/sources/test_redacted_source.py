"""A redacted source answers as the one behind it does, with everything hidden that the profile hides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import asdict, replace

from faulty_server import FaultyServer, page, reply, source_at
from serving import log_entry, payload, running_backend
from taplogs.core.dimensions import DIMENSION_NAMES, dimensions_named
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import NULL, LogEntry
from taplogs.core.filters import GrepFilter, StatusFilter, UrlFilter
from taplogs.core.query import LogQuery, Order
from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import BUILT_IN_NAMES, built_in, parse_profile
from taplogs.core.stats import Grouping, fold
from taplogs.errors import EntryNotFound
from taplogs.sources.protocol import LogSource
from taplogs.sources.redacted import RedactedSource
from taplogs.sources.sqlite import SqliteStore

KEY = b"k" * 32
COMPANY = {
    "extends": "personal",
    "paths": [{"path": f"$.{name}", "label": "place"} for name in ("ipAddress", "clientId", "companyId", "userAgent")],
}
PROFILES = {name: built_in(name) for name in BUILT_IN_NAMES} | {"company": parse_profile(COMPANY, "company")}
STATUSES = (200, 201, 401, 404, 500)
URLS = (
    "https://partner-api.taptalent.io/v1/partner/jobs/17?token=Canary",
    "https://partner-api.taptalent.io/v1/partner/candidates/jane@example.com?x=1",
    "https://partner-api.taptalent.io/v1/partner/jobs?email=jane@example.com",
    "/v1/sk_live_Canary7Canary7Canary7Z/jobs",
)
TEMPLATES = EndpointTemplates()
METHODS = ("GET", "POST", "GET jane@example.com", "DELETE", "Bearer Canary7Canary7")
AGENTS = ("curl/8.5", "curl/8.5 Bearer Canary7Canary7", "robot of jane@example.com", None)


def planted(count: int = 60) -> list[LogEntry]:
    """Return entries with something to hide in most fields."""
    return [
        log_entry(
            number,
            method=METHODS[number % 5],
            status_code=STATUSES[number % 5],
            latency_ms=number % 7,
            request_url=URLS[number % 4],
            user_agent=AGENTS[number % 3] if number % 11 else None,
            client_id=f"client-{number % 3}",
            request_payload=payload('{"password":"Canary","email":"jane@example.com"}') if number % 2 else NULL,
            response_payload=payload('{"error":{"message":"Bearer Canary7Canary7 is no token"}}'),
        )
        for number in range(1, count + 1)
    ]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LogSource]]:
    """The same entries from a store, and over HTTP."""
    with running_backend(tmp_path_factory.mktemp("redacted") / "logs.db") as running:
        running.store.add(planted())
        with source_at(running.url, running.key) as remote:
            yield {"store": running.store, "http": remote}


@pytest.fixture(params=["store", "http"])
def source(sources: dict[str, LogSource], request: pytest.FixtureRequest) -> LogSource:
    return sources[request.param]


def redacted(source: LogSource, name: str) -> tuple[RedactedSource, Redactor]:
    """Return the source redacted, and a redactor of the same profile to compare with."""
    return RedactedSource(source, Redactor(PROFILES[name], KEY)), Redactor(PROFILES[name], KEY)


def same(entries: list[LogEntry], others: list[LogEntry]) -> bool:
    return [repr_of(entry) for entry in entries] == [repr_of(entry) for entry in others]


def repr_of(entry: LogEntry) -> dict[str, object]:
    fields = asdict(entry)
    return fields | {name: bytes(fields[name]) for name in ("request_payload", "response_payload")}


QUERIES = {
    "all": LogQuery(),
    "oldest first": LogQuery(order=Order.OLDEST_FIRST, limit=7),
    "filtered by what is hidden": LogQuery(url=UrlFilter.parse(["jane@"]), grep=GrepFilter.parse(["Canary"])),
    "errors": LogQuery(status=StatusFilter.parse(["4xx"])),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
@pytest.mark.parametrize("name", PROFILES)
def test_the_same_entries_come_redacted(source: LogSource, name: str, query: LogQuery) -> None:
    wrapped, redactor = redacted(source, name)
    expected = redactor.redact_all(list(source.search(query)))
    assert expected
    assert same(list(wrapped.search(query)), expected)
    assert same([entry for batch in wrapped.batches(query) for entry in batch], expected)


@pytest.mark.parametrize("name", PROFILES)
def test_one_entry_comes_redacted(source: LogSource, name: str) -> None:
    wrapped, redactor = redacted(source, name)
    assert same([wrapped.get("entry-00021")], [redactor.redact(source.get("entry-00021"))])


def test_an_entry_that_is_not_there_is_not_there(source: LogSource) -> None:
    with pytest.raises(EntryNotFound):
        redacted(source, "secrets")[0].get("nothing")


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_the_number_of_entries_and_the_time_are_those_of_the_source(source: LogSource, query: LogQuery) -> None:
    wrapped, _ = redacted(source, "personal")
    assert wrapped.count(query) == source.count(query)
    assert abs((wrapped.now() - source.now()).total_seconds()) < 60


def test_what_is_looked_for_is_found_and_not_shown(source: LogSource) -> None:
    wrapped, _ = redacted(source, "secrets")
    found = list(wrapped.search(LogQuery(grep=GrepFilter.parse(["Canary"]))))
    assert len(found) == 60
    assert not [entry for entry in found if b"Canary" in bytes(entry.request_payload) + bytes(entry.response_payload)]


@pytest.mark.parametrize("timeline", [False, True])
@pytest.mark.parametrize("by", [*DIMENSION_NAMES, "endpoint,status", "client,user-agent", "hour,class"])
@pytest.mark.parametrize("name", PROFILES)
def test_a_summary_is_the_fold_over_the_redacted_entries(source: LogSource, name: str, by: str, timeline: bool) -> None:
    """Of a URL, what is grouped by is redacted: its template, from which most of what is secret is gone already."""
    grouping = Grouping(dimensions_named(by, EndpointTemplates(), ZoneInfo("Europe/Berlin")), timeline)
    query = LogQuery(status=StatusFilter.parse(["!500"]), limit=3)
    wrapped, redactor = redacted(source, name)
    entries = [
        replace(entry, request_url=TEMPLATES.of_url(entry.request_url))
        for entry in source.search(replace(query, limit=None))
    ]
    by_hand = fold([redactor.redact_all(entries)], grouping)
    summary = wrapped.summarise(query, grouping)
    assert summary.counts == by_hand.counts
    assert (summary.timeline.first, summary.timeline.last) == (by_hand.timeline.first, by_hand.timeline.last)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("number", range(1, 13))
def test_no_profile_changes_what_summaries_take_for_unchanged(name: str, number: int) -> None:
    entry = planted(12)[number - 1]
    redacted_entry = Redactor(PROFILES[name], KEY).redact(entry)
    changed = {field for field, value in repr_of(entry).items() if value != repr_of(redacted_entry)[field]}
    assert not changed & {"id", "timestamp", "status_code", "latency_ms", "created_at", "updated_at"}


@pytest.mark.parametrize(
    "fields", [{"request_url"}, {"method"}, {"user_agent", "client_id"}, {"status_code"}, {"request_payload"}]
)
def test_fields_that_were_asked_for_come_redacted(source: LogSource, fields: set[str]) -> None:
    query = LogQuery(fields=frozenset(fields))
    wrapped, redactor = redacted(source, "personal")
    expected = redactor.redact_all(list(source.search(LogQuery())))
    for entry, other in zip(wrapped.search(query), expected, strict=True):
        assert {name: repr_of(entry)[name] for name in fields} == {name: repr_of(other)[name] for name in fields}


def test_payloads_that_nobody_asked_for_are_left_out() -> None:
    """A backend may send them all the same."""
    with FaultyServer([reply(page(planted(3)[::-1]))]) as server, source_at(server.url) as remote:
        wrapped, _ = redacted(remote, "secrets")
        entries = list(wrapped.search(LogQuery(payloads=False)))
    assert [entry.id for entry in entries] == ["entry-00003", "entry-00002", "entry-00001"]
    assert {bytes(entry.request_payload) + bytes(entry.response_payload) for entry in entries} == {b"nullnull"}


def test_the_source_is_closed_with_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "logs.db")
    wrapped, _ = redacted(store, "secrets")
    assert list(wrapped.search(LogQuery())) == []
    wrapped.close()
    with pytest.raises(Exception, match="closed"):
        list(store.search(LogQuery()))


def test_many_long_texts_are_redacted_and_not_all_remembered(tmp_path: Path) -> None:
    """More characters than are remembered, each text once in every part of the listing."""
    store = SqliteStore(tmp_path / "logs.db")
    texts = [f"{'x' * 40_000} {number} Bearer Canary7Canary7" for number in range(150)]
    store.add(log_entry(number, user_agent=texts[number % 150]) for number in range(1, 451))
    wrapped, redactor = redacted(store, "secrets")
    grouping = Grouping(dimensions_named("user-agent", EndpointTemplates(), ZoneInfo("UTC")))
    summary = wrapped.summarise(LogQuery(), grouping)
    store.close()
    assert (
        summary.counts
        == fold([[redactor.redact(log_entry(1, user_agent=text))] * 3 for text in texts], grouping).counts
    )

"""The list endpoint of the reference backend: filters, order, paging, and single entries."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import msgspec
import pytest

from serving import Backend, log_entry, payload
from taplogs.backend.app import create_app
from taplogs.core.decoding import decode_entry, decode_page
from taplogs.core.entry import LogEntry


def listed(backend: Backend, query: str = "") -> list[str]:
    response = backend.get(query)
    assert response.status_code == 200, response.text
    return [entry["id"] for entry in response.json()["logs"]]


def by_cursor(backend: Backend, query: str) -> Iterator[str]:
    cursor = ""
    while cursor is not None:
        page = backend.get(query + (f"&cursor={cursor}" if cursor else "")).json()
        yield from (entry["id"] for entry in page["logs"])
        cursor = page["nextCursor"]


def test_a_page_holds_entries_newest_first_with_total_cursor_and_server_time(backend: Backend) -> None:
    stored = [log_entry(1), log_entry(2, request_payload=payload('{"a": 1.0}'), status_code=404)]
    backend.store.add(stored)
    response = backend.get()
    page = decode_page(response.content)
    assert response.headers["content-type"] == "application/json"
    assert page.entries == stored[::-1]
    assert (page.total, page.next_cursor) == (2, None)
    assert page.server_time is not None
    assert set(response.json()) == {"logs", "totalLogs", "nextCursor", "serverTime"}


def test_an_empty_store_gives_an_empty_page(backend: Backend) -> None:
    page = backend.get().json()
    assert (page["logs"], page["totalLogs"], page["nextCursor"]) == ([], 0, None)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "200 201 204 301 404 500 503"),
        ("statusClass=2xx", "200 201 204"),
        ("statusClass=3xx&statusClass=5xx", "301 500 503"),
        ("statusCode=404", "404"),
        ("statusCode=404&statusClass=5xx", "404 500 503"),
        ("statusCode=999", ""),
        ("method=GET", "200 301"),
        ("method=POST&method=DELETE", "201 204 500 503"),
        ("method=POST&statusClass=5xx", "500 503"),
        ("whatever=1&statusCode=404&page=7", "404"),
    ],
)
def test_filters_combine_as_the_contract_says(backend: Backend, query: str, expected: str) -> None:
    methods = {200: "GET", 201: "POST", 204: "DELETE", 301: "GET", 404: "PUT", 500: "POST", 503: "POST"}
    backend.store.add(log_entry(status, status_code=status, method=method) for status, method in methods.items())
    page = backend.get(f"order=asc&{query}").json()
    assert " ".join(str(entry["statusCode"]) for entry in page["logs"]) == expected
    assert page["totalLogs"] == len(expected.split())


@pytest.mark.parametrize(
    "query",
    [
        "startDate=2026-11-01T00:00:03Z&endDate=2026-11-01T00:00:05Z",
        "startDate=2026-11-01T01:00:03%2B01:00&endDate=2026-10-31T19:00:05-05:00",
        "startDate=2026-11-01T00:00:02.0001Z&endDate=2026-11-01T00:00:04.0001Z",
    ],
)
def test_the_window_is_half_open(backend: Backend, query: str) -> None:
    backend.store.add(log_entry(number) for number in range(10))
    assert listed(backend, query) == ["entry-00004", "entry-00003"]


def test_a_window_that_ends_before_it_starts_is_empty(backend: Backend) -> None:
    backend.store.add([log_entry(1)])
    assert listed(backend, "startDate=2026-12-01T00:00:00Z&endDate=2026-10-01T00:00:00Z") == []


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("per_page", [1, 3, 7, 1000])
def test_paging_by_cursor_gives_every_entry_once_also_at_equal_timestamps(
    backend: Backend, order: str, per_page: int
) -> None:
    stored = [log_entry(number // 6, id=f"{number * 7 % 20:02}") for number in range(20)]
    backend.store.add(stored)
    expected = [entry.id for entry in sorted(stored, key=lambda e: e.sort_key, reverse=order == "desc")]
    assert list(by_cursor(backend, f"order={order}&perPage={per_page}")) == expected


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_paging_by_number_gives_every_entry_once_also_at_equal_timestamps(backend: Backend, order: str) -> None:
    stored = [log_entry(number // 6, id=f"{number * 7 % 20:02}") for number in range(20)]
    backend.store.add(stored)
    pages = [listed(backend, f"order={order}&perPage=7&pageNumber={number}") for number in (1, 2, 3, 4)]
    expected = [entry.id for entry in sorted(stored, key=lambda e: e.sort_key, reverse=order == "desc")]
    assert pages == [expected[:7], expected[7:14], expected[14:], []]


def test_a_cursor_goes_on_where_it_was_made_though_newer_entries_arrived(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(4))
    cursor = backend.get("perPage=2").json()["nextCursor"]
    backend.store.add(log_entry(number) for number in range(4, 8))
    page = backend.get(f"perPage=2&cursor={cursor}").json()
    assert [entry["id"] for entry in page["logs"]] == ["entry-00001", "entry-00000"]
    assert page["nextCursor"] is None


def test_a_cursor_works_with_filters_and_an_upper_bound_that_is_set_later(backend: Backend) -> None:
    backend.store.add(log_entry(number, status_code=200 + number % 2) for number in range(10))
    cursor = backend.get("perPage=2&statusCode=201").json()["nextCursor"]
    rest = backend.get(f"cursor={cursor}&statusCode=201&endDate=2026-11-01T00:00:30Z").json()
    assert [entry["id"] for entry in rest["logs"]] == ["entry-00005", "entry-00003", "entry-00001"]
    assert rest["totalLogs"] == 5


def test_a_page_number_also_comes_with_a_cursor_for_the_next_page(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(6))
    cursor = backend.get("perPage=2&pageNumber=2").json()["nextCursor"]
    assert listed(backend, f"perPage=2&cursor={cursor}") == ["entry-00001", "entry-00000"]


def test_a_page_has_a_hundred_entries_unless_asked_otherwise(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(150))
    assert len(listed(backend)) == 100
    assert len(listed(backend, "perPage=120")) == 120


def test_a_summary_has_no_payload_members_at_all(backend: Backend) -> None:
    trap = ',"requestPayload":null,"responsePayload":null'
    backend.store.add([log_entry(1, request_url=trap, user_agent=trap, request_payload=payload('{"a":1}'))])
    (entry,) = backend.get("fields=summary").json()["logs"]
    (full,) = backend.get("fields=full").json()["logs"]
    assert entry == {name: value for name, value in full.items() if not name.endswith("Payload")}
    assert (full["requestPayload"], full["requestUrl"]) == ({"a": 1}, trap)


def test_payloads_pass_through_untouched(backend: Backend) -> None:
    text = '{"big":12345678901234567890123,"precise":1.50,"twice":1,"twice":2,"escape":"\\u00e9\\ud800"}'
    backend.store.add([log_entry(1, request_payload=payload(text))])
    assert f'"requestPayload":{text},'.encode() in backend.get().content


@pytest.mark.parametrize(
    "entry_id", ["plain", "a/b", "/", "//x", "../logs", "a b+c%2Fd?e#f", "ünï", "\n\x00", "\u2028", "a/"]
)
def test_an_entry_is_found_by_any_id(backend: Backend, entry_id: str) -> None:
    entry = log_entry(1, id=entry_id, request_payload=payload("[1]"))
    backend.store.add([entry, log_entry(2)])
    response = backend.ask("GET", "/" + quote(entry_id, safe=""))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert decode_entry(response.content) == entry


@pytest.mark.parametrize("entry_id", ["é", "日本", "a/b c"])
def test_an_entry_is_found_by_any_id_in_process(backend: Backend, entry_id: str) -> None:
    entry = log_entry(1, id=entry_id)
    backend.store.add([entry])
    with httpx.Client(transport=httpx.WSGITransport(app=create_app(backend.store))) as client:
        response = client.get(f"http://backend/v1/partner/logs/{quote(entry_id, safe='')}")
    assert decode_entry(response.content) == entry


def test_head_answers_as_get_does_without_a_body(backend: Backend) -> None:
    backend.store.add([log_entry(1)])
    for path in ("", "/entry-00001"):
        got, head = backend.ask("GET", path), backend.ask("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-type", "content-length", "vary"):
            assert head.headers[name] == got.headers[name]


def test_replies_are_not_to_be_cached(backend: Backend) -> None:
    assert backend.get().headers["cache-control"] == "no-store"


def test_a_large_body_is_compressed_for_who_takes_it(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(50))
    plain = backend.get(accept_encoding="identity")
    packed = backend.get(accept_encoding="br, gzip;q=0.5")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert packed.json()["logs"] == plain.json()["logs"]
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br", "identity", ""])
def test_a_body_is_not_compressed_for_who_does_not_take_it(backend: Backend, accepted: str) -> None:
    backend.store.add(log_entry(number) for number in range(50))
    assert "content-encoding" not in backend.get(accept_encoding=accepted).headers


def test_a_small_body_is_not_compressed(backend: Backend) -> None:
    backend.store.add([log_entry(1)])
    assert "content-encoding" not in backend.get(accept_encoding="gzip").headers


def test_real_requests_come_back_as_they_were_logged(backend: Backend, real_entries: list[LogEntry]) -> None:
    backend.store.add(real_entries)
    found: list[LogEntry] = []
    cursor = ""
    while True:
        page = decode_page(backend.get(f"order=asc&perPage=1000{cursor}", accept_encoding="gzip").content)
        found += page.entries
        if page.next_cursor is None:
            break
        cursor = f"&cursor={page.next_cursor}"
    assert found == sorted(real_entries, key=lambda entry: entry.sort_key)


@pytest.fixture(scope="module")
def real_entries() -> list[LogEntry]:
    import gzip
    from pathlib import Path

    file = Path(__file__).parents[1] / "data" / "requests-2015.jsonl.gz"
    return msgspec.json.Decoder(LogEntry).decode_lines(gzip.decompress(file.read_bytes()))

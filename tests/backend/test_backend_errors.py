"""What the reference backend answers when it cannot do what it is asked: status, headers and envelope of each."""

from __future__ import annotations

import logging
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from serving import Backend, log_entry, running_backend
from taplogs.backend.cursor import decode_cursor, encode_cursor
from taplogs.backend.ratelimit import RateLimit
from taplogs.core.query import Order


def fault(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the members of the error, having looked at all that every error has in common."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    (name,) = response.json()
    assert name == "error"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"code", "type", "message", "details"}
    assert error["message"]
    return error


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("statusClass=6xx", "statusClass"),
        ("statusClass=4xx,5xx", "statusClass"),
        ("statusClass=2xx&statusClass=", "statusClass"),
        ("statusCode=99", "statusCode"),
        ("statusCode=4xx", "statusCode"),
        ("statusCode=٤٠٤", "statusCode"),
        ("method=get", "method"),
        ("method=BREW", "method"),
        ("startDate=yesterday", "startDate"),
        ("startDate=2026-11-01", "startDate"),
        ("startDate=2026-11-01T10:00:00", "startDate"),
        ("endDate=2026-02-30T00:00:00Z", "endDate"),
        ("endDate=0001-01-01T00:00:00%2B01:00", "endDate"),
        ("endDate=9999-12-31T23:59:59.9999Z", "endDate"),
        ("endDate=1762000000", "endDate"),
        ("order=up", "order"),
        ("fields=all", "fields"),
        ("perPage=0", "perPage"),
        ("perPage=1001", "perPage"),
        ("perPage=ten", "perPage"),
        ("perPage=1.0", "perPage"),
        ("perPage=", "perPage"),
        ("perPage=10&perPage=20", "perPage"),
        ("pageNumber=0", "pageNumber"),
        ("pageNumber=-1", "pageNumber"),
        ("pageNumber=99999999999999999999", "pageNumber"),
        ("cursor=abc", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%FF%00", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(backend: Backend, query: str, name: str) -> None:
    error = fault(backend.get(query), 400)
    assert error["code"] == "INVALID_REQUEST"
    assert list(error["details"]) == [name]
    assert name in error["message"]


def test_all_wrong_parameters_are_named_at_once(backend: Backend) -> None:
    error = fault(backend.get("perPage=0&order=up&method=x"), 400)
    assert set(error["details"]) == {"perPage", "order", "method"}


def test_a_plus_that_became_a_space_is_explained(backend: Backend) -> None:
    error = fault(backend.get("startDate=2026-11-01T10:00:00+01:00"), 400)
    assert "%2B" in error["details"]["startDate"]


def test_cursor_and_page_number_exclude_each_other(backend: Backend) -> None:
    cursor = encode_cursor(log_entry(1).sort_key, Order.NEWEST_FIRST)
    assert backend.get(f"cursor={cursor}").status_code == 200
    error = fault(backend.get(f"cursor={cursor}&pageNumber=2"), 400)
    assert "cursor" in error["details"]["pageNumber"]


def test_a_tampered_cursor_is_refused(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(3))
    cursor = backend.get("perPage=1").json()["nextCursor"]
    for place in range(len(cursor)):
        other = "A" if cursor[place] != "A" else "B"
        with pytest.raises(ValueError, match="not a cursor"):
            decode_cursor(cursor[:place] + other + cursor[place + 1 :], Order.NEWEST_FIRST)
    for tampered in (
        cursor[:-1],
        cursor + "A",
        "A" + cursor,
        cursor[::-1],
        cursor + "=",
        cursor[:4] + "*" + cursor[4:],
    ):
        error = fault(backend.get(f"perPage=1&cursor={tampered}"), 400)
        assert error["details"] == {"cursor": "is not a cursor"}


def test_a_cursor_of_the_other_order_is_refused(backend: Backend) -> None:
    backend.store.add(log_entry(number) for number in range(3))
    cursor = backend.get("perPage=1").json()["nextCursor"]
    assert fault(backend.get(f"order=asc&cursor={cursor}"), 400)["details"] == {
        "cursor": "was made for the other order"
    }


@pytest.mark.parametrize("entry_id", ["x", "\ud7ff", "x\u0600"])
def test_a_cursor_holds_any_id(entry_id: str) -> None:
    position = ("2026-11-01T00:00:00.000Z", entry_id)
    assert decode_cursor(encode_cursor(position, Order.OLDEST_FIRST), Order.OLDEST_FIRST) == position


@pytest.mark.parametrize("path", ["", "/entry-00001"])
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nonsense", "Basic c2s6", "sk_test_", "Bearer \xff"])
def test_a_request_without_a_known_key_is_refused(backend: Backend, path: str, authorization: str) -> None:
    backend.store.add([log_entry(1)])
    headers = {b"authorization": authorization.encode("latin-1")}
    response = httpx.get(backend.logs_url + path, headers=headers, trust_env=False)
    assert fault(response, 401)["code"] == "UNAUTHORIZED"
    assert response.headers["www-authenticate"] == "Bearer"


def test_the_scheme_of_the_authorization_may_be_written_in_any_case(backend: Backend) -> None:
    assert backend.get(authorization=f"bEARER  {backend.key}").status_code == 200


def test_a_revoked_key_is_forbidden(backend: Backend) -> None:
    masked = f"sk_test_…{backend.key[-4:]}"
    assert backend.keys.revoke(masked)
    assert fault(backend.get(), 403)["code"] == "FORBIDDEN"


def test_an_unknown_entry_is_not_found(backend: Backend) -> None:
    assert fault(backend.ask("GET", "/nope"), 404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("path", ["/", "x", "/../jobs"])
def test_another_path_is_not_found(backend: Backend, path: str) -> None:
    assert fault(backend.ask("GET", path), 404)["code"] == "NOT_FOUND"


@pytest.mark.parametrize("path", ["", "/entry-00001"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_another_method_is_not_allowed(backend: Backend, path: str, method: str) -> None:
    response = backend.ask(method, path)
    assert fault(response, 405)["code"] == "METHOD_NOT_ALLOWED"
    assert response.headers["allow"] == "GET, HEAD"


def test_a_key_that_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    with running_backend(tmp_path / "logs.db", RateLimit.parse("3/min")) as backend:
        assert [backend.get().status_code for _ in range(3)] == [200, 200, 200]
        response = backend.get()
        assert fault(response, 429)["code"] == "RATE_LIMITED"
        assert 1 <= int(response.headers["retry-after"]) <= 20
        other = backend.keys.create()
        assert backend.get(authorization=f"Bearer {other}").status_code == 200


def test_after_the_time_of_retry_after_a_request_is_taken(tmp_path: Path) -> None:
    with running_backend(tmp_path / "logs.db", RateLimit.parse("1/s")) as backend:
        assert backend.get().status_code == 200
        wait = int(backend.get().headers["retry-after"])
        time.sleep(wait)
        assert backend.get().status_code == 200


def test_a_fault_of_the_backend_is_logged_and_not_told(
    tmp_path: Path, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(tmp_path / "logs.db")) as connection:
        connection.execute("DROP TABLE entries")
    with caplog.at_level(logging.ERROR):
        response = backend.get()
    error = fault(response, 500)
    assert (error["code"], error["type"], error["details"]) == ("INTERNAL_ERROR", "api_error", {})
    assert "entries" not in response.text
    assert [record.name for record in caplog.records] == ["taplogs.backend"]
    assert "no such table: entries" in caplog.text
    assert backend.key not in caplog.text


def test_a_request_with_a_huge_body_is_refused_before_the_body_is_sent(backend: Backend) -> None:
    address = urlsplit(backend.url)
    request = f"POST /v1/partner/logs HTTP/1.1\r\nHost: x\r\nContent-Length: {10**9}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port or 0), timeout=5) as connection:
        connection.sendall(request.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")

"""What the log holds of a request that passed: by the platform's rules, and nothing secret."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from recording_upstream import CLOSE, exchange, response, script
from running_gateway import LARGEST_BODY, Passing, passing

from command import KEY, Command
from taplogs.core.entry import encode_entry

JSON = (b"Content-Type", b"application/json")
ERROR = {"error": {"code": "INVALID_REQUEST", "message": "It is not valid.", "details": {"name": "is missing"}}}
CANARY = "Canary5Secret9Word3"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passing]:
    with passing(tmp_path_factory.mktemp("gateway") / "logs.sqlite") as running:
        yield running


@pytest.fixture
def gateway(running: Passing) -> Iterator[Passing]:
    running.begin_anew()
    yield running
    assert running.upstream.faults == []


def shown(gateway: Passing, taplogs: Command) -> dict[str, Any]:
    """Return the newest entry as `taplogs show` tells it."""
    (entry,) = gateway.entries(1)
    done = gateway.reading(taplogs).here("show", entry.id, "-o", "json")
    assert done.code == 0, done.err
    document: dict[str, Any] = json.loads(done.out)
    return document


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 301, 304, 400, 401, 404, 409, 422, 429, 500, 503])
def test_show_has_a_response_only_where_the_status_is_not_200(gateway: Passing, taplogs: Command, status: int) -> None:
    has_body = status not in (204, 304)
    said = response(status, json.dumps(ERROR).encode() if has_body else b"", JSON)
    gateway.upstream.answers(said if has_body else said.replace(b"Content-Length: 0\r\n", b""))
    answer = httpx.post(f"{gateway.url}/v1/partner/jobs?dry=1", json={"name": None}, follow_redirects=False)
    assert answer.status_code == status
    entry = shown(gateway, taplogs)
    assert entry["statusCode"] == status
    assert entry["requestPayload"] == {"name": None}
    assert entry["responsePayload"] == (ERROR if has_body and status != 200 else None)
    assert entry["requestUrl"] == f"http://{gateway.upstream.authority.decode()}/v1/partner/jobs?dry=1"
    assert (entry["method"], entry["companyId"], entry["ipAddress"]) == ("POST", "acme", "127.0.0.1")
    assert entry["timestamp"] <= entry["createdAt"] == entry["updatedAt"]
    assert entry["userAgent"].startswith("python-httpx/")


def test_a_latency_counts_from_the_head_to_the_last_byte(gateway: Passing) -> None:
    gateway.upstream.answers(script(0.1, b"HTTP/1.1 200 OK\r\n\r\n", 0.1, b"ok", CLOSE))
    httpx.get(f"{gateway.url}/v1/partner/jobs")
    (entry,) = gateway.entries(1)
    assert entry.latency_ms is not None
    assert entry.latency_ms >= 200


def test_entries_are_numbered_without_a_hole(gateway: Passing) -> None:
    with httpx.Client() as client:
        for _ in range(20):
            client.get(f"{gateway.url}/v1/partner/jobs")
    numbers = [int(entry.id[19:].replace("-", ""), 16) for entry in gateway.entries(20)]
    assert numbers == list(range(numbers[0], numbers[0] + 20))
    assert all(entry.id[14] == "8" for entry in gateway.entries(20))


def test_one_key_is_one_client_and_no_key_is_none(gateway: Passing) -> None:
    other = KEY.replace("Canary", "Canari")
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}):
        httpx.get(f"{gateway.url}/v1/partner/jobs", headers=headers)
    httpx.get(f"{gateway.url}/v1/partner/jobs", headers={"Authorization": f"Bearer {other}"})
    httpx.get(f"{gateway.url}/v1/partner/jobs")
    one, same, another, nobody = (entry.client_id for entry in gateway.entries(4))
    assert one == same
    assert one is not None
    assert one.startswith("client-")
    assert another not in (one, None)
    assert nobody is None
    assert gateway.upstream.received[0].values(b"Authorization") == [f"Bearer {KEY}".encode()]


@pytest.mark.parametrize("over", [0, 1, 5_000_000])
def test_of_a_long_body_the_beginning_is_logged_and_what_identifies_it(gateway: Passing, over: int) -> None:
    body = b"x" * (LARGEST_BODY + over)
    httpx.post(f"{gateway.url}/v1/partner/notes", content=body, headers={"Content-Type": "text/plain"})
    (entry,) = gateway.entries(1)
    payload = json.loads(bytes(entry.request_payload))
    if not over:
        assert payload == body.decode()
        return
    assert payload["bodyCut"] is True
    assert payload["bodySize"] == len(body)
    assert payload["bodySha256"] == gateway.upstream.received[0].digest
    assert payload["bodyBeginning"] == "x" * LARGEST_BODY


def test_a_bomb_passes_and_the_log_holds_its_beginning(gateway: Passing) -> None:
    bomb = gzip.compress(bytes(50_000_000).replace(b"\0", b"0"))
    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    httpx.post(f"{gateway.url}/v1/partner/notes", content=bomb, headers=headers)
    (entry,) = gateway.entries(1)
    payload = json.loads(bytes(entry.request_payload))
    assert (payload["bodySize"], payload["bodyCut"]) == (len(bomb), True)
    assert payload["bodyBeginning"] == "0" * LARGEST_BODY


def posted(kind: str, body: str, *fields: tuple[bytes, bytes], target: str = "/v1/partner/login") -> bytes:
    lines = [b"POST %s HTTP/1.1" % target.encode(), b"Host: gateway", b"Content-Type: " + kind.encode()]
    lines += [name + b": " + value for name, value in fields]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"Connection: close", b"", body.encode()])


SECRETS = {
    "a bearer token": posted("text/plain", "a", (b"Authorization", b"Bearer " + CANARY.encode())),
    "basic authorization": posted("text/plain", "a", (b"Authorization", b"Basic " + CANARY.encode())),
    "an odd authorization": posted("text/plain", "a", (b"AUTHORIZATION", CANARY.encode())),
    "authorization of a proxy": posted("text/plain", "a", (b"Proxy-Authorization", b"Basic " + CANARY.encode())),
    "a key in a header": posted("text/plain", "a", (b"X-Api-Key", CANARY.encode())),
    "a cookie": posted("text/plain", "a", (b"Cookie", b"session=" + CANARY.encode())),
    "a key in the query": posted("text/plain", "a", target=f"/v1/partner/jobs?api_key={CANARY}&a=1"),
    "a token in the query": posted("text/plain", "a", target=f"/v1/partner/jobs?a=1&access_token={CANARY}"),
    "a name before the host": posted("text/plain", "a", target=f"http://me:{CANARY}@gateway/v1/partner/jobs"),
    "a password in JSON": posted("application/json", json.dumps({"user": {"password": CANARY}})),
    "a key in JSON": posted("application/json", json.dumps([{"apiKey": CANARY, "client_secret": CANARY}])),
    "JSON in JSON": posted("application/json", json.dumps({"body": json.dumps({"password": CANARY})})),
    "a form": posted("application/x-www-form-urlencoded", f"user=a&password={CANARY}&x=1"),
    "text": posted("text/plain", f"Authorization: Bearer {CANARY}"),
    "XML": posted("application/xml", f"<login><password>{CANARY}</password></login>"),
    "a multipart body": posted("multipart/form-data; boundary=b", f"--b\r\n\r\n{CANARY}\r\n--b--\r\n"),
}


@pytest.mark.parametrize("sent", SECRETS.values(), ids=SECRETS)
def test_no_secret_reaches_the_store(gateway: Passing, sent: bytes) -> None:
    said = json.dumps({"accessToken": CANARY, "echo": {"password": CANARY}}).encode()
    cookie = (b"Set-Cookie", b"session=" + CANARY.encode())
    gateway.upstream.answers(response(401, said, JSON, cookie, (b"WWW-Authenticate", b"Bearer " + CANARY.encode())))
    got = exchange(gateway.port, sent)
    assert got.count(CANARY.encode()) == 4
    (entry,) = gateway.entries(1)
    assert CANARY.encode() not in encode_entry(entry)
    files = b"".join(file.read_bytes() for file in gateway.path.parent.iterdir())
    assert CANARY.encode() not in files
    assert bytes.fromhex(entry.id.replace("-", "")) in files


def test_a_platform_key_anywhere_is_hidden(gateway: Passing) -> None:
    sent = {"note": f"use {KEY} for this", "list": [KEY], KEY: 1}
    headers = {"User-Agent": f"agent/{KEY}", "Authorization": f"Bearer {KEY}"}
    gateway.upstream.answers(response(400, f'"{KEY} is wrong"'.encode(), JSON))
    httpx.post(f"{gateway.url}/v1/partner/keys/{KEY}?k={KEY}#f", json=sent, headers=headers)
    (entry,) = gateway.entries(1)
    assert KEY not in encode_entry(entry).decode()


def test_entries_of_requests_at_once_are_all_there(gateway: Passing) -> None:
    def ask(name: int) -> None:
        with httpx.Client() as client:
            for number in range(25):
                answer = client.post(f"{gateway.url}/v1/partner/jobs?n={name}-{number}", json=[name, number])
                assert answer.text == "ok"

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = gateway.entries(200)
    expected = {f"{name}-{number}": [name, number] for name in range(8) for number in range(25)}
    logged = {entry.request_url.partition("?n=")[2]: json.loads(bytes(entry.request_payload)) for entry in entries}
    assert logged == expected

"""ClickHouse over HTTP: what is sent, and what is made of every fault; no password is ever repeated."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from clickhouse import drop, engine_folder, make_database
from clickhouse_server import CUT, PASSWORD, ClickHouseServer, Reply, failed, running_clickhouse
from command import Command, sample_entries
from serving import log_entry
from taplogs.core.filters import StatusFilter
from taplogs.core.query import LogQuery
from taplogs.errors import BackendError, ConfigurationError, TaplogsError
from taplogs.sources.clickhouse import ClickHouseStore
from taplogs.sources.clickhouse_address import ClickHouseAddress

ENTRIES = sample_entries(30)
IN_PROCESS = ClickHouseAddress("", database="tests", table="served", folder=engine_folder())


@pytest.fixture
def server() -> Iterator[ClickHouseServer]:
    make_database(IN_PROCESS)
    with running_clickhouse(engine_folder()) as running:
        yield running
    drop(IN_PROCESS)


@pytest.fixture
def store(server: ClickHouseServer) -> Iterator[ClickHouseStore]:
    store = ClickHouseStore(ClickHouseAddress.parse(server.url()), PASSWORD, timeout=5)
    yield store
    store.close()


def test_entries_are_kept_and_read_over_http(store: ClickHouseStore) -> None:
    assert store.keep(ENTRIES, origin="here", state=b"{}").new == 30
    assert list(store.search(LogQuery())) == ENTRIES[::-1]
    assert store.get(ENTRIES[3].id) == ENTRIES[3]
    assert store.count(LogQuery(status=StatusFilter.parse(["404"]))) == 5
    assert store.states() == {"here": b"{}"}


def test_a_lookup_of_many_ids_fits_into_the_questions(store: ClickHouseStore) -> None:
    entries = [log_entry(number, id=f"{number:08}" + "\t" * 100) for number in range(1500)]
    assert store.add(entries) == 1500
    assert store.add(entries) == 0


def test_every_command_reads_over_http(server: ClickHouseServer, store: ClickHouseStore, taplogs: Command) -> None:
    store.add(ENTRIES)
    run = taplogs.with_env(TAPLOGS_CLICKHOUSE_PASSWORD=PASSWORD)
    assert run.here("list", "--source", server.url(), "-n", "2", "-o", "jsonl").ids == ["entry-00030", "entry-00029"]
    assert run.here("show", "entry-00007", "--source", server.url()).code == 0
    done = run.here("stats", "--by", "endpoint", "-o", "jsonl", "--source", server.url())
    assert (done.code, done.rows[0]["requests"]) == (0, 30)


def test_a_wrong_password_is_refused_and_not_repeated(server: ClickHouseServer, taplogs: Command) -> None:
    run = taplogs.with_env(TAPLOGS_CLICKHOUSE_PASSWORD="Wrong-Canary")
    done = run.here("list", "--source", server.url(), "-o", "json")
    assert (done.code, done.error["code"]) == (4, "authentication")
    assert "TAPLOGS_CLICKHOUSE_PASSWORD" in done.error["hint"]
    assert "Wrong-Canary" not in done.err


def test_the_password_comes_from_the_system_keyring(
    server: ClickHouseServer, store: ClickHouseStore, taplogs: Command
) -> None:
    store.add(ENTRIES)
    stored = taplogs.folder / "keyring.json"
    stored.write_text(json.dumps({f"taplogs {store.address.origin}": PASSWORD}), "utf-8")
    env = {"PYTHON_KEYRING_BACKEND": "keyring_in_file.FileKeyring", "KEYRING_FILE": str(stored)}
    done = taplogs.run("list", "--source", server.url(), "-n", "1", "-o", "jsonl", env=env)
    assert (done.code, done.ids) == (0, ["entry-00030"])


def test_a_password_that_an_answer_repeats_is_not_shown(server: ClickHouseServer, store: ClickHouseStore) -> None:
    server.fault = lambda query: failed(999, f"who said {PASSWORD}?", 500) if "system.tables" in query else None
    with pytest.raises(BackendError) as caught:
        store.count(LogQuery())
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"


def test_a_redirect_is_not_followed(server: ClickHouseServer, store: ClickHouseStore) -> None:
    with running_clickhouse(engine_folder()) as other:
        server.fault = lambda _: (307, {"Location": f"http://127.0.0.1:{other.port}/"}, b"")
        with pytest.raises(BackendError, match="307"):
            store.count(LogQuery())
        assert other.requests == []


def test_a_proxy_of_the_environment_is_not_asked_for_what_goes_unencrypted(
    store: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    assert store.add(ENTRIES) == 30


def test_where_nobody_listens_the_backend_is_unreachable(taplogs: Command) -> None:
    done = taplogs.here("list", "--source", "clickhouse://127.0.0.1:1/db", "-o", "json")
    assert (done.code, done.error["code"]) == (6, "backend")
    assert "clickhouse://default@127.0.0.1:1" in done.error["message"]


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = ClickHouseAddress.parse(f"clickhouse://127.0.0.1:{silent.getsockname()[1]}/db")
        store = ClickHouseStore(address, None, timeout=1)
        with pytest.raises(BackendError, match="did not answer in time"):
            store.count(LogQuery())
        store.close()


@pytest.mark.parametrize(
    "reply",
    [
        (200, {}, b"<html>Welcome to the guest network"),
        (200, {}, b""),
        (502, {}, b"<html>Bad gateway"),
        (200, {"X-ClickHouse-Timezone": "UTC"}, b"\x02\x01\x06engine\x06Str"),
        (200, {"X-ClickHouse-Exception-Code": "241"}, b"Code: 241. DB::Exception: Memory limit exceeded"),
    ],
)
def test_an_answer_that_is_none_is_a_fault_of_the_backend(
    server: ClickHouseServer, store: ClickHouseStore, reply: Reply
) -> None:
    for part in ("version()", "system.tables", ""):
        server.fault = lambda query, part=part: reply if part in query else None
        fresh = ClickHouseStore(store.address, PASSWORD)
        with pytest.raises(TaplogsError):
            list(fresh.search(LogQuery()))
        fresh.close()


def test_a_listing_that_breaks_off_is_no_short_listing(server: ClickHouseServer, store: ClickHouseStore) -> None:
    store.add(ENTRIES)

    server.fault = lambda query: CUT if "ORDER BY" in query else None
    with pytest.raises(BackendError):
        list(store.search(LogQuery()))


def test_a_database_that_is_not_there_is_named(server: ClickHouseServer) -> None:
    address = ClickHouseAddress.parse(server.url(database="nowhere"))
    store = ClickHouseStore(address, PASSWORD)
    with pytest.raises(ConfigurationError, match="no database 'nowhere'"):
        store.add(ENTRIES)
    store.close()


def test_a_certificate_of_an_unknown_authority_is_refused_and_of_a_known_one_accepted(tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    make_database(IN_PROCESS)
    with running_clickhouse(engine_folder(), tls) as server:
        address = ClickHouseAddress.parse(f"{server.url()}&secure=1")
        stranger = ClickHouseStore(address, PASSWORD)
        with pytest.raises(BackendError, match=r"(?i)certificate"):
            stranger.prepare()
        stranger.close()
        assert server.requests == []
        known = ClickHouseStore(address, PASSWORD, ca_file=str(tmp_path / "ca.pem"))
        assert known.add(ENTRIES) == 30
        known.close()
    drop(IN_PROCESS)

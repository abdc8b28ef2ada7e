"""Where ClickHouse is: what an address names, what is refused, and where the password comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from command import Command
from taplogs.clickhouse_password import find_password
from taplogs.errors import ConfigurationError, UsageError
from taplogs.sources.clickhouse_address import ClickHouseAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (
            "clickhouse://ada@logs.example.com:9440/audit?secure=1&table=requests",
            ClickHouseAddress("logs.example.com", 9440, "ada", "audit", "requests"),
        ),
        ("clickhouse://logs.example.com", ClickHouseAddress("logs.example.com", 8443)),
        ("clickhouse://LOGS.example.com/", ClickHouseAddress("logs.example.com", 8443)),
        ("clickhouse://127.0.0.1/db", ClickHouseAddress("127.0.0.1", 8123, database="db", secure=False)),
        ("clickhouse://localhost:9000?secure=1", ClickHouseAddress("localhost", 9000)),
        ("clickhouse://[::1]/db", ClickHouseAddress("::1", 8123, database="db", secure=False)),
        ("clickhouse://a%40b@db.internal", ClickHouseAddress("db.internal", user="a@b")),
        (
            "clickhouse+chdb:///srv/logs%20here?table=t",
            ClickHouseAddress("", 0, "default", "taplogs", "t", secure=False, folder=Path("/srv/logs here")),
        ),
    ],
)
def test_an_address_names_server_user_database_and_table(text: str, address: ClickHouseAddress) -> None:
    assert ClickHouseAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "clickhouse://",
        "clickhouse:///db",
        "clickhouse://exa mple.com/db",
        "clickhouse://example.com:port/db",
        "clickhouse://example.com/db/table",
        "clickhouse://example.com/db;DROP",
        "clickhouse://example.com/db?table=a`b",
        "clickhouse://example.com/db?table=",
        "clickhouse://example.com/db?secure=maybe",
        "clickhouse://example.com/db?verify=0",
        "clickhouse://example.com/db?table=a&table=b",
        "clickhouse://example.com/db#part",
        "clickhouse+native://example.com/db",
        "clickhouse+chdb://folder",
        "clickhouse+chdb:///",
        "clickhouse+chdb:///folder?secure=1",
    ],
)
def test_what_is_no_address_is_refused_with_what_is_accepted(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ClickHouseAddress.parse(text)
    assert "clickhouse://user@host:8443/database" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "clickhouse://ada:Canary@example.com/db",
        "clickhouse://:Canary@example.com/db",
        "clickhouse://ada:Can@ary@example.com/db",
        "clickhouse://ada:Canary@example.com:port/db",
        "clickhouse://example.com/db?password=Canary",
        "clickhouse://ada@example.com/db?password=Canary&table=x",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(taplogs: Command, text: str) -> None:
    done = taplogs.here("list", "--source", text)
    assert done.code == 2
    assert "Canary" not in done.err
    assert "Can@" not in done.err


def test_the_entries_go_unencrypted_to_this_machine_alone() -> None:
    with pytest.raises(ConfigurationError, match="unencrypted"):
        ClickHouseAddress.parse("clickhouse://ada@logs.example.com/db?secure=0")


def test_the_password_comes_from_the_environment() -> None:
    address = ClickHouseAddress.parse("clickhouse://ada@127.0.0.1/db")
    assert find_password({"TAPLOGS_CLICKHOUSE_PASSWORD": "Canary"}, address) == "Canary"
    assert find_password({"TAPLOGS_CLICKHOUSE_PASSWORD": ""}, address) == ""


def test_without_a_keyring_there_is_no_password() -> None:
    assert find_password({}, ClickHouseAddress.parse("clickhouse://ada@127.0.0.1/db")) is None


def test_clickhouse_in_this_process_asks_for_no_password() -> None:
    address = ClickHouseAddress.parse("clickhouse+chdb:///srv/logs")
    assert find_password({"TAPLOGS_CLICKHOUSE_PASSWORD": "Canary"}, address) is None


def test_a_password_belongs_to_a_user_of_a_server() -> None:
    address = ClickHouseAddress.parse("clickhouse://ada@[::1]:8443/db?table=x")
    assert address.origin == "clickhouse://ada@[::1]:8443"


@pytest.mark.parametrize(
    ("package", "source", "remedy"),
    [
        ("clickhouse_connect", "clickhouse://127.0.0.1/db", "pip install 'taplogs[clickhouse]'"),
        ("chdb", "clickhouse+chdb:///srv/logs", "pip install chdb"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_how_to_install_it(
    taplogs: Command, monkeypatch: pytest.MonkeyPatch, package: str, source: str, remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = taplogs.here("list", "--source", source, "-o", "json")
    assert (done.code, done.error["code"], done.error["hint"]) == (2, "configuration", remedy)

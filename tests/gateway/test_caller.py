"""Who called: a fingerprint for a key, an address behind proxies that are trusted."""

from __future__ import annotations

import ipaddress
from contextlib import closing
from pathlib import Path

import pytest

from taplogs.gateway.caller import Callers, fingerprint_secret
from taplogs.sources.sqlite import SqliteStore

KEY = b"sk_test_0123456789ABCDEFGHIJKL"
PROXIES = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")]


def client(value: bytes, secret: bytes = b"a" * 32, name: bytes = b"Authorization") -> str | None:
    return Callers(secret).client_of([(b"Host", b"x"), (name, value)])


def test_a_key_has_one_fingerprint_that_does_not_show_it() -> None:
    found = client(b"Bearer " + KEY)
    assert found == client(b"bearer  " + KEY, name=b"AUTHORIZATION")
    assert found is not None
    assert found.startswith("client-")
    assert len(found) == len("client-") + 16
    assert KEY.decode() not in found


def test_another_key_or_another_secret_has_another_fingerprint() -> None:
    assert len({client(b"Bearer " + KEY), client(b"Bearer other"), client(b"Bearer " + KEY, b"b" * 32)}) == 3


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic dXNlcjpwYXNz"])
def test_without_a_key_there_is_no_client(value: bytes) -> None:
    assert client(value) is None


def test_the_secret_stays_the_same_over_restarts(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with closing(SqliteStore(tmp_path / "logs.sqlite")) as store:
            found.append(fingerprint_secret(store.database))
    assert found[0] == found[1]
    assert len(found[0]) == 32


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.9", [b"203.0.113.1"], "192.0.2.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", [b"198.51.100.7, 203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", [b"198.51.100.7", b"203.0.113.1, 10.2.3.4"], "203.0.113.1"),
        ("10.0.0.1", [b"10.9.9.9, 10.2.3.4"], "10.9.9.9"),
        ("10.0.0.1", [b"203.0.113.1:4711"], "203.0.113.1"),
        ("10.0.0.1", [b"[2001:db9::5]:443"], "2001:db9::5"),
        ("10.0.0.1", [b"198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.7, \xff, 10.2.3.4"], "10.2.3.4"),
        ("2001:db8::1", [b"2001:db9::5"], "2001:db9::5"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("::ffff:10.0.0.1", [b"203.0.113.1"], "203.0.113.1"),
        ("", [b"203.0.113.1"], None),
    ],
)
def test_only_proxies_that_are_trusted_say_where_a_request_comes_from(
    peer: str, forwarded: list[bytes], expected: str | None
) -> None:
    headers = [(b"X-Forwarded-For", value) for value in forwarded]
    assert Callers(b"a" * 32, PROXIES).address_of(peer, headers) == expected

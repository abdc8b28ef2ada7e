"""TLS: who is trusted, who is not, and what the user is told."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from faulty_server import FaultyServer, Told, page, reply, source_at
from serving import log_entry
from taplogs.core.query import LogQuery
from taplogs.errors import BackendError, ConfigurationError

ENTRY = log_entry(1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def server_of(authority: trustme.CA, name: str = "localhost") -> FaultyServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return FaultyServer([reply(page([ENTRY]))], tls=context, host="localhost")


def test_an_unknown_authority_is_refused_at_once_with_the_way_to_trust_it(authority: trustme.CA) -> None:
    told = Told()
    with (
        server_of(authority) as server,
        source_at(server.url, told=told) as source,
        pytest.raises(BackendError, match="the certificate of localhost is not trusted") as caught,
    ):
        list(source.search(LogQuery()))
    assert "--ca-file" in str(caught.value.hint)
    assert (server.connections, server.requests, told.slept) == (1, [], [])


def test_a_ca_file_adds_an_authority(authority: trustme.CA, ca_file: Path) -> None:
    with server_of(authority) as server, source_at(server.url, ca_file=str(ca_file)) as source:
        assert list(source.search(LogQuery())) == [ENTRY]


def test_ssl_cert_file_replaces_the_authorities(
    authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with server_of(authority) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == [ENTRY]


def test_a_certificate_of_another_name_is_refused(authority: trustme.CA, ca_file: Path) -> None:
    with (
        server_of(authority, "other.example") as server,
        source_at(server.url, ca_file=str(ca_file)) as source,
        pytest.raises(BackendError, match=r"(?i)hostname mismatch"),
    ):
        list(source.search(LogQuery()))
    assert server.requests == []


def test_the_address_of_a_certificate_is_checked_too(authority: trustme.CA, ca_file: Path) -> None:
    with server_of(authority) as server:
        url = server.url.replace("localhost", "127.0.0.1")
        with (
            source_at(url, ca_file=str(ca_file)) as source,
            pytest.raises(BackendError, match=r"(?i)IP address mismatch"),
        ):
            list(source.search(LogQuery()))


def test_the_authorities_are_read_once_for_a_run(authority: trustme.CA, ca_file: Path) -> None:
    with server_of(authority) as server, source_at(server.url, ca_file=str(ca_file)) as source:
        ca_file.unlink()
        for _ in range(3):
            assert list(source.search(LogQuery())) == [ENTRY]
        assert server.connections == 3


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_that_is_none_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with (
        pytest.raises(ConfigurationError, match="the certificate authorities cannot be read") as caught,
        source_at("https://localhost:1", ca_file=str(path)),
    ):
        raise AssertionError("the file was taken")
    assert "--ca-file" in str(caught.value.hint)


def test_an_ssl_cert_file_that_is_not_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with (
        pytest.raises(ConfigurationError, match="No such file") as caught,
        source_at("https://localhost:1"),
    ):
        raise AssertionError("the file was taken")
    assert "SSL_CERT_FILE" in str(caught.value.hint)


def test_plain_http_needs_no_authorities(tmp_path: Path) -> None:
    with (
        FaultyServer([reply(page([ENTRY]))]) as server,
        source_at(server.url, ca_file=str(tmp_path / "missing.pem")) as source,
    ):
        assert list(source.search(LogQuery())) == [ENTRY]


def test_the_scheme_may_be_written_in_capitals(authority: trustme.CA, ca_file: Path) -> None:
    with server_of(authority) as server:
        url = server.url.replace("https", "HTTPS")
        with source_at(url, ca_file=str(ca_file)) as source:
            assert list(source.search(LogQuery())) == [ENTRY]


def test_a_server_without_tls_is_an_error_not_a_fallback(ca_file: Path) -> None:
    with FaultyServer([reply(page([ENTRY]))]) as server:
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        with (
            source_at(url, ca_file=str(ca_file), timeout=0.1) as source,
            pytest.raises(BackendError, match="no answer from"),
        ):
            list(source.search(LogQuery()))
        assert all(b"sk_test_" not in request.head for request in server.requests)

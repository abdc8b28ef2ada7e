"""Where the API key goes, and where it does not: redirects, cookies, .netrc, proxies."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from faulty_server import KEY, ConnectProxy, FaultyServer, Told, error_body, page, reply, source_at
from serving import log_entry
from taplogs.core.query import LogQuery
from taplogs.errors import AuthenticationError, BackendError, ConfigurationError
from taplogs.sources.address import BackendAddress
from taplogs.sources.transport import proxy_for

ENTRY = log_entry(1)
OK = reply(page([ENTRY]))
HOST = "logs.taplogs.test"


@pytest.fixture
def set_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set variables, after all that name a proxy are gone."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)

    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def tls_server(authority: trustme.CA, host: str = HOST) -> FaultyServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return FaultyServer([OK], tls=context, host=host)


def test_the_key_is_sent_as_a_bearer_token() -> None:
    with FaultyServer([OK]) as server, source_at(server.url) as source:
        assert list(source.search(LogQuery())) == [ENTRY]
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_an_error_and_its_target_gets_nothing(status: int) -> None:
    with FaultyServer([OK]) as other:
        moved = reply(b"", status, Location=f"{other.url}/v1/partner/logs")
        with FaultyServer([moved]) as server:
            with source_at(server.url) as source, pytest.raises(BackendError) as caught:
                list(source.search(LogQuery()))
            assert f"answered {status}" in caught.value.message
            assert f"redirect to {other.url}" in caught.value.message
            assert len(server.requests) == 1
        assert other.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        b"http://[",
        b"http://\xff\xfe/",
        b"https://xn--/",
        b"//" + b"a" * 300,
        b"javascript:alert(1)",
        b"",
        b"http://h:99999999/",
        b"/same/host",
        b"\x01\x02",
    ],
)
def test_a_redirect_to_no_place_is_the_same_error(location: bytes) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % location
    with (
        FaultyServer([moved]) as server,
        source_at(server.url) as source,
        pytest.raises(BackendError, match="answered"),
    ):
        list(source.search(LogQuery()))
    assert len({request.headers["host"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    "cookie", ["a=b", "a=b; Domain=127.0.0.1; Path=/", "=;;;=", "a=\x7f\xff; Max-Age=x", "x" * 9000]
)
def test_a_cookie_is_not_kept(cookie: str) -> None:
    with FaultyServer([reply(page([ENTRY]), Set_Cookie=cookie)]) as server, source_at(server.url) as source:
        for _ in range(2):
            assert list(source.search(LogQuery())) == [ENTRY]
    assert all("cookie" not in request.headers for request in server.requests)


def test_netrc_is_ignored(tmp_path: Path, set_environment: Callable[..., None]) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    set_environment(NETRC=str(netrc), HOME=str(tmp_path))
    with FaultyServer([OK]) as server, source_at(server.url) as source:
        list(source.search(LogQuery()))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_masked_and_not_tried_again(status: int) -> None:
    told = Told()
    refusal = reply(error_body("UNAUTHORIZED", "The API key is not known."), status)
    with (
        FaultyServer([refusal]) as server,
        source_at(server.url, told=told) as source,
        pytest.raises(AuthenticationError) as caught,
    ):
        list(source.search(LogQuery()))
    assert len(server.requests) == 1
    assert "sk_test_…WXYZ" in caught.value.message
    assert "UNAUTHORIZED, The API key is not known." in caught.value.message
    assert KEY not in f"{caught.value.message}{caught.value.hint}{told.debugged}"


def test_what_goes_over_the_wire_is_told_without_the_key() -> None:
    told = Told()
    with FaultyServer([OK]) as server, source_at(server.url, told=told) as source:
        list(source.search(LogQuery(limit=3)))
    assert told.debugged == [f"GET {server.url}/partner/logs?perPage=3", "200 application/json"]


def test_http_to_this_machine_goes_without_a_proxy(set_environment: Callable[..., None]) -> None:
    with ConnectProxy() as proxy, FaultyServer([OK]) as server:
        set_environment(HTTP_PROXY=proxy.url, http_proxy=proxy.url, ALL_PROXY=proxy.url, HTTPS_PROXY=proxy.url)
        with source_at(server.url) as source:
            assert list(source.search(LogQuery())) == [ENTRY]
        assert proxy.heads == []


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_https_goes_through_the_proxy_which_never_sees_the_key(
    authority: trustme.CA, ca_file: str, set_environment: Callable[..., None], variable: str
) -> None:
    with ConnectProxy() as proxy, tls_server(authority) as server:
        set_environment(**{variable: proxy.url})
        with source_at(server.url, ca_file=ca_file) as source:
            assert list(source.search(LogQuery())) == [ENTRY]
        (head,) = proxy.heads
        assert head.head.startswith(f"CONNECT {HOST}:{server.port} HTTP/1.1\r\n".encode())
        assert b"sk_test_" not in head.head
        assert "authorization" not in head.headers
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_proxys_own_credentials_go_to_the_proxy_alone(
    authority: trustme.CA, ca_file: str, set_environment: Callable[..., None]
) -> None:
    with ConnectProxy() as proxy, tls_server(authority) as server:
        set_environment(HTTPS_PROXY=f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        with source_at(server.url, ca_file=ca_file) as source:
            list(source.search(LogQuery()))
        assert proxy.heads[0].headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert "proxy-authorization" not in server.requests[0].headers


def test_no_proxy_names_hosts_that_go_without(
    authority: trustme.CA, ca_file: str, set_environment: Callable[..., None]
) -> None:
    with ConnectProxy() as proxy, tls_server(authority, "localhost") as server:
        set_environment(HTTPS_PROXY=proxy.url, NO_PROXY="localhost,.example.com")
        with source_at(server.url, ca_file=ca_file) as source:
            assert list(source.search(LogQuery())) == [ENTRY]
        assert proxy.heads == []


def test_a_proxy_that_refuses_is_named_in_the_error(
    authority: trustme.CA, ca_file: str, set_environment: Callable[..., None]
) -> None:
    refusal = b"HTTP/1.1 403 Forbidden by policy\r\nContent-Length: 0\r\n\r\n"
    with ConnectProxy(refuse=refusal) as proxy, tls_server(authority) as server:
        set_environment(HTTPS_PROXY=proxy.url)
        with (
            source_at(server.url, ca_file=ca_file) as source,
            pytest.raises(
                BackendError, match=r"the proxy does not connect to logs\.taplogs\.test: 403 Forbidden by policy"
            ),
        ):
            list(source.search(LogQuery()))
        assert server.connections == 0
        assert len(proxy.heads) == 1


def test_a_proxy_that_is_overloaded_is_tried_again(
    authority: trustme.CA, ca_file: str, set_environment: Callable[..., None]
) -> None:
    with (
        ConnectProxy(refuse=b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as proxy,
        tls_server(authority) as server,
    ):
        set_environment(HTTPS_PROXY=proxy.url)
        with source_at(server.url, ca_file=ca_file) as source, pytest.raises(BackendError, match=r"503 Busy \(tried 5"):
            list(source.search(LogQuery()))
        assert len(proxy.heads) == 5


@pytest.mark.parametrize(
    "url",
    [
        "socks5://127.0.0.1:1080",
        "http://",
        "http://proxy:notaport",
        "http://proxy:99999",
        "http://[::1",
        "http://pr\u2100xy",
        "http://a..b:3128",
        "http://pröxy:3128",
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_clear_error(set_environment: Callable[..., None], url: str) -> None:
    set_environment(HTTPS_PROXY=url)
    with pytest.raises(ConfigurationError, match="the proxy of HTTPS_PROXY or ALL_PROXY") as caught:
        proxy_for(BackendAddress("https://logs.example.com"))
    assert "NO_PROXY" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("proxy.example.com:3128", (b"http", b"proxy.example.com", 3128)),
        ("http://proxy.example.com", (b"http", b"proxy.example.com", 80)),
        ("https://proxy.example.com", (b"https", b"proxy.example.com", 443)),
        ("http://[::1]:3128", (b"http", b"::1", 3128)),
    ],
)
def test_a_proxy_may_be_named_in_short(
    set_environment: Callable[..., None], url: str, expected: tuple[bytes, bytes, int]
) -> None:
    set_environment(HTTPS_PROXY=url)
    proxy = proxy_for(BackendAddress("https://logs.example.com"))
    assert proxy is not None
    assert (proxy.url.scheme, proxy.url.host, proxy.url.port) == expected


def test_an_empty_proxy_variable_is_none(set_environment: Callable[..., None]) -> None:
    set_environment(HTTPS_PROXY="")
    assert proxy_for(BackendAddress("https://logs.example.com")) is None

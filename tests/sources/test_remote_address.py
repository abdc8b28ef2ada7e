"""Which base URLs are taken, and which keys may go there: judged before anything is sent."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faulty_server import KEY, FaultyServer, Told
from taplogs.core.apikey import ApiKey
from taplogs.errors import AuthenticationError, ConfigurationError
from taplogs.sources.address import BackendAddress, is_host, is_loopback
from taplogs.sources.locate import Reach, Surroundings, open_backend

LIVE = "https://partner-api.taptalent.io/v1"
SANDBOX = "https://sandbox.partner-api.taptalent.io/v1"
LIVE_KEY = KEY.replace("test", "live")


@pytest.mark.parametrize(
    ("url", "base_url", "origin"),
    [
        ("https://logs.example.com/v1", "https://logs.example.com/v1", "https://logs.example.com"),
        ("https://logs.example.com/v1/", "https://logs.example.com/v1", "https://logs.example.com"),
        ("https://logs.example.com", "https://logs.example.com", "https://logs.example.com"),
        ("https://logs.example.com:443/v1", "https://logs.example.com:443/v1", "https://logs.example.com"),
        ("https://logs.example.com:/v1", "https://logs.example.com:/v1", "https://logs.example.com"),
        ("https://Logs.Example.com:8443", "https://Logs.Example.com:8443", "https://logs.example.com:8443"),
        ("HTTPS://logs.example.com", "HTTPS://logs.example.com", "https://logs.example.com"),
        ("https://logs_1.example.com.", "https://logs_1.example.com.", "https://logs_1.example.com."),
        ("https://bücher.example/v1", "https://bücher.example/v1", "https://bücher.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("http://127.9.9.9", "http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80", "http://[::1]:80", "http://[::1]"),
        ("http://localhost", "http://localhost", "http://localhost"),
        ("http://LOCALHOST:8000", "http://LOCALHOST:8000", "http://localhost:8000"),
    ],
)
def test_a_base_url_is_taken(url: str, base_url: str, origin: str) -> None:
    address = BackendAddress(url)
    assert (address.base_url, address.origin) == (base_url, origin)
    assert address.logs_url == f"{base_url}/partner/logs"
    assert address.is_encrypted == url.lower().startswith("https")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not an http or https URL"),
        ("logs.example.com", "is not an http or https URL"),
        ("ftp://logs.example.com", "is not an http or https URL"),
        ("file:///etc/passwd", "is not an http or https URL"),
        ("https://", "is not an http or https URL"),
        ("https:///v1", "is not an http or https URL"),
        ("https:logs.example.com", "is not an http or https URL"),
        ("https://user@logs.example.com", "holds a user name"),
        ("https://user:pass@logs.example.com", "holds a user name"),
        ("https://@logs.example.com", "holds a user name"),
        ("https://logs.example.com\\@other.example", "holds a user name"),
        ("http://127.0.0.1@other.example", "holds a user name"),
        ("https://logs.example.com/v1?a=b", "a query or a fragment"),
        ("https://logs.example.com/v1?", "a query or a fragment"),
        ("https://logs.example.com/v1#a", "a query or a fragment"),
        ("https://logs.example.com/v1#", "a query or a fragment"),
        ("https://logs.example.com/a b", "white space"),
        (" https://logs.example.com", "white space"),
        ("https://logs.example.com\n", "white space"),
        ("https://logs.exa\tmple.com", "white space"),
        ("https://logs.example.com/\x7f", "white space"),
        ("https://logs.example.com/\N{NO-BREAK SPACE}", "white space"),
        ("https://logs.example.com/\ud800", "white space or what cannot be printed"),
        ("https://logs.example.com:port", "is not a URL: Port"),
        ("https://logs.example.com:65536", "is not a URL: Port"),
        ("https://[::1", "is not a URL: Invalid IPv6 URL"),
        ("https://999.999.1.1", "names no host"),
        ("https://127.1", "names no host"),
        ("https://logs..example.com", "names no host"),
        ("https://-logs.example.com", "names no host"),
        ("https://logs.example.com\\v1", "names no host"),
        ("https://lo%67s.example.com", "names no host"),
        ("https://*.example.com", "names no host"),
        ("https://xn--/", "names no host"),
        (f"https://{'a' * 64}.example.com", "names no host"),
        (f"https://{'a.' * 127}com", "names no host"),
        ("http://logs.example.com", "http is for loopback only"),
        ("http://10.0.0.1", "http is for loopback only"),
        ("http://0.0.0.0", "http is for loopback only"),
        ("http://[2001:db8::1]", "http is for loopback only"),
        ("http://localhost.example.com", "http is for loopback only"),
        ("http://127.0.0.1.example.com", "http is for loopback only"),
        ("HTTP://logs.example.com", "http is for loopback only"),
    ],
)
def test_a_base_url_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BackendAddress(url)
    assert reason in caught.value.message
    assert caught.value.hint == "such as https://partner-api.taptalent.io/v1"


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1]other.example",
        "http://[::1]other.example",
        "https://[v1.x]",
        "https://[127.0.0.1]",
        "https://[fe80::1%25eth0]",
    ],
)
def test_brackets_that_hold_no_ipv6_address_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"names no host|is not a URL"):  # some Pythons know it, some do not
        BackendAddress(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@logs.example.com",
        "https://user:se@secret@logs.example.com",
        "https://user:secret@logs.example.com/?q",
        "https://user:secret@\u2100.example.com",
        "https://user:secret@logs.example.com:port",
        "ftp://user:secret@logs.example.com",
    ],
)
def test_a_refused_url_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BackendAddress(url)
    assert "secret" not in caught.value.message


@settings(max_examples=500, deadline=None)
@given(
    st.builds(
        "{}://{}{}".format,
        st.sampled_from(["https", "http", "HTTPS", "ws", ""]),
        st.text("ab.-:[]@%\\/?#*1é\u2100\ud800 \n_", max_size=12)
        | st.sampled_from(["localhost", "[::1]", "127.0.0.1", "xn--bcher-kva.example"]),
        st.text(max_size=6),
    )
    | st.text(max_size=30)
)
@example("https://xn--a.example")
def test_what_is_taken_can_be_asked_and_stays_on_its_host(text: str) -> None:
    try:
        address = BackendAddress(text)
    except ConfigurationError:
        return
    asked = httpx.URL(f"{address.logs_url}/id")
    assert asked.scheme == ("https" if address.is_encrypted else "http")
    assert asked.scheme == "https" or is_loopback(asked.host)
    asked.raw_host.decode("ascii").encode("idna")  # as the resolver will
    assert asked.path.endswith("/partner/logs/id")
    assert not asked.query
    assert not asked.userinfo


@pytest.mark.parametrize("path", ["partner/logs", "", "/logs?tenant=1", "/logs#a", "/my logs", "/logs\n", "/\ud800"])
def test_a_logs_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="the logs path"):
        BackendAddress(LIVE, path)


def test_a_logs_path_of_ones_own_is_taken() -> None:
    assert BackendAddress(LIVE, "/audit/v2/").logs_url == f"{LIVE}/audit/v2"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        (LIVE, KEY),
        (SANDBOX, LIVE_KEY),
        (LIVE.replace("partner-api", "PARTNER-API"), KEY),
        (LIVE.replace(".io", ".io."), KEY),
        (SANDBOX.replace(".io", ".io:443"), LIVE_KEY),
    ],
)
def test_a_key_of_the_other_environment_is_refused_and_not_shown(url: str, key: str) -> None:
    told = Told()
    surroundings = Surroundings(lambda: pytest.fail("no time is needed"), told.slept.append, lambda: 0.0, told)
    with pytest.raises(AuthenticationError, match="nothing was sent") as caught:
        open_backend(BackendAddress(url), ApiKey(key), Reach(), surroundings)
    assert key not in str(caught.value)
    assert told.debugged == []


@pytest.mark.parametrize(
    ("url", "key"), [(LIVE, LIVE_KEY), (SANDBOX, KEY), ("https://a.example", KEY), ("https://a.example", LIVE_KEY)]
)
def test_a_key_is_admitted_to_its_environment_and_to_other_hosts(url: str, key: str) -> None:
    BackendAddress(url).admit(ApiKey(key))


def test_plain_http_beyond_loopback_is_refused_without_a_connection() -> None:
    with FaultyServer([b""]) as server:
        with pytest.raises(ConfigurationError, match="unencrypted"):
            BackendAddress(f"http://0.0.0.0:{server.port}")
        assert server.connections == 0


@pytest.mark.parametrize("host", ["a", "a.b.", "1a.b2", "::1", "10.0.0.1", "a" * 63, "xn--bcher-kva.example"])
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    assert is_host(host)

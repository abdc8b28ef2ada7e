"""Where a logging backend is, and whether a key may be sent there."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from taplogs.core.apikey import ApiKey
from taplogs.errors import AuthenticationError, ConfigurationError

_LIVE_HOST = "partner-api.taptalent.io"
_TEST_HOST = "sandbox.partner-api.taptalent.io"


class BackendAddress(Struct, frozen=True):
    """A checked base URL without its trailing slash, and the path of the log endpoint below it."""

    base_url: str
    logs_path: str = "/partner/logs"

    def __post_init__(self) -> None:
        """Raise ConfigurationError where the key would travel in the clear, or the URL is not one."""
        parts = _split(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _refused(self.base_url, "is not an http or https URL")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise _refused(self.base_url, "holds a user name, a query or a fragment")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise _refused(self.base_url, "would send the API key unencrypted: http is for loopback only, use https")
        if not self.logs_path.startswith("/"):
            raise ConfigurationError(f"the logs path {self.logs_path!r} does not start with /")
        force_setattr(self, "base_url", self.base_url.rstrip("/"))

    @property
    def logs_url(self) -> str:
        """The URL of the log endpoint."""
        return self.base_url + self.logs_path.rstrip("/")

    @property
    def host(self) -> str:
        """The host name or address, lower case."""
        return _split(self.base_url).hostname or ""

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454): what a stored key belongs to."""
        parts = _split(self.base_url)
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @property
    def is_encrypted(self) -> bool:
        """Whether requests go over TLS."""
        return self.base_url.startswith("https:")

    def admit(self, key: ApiKey) -> None:
        """Raise AuthenticationError where `key` belongs to the platform's other environment."""
        expected = {_LIVE_HOST: "live", _TEST_HOST: "test"}.get(self.host)
        if expected and key.environment != expected:
            raise AuthenticationError(
                f"{key.masked} is a {key.environment} key, but {self.host} takes {expected} keys; nothing was sent",
                f"use an sk_{expected}_ key, or choose another profile with --profile (taplogs config list shows them)",
            )


def may_take_key(url: str, hosts: Collection[str]) -> bool:
    """Return whether the key may be sent to a URL out of a log entry, which anybody can have written.

    That is the Partner API and `hosts` over https, and this machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None or any(character <= " " for character in url):
        return False
    if parts.scheme == "https":
        return host in (_LIVE_HOST, _TEST_HOST, *hosts) or is_loopback(host)
    return parts.scheme == "http" and is_loopback(host)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _refused(url, f"is not a URL: {error}") from None
    if any(character <= " " for character in url):
        raise _refused(url, "holds white space")
    return parts


def _refused(url: str, reason: str) -> ConfigurationError:
    shown = url.partition("@")[2] or url
    return ConfigurationError(f"the base URL {shown!r} {reason}", "such as https://partner-api.taptalent.io/v1")

"""Where a logging backend is, and whether a key may be sent there."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from taplogs.core.apikey import ApiKey
from taplogs.errors import AuthenticationError, ConfigurationError

_LIVE_HOST = "partner-api.taptalent.io"
_TEST_HOST = "sandbox.partner-api.taptalent.io"
_AUTHORITY = r"(\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]|[^\[\]:]+)(:[0-9]*)?"
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"


class BackendAddress(Struct, frozen=True):
    """A checked base URL without its trailing slash, and the path of the log endpoint below it."""

    base_url: str
    logs_path: str = "/partner/logs"

    def __post_init__(self) -> None:
        """Raise ConfigurationError where the key would travel in the clear, or the URL is not one."""
        parts = _split(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _refused(self.base_url, "is not an http or https URL")
        if "@" in parts.netloc or "?" in self.base_url or "#" in self.base_url:
            raise _refused(self.base_url, "holds a user name, a query or a fragment")
        if not is_host(parts.hostname) or not re.fullmatch(_AUTHORITY, parts.netloc):
            raise _refused(self.base_url, "names no host")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise _refused(self.base_url, "would send the API key unencrypted: http is for loopback only, use https")
        if not self.logs_path.startswith("/"):
            raise ConfigurationError(f"the logs path {self.logs_path!r} does not start with /")
        if re.search(r"[?#\s]", self.logs_path) or not self.logs_path.isprintable():
            raise ConfigurationError(f"the logs path {self.logs_path!r} holds a query, a fragment or white space")
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
        default = {"http": 80, "https": 443}[parts.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, default) else "")

    @property
    def is_platform(self) -> bool:
        """Whether this is the Partner API itself, production or sandbox."""
        return self.host in (_LIVE_HOST, _TEST_HOST)

    @property
    def is_encrypted(self) -> bool:
        """Whether requests go over TLS."""
        return _split(self.base_url).scheme == "https"

    def admit(self, key: ApiKey) -> None:
        """Raise AuthenticationError where `key` belongs to the platform's other environment."""
        expected = {_LIVE_HOST: "live", _TEST_HOST: "test"}.get(self.host.removesuffix("."))
        if expected and key.environment != expected:
            raise AuthenticationError(
                f"{key.masked} is a {key.environment} key, but {self.host} takes {expected} keys; nothing was sent",
                f"use an sk_{expected}_ key, or choose another profile with --profile (taplogs config list shows them)",
            )


def may_take_key(url: str, origins: Collection[str]) -> bool:
    """Return whether the key may be sent to a URL out of a log entry, which anybody can have written.

    That is the Partner API, `origins` (as `BackendAddress.origin`), and this machine.
    """
    try:
        address = BackendAddress(url.partition("?")[0].partition("#")[0])
    except ConfigurationError:
        return False
    own = (f"https://{_LIVE_HOST}", f"https://{_TEST_HOST}", *origins)
    return address.origin in own or is_loopback(address.host)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Return whether `host`, lower case and without brackets, is an address or a name that DNS can hold (RFC 1123).

    Underscores are let through, as resolvers do; names in other scripts are checked as what they are encoded to.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return "%" not in host
    if not host.isascii() or "xn--" in host:
        import httpx

        try:
            url = httpx.URL(scheme="https", host=host)
            host = url.raw_host.decode("ascii") if url.host else ""
        except (httpx.InvalidURL, ValueError):
            return False
    labels = host.removesuffix(".").split(".")
    return len(host) <= 253 and not labels[-1].isdigit() and all(re.fullmatch(_LABEL, label) for label in labels)


def _split(url: str) -> SplitResult:
    if " " in url or not url.isprintable():
        raise _refused(url, "holds white space or what cannot be printed")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        reason = "is not a URL" if "@" in url else f"is not a URL: {error}"  # which may repeat the password
        raise _refused(url, reason) from None
    return parts


def _refused(url: str, reason: str) -> ConfigurationError:
    shown = url.rpartition("@")[2]
    return ConfigurationError(f"the base URL {shown!r} {reason}", "such as https://partner-api.taptalent.io/v1")

"""What `taplogs serve --upstream` is told, checked before anything is opened."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from taplogs.cli.serve_options import GatewayOptions
from taplogs.cli.session import Session
from taplogs.core.byte_size import parse_byte_size
from taplogs.core.duration import parse_duration
from taplogs.core.timespan import parse_instant
from taplogs.errors import ConfigurationError, UsageError
from taplogs.sources.address import BackendAddress, is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from taplogs.gateway.caller import Network
    from taplogs.gateway.upstream import Upstream

_LARGEST_BODY = 16 * 1024 * 1024
_DEFAULT_BODY = 64 * 1024
_DEFAULT_SECONDS = 60.0
_SHORTEST_KEPT = timedelta(hours=1)


class Passing(Struct, frozen=True):
    """Where requests are passed on to, and what is kept of them.

    `base_path` is the path of the upstream's base URL; `largest_body` is in bytes; `keep` is how long entries are kept,
    None is for ever.
    """

    upstream: Upstream
    base_path: str
    largest_body: int
    company: str | None
    trusted_proxies: tuple[Network, ...]
    keep: str | None

    @classmethod
    def of(cls, options: GatewayOptions, session: Session, host: str, port: int) -> Passing | None:
        """Return what the options say, None where nothing is passed on; raises UsageError.

        `host` and `port` are where the gateway is to listen.
        """
        options.refuse_without_upstream()
        if options.upstream is None:
            return None
        address = _address(options.upstream)
        if _is_same(address, host, port):
            raise UsageError(
                f"--upstream {options.upstream} is the gateway itself",
                "name the API, or listen at another port: --listen",
            )
        return cls(
            upstream=_upstream(address, options, session),
            base_path=urlsplit(address.base_url).path,
            largest_body=_largest_body(options.max_body),
            company=_company(options.company),
            trusted_proxies=tuple(_network(text) for text in options.trusted_proxy or []),
            keep=_kept(options.keep, session.runtime.clock),
        )


def _address(url: str) -> BackendAddress:
    try:
        address = BackendAddress(url)
    except ConfigurationError as error:
        raise UsageError(f"--upstream: {error.message}", error.hint) from None
    if not url.isascii():
        raise UsageError(f"--upstream {url!r} is not ASCII", "write the name of its host as DNS has it: xn--…")
    return address


def _is_same(address: BackendAddress, host: str, port: int) -> bool:
    parts = urlsplit(address.base_url)
    own = parts.port or (443 if address.is_encrypted else 80)
    return own == port and (address.host == host or (is_loopback(address.host) and _is_here(host)))


def _is_here(host: str) -> bool:
    return is_loopback(host) or host in ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def _upstream(address: BackendAddress, options: GatewayOptions, session: Session) -> Upstream:
    from taplogs.gateway.upstream import Upstream
    from taplogs.sources.transport import tls_context

    seconds = _DEFAULT_SECONDS
    if options.upstream_timeout:
        longest = parse_duration(options.upstream_timeout, least=timedelta(seconds=0.1), option="--upstream-timeout")
        seconds = longest / timedelta(seconds=1)
    context = None
    if address.is_encrypted:
        context = tls_context(session.reach.ca_file)
        context.set_alpn_protocols(["http/1.1"])
    return Upstream(address.base_url, context, min(10.0, seconds), seconds)


def _largest_body(text: str | None) -> int:
    return parse_byte_size(text, most=_LARGEST_BODY, option="--max-body") if text else _DEFAULT_BODY


def _company(name: str | None) -> str | None:
    if name is not None and (not name.strip() or not name.isprintable() or len(name) > 200):
        raise UsageError("--company is no name: it is empty, too long, or cannot be printed", "such as --company acme")
    return name


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"--trusted-proxy {text!r} is not understood: {error}", "accepted: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32"
        ) from None


def _kept(text: str | None, clock: Callable[[], datetime]) -> str | None:
    """Return how long entries are kept. Days and months are those of UTC: a server is nowhere."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]+(?:h|d|w|mo)", text):
        raise UsageError(f"--keep {text!r} is not understood", "accepted: hours and more, such as 36h, 90d, 12w, 13mo")
    now = clock()
    if parse_instant(text, now=now, zone=UTC, option="--keep") > now - _SHORTEST_KEPT:
        raise UsageError(f"--keep {text} keeps nothing", "accepted: hours and more, such as 36h, 90d, 12w, 13mo")
    return text

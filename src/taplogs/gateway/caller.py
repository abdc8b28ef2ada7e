"""Who called: which client it was, without its key, and from which address."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Sequence

from taplogs.gateway.protocol import Headers
from taplogs.sources.sqlite_database import SqliteDatabase

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_SCHEMA = "CREATE TABLE IF NOT EXISTS gateway_secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
_NAME = "client fingerprint"
_DIGITS = 16
_MOST_REMEMBERED = 10_000


def fingerprint_secret(database: SqliteDatabase) -> bytes:
    """Return the secret that clients are told apart with, 32 bytes; made when it is first asked for, and kept."""
    with database.transaction() as connection:
        connection.execute(_SCHEMA)
        connection.execute("INSERT OR IGNORE INTO gateway_secrets VALUES (?, ?)", (_NAME, secrets.token_bytes(32)))
        statement = "SELECT value FROM gateway_secrets WHERE name = ?"
        secret: bytes = connection.execute(statement, (_NAME,)).fetchone()[0]
    return secret


class Callers:
    """Tells callers apart by a secret, and looks through proxies that are trusted."""

    def __init__(self, secret: bytes, trusted_proxies: Sequence[Network] = ()) -> None:
        """`secret` makes one fingerprint of one key for as long as it is the same."""
        self._secret = secret
        self._trusted = tuple(trusted_proxies)
        self._clients: dict[bytes, str] = {}
        self._peers: dict[str, Address | None] = {}

    def client_of(self, headers: Headers) -> str | None:
        """Return the client's id: a keyed fingerprint (HMAC-SHA-256, RFC 2104) of its API key; None without one."""
        key = next((token for name, value in headers if (token := _bearer_token(name, value))), None)
        if key is None:
            return None
        known = self._clients.get(key)
        if known is None:
            if len(self._clients) >= _MOST_REMEMBERED:
                self._clients.clear()
            known = f"client-{hmac.digest(self._secret, key, 'sha256').hex()[:_DIGITS]}"
            self._clients[key] = known
        return known

    def address_of(self, peer: str, headers: Headers) -> str | None:
        """Return the address that a request came from.

        That is the one that is connected; behind a proxy that is trusted, the last one of X-Forwarded-For that is not
        a trusted proxy itself. What stands before it anybody may have written.
        """
        address = self._address_of_peer(peer)
        if address is None:
            return None
        if self._trusted and self._is_trusted(address):
            for text in reversed(_forwarded_for(headers)):
                forwarded = _address(text)
                if forwarded is None:
                    break
                address = forwarded
                if not self._is_trusted(address):
                    break
        return str(address)

    def _address_of_peer(self, peer: str) -> Address | None:
        if peer not in self._peers:
            if len(self._peers) >= _MOST_REMEMBERED:
                self._peers.clear()
            self._peers[peer] = _address(peer)
        return self._peers[peer]

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def _bearer_token(name: bytes, value: bytes) -> bytes | None:
    if name.lower() != b"authorization":
        return None
    scheme, _, token = value.partition(b" ")
    return token.strip() or None if scheme.lower() == b"bearer" else None


def _forwarded_for(headers: Headers) -> list[str]:
    values = [value.decode("latin-1") for name, value in headers if name.lower() == b"x-forwarded-for"]
    return [part.strip() for part in ",".join(values).split(",") if part.strip()]


def _address(text: str) -> Address | None:
    """Return the address in a text such as `192.0.2.7:4711`, `2001:db8::1%eth0` or `[2001:db8::1]:4711`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address

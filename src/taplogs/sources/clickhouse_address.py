"""Where a table of entries is in ClickHouse, and whether a password may be sent there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

from taplogs.errors import ConfigurationError, UsageError
from taplogs.sources.address import is_host, is_loopback

PASSWORD_VARIABLE = "TAPLOGS_CLICKHOUSE_PASSWORD"  # noqa: S105 - its name, not its value

_ACCEPTED = "such as clickhouse://user@host:8443/database?table=taplogs, or clickhouse+chdb:///folder in this process"
_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_SWITCH = {"1": True, "true": True, "0": False, "false": False}


class ClickHouseAddress(Struct, frozen=True):
    """A table on a server or a cluster, or, where `folder` is set, in a ClickHouse that runs within this process.

    `table` may be a Distributed table. Names of databases and tables are plain identifiers, so SQL may hold them.
    """

    host: str
    port: int = 8443
    user: str = "default"
    database: str = "default"
    table: str = "taplogs"
    secure: bool = True
    folder: Path | None = None

    @classmethod
    def parse(cls, text: str) -> ClickHouseAddress:
        """Return the address that `clickhouse://user@host:port/database?secure=1&table=name` names.

        `clickhouse+chdb:///folder?database=name&table=name` is ClickHouse in this process, its files in that folder.
        Raises UsageError, which never repeats a password, and ConfigurationError where one would travel in the clear.
        """
        parts = _split(text)
        if parts.scheme == "clickhouse+chdb":
            return _in_process(parts, text)
        options = _options(parts, {"secure", "table"}, text)
        host = (parts.hostname or "").lower()
        if not host or not is_host(host):
            raise _refused(text, "names no host")
        secure = _SWITCH.get(options.get("secure", "0" if is_loopback(host) else "1").lower())
        if secure is None:
            raise _refused(text, "says neither secure=1 nor secure=0")
        if not secure and not is_loopback(host):
            raise ConfigurationError(
                f"{shown(text)!r} would send the password and the entries unencrypted: secure=0 is for loopback only",
                "leave secure=0 out; the port of https is mostly 8443",
            )
        database = unquote(parts.path.strip("/")) or "default"
        return cls(
            host,
            parts.port or (8443 if secure else 8123),
            unquote(parts.username or "default"),
            _identifier(database, text),
            _identifier(options.get("table", "taplogs"), text),
            secure,
        )

    @property
    def origin(self) -> str:
        """Server and user without the table: what a stored password belongs to."""
        if self.folder is not None:
            return f"clickhouse+chdb://{self.folder}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"clickhouse://{self.user}@{host}:{self.port}"

    @property
    def qualified(self) -> str:
        """The name of the table in SQL."""
        return f"`{self.database}`.`{self.table}`"

    @property
    def states(self) -> str:
        """The name of the table of states beside it, in SQL."""
        return f"`{self.database}`.`{self.table}_states`"

    def __str__(self) -> str:
        """How people read it: the server, the database and the table."""
        return f"{self.origin}/{self.database}.{self.table}"


def shown(text: str) -> str:
    """Return an address as typed, without user and password."""
    scheme, separator, rest = text.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _split(text: str) -> SplitResult:
    if " " in text or not text.isprintable():
        raise _refused(text, "holds white space or what cannot be printed")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _refused(text, "is not a URL") from None
    if parts.scheme not in ("clickhouse", "clickhouse+chdb") or "#" in text:
        raise _refused(text, "is not the address of a ClickHouse table")
    if parts.password is not None or parts.netloc.count("@") > 1:
        raise UsageError(
            f"{shown(text)!r} was given with a password, which others can read in the list of processes",
            f"set {PASSWORD_VARIABLE} instead, or keep it in the system keyring",
        )
    return parts


def _in_process(parts: SplitResult, text: str) -> ClickHouseAddress:
    options = _options(parts, {"database", "table"}, text)
    if parts.netloc or not parts.path.strip("/"):
        raise _refused(text, "names no folder: it is clickhouse+chdb:// and an absolute path")
    return ClickHouseAddress(
        "",
        0,
        database=_identifier(options.get("database", "taplogs"), text),
        table=_identifier(options.get("table", "taplogs"), text),
        secure=False,
        folder=Path(unquote(parts.path)),
    )


def _options(parts: SplitResult, known: set[str], text: str) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    unknown = [name for name, _ in pairs if name not in known]
    if "password" in unknown:
        raise UsageError(
            "the address of ClickHouse was given with a password, which others can read in the list of processes",
            f"set {PASSWORD_VARIABLE} instead, or keep it in the system keyring",
        )
    if unknown or len(dict(pairs)) < len(pairs):
        raise _refused(text, f"holds other options than {' and '.join(sorted(known))}, each once")
    return dict(pairs)


def _identifier(name: str, text: str) -> str:
    if not re.fullmatch(_IDENTIFIER, name):
        raise _refused(text, f"names a database or a table {name!r}, which is more than letters, digits and _")
    return name


def _refused(text: str, reason: str) -> UsageError:
    return UsageError(f"{shown(text).partition('?')[0]!r} {reason}", _ACCEPTED)

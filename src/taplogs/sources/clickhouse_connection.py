"""Connections to ClickHouse: one for each thread that asks, every fault of theirs translated."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from taplogs.errors import AuthenticationError, BackendError, ConfigurationError, TaplogsError
from taplogs.sources.clickhouse_address import PASSWORD_VARIABLE, ClickHouseAddress

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Columns = Sequence[Sequence[Any]]
"""A block of rows, column by column."""

_UNKNOWN_TABLE, _UNKNOWN_DATABASE = 60, 81
_REFUSED = {192, 193, 194, 497, 516}
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED."""

_TIMEOUTS = {159, 160, 209}
"""TIMEOUT_EXCEEDED, TOO_SLOW, SOCKET_TIMEOUT."""

_CONNECT_SECONDS = 10
_FORMATS = {"DateTime64": "int"}
"""Instants as milliseconds: no datetime holds what a column of them may."""

_LONGEST_REASON = 300


class ClickHouseConnection:
    """What is asked of one server; threads may share it. Nothing is sent before the first question."""

    def __init__(
        self, address: ClickHouseAddress, password: str | None, *, ca_file: str | None = None, timeout: float = 60.0
    ) -> None:
        """`ca_file`: an authority to trust besides the usual ones; `timeout`: seconds without an answer."""
        self.address = address
        self._password = password or ""
        self._ca_file = ca_file
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._closed = False

    def columns(self, statement: str, parameters: Mapping[str, Any] | None = None, **settings: Any) -> Columns:
        """Return what a question is answered with, whole; no columns at all where there are no rows."""
        with self._client() as client:
            result = client.query(
                statement, dict(parameters or {}), settings=settings, column_oriented=True, query_formats=_FORMATS
            )
            columns: Columns = result.result_columns
            return columns

    def rows(self, statement: str, parameters: Mapping[str, Any] | None = None, **settings: Any) -> list[Sequence[Any]]:
        """Return the rows that a question is answered with."""
        return list(zip(*self.columns(statement, parameters, **settings), strict=True))

    def blocks(
        self,
        statement: str,
        parameters: Mapping[str, Any],
        *,
        formats: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Iterator[Columns]:
        """Yield the blocks of an answer, each as it comes: memory is bounded by a block."""
        with (
            self._client() as client,
            client.query_column_block_stream(
                statement,
                dict(parameters),
                settings=settings,
                query_formats=_FORMATS,
                column_formats=dict(formats or {}),
            ) as stream,
        ):
            yield from stream

    def insert(self, table: str, columns: Mapping[str, tuple[str, Sequence[Any]]], **settings: Any) -> None:
        """Insert rows, all in one block: for each column its type and its values."""
        with self._client() as client:
            client.insert(
                table,
                [values for _, values in columns.values()],
                list(columns),
                column_type_names=[kind for kind, _ in columns.values()],
                column_oriented=True,
                settings=settings,
            )

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, **settings: Any) -> None:
        """Have a statement carried out."""
        with self._client() as client:
            client.command(statement, dict(parameters or {}), settings=settings)

    def close(self) -> None:
        """Close what is idle now, and what is still in use when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """Lend a connection that nobody else has. Faults of the driver come out as TaplogsError."""
        try:
            client = self._take()
            try:
                yield client
            finally:
                self._give_back(client)
        except TaplogsError:
            raise
        except Exception as error:  # noqa: BLE001 - of an answer that is none, the driver's reader raises anything
            raise self._fault(error) from None

    def _take(self) -> Client:
        with self._lock:
            if self._closed:
                raise TaplogsError(f"the connection to {self.address} is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, client: Client) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()

    def _connect(self) -> Client:
        import logging

        try:
            from clickhouse_connect import get_client
        except ImportError:
            raise _missing("clickhouse-connect", "pip install 'taplogs[clickhouse]'") from None

        # What it would tell on standard error is told by the fault that it raises.
        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
        if self.address.folder is not None:
            try:
                import chdb  # noqa: F401 - the driver's own word for its absence names no remedy of ours
            except ImportError:
                raise _missing("chdb", "pip install chdb") from None
            return get_client(interface="chdb", path=str(self.address.folder))
        return get_client(
            interface="https" if self.address.secure else "http",
            host=self.address.host,
            port=self.address.port,
            username=self.address.user,
            password=self._password,
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=max(1, round(self._timeout)),  # the driver takes whole seconds
            pool_mgr=self._pool(),
            autogenerate_session_id=False,
            form_encode_query_params=True,
            client_name="taplogs",
        )

    def _pool(self) -> Any:
        """Return the pool of sockets: redirects are never followed, and plain http goes without a proxy."""
        from clickhouse_connect.driver.httputil import get_pool_manager

        options: dict[str, Any] = {}
        if self.address.secure:
            from urllib.request import getproxies, proxy_bypass

            from taplogs.sources.transport import tls_context

            options["ssl_context"] = tls_context(self._ca_file)
            proxies = getproxies()
            proxy = proxies.get("https") or proxies.get("all")
            if proxy and not proxy_bypass(self.address.host):
                options["https_proxy"] = proxy
        pool: Any = get_pool_manager(**options)
        pool.urlopen = partial(pool.urlopen, redirect=False)
        return pool

    def _fault(self, error: Exception) -> TaplogsError:
        code = getattr(error, "code", None)
        where = self.address.origin
        reason = self._reason(error)
        if code in _REFUSED:
            return AuthenticationError(
                f"{where} refuses the user {self.address.user!r} or the password",
                f"the password comes from {PASSWORD_VARIABLE} or the system keyring",
            )
        if code == _UNKNOWN_DATABASE:
            return ConfigurationError(
                f"{where} has no database {self.address.database!r}", "name another one, or have it created there"
            )
        if code == _UNKNOWN_TABLE:
            return ConfigurationError(f"{where} has lost a table of {self.address.table!r}: {reason}")
        if unreachable := re.search(r"\[Errno -?[0-9]+\] ([^)\"']+)", reason):  # within what an HTTP library says of it
            return BackendError(f"no answer from {where}: {unreachable[1]}", "is it the right host and port?")
        if code in _TIMEOUTS or "timed out" in reason.lower():
            return BackendError(f"{where} did not answer in time: {reason}", "ask for less: --since, --limit")
        return BackendError(f"{where} failed: {reason}", None if code else "is it the right host and port?")

    def _reason(self, error: Exception) -> str:
        first = (str(error) or type(error).__name__).strip().splitlines()[0]
        if self._password:
            first = first.replace(self._password, "…")
        return first[:_LONGEST_REASON]


def _missing(package: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{package} is not installed, which reads entries in ClickHouse", remedy)

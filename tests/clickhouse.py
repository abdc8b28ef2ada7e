"""ClickHouse for tests: the real engine within this process, a table of its own for each store.

A process has one engine, and an engine has one folder, so all tests of a process share both.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from taplogs.sources.clickhouse import ClickHouseStore
from taplogs.sources.clickhouse_address import ClickHouseAddress
from taplogs.sources.clickhouse_connection import ClickHouseConnection

_numbers = count(1)
_engines: list[Any] = []
"""What keeps the engine running, with its configuration, while connections come and go."""


CLUSTER = "one"
"""A cluster of one shard, which is the engine itself: Distributed tables over it are real."""

_CONFIGURATION = f"""
<clickhouse>
  <tcp_port>9000</tcp_port>
  <remote_servers>
    <{CLUSTER}><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></{CLUSTER}>
  </remote_servers>
</clickhouse>
"""


@cache
def engine_folder() -> Path:
    """Return the folder of this process's engine, which is started; it goes when the process ends."""
    import chdb

    folder = Path(tempfile.mkdtemp(prefix="taplogs-clickhouse-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    configuration = folder / "config.xml"
    configuration.write_text(_CONFIGURATION, "ascii")
    _engines.append(chdb.connect(f"{folder}?config-file={configuration}"))  # type: ignore[no-untyped-call]  # chdb has no types
    return folder


def new_address() -> ClickHouseAddress:
    """Return the address of a table that is not there yet."""
    return ClickHouseAddress("", 0, database="tests", table=f"t{next(_numbers)}", secure=False, folder=engine_folder())


def url_of(address: ClickHouseAddress) -> str:
    """Return what `--source` takes for a table in this process."""
    return f"clickhouse+chdb://{address.folder}?database={address.database}&table={address.table}"


@contextmanager
def clickhouse_store(address: ClickHouseAddress | None = None, **options: Any) -> Iterator[ClickHouseStore]:
    """Give a store of its own, empty where no address is given; its tables are removed at the end."""
    store = ClickHouseStore(address or new_address(), None, **options)
    try:
        store.prepare()
        yield store
    finally:
        store.close()
        drop(store.address)


def make_database(address: ClickHouseAddress) -> None:
    """Make the database that an address names: on a server nobody but its operator does that."""
    with engine(address) as connection:
        connection.execute(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")


def drop(address: ClickHouseAddress) -> None:
    """Remove the tables at an address."""
    with engine(address) as connection:
        for table in (address.qualified, address.states):
            connection.execute(f"DROP TABLE IF EXISTS {table} SYNC")


@contextmanager
def engine(address: ClickHouseAddress) -> Iterator[ClickHouseConnection]:
    """Give a connection to what an address names, for statements of the tests' own."""
    connection = ClickHouseConnection(address, None)
    try:
        yield connection
    finally:
        connection.close()

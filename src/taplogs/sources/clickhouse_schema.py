"""The table of entries in ClickHouse, and the one of states beside it: how they are made, and how they are known.

`docs/clickhouse-cluster.sql` makes the same tables replicated and sharded. A table is known by its comment, which
says its schema and by which rules its column `endpoint` was filled.
"""

from __future__ import annotations

import re
from enum import Enum
from hashlib import blake2b

from msgspec import Struct

from taplogs.core.endpoint import ID_SEGMENT
from taplogs.errors import ConfigurationError
from taplogs.sources.clickhouse_address import ClickHouseAddress
from taplogs.sources.clickhouse_connection import ClickHouseConnection

SCHEMA_VERSION = 1

ENDPOINT_RULES = blake2b(ID_SEGMENT.encode(), digest_size=4).hexdigest()
"""What the rules are known by that make an endpoint of a path, where there are no templates of one's own."""

COMMENT = f"taplogs schema {SCHEMA_VERSION}, endpoints {ENDPOINT_RULES}"
_COMMENT = r"taplogs schema ([0-9]{1,9}), endpoints ([0-9a-f]+)"

# Instants are milliseconds in 64 bits, so every year from 1 to 9999 is exact. `company` is the company's id in a form
# that a sorting key takes, which NULL is not. An empty payload is none: no JSON text is empty.
COLUMNS = """
    id String CODEC(ZSTD(1)),
    timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    method LowCardinality(String),
    request_url String CODEC(ZSTD(1)),
    endpoint LowCardinality(String),
    status_code UInt16 CODEC(ZSTD(1)),
    latency_ms Nullable(UInt64) CODEC(ZSTD(1)),
    ip_address LowCardinality(Nullable(String)),
    user_agent LowCardinality(Nullable(String)),
    client_id LowCardinality(Nullable(String)),
    company_id LowCardinality(Nullable(String)),
    company LowCardinality(String) MATERIALIZED ifNull(company_id, ''),
    created_at Nullable(DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
    updated_at Nullable(DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
    request_payload String CODEC(ZSTD(3)),
    response_payload String CODEC(ZSTD(3))"""

BY_ID = "PROJECTION by_id (SELECT id, timestamp ORDER BY id)"
ORDER = "PARTITION BY toYYYYMM(timestamp) ORDER BY (company, timestamp, id)"

STATE_COLUMNS = "origin String, state String, version UInt64"

_ENTRIES = (
    "CREATE TABLE IF NOT EXISTS {table} ({columns},\n    {by_id}\n) ENGINE = MergeTree {order} "
    "SETTINGS non_replicated_deduplication_window = 1000 COMMENT '{comment}'"
)
_STATES = "CREATE TABLE IF NOT EXISTS {table} ({columns}) ENGINE = ReplacingMergeTree(version) ORDER BY origin"
_DESCRIBE = "SELECT engine, comment FROM system.tables WHERE database = {database:String} AND name = {table:String}"


class Engine(Enum):
    """What kind of table it is: one that holds entries, or one that hands over to those that do."""

    LOCAL = "MergeTree"
    DISTRIBUTED = "Distributed"


class Table(Struct, frozen=True):
    """What is known of a table that is there. `has_endpoints`: its endpoints are those that this taplogs would make."""

    engine: Engine
    has_endpoints: bool


def find_table(connection: ClickHouseConnection) -> Table | None:
    """Return what is known of the table, None where there is none.

    Raises ConfigurationError for a table of something else, and for one that a newer taplogs has made.
    """
    address = connection.address
    rows = connection.rows(_DESCRIBE, {"database": address.database, "table": address.table})
    if not rows:
        return None
    engine, comment = rows[0]
    match = re.fullmatch(_COMMENT, comment)
    if not match:
        raise ConfigurationError(
            f"{address} is a table of something else: its comment is not {COMMENT!r}", "name another table: ?table="
        )
    if int(match[1]) > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{address} was made by a newer taplogs: schema {match[1]}, not {SCHEMA_VERSION}",
            "upgrade taplogs, or name another table: ?table=",
        )
    kind = Engine.DISTRIBUTED if engine == Engine.DISTRIBUTED.value else Engine.LOCAL
    return Table(kind, match[2] == ENDPOINT_RULES)


def make_tables(connection: ClickHouseConnection) -> None:
    """Make the tables where they are not there; the database too, where ClickHouse runs in this process."""
    address: ClickHouseAddress = connection.address
    if address.folder is not None:
        connection.execute(f"CREATE DATABASE IF NOT EXISTS `{address.database}`")
    connection.execute(
        _ENTRIES.format(table=address.qualified, columns=COLUMNS, by_id=BY_ID, order=ORDER, comment=COMMENT)
    )
    connection.execute(_STATES.format(table=address.states, columns=STATE_COLUMNS))

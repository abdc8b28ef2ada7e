-- The tables of taplogs on a cluster: replicated, sharded, and asked as one table.
--
-- Replace `logs` (the database) and `'{cluster}'` (the cluster's name in system.clusters; a macro of that name is used
-- as it stands) by yours, run this once on any node, and name the Distributed table:
--
--     taplogs sync --to 'clickhouse://user@host:8443/logs'
--
-- The comments are how taplogs knows its tables. Names of tables are taplogs, taplogs_states; ?table=NAME takes NAME,
-- NAME_states.

CREATE DATABASE IF NOT EXISTS logs ON CLUSTER '{cluster}';

CREATE TABLE IF NOT EXISTS logs.taplogs_local ON CLUSTER '{cluster}' (
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
    response_payload String CODEC(ZSTD(3)),
    PROJECTION by_id (SELECT id, timestamp ORDER BY id)
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/logs/taplogs_local', '{replica}')
PARTITION BY toYYYYMM(timestamp) ORDER BY (company, timestamp, id)
COMMENT 'taplogs schema 1, endpoints 83d3412e';

-- All entries of an id lie on one shard, so ids are unique whichever node is asked.
CREATE TABLE IF NOT EXISTS logs.taplogs ON CLUSTER '{cluster}' AS logs.taplogs_local
ENGINE = Distributed('{cluster}', 'logs', 'taplogs_local', cityHash64(id))
COMMENT 'taplogs schema 1, endpoints 83d3412e';

-- How far each source was pulled: a few rows, which every node has.
CREATE TABLE IF NOT EXISTS logs.taplogs_states ON CLUSTER '{cluster}' (origin String, state String, version UInt64)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/logs/taplogs_states', '{shard}-{replica}', version)
ORDER BY origin;

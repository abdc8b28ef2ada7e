"""What `stats --by endpoint` prints, by DuckDB: PARQUET; or with a second path, that CSV is made the Parquet first."""

import json
import sys

import duckdb  # type: ignore[import-not-found]  # in an environment of its own

_QUERY = """
SELECT
    endpoint,
    count(*),
    count(*) FILTER (status >= 400) / count(*),
    quantile_disc(latency, [0.5, 0.9, 0.95, 0.99]),
    max(latency)
FROM read_parquet($1)
GROUP BY endpoint
ORDER BY count(*) DESC
"""


def main() -> None:
    """Count all entries, or convert them."""
    parquet, *lines = sys.argv[1:]
    if lines:
        duckdb.execute(f"COPY (SELECT * FROM read_csv('{lines[0]}')) TO '{parquet}' (FORMAT parquet)")  # noqa: S608 - paths of ours
        return
    print(json.dumps(duckdb.execute(_QUERY, [parquet]).fetchall()))


if __name__ == "__main__":
    main()

"""`stats` on real requests, against numbers that other programs found in the same file.

Each number stands beside the command that gave it, with `F=tests/data/requests-2015.jsonl.gz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import Command
from serving import Backend, running_backend
from taplogs.backend.load import load_file

FILE = Path(__file__).parents[1] / "data" / "requests-2015.jsonl.gz"

# zcat $F | jq -r .statusCode | sort | uniq -c
STATUSES = {200: 4450, 304: 305, 301: 113, 404: 108, 206: 21, 500: 2, 403: 1}
# zcat $F | jq -r .method | sort | uniq -c
METHODS = {"GET": 4980, "HEAD": 20}
# zcat $F | jq -r '.timestamp[:10]' | sort | uniq -c
DAYS = {"2015-05-17": 1632, "2015-05-18": 2893, "2015-05-19": 475}
# zcat $F | jq -r '"\(.timestamp[:10]) \(.statusCode/100|floor)xx"' | sort | uniq -c
CLASSES_OF_DAYS = {
    ("2015-05-17", "2xx"): 1513,
    ("2015-05-17", "3xx"): 89,
    ("2015-05-17", "4xx"): 30,
    ("2015-05-18", "2xx"): 2538,
    ("2015-05-18", "3xx"): 289,
    ("2015-05-18", "4xx"): 64,
    ("2015-05-18", "5xx"): 2,
    ("2015-05-19", "2xx"): 420,
    ("2015-05-19", "3xx"): 40,
    ("2015-05-19", "4xx"): 15,
}
# zcat $F | jq -r '.timestamp[:13]' | sort | uniq -c | sort -nr | head -4
BUSIEST_HOURS = {
    "2015-05-18T15:00:00.000Z": 133,
    "2015-05-18T10:00:00.000Z": 132,
    "2015-05-18T17:00:00.000Z": 132,
    "2015-05-18T21:00:00.000Z": 130,
}
# zcat $F | jq -r .ipAddress | sort | uniq -c | sort -nr | head -4; … | sort -u | wc -l
BUSIEST_ADDRESSES = {"66.249.73.135": 279, "75.97.9.59": 273, "46.105.14.53": 208, "50.16.19.13": 65}
ADDRESSES = 965
# zcat $F | jq -r '.requestUrl|sub("[?#].*";"")|sub("^https?://[^/]+";"")' | sort | uniq -c | sort -nr | head -6
BUSIEST_PATHS = {
    "/favicon.ico": 365,
    "/": 326,
    "/blog/tags/puppet": 278,
    "/style2.css": 253,
    "/reset.css": 250,
    "/images/jordan-80.png": 241,
}
# zcat $F | jq -r .userAgent | sort | uniq -c | sort -nr | head -3
BUSIEST_AGENTS = [552, 208, 166]


@pytest.fixture(scope="module")
def real_requests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend over 5,000 real requests of three days."""
    with running_backend(tmp_path_factory.mktemp("real") / "logs.db") as backend:
        load_file(backend.store, FILE)
        yield backend


@pytest.fixture
def stats(taplogs: Command, real_requests: Backend) -> Any:
    """Run `taplogs stats` with these arguments and return what it prints as JSON Lines."""
    reader = taplogs.at(real_requests)
    return lambda *arguments: reader.here("stats", "--tz", "UTC", *arguments).rows


def counted(rows: list[dict[str, Any]], *members: str) -> dict[Any, int]:
    keys = [tuple(row[member] for member in members) for row in rows]
    return {key if len(members) > 1 else key[0]: row["requests"] for key, row in zip(keys, rows, strict=True)}


def test_the_headline(stats: Any) -> None:
    (total,) = stats()
    assert total["requests"] == 5000
    assert [total[name] for name in ("successes", "redirects", "clientErrors", "serverErrors")] == [4471, 418, 109, 2]
    assert total["errorRatio"] == 111 / 5000
    # zcat $F | jq .latencyMs | sort | uniq -c
    assert (total["latencyKnownRequests"], total["latencyUnknownRequests"]) == (0, 5000)
    assert total["latencyP95Ms"] is None
    # zcat $F | jq -r .timestamp | sort | sed -n '1p;$p'
    assert (total["since"], total["until"]) == ("2015-05-17T10:05:00.000Z", "2015-05-19T03:05:59.001Z")


@pytest.mark.parametrize(
    ("by", "member", "expected"),
    [("status", "statusCode", STATUSES), ("method", "method", METHODS), ("day", "day", DAYS)],
)
def test_every_group(stats: Any, by: str, member: str, expected: dict[Any, int]) -> None:
    assert counted(stats("--by", by), member) == expected


def test_two_dimensions(stats: Any) -> None:
    assert counted(stats("--by", "day,class"), "day", "statusClass") == CLASSES_OF_DAYS


@pytest.mark.parametrize(
    ("by", "member", "expected"),
    [
        ("hour", "hour", BUSIEST_HOURS),
        ("ip", "ipAddress", BUSIEST_ADDRESSES),
        ("endpoint", "endpoint", BUSIEST_PATHS),
    ],
)
def test_the_busiest_groups(stats: Any, by: str, member: str, expected: dict[Any, int]) -> None:
    assert counted(stats("--by", by, "--sort", "count", "--top", str(len(expected))), member) == expected


def test_the_busiest_user_agents(stats: Any) -> None:
    rows = stats("--by", "user-agent", "--top", "3")
    assert [row["requests"] for row in rows] == BUSIEST_AGENTS


def test_no_group_is_left_out(stats: Any) -> None:
    rows = stats("--by", "ip")
    assert (len(rows), sum(row["requests"] for row in rows)) == (ADDRESSES, 5000)


def test_a_window(stats: Any) -> None:
    # zcat $F | jq -r 'select(.timestamp<"2015-05-18T00")|.statusCode' | sort | uniq -c
    rows = stats("--until", "2015-05-18", "--by", "status")
    assert counted(rows, "statusCode") == {200: 1496, 206: 17, 301: 61, 304: 28, 404: 30}

"""Archiving: filling a store, and what short commands over it cost beside an empty one, and beside DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from environments import Environments
from figure import Figure, Target
from measure import Command, in_turns, output_of, result_of

_ROUNDS = 9
_STORED = 1_000_000
_LARGE = 10_000_000
_NOT_FOUND = 5
_FIGURES = ("P50", "P90", "P95", "P99", "Max")


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield what a million entries cost."""
    yield from _figures(environments, scratch, rounds or _ROUNDS, _STORED, against_duckdb=2)


def both_sizes(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield what a million entries cost and then ten million, which takes some ten minutes and three gigabytes."""
    yield from figures(environments, scratch, rounds)
    yield from _figures(environments, scratch, rounds or _ROUNDS, _LARGE, against_duckdb=1)


def _figures(
    environments: Environments, scratch: Path, rounds: int, number: int, against_duckdb: float
) -> Iterator[Figure]:
    full, lines, parquet = (scratch / f"archive-{number}.{kind}" for kind in ("sqlite", "csv", "parquet"))
    stored = result_of(environments.script("ingest.py", str(full), str(number), str(lines)))
    output_of(environments.duckdb("count_with_duckdb.py", str(parquet), str(lines)))
    lines.unlink()
    empty = scratch / "empty.sqlite"
    output_of(environments.script("fill_store.py", str(empty), "0"))

    what = f"{number // 1_000_000} million entries"
    rate = number / stored["seconds"]
    quickly = (
        Target(60, at_least=True) if number == _STORED else None
    )  # in one transaction, ever more ids are in the way
    yield Figure(f"{what} stored", rate / 1000, "k/s", f"{stored['seconds']:.1f} s", quickly)
    yield Figure("memory of that", stored["peak_bytes"] / 1e6, "MB", "the most resident", Target(150))
    measured = f"{stored['bytes'] / 1e6:,.0f} MB"
    yield Figure("one of them on disk", stored["bytes"] / number, "bytes", measured, Target(250))

    def over(store: Path, *words: str) -> Command:
        return environments.command(*words, "--source", f"sqlite:{store}", "-o", "json")

    listing = ("list", "--status", "4xx", "-n", "50")
    by_endpoint = ("stats", "--by", "endpoint")
    commands = {
        "list": over(full, *listing),
        "list of none": over(empty, *listing),
        "show": over(full, "show", stored["id"]),
        "none shown": replace(over(empty, "show", stored["id"]), code=_NOT_FOUND),
        "stats": over(full, *by_endpoint),
        "duckdb": environments.duckdb("count_with_duckdb.py", str(parquet)),
    }
    _agree(json.loads(output_of(commands["stats"])), result_of(commands["duckdb"]))
    times = {
        name: runs.seconds * 1000 for name, runs in zip(commands, in_turns(commands.values(), rounds), strict=True)
    }
    yield _ratio(f"list -s 4xx of {what}", times["list"], times["list of none"], "an empty store", 1.3)
    yield _ratio(f"show one of {what}", times["show"], times["none shown"], "an empty store", 1.3)
    yield _ratio(f"stats --by endpoint of {what}", times["stats"], times["duckdb"], "DuckDB", against_duckdb)


def _ratio(what: str, ours: float, other: float, whose: str, bound: float) -> Figure:
    return Figure(what, ours / other, "×", f"{ours:.0f} ms against {other:.0f} ms of {whose}", Target(bound))


def _agree(ours: dict[str, object], rows: list[list[object]]) -> None:
    """Both have counted the same, or a comparison of their times means nothing."""
    groups = ours["groups"]
    assert isinstance(groups, list)
    counted = {
        group["endpoint"]: [group["requests"], *(group[f"latency{figure}Ms"] for figure in _FIGURES)]
        for group in groups
    }
    expected = {}
    for endpoint, number, _, percentiles, longest in rows:
        assert isinstance(percentiles, list)
        expected[endpoint] = [number, *percentiles, longest]
    assert counted == expected, "DuckDB counts otherwise"

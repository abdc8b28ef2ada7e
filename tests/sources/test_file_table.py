"""CSV read back: with the guard and without it, and how the two are told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faulty_server import Told
from files import csv_table, opened, raw_csv
from serving import log_entry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import TaplogsError
from taplogs.sources.file_table import _rows  # the parser itself: csv-spectrum has no columns of entries

SPECTRUM = Path(__file__).parent.parent / "data" / "csv-spectrum"
CONSISTENT = sorted(path.stem for path in (SPECTRUM / "csvs").iterdir() if path.stem != "location_coordinates")
"""The files whose JSON says the same; that one's has another telephone number."""


def agents(path: Path, told: Told | None = None) -> list[str | None]:
    with opened(path, told=told) as source:
        return [entry.user_agent for entry in source.search(LogQuery(order=Order.OLDEST_FIRST))]


def table_of(path: Path, *texts: str, guarded: bool) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(csv_table([log_entry(n, user_agent=text) for n, text in enumerate(texts)], guarded=guarded))


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize(
    "texts",
    [
        ["=1+1", "'=1+1", "''", "'", "plain"],
        ["plain", "'quoted'", "-"],
        ["'quoted'", *(str(number) for number in range(3000)), "'=1+1", "@x"],
        ["\t", "\r\n", "\x00", "\uff1d1", " =1"],
    ],
)
def test_text_comes_back_as_it_was_with_the_guard_and_without(tmp_path: Path, texts: list[str], guarded: bool) -> None:
    table_of(tmp_path / "logs.csv", *texts, guarded=guarded)
    assert agents(tmp_path / "logs.csv") == texts


def test_what_could_be_either_has_the_guard(tmp_path: Path) -> None:
    table_of(tmp_path / "logs.csv", "'=1+1", guarded=False)
    assert agents(tmp_path / "logs.csv") == ["=1+1"]


@pytest.mark.parametrize("guarded", [True, False])
def test_the_manifest_of_an_export_tells_whether_its_table_has_the_guard(tmp_path: Path, guarded: bool) -> None:
    table_of(tmp_path / "records.csv", "'=1+1", guarded=guarded)
    manifest = {"schema": "taplogs.export/1", "csv": {"formulaGuard": guarded, "columns": []}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert agents(tmp_path / "records.csv") == ["'=1+1"]


@pytest.mark.parametrize("manifest", ["", "{}", '{"csv":null}', '{"csv":{"formulaGuard":7}}', "[" * 100_000, "\udcff"])
def test_a_manifest_that_tells_nothing_is_not_gone_by(tmp_path: Path, manifest: str) -> None:
    table_of(tmp_path / "records.csv", "'=1+1", "=", guarded=False)
    (tmp_path / "manifest.json").write_text(manifest, "utf-8", "surrogateescape")
    assert agents(tmp_path / "records.csv") == ["'=1+1", "="]


def test_columns_may_be_fewer_in_another_order_and_have_other_names(tmp_path: Path) -> None:
    path = tmp_path / "logs.csv"
    path.write_text('what,status,url,httpMethod,time,_id,latency\r\n1,404,"/a,b",GET,1762000000,7,1.6\r\n')
    with opened(path) as source:
        [entry] = source.search(LogQuery())
    assert (entry.id, entry.timestamp, entry.request_url) == ("7", "2025-11-01T12:26:40.000Z", "/a,b")
    assert (entry.status_code, entry.latency_ms, entry.ip_address) == (404, 2, None)


def test_a_table_without_a_needed_column_holds_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "logs.csv"
    path.write_text("id,timestamp,method,requestUrl\r\n1,2026-11-01T00:00:00Z,GET,/\r\n")
    with opened(path) as source, pytest.raises(TaplogsError, match=r"logs\.csv holds no entries"):
        source.count(LogQuery())


def test_a_table_with_its_heading_alone_is_empty(tmp_path: Path) -> None:
    (tmp_path / "logs.csv").write_bytes(raw_csv([]))
    told = Told()
    assert agents(tmp_path / "logs.csv", told) == []
    assert told.notices == [f"{tmp_path / 'logs.csv'} holds no entries"]


def test_a_cell_may_be_larger_than_the_limit_of_the_library(tmp_path: Path) -> None:
    table_of(tmp_path / "logs.csv", "x" * 1_000_000, guarded=True)
    assert agents(tmp_path / "logs.csv") == ["x" * 1_000_000]


@pytest.mark.parametrize("name", CONSISTENT)
def test_csv_spectrum_is_read_as_it_says(name: str) -> None:
    def fail(number: int, reason: str) -> None:
        raise AssertionError((number, reason))

    heading, *rows = (row for _, row in _rows([(SPECTRUM / "csvs" / f"{name}.csv").read_bytes()], fail))
    said = json.loads((SPECTRUM / "json" / f"{name}.json").read_bytes().decode("utf-8", "replace"))
    assert [dict(zip(heading, row, strict=True)) for row in rows] == (said if isinstance(said, list) else [said])

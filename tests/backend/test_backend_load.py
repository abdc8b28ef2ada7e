"""Loading log files into the store."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from files import csv_table, json_array
from serving import log_entry
from taplogs.backend.load import load_file
from taplogs.core.entry import encode_entry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import TaplogsError
from taplogs.sources.sqlite import SqliteStore

REAL_REQUESTS = Path(__file__).parents[1] / "data" / "requests-2015.jsonl.gz"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "logs.db")
    yield store
    store.close()


def lines(*numbers: int) -> bytes:
    return b"".join(encode_entry(log_entry(number)) + b"\n" for number in numbers)


def zstd_in_two_frames(content: bytes) -> bytes:
    half = len(content) // 2
    return zstandard.ZstdCompressor().compress(content[:half]) + zstandard.ZstdCompressor().compress(content[half:])


def gzip_in_two_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


COMPRESSIONS = [bytes, gzip.compress, zstandard.compress, gzip_in_two_members, zstd_in_two_frames]


@pytest.mark.parametrize("compress", COMPRESSIONS)
def test_a_file_is_loaded_plain_or_compressed_whatever_its_name(
    store: SqliteStore, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "logs.txt"
    path.write_bytes(compress(lines(*range(5000))))
    report = load_file(store, path)
    assert (report.added, report.duplicates, report.refused.total) == (5000, 0, 0)
    found = list(store.search(LogQuery(order=Order.OLDEST_FIRST)))
    assert found == [log_entry(number) for number in range(5000)]


def test_real_requests_are_loaded_once(store: SqliteStore) -> None:
    first, second = load_file(store, REAL_REQUESTS), load_file(store, REAL_REQUESTS)
    assert (first.added, first.duplicates, first.refused.total) == (5000, 0, 0)
    assert (second.added, second.duplicates, second.refused.total) == (0, 5000, 0)


def test_bad_lines_are_named_by_number_and_reason_and_the_good_ones_loaded(store: SqliteStore, tmp_path: Path) -> None:
    entry = '{"id":"%s","timestamp":"2026-11-01T00:00:00Z","method":"GET","requestUrl":"/","statusCode":200%s}'
    texts = [
        entry % ("good", ""),
        "",
        "not json",
        "   ",
        '{"id":"x"}',
        entry % ("surrogate", ',"userAgent":"\\ud800"'),
        entry % ("huge", ',"latencyMs":99999999999999999999'),
        entry % ("last", ',"latency":1.4'),
    ]
    path = tmp_path / "logs.jsonl"
    path.write_text("\r\n".join(texts))
    report = load_file(store, path)
    assert [fault.number for fault in report.refused.named] == [3, 5, 7, "'surrogate'"]
    reasons = [fault.reason for fault in report.refused.named]
    assert "not JSON" in reasons[0]
    assert '"timestamp"' in reasons[1]
    assert "latencyMs" in reasons[2]
    assert "surrogate" in reasons[3]
    assert report.refused.total == 4
    assert {found.id for found in store.search(LogQuery())} == {"good", "last"}
    assert report.added == 2


def test_only_the_first_refused_lines_are_kept_but_all_are_counted(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_text("bad\n" * 100)
    report = load_file(store, path)
    assert [fault.number for fault in report.refused.named] == list(range(1, 21))
    assert report.refused.total == 100


def test_line_numbers_are_right_beyond_the_first_batch(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(lines(*range(9000)) + b"\nbad\n" + lines(9000))
    report = load_file(store, path)
    assert [fault.number for fault in report.refused.named] == [9002]
    assert report.added == 9001


def test_the_last_record_of_a_saved_stream_is_no_fault(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(lines(1) + b'{"end":true,"count":1,"serverTime":"2026-11-01T00:00:00.000Z"}\n')
    report = load_file(store, path)
    assert (report.added, report.refused.total) == (1, 0)


def test_a_byte_order_mark_is_passed_over(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + lines(1))
    assert load_file(store, path).added == 1


def test_an_empty_file_holds_nothing(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    path.touch()
    assert load_file(store, path).added == 0


def test_an_endless_line_is_refused_and_passed_over(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl.zst"
    endless = b'{"id":"' + b"x" * (200 * 1024 * 1024)
    path.write_bytes(zstandard.compress(lines(1) + endless + b"\n" + lines(2)))
    report = load_file(store, path)
    assert [(fault.number, fault.reason) for fault in report.refused.named] == [(2, "longer than 64 MiB")]
    assert report.added == 2


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("cut", [5, 20, 200])
def test_a_compressed_file_that_ends_early_is_an_error_whatever_was_in_it(
    store: SqliteStore, tmp_path: Path, compress: Callable[[bytes], bytes], cut: int
) -> None:
    path = tmp_path / "logs"
    path.write_bytes(compress(lines(*range(5000)))[:-cut])
    with pytest.raises(TaplogsError, match="logs is damaged"):
        load_file(store, path)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_file_that_was_changed_is_an_error(
    store: SqliteStore, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    content = bytearray(compress(lines(*range(100))))
    content[len(content) // 2 :] = b"\xff" * 100
    path = tmp_path / "logs"
    path.write_bytes(content)
    with pytest.raises(TaplogsError, match="logs is damaged"):
        load_file(store, path)


def test_a_file_that_is_not_there_is_a_clear_error(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(TaplogsError, match=r"missing\.jsonl cannot be read: No such file"):
        load_file(store, tmp_path / "missing.jsonl")


def test_a_json_array_and_a_table_are_loaded_too(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "array").write_bytes(json_array([log_entry(1), log_entry(2)]))
    (tmp_path / "table").write_bytes(csv_table([log_entry(2), log_entry(3, user_agent="=x")]))
    first, second = load_file(store, tmp_path / "array"), load_file(store, tmp_path / "table")
    assert (first.added, second.added, second.duplicates) == (2, 1, 1)
    assert store.get(log_entry(3).id).user_agent == "=x"

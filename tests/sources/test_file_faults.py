"""What a file holds that is no entry, files that are damaged, and files that strangers made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from faulty_server import Told
from files import csv_table, indented_array, json_array, json_lines, opened, pages
from serving import log_entry
from taplogs.core.entry import encode_entry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import TaplogsError

ENTRY = b'{"id":"a","timestamp":"2026-11-01T10:00:00.000Z","method":"GET","requestUrl":"/x","statusCode":400%s}\n'
GOOD = json_lines([log_entry(1)])
OLDEST_FIRST = LogQuery(order=Order.OLDEST_FIRST)


def path_with(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


NO_ENTRIES = {
    "no JSON": (b"nope", "not JSON"),
    "no object": (b"7", "not an object"),
    "no entry": (b'{"id":"x"}', 'has no "timestamp"'),
    "a bad status": (ENTRY.strip() % b',"status":1,"statusCode":1000', "not an HTTP status"),
    "a status without end": (ENTRY.strip() % (b',"statusCode":%s' % (b"9" * 10_000)), "not an HTTP status"),
    "NaN": (ENTRY.strip() % b',"latencyMs":NaN', "NaN is not JSON"),
    "not UTF-8": (ENTRY.strip() % b',"userAgent":"\xff"', "not UTF-8"),
    "not UTF-8 in a payload": (ENTRY.strip() % b',"requestPayload":"\xff"', "not UTF-8"),
    "too deep": (ENTRY.strip() % (b',"requestPayload":' + b"[" * 200_000 + b"]" * 200_000), "nested too deeply"),
    "cut off": (GOOD[:100], "not JSON"),
    "UTF-16 in the middle": (GOOD.decode().strip().encode("utf-16-le"), "not JSON"),
}


def ids(path: Path, told: Told | None = None) -> list[str]:
    with opened(path, told=told) as source:
        return [entry.id for entry in source.search(OLDEST_FIRST)]


@pytest.mark.parametrize(("line", "reason"), NO_ENTRIES.values(), ids=NO_ENTRIES)
def test_a_line_that_is_no_entry_is_left_out_and_named(tmp_path: Path, line: bytes, reason: str) -> None:
    path, told = tmp_path / "logs.jsonl", Told()
    path.write_bytes(GOOD + b"\n" + line + b"\n" + json_lines([log_entry(2)]))
    assert ids(path, told) == [log_entry(1).id, log_entry(2).id]
    [notice] = told.left_out
    assert notice.startswith(f"1 line of {path} is not a log entry and was left out: line 3 (")
    assert reason in notice


@pytest.mark.parametrize(("line", "reason"), NO_ENTRIES.values(), ids=NO_ENTRIES)
def test_a_strict_reading_ends_with_the_first_such_line(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "logs.jsonl"
    path.write_bytes(GOOD + line + b"\nworse\n")
    for ask in (lambda source: source.count(LogQuery()), lambda source: list(source.search(LogQuery(limit=1)))):
        with opened(path, strict=True) as source, pytest.raises(TaplogsError) as error:
            ask(source)
        assert error.value.message.startswith(f"{path}:2: ")
        assert reason in error.value.message
        assert error.value.exit_code == 1


def test_the_first_lines_are_named_the_others_counted_and_all_told_once(tmp_path: Path) -> None:
    first, second, told = tmp_path / "a", tmp_path / "b", Told()
    first.write_bytes(b"bad\n" + GOOD + b"bad\n")
    second.write_bytes(json_lines([log_entry(number) for number in range(2, 5000)]) + b"bad\n" * 2000)
    with opened(first, second, told=told) as source:
        for _ in range(2):
            assert source.count(LogQuery()) == 4999
            assert len(list(source.search(LogQuery(limit=3)))) == 3
    [notice] = told.left_out
    assert notice.startswith(f"2,002 lines of 2 files are not log entries and were left out: {first}:1 (not JSON: ")
    assert f", {first}:3 (" in notice
    assert f", {second}:4999 (" in notice
    assert notice.endswith(", and 1,999 more")


def test_an_entry_of_an_array_that_is_none_is_named_by_its_place(tmp_path: Path) -> None:
    path, told = tmp_path / "logs.json", Told()
    path.write_bytes(b'[%s, 7, {"id": nope}, "a,b]", [], {"id":"x"}]' % GOOD.strip())
    assert ids(path, told) == [log_entry(1).id]
    words = f"5 elements of {path} are not log entries and were left out: element 2 (the entry is a number"
    assert told.left_out[0].startswith(words)


def test_a_row_that_is_no_entry_is_named_by_the_line_it_begins_in(tmp_path: Path) -> None:
    path, told = tmp_path / "logs.csv", Told()
    heading, row = csv_table([log_entry(1, user_agent="two\nlines")]).split(b"\r\n", 1)
    rows = [row, b"too,few\r\n", row.replace(b"GET", b"G\xff"), row.replace(b",200,", b",2 00,"), b'"open" quote\r\n']
    path.write_bytes(heading + b"\r\n" + b"".join(rows))
    assert ids(path, told) == [log_entry(1).id]
    [notice] = told.notices
    assert notice.startswith(f"4 lines of {path} are not log entries and were left out: ")
    for number, reason in ((4, "2 cells"), (5, "not UTF-8"), (7, "not an HTTP status")):
        assert f" line {number} (" in notice
        assert reason in notice


@pytest.mark.parametrize("payload", ['7,"statusCode":500', "{", "nope", "1 2", '"a\x01"', "[" * 200_000])
def test_a_cell_that_is_no_payload_is_a_fault_and_no_other_member(tmp_path: Path, payload: str) -> None:
    heading = "id,timestamp,method,requestUrl,statusCode,requestPayload"
    quoted = payload.replace('"', '""')
    row = "{},2026-11-01T00:00:00Z,GET,/,200,{}"
    path, told = tmp_path / "logs.csv", Told()
    path.write_text("\n".join([heading, row.format("a", f'"{quoted}"'), row.format("b", "")]))
    assert ids(path, told) == ["b"]
    assert 'requestPayload" is' in told.notices[0]


def test_a_file_in_which_nothing_is_an_entry_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    with opened(path) as source, pytest.raises(TaplogsError, match=r"picture\.png holds no entries: line 1: "):
        source.count(LogQuery())


def test_the_end_of_a_saved_stream_is_no_fault(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(GOOD + b'{"end":true,"count":1,"serverTime":"2026-11-01T00:00:00.000Z"}\n')
    assert ids(path, told) == [log_entry(1).id]
    assert told.notices == []


def test_several_entries_on_a_line_are_read(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(b"\n" + GOOD.strip() + json_lines([log_entry(2)]) + json_lines([log_entry(3)]))
    assert ids(path, told) == [log_entry(number).id for number in (1, 2, 3)]
    assert told.notices == []


def test_files_put_together_with_their_byte_order_marks_are_read(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(b"\xef\xbb\xbf" + GOOD + b"\xef\xbb\xbf" + json_lines([log_entry(2)]))
    assert ids(path, told) == [log_entry(1).id, log_entry(2).id]
    assert told.notices == []


def test_pages_among_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(GOOD + pages([log_entry(2), log_entry(3)]) + json_array([log_entry(4)]))
    assert ids(path) == [log_entry(number).id for number in (1, 2, 3, 4)]


def test_objects_over_several_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    indented = [json.dumps(json.loads(encode_entry(log_entry(number))), indent=4) for number in (1, 2, 3)]
    path.write_text("\n".join(indented))
    assert ids(path) == [log_entry(number).id for number in (1, 2, 3)]


def test_a_page_in_the_envelope_of_another_backend_is_read(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    text = json.loads(json_array([log_entry(1), log_entry(2)]))
    path.write_text(json.dumps({"total": 2, "next": None, "data": text, "more": {"a": [1]}}, indent=2))
    assert ids(path) == [log_entry(1).id, log_entry(2).id]


@pytest.mark.parametrize("member", [b'"_id":5', b'"logId":"x"'])
def test_variants_of_names_are_understood(tmp_path: Path, member: bytes) -> None:
    path = tmp_path / "logs"
    path.write_bytes(b'{%s,"time":1762000000,"httpMethod":"GET","url":"/","status":200,"data":[]}\n' % member)
    with opened(path) as source:
        [entry] = source.search(LogQuery())
    assert (entry.id in ("5", "x"), entry.timestamp, entry.status_code) == (True, "2025-11-01T12:26:40.000Z", 200)


def test_the_last_of_equal_names_counts(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(ENTRY % b',"statusCode":201')
    with opened(path) as source:
        assert [entry.status_code for entry in source.search(LogQuery())] == [201]


@pytest.mark.parametrize("write", [json_array, indented_array, pages], ids=["array", "indented", "pages"])
@pytest.mark.parametrize("size", [1000, 12_000])
def test_a_document_that_ends_early_is_read_as_far_as_it_goes(
    tmp_path: Path, write: Callable[..., bytes], size: int
) -> None:
    path, told = tmp_path / "logs.json", Told()
    path.write_bytes(write([log_entry(number) for number in range(100)])[:size])
    found = ids(path, told)
    assert found == [log_entry(number).id for number in range(len(found))]
    assert size // 600 <= len(found) < 100
    assert told.left_out == [f"{path} is incomplete, and what follows is missing: it ends early"]


def test_a_document_that_ends_before_its_first_entry_does_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "logs.json"
    path.write_bytes(json_array([log_entry(1)])[:100])
    with opened(path) as source, pytest.raises(TaplogsError, match=r"logs\.json is damaged: it ends early"):
        source.count(LogQuery())


@pytest.mark.parametrize("text", [b"[%s %s]", b"[%s,]%s", b"[,%s]%s", b"[%s]]%s", b"[%s:%s]"])
def test_a_document_that_is_no_json_between_its_entries_is_damaged(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "logs.json"
    path.write_bytes(text % (GOOD, GOOD))
    with opened(path) as source, pytest.raises(TaplogsError, match=r"logs\.json is damaged: it is not JSON"):
        source.count(LogQuery())


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("write", [json_lines, json_array, csv_table])
@pytest.mark.parametrize("cut", [1, 20, 2000])
def test_a_compressed_file_that_ends_early_is_read_as_far_as_it_goes(
    tmp_path: Path, compress: Callable[[bytes], bytes], write: Callable[..., bytes], cut: int
) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(compress(write([log_entry(number) for number in range(5000)]))[:-cut])
    found = ids(path, told)
    assert found == [log_entry(number).id for number in range(len(found))]
    assert 1000 < len(found) <= 5000
    assert told.left_out[-1] == f"{path} is incomplete, and what follows is missing: the compressed data ends early"


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("size", [5, 12, 30])
def test_a_compressed_file_that_ends_before_its_first_entry_does_is_damaged(
    tmp_path: Path, compress: Callable[[bytes], bytes], size: int
) -> None:
    path = tmp_path / "logs"
    path.write_bytes(compress(json_lines([log_entry(number) for number in range(5000)]))[:size])
    with opened(path) as source, pytest.raises(TaplogsError, match="logs is damaged"):
        source.count(LogQuery())


@pytest.mark.parametrize("content", [json_array([log_entry(1), log_entry(2)])[:-20], gzip.compress(GOOD * 9)[:-5]])
def test_a_strict_reading_of_what_ends_early_fails(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "logs"
    path.write_bytes(content)
    with opened(path, strict=True) as source, pytest.raises(TaplogsError, match="logs is damaged"):
        source.count(LogQuery())


@pytest.mark.parametrize("write", [json_lines, json_array, indented_array, csv_table])
def test_what_is_half_written_is_no_fault_of_a_file_that_is_followed(
    tmp_path: Path, write: Callable[..., bytes]
) -> None:
    path, told = tmp_path / "logs", Told()
    content = write([log_entry(1), log_entry(2, user_agent='two\r\nlines, and a quote: "')])
    found = []
    with opened(path_with(path, b""), strict=True, told=told, is_followed=True) as source:
        for size in range(0, len(content) + 1, 3):
            path.write_bytes(content[:size])
            found.append([entry.id for entry in source.search(OLDEST_FIRST)])
        path.write_bytes(content)
        found.append([entry.id for entry in source.search(OLDEST_FIRST)])
    assert [ids for before, ids in zip([None, *found], found, strict=False) if ids != before] == [
        [],
        [log_entry(1).id],
        [log_entry(1).id, log_entry(2).id],
    ]
    assert told.left_out == []


def test_a_whole_line_that_is_no_entry_is_a_fault_of_a_file_that_is_followed(tmp_path: Path) -> None:
    path = path_with(tmp_path / "logs", GOOD + b'{"id":"x"}')
    with opened(path, strict=True, is_followed=True) as source:
        assert source.count(LogQuery()) == 1
        path.write_bytes(GOOD + b'{"id":"x"}\n')
        with pytest.raises(TaplogsError, match=r"logs:2: .*has no"):
            source.count(LogQuery())


def test_an_entry_without_a_line_feed_is_read_of_a_file_that_is_followed(tmp_path: Path) -> None:
    path = path_with(tmp_path / "logs", GOOD.strip())
    with opened(path, strict=True, is_followed=True) as source:
        assert source.count(LogQuery()) == 1


def test_a_compressed_file_that_is_changed_in_the_middle_is_damaged(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(json_lines([log_entry(number) for number in range(5000)])))
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "logs").write_bytes(content)
    with opened(tmp_path / "logs") as source, pytest.raises(TaplogsError, match="logs is damaged"):
        source.count(LogQuery())


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_file_made_to_exhaust_its_reader_is_an_error(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "logs"
    path.write_bytes(compress(b"x" * (400 << 20)))
    with opened(path) as source, pytest.raises(TaplogsError, match="more than 1,000 times as large"):
        source.count(LogQuery())


def test_an_endless_line_is_left_out(tmp_path: Path) -> None:
    path, told = tmp_path / "logs.zst", Told()
    path.write_bytes(zstandard.compress(GOOD + b'{"id":"' + b"x" * (200 << 20) + b"\n" + json_lines([log_entry(2)])))
    assert ids(path, told) == [log_entry(1).id, log_entry(2).id]
    assert "line 2 (longer than 64 MiB)" in told.notices[0]


def test_an_endless_entry_of_an_array_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "logs.zst"
    path.write_bytes(zstandard.compress(b"[%s,{" % GOOD + b'"id":"' + b"x" * (200 << 20)))
    with opened(path) as source, pytest.raises(TaplogsError, match="an entry is longer than 64 MiB"):
        source.count(LogQuery())


def test_a_file_in_utf_16_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_text(GOOD.decode(), "utf-16")
    with opened(path) as source, pytest.raises(TaplogsError, match="logs is in UTF-16"):
        source.count(LogQuery())


def test_a_file_that_is_gone_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(GOOD)
    with opened(path) as source:
        path.unlink()
        with pytest.raises(TaplogsError, match="logs cannot be read: No such file"):
            source.count(LogQuery())

"""Files give the answers that every source gives, whatever their format, their order and the memory there is."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from faulty_server import Told
from files import (
    NOW,
    as_csv_keeps_it,
    csv_table,
    in_two_frames,
    in_two_members,
    indented_array,
    json_array,
    json_lines,
    opened,
    pages,
    piped,
    with_little_memory,
)
from generated import answer, counted, entries, groupings, moments_of, queries
from serving import log_entry
from taplogs.core.entry import LogEntry, encode_entries
from taplogs.core.query import LogQuery, Order
from taplogs.core.stats import Grouping
from taplogs.core.timespan import Window
from taplogs.errors import EntryNotFound, TaplogsError
from taplogs.sources.file_names import inputs_named
from taplogs.sources.file_source import FileSource
from taplogs.sources.protocol import LogSource

examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
several_queries = st.lists(queries, min_size=1, max_size=4)

FORMATS = {
    "json_lines": json_lines,
    "json_array": json_array,
    "pages": pages,
    "gzip": lambda stored: gzip.compress(json_lines(stored)),
    "gzip_members": lambda stored: in_two_members(json_lines(stored)),
    "zstd": lambda stored: zstandard.compress(json_lines(stored)),
    "zstd_frames": lambda stored: in_two_frames(json_array(stored)),
    "byte_order_mark": lambda stored: b"\xef\xbb\xbf" + json_lines(stored),
    "crlf": lambda stored: json_lines(stored).replace(b"\n", b"\r\n"),
    "blank_lines": lambda stored: b"\n \n" + json_lines(stored).replace(b"\n", b"\n\r\n\t\n"),
    "no_last_line_feed": lambda stored: json_lines(stored).removesuffix(b"\n"),
}


def assert_answers(source: LogSource, stored: Sequence[LogEntry], query: LogQuery) -> None:
    expected = encode_entries(answer(stored, query))
    assert encode_entries(list(source.search(query))) == expected
    assert encode_entries(list(chain.from_iterable(source.batches(query)))) == expected
    assert source.count(query) == len(answer(stored, query, limited=False))


def in_total_order(stored: Sequence[LogEntry]) -> list[LogEntry]:
    return sorted(stored, key=lambda entry: entry.sort_key)


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS)
@given(stored=entries, asked=several_queries, grouping=groupings)
@examples
def test_every_format_gives_the_same_answers(
    tmp_path: Path,
    written: Callable[[Sequence[LogEntry]], bytes],
    stored: list[LogEntry],
    asked: list[LogQuery],
    grouping: Grouping,
) -> None:
    path = tmp_path / "logs"
    path.write_bytes(written(stored))
    with opened(path) as source:
        for query in asked:
            assert_answers(source, stored, query)
            summary, expected = source.summarise(query, grouping), counted(stored, query, grouping)
            assert summary.counts == expected.counts
            assert moments_of(summary, stored) == moments_of(expected, stored)
        for entry in stored:
            assert encode_entries([source.get(entry.id)]) == encode_entries([entry])


@pytest.mark.parametrize("guarded", [True, False])
@given(stored=entries, asked=several_queries)
@examples
def test_a_table_gives_the_same_answers(
    tmp_path: Path, guarded: bool, stored: list[LogEntry], asked: list[LogQuery]
) -> None:
    stored = [as_csv_keeps_it(entry) for entry in [*stored, log_entry(999, id="witness", user_agent="=witness")]]
    path = tmp_path / "logs.csv"
    path.write_bytes(csv_table(stored, guarded=guarded, byte_order_mark=guarded))
    with opened(path) as source:
        for query in asked:
            assert_answers(source, stored, query)


@given(stored=entries, asked=several_queries)
@examples
def test_an_indented_array_gives_the_same_entries(
    tmp_path: Path, stored: list[LogEntry], asked: list[LogQuery]
) -> None:
    stored = [replace(entry, request_payload=Raw(b"null"), response_payload=Raw(b"7")) for entry in stored]
    path = tmp_path / "logs.json"
    path.write_bytes(indented_array(stored))
    with opened(path) as source:
        for query in asked:
            assert_answers(source, stored, query)


@pytest.mark.parametrize("direction", [1, -1, 0])
@given(stored=entries, asked=several_queries, copies=st.integers(1, 40))
@examples
def test_sorting_in_files_gives_the_same_answers(
    tmp_path: Path, direction: int, stored: list[LogEntry], asked: list[LogQuery], copies: int
) -> None:
    stored = [replace(entry, id=f"{entry.id} {copy}") for copy in range(copies) for entry in stored]
    if direction:
        stored = in_total_order(stored)[::direction]
    path = tmp_path / "logs"
    path.write_bytes(json_lines(stored))
    with with_little_memory(tmp_path / "cache", path) as source:
        for query in asked:
            assert_answers(source, stored, query)


@given(stored=entries, asked=several_queries, part=st.integers(0, 25))
@examples
def test_several_files_and_standard_input_are_one_source(
    tmp_path: Path, stored: list[LogEntry], asked: list[LogQuery], part: int
) -> None:
    first, second, third = tmp_path / "a.jsonl", tmp_path / "b.jsonl", stored[part + 3 :]
    first.write_bytes(json_lines(in_total_order(stored[:part])))
    second.write_bytes(json_lines(in_total_order(stored[part : part + 3])))
    with with_little_memory(tmp_path, first, "-", second, stdin=piped(gzip.compress(json_array(third)))) as source:
        for query in asked:
            assert_answers(source, stored, query)


@given(stored=entries, asked=several_queries)
@examples
def test_an_id_that_occurs_again_is_one_entry_the_first(
    tmp_path: Path, stored: list[LogEntry], asked: list[LogQuery]
) -> None:
    path = tmp_path / "logs"
    again = [replace(entry, status_code=404, timestamp="2026-10-31T23:59:59.000Z") for entry in stored]
    path.write_bytes(json_lines([*stored, *again]))
    with opened(path) as source:
        for query in asked:
            assert_answers(source, stored, query)


def test_repeated_ids_are_told_once_with_their_number(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(json_lines([log_entry(1), log_entry(2), log_entry(1), log_entry(1)]))
    with opened(path, told=told) as source:
        assert len(list(source.search(LogQuery()))) == source.count(LogQuery()) == 2
    assert told.notices == ["2 entries are left out: the id had occurred before"]


def test_files_that_are_in_order_are_not_sorted(tmp_path: Path) -> None:
    numbers = range(3000)
    (tmp_path / "a").write_bytes(json_lines([log_entry(number) for number in numbers if number % 3]))
    (tmp_path / "b").write_bytes(json_lines([log_entry(number) for number in numbers if not number % 3]))
    (tmp_path / "c").write_bytes(json_lines([log_entry(number) for number in range(3000, 3100)]))
    nowhere = tmp_path / "a" / "no folder"
    names = [tmp_path / name for name in "cab"]
    with with_little_memory(nowhere, *names, in_memory=2_000_000) as source:
        found = list(source.search(LogQuery(order=Order.OLDEST_FIRST)))
        assert [entry.id for entry in found] == [log_entry(number).id for number in range(3100)]
        few = list(source.search(LogQuery(order=Order.OLDEST_FIRST, limit=5)))
    assert few == found[:5]


def test_temporary_files_are_for_nobody_else_and_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(json_lines([log_entry(number) for number in range(200)]))
    cache = tmp_path / "x" / "cache"
    with with_little_memory(cache, tmp_path / "a") as source:
        batches = source.batches(LogQuery())
        assert next(batches)[0] == log_entry(199)
        assert list(cache.iterdir()) == []
        assert cache.stat().st_mode & 0o77 == 0


def test_a_stream_is_read_once_and_can_be_asked_again(tmp_path: Path) -> None:
    stored = [log_entry(number) for number in range(50)]
    stream = piped(json_lines(stored))
    with opened("-", stdin=stream) as source:
        assert source.count(LogQuery()) == 50
        assert stream.read() == b""
        assert list(source.search(LogQuery(order=Order.OLDEST_FIRST))) == stored
        assert source.get("entry-00007") == log_entry(7)


def test_a_stream_that_was_read_in_part_is_read_on(tmp_path: Path) -> None:
    stored = [log_entry(number) for number in range(5000)]
    with opened("-", stdin=piped(json_lines(stored))) as source:
        assert source.get("entry-00001") == log_entry(1)
        assert source.count(LogQuery()) == 5000


def test_a_long_stream_is_kept_in_a_temporary_file(tmp_path: Path) -> None:
    stored = [log_entry(number, response_payload=Raw(b'"%s"' % (b"x" * 100_000))) for number in range(300)]
    with opened("-", stdin=io.BytesIO(json_lines(stored)), spool_folder=tmp_path / "cache") as source:
        for _ in range(2):
            assert source.count(LogQuery()) == 300
        assert (tmp_path / "cache").exists()
        assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_grew_or_was_replaced_is_seen_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(json_lines([log_entry(1)]))
    with opened(path) as source:
        assert source.count(LogQuery()) == 1
        with path.open("ab") as file:
            file.write(json_lines([log_entry(2)]))
        assert [entry.id for entry in source.search(LogQuery())] == [log_entry(2).id, log_entry(1).id]
        (tmp_path / "new").write_bytes(json_lines([log_entry(3)]))
        (tmp_path / "new").replace(path)
        assert [entry.id for entry in source.search(LogQuery())] == [log_entry(3).id]


def test_an_unchanged_file_is_not_read_for_a_window_beyond_it(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(json_lines([log_entry(1)]))
    with opened(path, told=told) as source:
        later = LogQuery(window=Window(log_entry(1).instant + timedelta(milliseconds=1)))
        assert list(source.search(later)) == []
        assert told.received == [1]
        assert list(source.search(later)) == []
        assert told.received == [1]
        assert list(source.search(LogQuery(window=Window(log_entry(1).instant)))) == [log_entry(1)]


def test_an_unknown_id_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(json_lines([log_entry(1)]))
    with opened(tmp_path / "logs") as source, pytest.raises(EntryNotFound, match="no entry has the id 'x'"):
        source.get("x")


def test_its_time_is_that_of_the_clock(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with opened(tmp_path / "logs") as source:
        assert source.now() == NOW


@pytest.mark.parametrize("content", [b"", b"\n", b"[]", b'{"logs": []}\n', gzip.compress(b""), json_lines([])])
def test_a_file_without_entries_holds_nothing_and_that_is_said_once(tmp_path: Path, content: bytes) -> None:
    told = Told()
    (tmp_path / "logs").write_bytes(content)
    with opened(tmp_path / "logs", told=told) as source:
        assert list(source.search(LogQuery())) == []
        assert source.count(LogQuery()) == 0
    assert (told.notices, told.left_out) == ([f"{tmp_path / 'logs'} holds no entries"], [])


def test_of_many_files_without_entries_the_first_are_named(tmp_path: Path) -> None:
    told = Told()
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_bytes(json_lines([log_entry(1)]) if path == paths[1] else b"")
    with opened(*paths, told=told) as source:
        assert source.count(LogQuery()) == 1
    assert told.notices == [f"4 files hold no entries: {paths[0]}, {paths[2]}, {paths[3]}, and 1 more"]


def test_standard_input_that_is_a_file_is_read_from_where_it_stands_and_not_kept(tmp_path: Path) -> None:
    stored = [log_entry(number, response_payload=Raw(b'"%s"' % (b"x" * 100_000))) for number in range(300)]
    (tmp_path / "logs").write_bytes(b"passed over\n" + json_lines(stored))
    with (tmp_path / "logs").open("rb") as file:
        file.readline()
        with opened("-", stdin=file) as source:
            for _ in range(2):
                assert source.count(LogQuery()) == 300
        assert file.read(5) == b'{"id"'


def full_disk() -> BinaryIO:
    return cast(BinaryIO, io.BufferedRandom(io.FileIO("/dev/full", "r+")))


def test_a_full_disk_where_entries_are_sorted_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(json_lines([log_entry(number) for number in range(200)]))
    inputs = inputs_named([str(tmp_path / "logs")], stdin=None, spool=full_disk, verify=None)
    source = FileSource(inputs, strict=False, spool=full_disk, events=Told(), clock=lambda: NOW, in_memory=5000)
    with pytest.raises(TaplogsError, match="cannot be kept: No space left on device"):
        list(source.search(LogQuery()))


def test_a_stream_that_could_not_be_kept_can_be_read_once() -> None:
    stored = [log_entry(number, response_payload=Raw(b'"%s"' % (b"x" * 100_000))) for number in range(300)]
    inputs = inputs_named(["-"], stdin=piped(json_lines(stored)), spool=full_disk, verify=None)
    source = FileSource(inputs, strict=False, spool=full_disk, events=Told(), clock=lambda: NOW)
    assert source.count(LogQuery()) == 300
    with pytest.raises(TaplogsError, match="cannot be kept: No space left on device"):
        source.count(LogQuery())
    source.close()

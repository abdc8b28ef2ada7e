"""Files that are read while they grow: only what was appended is read, and each entry is given once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faulty_server import Told
from files import NOW, csv_table, json_array, json_lines, opened
from serving import log_entry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.errors import TaplogsError
from taplogs.sources.file_faults import LONGEST

FOLLOWING = LogQuery(order=Order.OLDEST_FIRST, window=Window(NOW, NOW + timedelta(days=1)))
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Look = Callable[[], list[int]]


@contextmanager
def followed(*paths: Path, told: Told | None = None, strict: bool = False) -> Iterator[Look]:
    """Give what looks for new entries, and returns their numbers."""
    with opened(*paths, told=told, strict=strict, is_followed=True) as source:
        yield lambda: [int(entry.id.removeprefix("entry-")) for entry in source.search(FOLLOWING)]


def lines(*numbers: int) -> bytes:
    return json_lines([log_entry(number) for number in numbers])


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_only_what_was_appended_is_read(tmp_path: Path) -> None:
    path, other, told = tmp_path / "logs", tmp_path / "other", Told()
    path.write_bytes(lines(*range(1000)))
    other.write_bytes(lines(2000))
    with followed(path, other, told=told) as look:
        assert look() == [*range(1000), 2000]
        told.received.clear()
        assert look() == []
        append(path, lines(1001, 1000))
        assert look() == [1000, 1001]
        append(other, lines(2001))
        append(path, lines(1002))
        assert look() == [1002, 2001]
        assert look() == []
    assert sum(told.received) == 4


def test_a_window_that_begins_earlier_or_another_query_is_answered_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(lines(1, 2, 3))
    end = NOW + timedelta(days=1)
    with opened(path, is_followed=True) as source:

        def numbers(first: int) -> int:
            return len(list(source.search(FOLLOWING.within(Window(log_entry(first).instant, end)))))

        assert (numbers(2), numbers(3), numbers(1), numbers(1)) == (2, 0, 3, 0)
        assert len(list(source.search(LogQuery(limit=2)))) == 2
        assert source.count(LogQuery()) == 3
        assert numbers(1) == 0


BROKEN = st.sampled_from([b"nope\n", b"\n", b" \r\n", b'{"id":"x"}\n', lines(0)])
WHOLE = st.integers(1, 30).map(lines)


@given(parts=st.lists(BROKEN | WHOLE, max_size=20), cuts=st.sets(st.integers(0, 4000)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_the_writer_is_each_entry_is_given_once_and_each_fault_told(
    tmp_path: Path, parts: list[bytes], cuts: set[int]
) -> None:
    """The last thing that is told, the whole of it, is what one reading of the whole file tells."""
    content = lines(0) + b"".join(parts)
    grown, whole, told, expected = tmp_path / "grown", tmp_path / "whole", Told(), Told()
    whole.write_bytes(content)
    grown.write_bytes(lines(0))
    given_once: list[int] = []
    with followed(grown, told=told) as look:
        for cut in sorted({0, *cuts, len(content)}):
            append(grown, content[grown.stat().st_size : cut])
            given_once += look()
    with followed(whole, told=expected) as look:
        assert sorted(given_once) == look()
    assert [text.replace("grown", "whole") for text in told.left_out[-1:]] == expected.left_out


def test_lines_that_are_no_entries_are_named_by_their_number_in_the_file(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(lines(1) + b"bad\n")
    with followed(path, told=told) as look:
        assert look() == [1]
        append(path, lines(2) + b"bad\nba")
        assert look() == [2]
        append(path, b"d\n")
        assert look() == []
    assert [message.count("line ") for message in told.left_out] == [2, 2, 3]
    assert told.left_out[-1].startswith(f"3 lines of {path} are not log entries and were left out: line 2 (not JSON")
    assert "line 4 (" in told.left_out[-1]
    assert "line 5 (" in told.left_out[-1]


def test_a_strict_reading_ends_with_an_appended_line_that_is_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "logs"
    path.write_bytes(lines(1))
    with followed(path, strict=True) as look:
        assert look() == [1]
        append(path, lines(2) + b"bad\n")
        with pytest.raises(TaplogsError, match="logs:3: not JSON"):
            look()


def test_an_id_that_occurred_long_before_is_not_given_again(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(lines(*range(2000)))
    with followed(path, told=told) as look:
        look()
        append(path, lines(5, 2000))
        assert look() == [2000]
    assert told.notices == ["1 entry is left out: the id had occurred before"]


def test_a_file_that_is_not_the_one_that_was_read_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(lines(1, 2, 3))
    with followed(path, told=told) as look:
        assert look() == [1, 2, 3]
        path.write_bytes(lines(4))  # cut short
        assert look() == [4]
        path.write_bytes(lines(5, 6, 7, 8))  # written anew, and longer than it was
        assert look() == [5, 6, 7, 8]
        (tmp_path / "new").write_bytes(lines(9))
        (tmp_path / "new").replace(path)
        assert look() == [9]
        path.write_bytes(b"")
        assert look() == []
        append(path, lines(10))
        assert look() == [10]
    assert told.left_out == []


@pytest.mark.parametrize("write", [csv_table, json_array, lambda stored: BYTE_ORDER_MARK + json_lines(stored)])
def test_what_cannot_be_read_on_is_read_from_its_beginning(tmp_path: Path, write: Callable[..., bytes]) -> None:
    path = tmp_path / "logs"
    entries = [log_entry(number) for number in range(3)]
    path.write_bytes(write(entries[:2]))
    with followed(path) as look:
        assert look() == [0, 1]
        assert look() == []
        path.write_bytes(write(entries))
        assert look() == [0, 1, 2]


def test_a_line_without_an_end_is_given_up_while_it_is_written(tmp_path: Path) -> None:
    path, told = tmp_path / "logs", Told()
    path.write_bytes(lines(1) + b"x" * (LONGEST + 1024 * 1024))
    with followed(path, told=told) as look:
        assert look() == [1]
        assert told.left_out == [
            f"1 line of {path} is not a log entry and was left out: line 2 (longer than 64 MiB)",
        ]
        append(path, b"\n" + lines(2))
        assert look() == [2]
    assert len(told.left_out) == 1

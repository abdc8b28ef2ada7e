"""The JSON parsing test suite as files, and as lines of files: never anything but entries, notices and known errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from files import json_lines, opened
from json_suite import CASES
from serving import log_entry
from taplogs.core.query import LogQuery
from taplogs.errors import TaplogsError

NAMES = sorted(CASES)


def outcome(path: Path) -> int | str:
    """Return how many entries a file has, or that it is an error, which names it."""
    with opened(path) as source:
        try:
            return source.count(LogQuery()) or 0
        except TaplogsError as error:
            return "is an error" if str(path) in error.message else error.message


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_it_is_an_error_or_holds_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").write_bytes(CASES[name])
    assert outcome(tmp_path / "logs") in (0, "is an error")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("y_")])
def test_valid_json_as_an_element_of_an_array_leaves_the_entries_around_it_alone(tmp_path: Path, name: str) -> None:
    entries = [json_lines([log_entry(number)]).strip() for number in (1, 2)]
    (tmp_path / "logs").write_bytes(b"[%s,%s,%s]" % (entries[0], CASES[name], entries[1]))
    with opened(tmp_path / "logs") as source:
        assert source.count(LogQuery()) == 2


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("y_")])
def test_other_text_as_an_element_of_an_array_is_left_out_or_an_error(tmp_path: Path, name: str) -> None:
    entry = json_lines([log_entry(1)]).strip()
    (tmp_path / "logs").write_bytes(b"[%s,%s]" % (entry, CASES[name]))
    assert outcome(tmp_path / "logs") in (1, "is an error")


@pytest.mark.parametrize("name", NAMES)
def test_as_lines_it_leaves_the_entries_around_it_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").write_bytes(json_lines([log_entry(1)]) + CASES[name] + b"\n" + json_lines([log_entry(2)]))
    with opened(tmp_path / "logs") as source:
        assert source.count(LogQuery()) == 2

"""What `--source` names when it names files: patterns, links, pipes, exports, standard input."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from faulty_server import Told
from files import json_lines, opened, piped
from serving import log_entry
from taplogs.core.query import LogQuery, Order
from taplogs.errors import TaplogsError, UsageError, VerificationFailed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with entries 1 and 2 in `a.jsonl` and `b.jsonl`, and 3 in `below/c.jsonl`."""
    (tmp_path / "below").mkdir()
    for name, number in (("a.jsonl", 1), ("b.jsonl", 2), ("below/c.jsonl", 3)):
        (tmp_path / name).write_bytes(json_lines([log_entry(number)]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def numbers(*names: Path | str, told: Told | None = None, verify: Callable[[Path], None] | None = None) -> list[int]:
    with opened(*names, stdin=piped(json_lines([log_entry(9)])), told=told, verify=verify) as source:
        return [int(entry.id[-5:]) for entry in source.search(LogQuery(order=Order.OLDEST_FIRST))]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a.jsonl"], [1]),
        (["./a.jsonl", "b.jsonl"], [1, 2]),
        (["*.jsonl"], [1, 2]),
        (["[b]*"], [2]),
        (["?.jsonl", "b*.jsonl", "a.jsonl"], [1, 2]),
        (["**/*.jsonl"], [1, 2, 3]),
        (["-"], [9]),
        (["-", "a.jsonl", "-"], [1, 9]),
        (["~/a.jsonl"], [1]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_names_and_patterns_mean_files_each_once(
    names: list[str], found: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    told = Told()
    assert numbers(*names, told=told) == found
    assert told.notices == []


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[a]*.jsonl").write_bytes(json_lines([log_entry(7)]))
    assert numbers("[a]*.jsonl") == [7]


def test_links_are_followed_and_one_file_under_two_names_is_read_once(folder: Path) -> None:
    (folder / "link").symlink_to("a.jsonl")
    told = Told()
    assert numbers("link", "a.jsonl", told=told) == [1]
    assert told.notices == []


def test_a_link_to_a_folder_is_that_folder(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "records.jsonl").write_bytes(json_lines([log_entry(4)]))
    (folder / "link").symlink_to("export")
    assert numbers("link") == [4]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.jsonl", "there is no file none.jsonl"),
        ("none*.jsonl", "no file matches none*.jsonl"),
        ("below", "below is a folder, but no export"),
        (".", ". is a folder, but no export"),
        ("a.jsonl/x", "there is no file a.jsonl/x"),
        ("x" * 5000, "is no name of a file"),
        ("nul\x00", "there is no file"),
        ("~nobody-at-all/x", "is no name of a file"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_name_that_means_nothing_is_refused_at_once(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error, opened(name):
        pass
    assert message in error.value.message
    assert error.value.hint


def test_standard_input_that_is_closed_is_refused() -> None:
    with pytest.raises(UsageError, match="standard input is closed"), opened("-"):
        pass


@pytest.mark.parametrize("target", ["link", "other", "none"])
def test_a_link_that_leads_nowhere_is_named_as_one(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    (folder / "other").symlink_to("link")
    with pytest.raises(UsageError, match="link is a link to nothing"), opened("link"):
        pass


def test_a_pipe_with_a_name_is_read_once_and_kept(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    writer = threading.Thread(target=(folder / "pipe").write_bytes, args=[json_lines([log_entry(5)])])
    writer.start()
    with opened("pipe", "a.jsonl") as source:
        assert source.count(LogQuery()) == 2
        assert [entry.id for entry in source.search(LogQuery())] == [log_entry(5).id, log_entry(1).id]
    writer.join()


def test_a_device_is_read_to_its_end() -> None:
    assert numbers("/dev/null") == []


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_a_device_without_an_end_is_refused(name: str) -> None:
    with pytest.raises(TaplogsError, match=f"{name} is a device"):
        numbers(name)
    refused = pytest.raises(TaplogsError, match="standard input is a device")
    with Path(name).open("rb") as stream, opened("-", stdin=stream) as source, refused:
        source.count(LogQuery())


def test_an_export_is_verified_before_its_records_are_read(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "records.jsonl").write_bytes(json_lines([log_entry(4)]))
    (folder / "export" / "manifest.json").write_text("{}")
    verified: list[Path] = []
    assert numbers("export", "a.jsonl", verify=verified.append) == [1, 4]
    assert verified == [Path("export")]


def test_an_export_that_is_not_what_it_says_is_not_read(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "manifest.json").write_text("{}")

    def verify(path: Path) -> None:
        raise VerificationFailed(f"{path} is none")

    with pytest.raises(VerificationFailed, match="export is none"):
        numbers("export", verify=verify)


def test_an_export_without_records_is_an_error(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "manifest.json").write_text("{}")
    with pytest.raises(TaplogsError, match=r"records\.jsonl cannot be read: No such file"):
        numbers("export")

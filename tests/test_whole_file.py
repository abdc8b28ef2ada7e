"""Files written whole: their mode, what a link leads to, and nothing left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from taplogs.whole_file import replace_file


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_mode_holds_whatever_the_umask_is(tmp_path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "a.json", b"new", mode)
        replace_file(tmp_path / "b.json", b"new")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a.json") == mode
    assert mode_of(tmp_path / "b.json") == 0o666 & ~umask


def test_a_file_with_a_mode_is_private_until_it_has_been_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Path, "chmod", lambda self, _mode: seen.append(mode_of(self)))
    replace_file(tmp_path / "keys.json", b"secret", 0o666)
    assert seen == [0o600]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    replace_file(tmp_path / "link", b"new", 0o600)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"old"


def test_what_a_killed_run_left_behind_is_no_obstacle_and_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / f".a.{os.getpid()}.partial").symlink_to("elsewhere")
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "elsewhere"]


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match=r"\A\Z"):
        replace_file(tmp_path / "a", b"new", 0o600)
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("a", b"old")]

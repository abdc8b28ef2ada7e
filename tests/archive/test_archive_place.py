"""Where the archive is: a store for each profile and backend, held by one writer at a time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from taplogs.archive.place import archive_path, archive_paths, demo_path, held, make_folder
from taplogs.errors import TaplogsError
from taplogs.sources.address import BackendAddress

ONE = BackendAddress("https://logs.example.com/v1")
PLACES = [
    ("team", ONE),
    ("other", ONE),
    ("team", BackendAddress("https://logs.example.com/v2")),
    ("team", BackendAddress("https://logs.example.com/v1", "/logs")),
    ("a/b", ONE),
    ("a-b", ONE),
    ("..", ONE),
    ("A", ONE),
    ("ü", ONE),
]


def test_every_profile_and_backend_has_a_store_of_its_own(tmp_path: Path) -> None:
    paths = {archive_path(str(tmp_path), profile, address) for profile, address in PLACES} | {demo_path(str(tmp_path))}
    assert len(paths) == len(PLACES) + 1
    assert {path.parent for path in paths} == {tmp_path}


def test_the_name_holds_the_profile_and_a_hash_of_the_backend(tmp_path: Path) -> None:
    assert archive_path(str(tmp_path), "team", ONE).name == "team-aa2148e5.sqlite"


def test_a_new_folder_is_for_nobody_else(tmp_path: Path) -> None:
    path = archive_path(str(tmp_path / "new" / "archive"), "team", ONE)
    make_folder(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_store_is_held_by_one_at_a_time_and_its_lock_is_gone_afterwards(tmp_path: Path) -> None:
    path = demo_path(str(tmp_path))
    with held(path):
        with pytest.raises(TaplogsError, match="another taplogs is writing to"), held(path):
            pass
        assert archive_paths(str(tmp_path)) == []  # a lock is no store
    with held(path):
        pass
    assert list(tmp_path.iterdir()) == []

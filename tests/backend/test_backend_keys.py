"""The API keys of the reference backend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving import Backend
from taplogs.backend.keys import ApiKeys, KeyState, new_key
from taplogs.core.apikey import ApiKey
from taplogs.sources.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "logs.db")
    yield store
    store.close()


@pytest.fixture
def keys(store: SqliteStore) -> ApiKeys:
    return ApiKeys(store.database, clock=lambda: datetime(2026, 11, 1, tzinfo=UTC))


def masked(key: str) -> str:
    return f"{key[:8]}…{key[-4:]}"


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_new_key_is_one_that_the_client_takes(environment: str) -> None:
    key = new_key("live" if environment == "live" else "test")
    assert re.fullmatch(rf"sk_{environment}_[0-9A-Za-z]{{22}}", key)
    assert ApiKey(key).environment == environment


def test_no_two_new_keys_are_alike() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000


def test_a_created_key_is_active_and_any_other_text_unknown(keys: ApiKeys) -> None:
    key = keys.create()
    assert keys.check(key) is KeyState.ACTIVE
    for text in ("", key[:-1], key + "x", key.upper(), masked(key), new_key(), "\ud800", "'; --"):
        assert keys.check(text) is KeyState.UNKNOWN


def test_a_key_that_is_brought_along_is_taken(keys: ApiKeys) -> None:
    keys.add("sk_test_0123456789abcdefghijAB")
    keys.add("sk_test_0123456789abcdefghijAB")
    assert keys.check("sk_test_0123456789abcdefghijAB") is KeyState.ACTIVE
    assert [key.masked for key in keys.listed()] == ["sk_test_…ijAB"]


def test_a_revoked_key_stays_known_as_revoked_and_the_others_active(keys: ApiKeys) -> None:
    first, second = keys.create(), keys.create("live")
    assert keys.revoke(masked(first))
    assert (keys.check(first), keys.check(second)) == (KeyState.REVOKED, KeyState.ACTIVE)


def test_revoking_says_whether_there_was_such_a_key(keys: ApiKeys) -> None:
    key = keys.create()
    assert not keys.revoke("sk_test_…none")
    assert keys.revoke(masked(key))
    assert not keys.revoke(masked(key))


def test_adding_a_revoked_key_does_not_bring_it_back(keys: ApiKeys) -> None:
    key = keys.create()
    keys.revoke(masked(key))
    keys.add(key)
    assert keys.check(key) is KeyState.REVOKED


def test_it_is_known_whether_any_key_is_active(keys: ApiKeys) -> None:
    assert not keys.any_active()
    key = keys.create()
    assert keys.any_active()
    keys.revoke(masked(key))
    assert not keys.any_active()


def test_the_list_shows_masked_keys_with_their_times(keys: ApiKeys) -> None:
    key = keys.create()
    keys.revoke(masked(key))
    (stored,) = keys.listed()
    assert stored.masked == masked(key)
    assert stored.created_at == stored.revoked_at == "2026-11-01T00:00:00.000Z"


def test_keys_of_another_process_are_seen_at_once(keys: ApiKeys, tmp_path: Path) -> None:
    other_store = SqliteStore(tmp_path / "logs.db")
    key = ApiKeys(other_store.database).create()
    other_store.close()
    assert keys.check(key) is KeyState.ACTIVE


def test_the_files_of_the_database_never_hold_a_key(backend: Backend, tmp_path: Path) -> None:
    assert backend.get().status_code == 200
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert any(masked(backend.key).encode() in content for content in files)
    assert not any(backend.key.encode() in content or backend.key[8:].encode() in content for content in files)

"""The API keys that the backend takes. They lie beside the entries, as hashes: the file does not hold a key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from taplogs.core.apikey import ApiKey, mask_keys
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite_database import SqliteDatabase

_BASE62 = string.digits + string.ascii_letters

_SCHEMA = """
CREATE TABLE IF NOT EXISTS api_keys (
    sha256 BLOB PRIMARY KEY,
    masked TEXT NOT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT
) WITHOUT ROWID
"""


class KeyState(StrEnum):
    """What the backend knows of a key."""

    ACTIVE = "active"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class StoredKey:
    """What is kept of a key: its masked form, and canonical timestamps."""

    masked: str
    created_at: str
    revoked_at: str | None


def new_key(environment: Literal["live", "test"] = "test") -> str:
    """Return a key that nobody has: `sk_test_` or `sk_live_` and 22 base62 characters (131 bits)."""
    return f"sk_{environment}_" + "".join(secrets.choice(_BASE62) for _ in range(22))


class ApiKeys:
    """The keys in one SQLite file; threads and processes may share it."""

    def __init__(self, database: SqliteDatabase, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Use the file that a `SqliteStore` has opened (`store.database`)."""
        self._database = database
        self._clock = clock
        with database.transaction() as connection:
            connection.execute(_SCHEMA)

    def create(self, environment: Literal["live", "test"] = "test") -> str:
        """Make a key, and return it this once: it cannot be had again."""
        key = new_key(environment)
        self.add(key)
        return key

    def add(self, key: str) -> None:
        """Take `key` from now on; one that is known already stays as it is."""
        row = (_digest(key), mask_keys(key), format_timestamp(self._clock()))
        with self._database.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO api_keys (sha256, masked, created_at) VALUES (?, ?, ?)", row)

    def check(self, key: str) -> KeyState:
        """Return what is known of `key`, which may be any text."""
        digest, state = _digest(key), KeyState.UNKNOWN
        with self._database.connection() as connection:
            rows = connection.execute("SELECT sha256, revoked_at FROM api_keys").fetchall()
        for known, revoked_at in rows:  # all of them, so that the time taken says nothing
            if hmac.compare_digest(known, digest):
                state = KeyState.REVOKED if revoked_at else KeyState.ACTIVE
        return state

    def revoke(self, masked: str) -> bool:
        """Refuse the key of this masked form from now on; return whether there was an active one."""
        row = (format_timestamp(self._clock()), masked)
        with self._database.transaction() as connection:
            statement = "UPDATE api_keys SET revoked_at = ? WHERE masked = ? AND revoked_at IS NULL"
            return connection.execute(statement, row).rowcount > 0

    def any_active(self) -> bool:
        """Return whether there is a key that would be taken."""
        return any(key.revoked_at is None for key in self.listed())

    def listed(self) -> list[StoredKey]:
        """Return all keys, oldest first."""
        with self._database.connection() as connection:
            statement = "SELECT masked, created_at, revoked_at FROM api_keys ORDER BY created_at, masked"
            return [StoredKey(*row) for row in connection.execute(statement)]


class KeysBesideOne:
    """All keys of a store, and one more that is not kept there: whoever runs the backend holds it in a file."""

    def __init__(self, keys: ApiKeys, key: ApiKey) -> None:
        """Take `key`, whatever the store knows of it."""
        self._keys = keys
        self._digest = _digest(key.reveal())

    def check(self, key: str) -> KeyState:
        """Return what is known of `key`, which may be any text; the one beside is known though the store fail."""
        is_it = hmac.compare_digest(self._digest, _digest(key))
        return KeyState.ACTIVE if is_it else self._keys.check(key)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

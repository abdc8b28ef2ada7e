"""The API key and where it came from: the environment, a key file, the system keyring, a stored file; in that order.

Stored keys belong to an origin (scheme, host, port), so a key is never sent to another host than it was stored for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taplogs.core.apikey import ApiKey
from taplogs.errors import AuthenticationError
from taplogs.private_file import private_text
from taplogs.sources.address import BackendAddress
from taplogs.system_keyring import SystemKeyring
from taplogs.whole_file import replace_file

KEY_VARIABLE = "TAPLOGS_API_KEY"
_LOGIN_HINT = f"'taplogs auth login' stores one, or set {KEY_VARIABLE}; --demo needs none"
_NO_BACKEND_HINT = (
    "TapTalent publishes no log endpoint: name your logging backend with --source URL or 'taplogs config set base_url "
    f"URL', then 'taplogs auth login' or {KEY_VARIABLE}; --demo needs none of it"
)


@dataclass(frozen=True)
class Credential:
    """A key and its origin, in words."""

    key: ApiKey
    origin: str


class StoredFile:
    """Keys in a file of mode 0600 in a folder of mode 0700: only where the user asked for it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, origin: str) -> str | None:
        """Return the key stored for `origin`, or None; raises AuthenticationError where others can read the file."""
        return self._read().get(origin)

    def set(self, origin: str, key: ApiKey) -> None:
        """Store a key, replacing the file in one step."""
        self._write({**self._read(), origin: key.reveal()})

    def delete(self, origin: str) -> bool:
        """Forget the key of `origin`; returns whether there was one."""
        keys = self._read()
        if keys.pop(origin, None) is None:
            return False
        self._write(keys)
        return True

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        text = _key_text(self.path)
        try:
            keys = json.loads(text)
        except ValueError:
            keys = None
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            raise AuthenticationError(f"{self.path} does not hold stored keys", "delete it and log in again")
        return keys

    def _write(self, keys: dict[str, str]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        replace_file(self.path, json.dumps(keys).encode("utf-8"), mode=0o600)


def find_credential(
    address: BackendAddress, environ: Mapping[str, str], key_file: str | None, stored: StoredFile
) -> Credential:
    """Return the key for `address`; raises AuthenticationError where there is none or it is malformed."""
    if environ.get(KEY_VARIABLE):
        return Credential(ApiKey(environ[KEY_VARIABLE]), f"environment {KEY_VARIABLE}")
    if key_file:
        return Credential(ApiKey(_key_text(Path(key_file).expanduser())), f"file {key_file}")
    for origin, find in (("system keyring", stored_keyring().get), (f"file {stored.path}", stored.get)):
        text = find(address.origin)
        if text is not None:
            return Credential(ApiKey(text), origin)
    raise AuthenticationError(
        f"there is no API key for {address.origin}", _NO_BACKEND_HINT if address.is_platform else _LOGIN_HINT
    )


def stored_file(config: Path) -> StoredFile:
    """Return the file of stored keys, beside the config file."""
    return StoredFile(config.parent / "credentials" / "keys.json")


def stored_keyring() -> SystemKeyring:
    """Return the keyring, where API keys are stored by the origin they belong to."""
    return SystemKeyring(
        KEY_VARIABLE,
        AuthenticationError,
        f"set {KEY_VARIABLE} instead, or accept a file that only you can read: --insecure-storage",
    )


def _key_text(path: Path) -> str:
    return private_text(path, AuthenticationError, _LOGIN_HINT)

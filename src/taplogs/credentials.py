"""The API key and where it came from: the environment, a key file, the system keyring, a stored file; in that order.

Stored keys belong to an origin (scheme, host, port), so a key is never sent to another host than it was stored for.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from taplogs.core.apikey import ApiKey
from taplogs.errors import AuthenticationError, TaplogsError
from taplogs.sources.address import BackendAddress
from taplogs.whole_file import replace_file

KEY_VARIABLE = "TAPLOGS_API_KEY"
_SERVICE = "taplogs"
_KEYRING_SECONDS = 5.0
_LOGIN_HINT = f"'taplogs auth login' stores one, or set {KEY_VARIABLE}; --demo needs none"
_NO_BACKEND_HINT = (
    "TapTalent publishes no log endpoint: name your logging backend with --source URL or 'taplogs config set base_url "
    f"URL', then 'taplogs auth login' or {KEY_VARIABLE}; --demo needs none of it"
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Credential:
    """A key and its origin, in words."""

    key: ApiKey
    origin: str


class Keyring:
    """The system keyring, asked with a time limit: a locked one may wait for a person who is not there."""

    def get(self, origin: str) -> str | None:
        """Return the key stored for `origin`; None without one, or on a machine without a keyring.

        Raises AuthenticationError where there is a keyring that does not answer.
        """
        from keyring.errors import NoKeyringError

        try:
            text: str | None = _within_time(lambda: _system_keyring().get_password(_SERVICE, origin))
        except NoKeyringError:
            return None
        except TaplogsError as error:
            raise AuthenticationError(error.message, error.hint) from None
        except Exception as error:  # noqa: BLE001 - a keyring's backend is anybody's and raises what it likes
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise AuthenticationError(
                f"the system keyring cannot be read: {reason}", f"unlock it, or set {KEY_VARIABLE} instead"
            ) from None
        return text

    def set(self, origin: str, key: ApiKey) -> None:
        """Store a key; raises TaplogsError where there is no keyring that keeps it."""
        try:
            _within_time(lambda: _system_keyring().set_password(_SERVICE, origin, key.reveal()))
        except TaplogsError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise _not_stored((str(error) or "there is none").splitlines()[0]) from None
        if self.get(origin) != key.reveal():  # a keyring that is turned off takes everything and keeps nothing
            raise _not_stored("it does not keep what it is given")

    def delete(self, origin: str) -> bool:
        """Forget the key of `origin`; returns whether there was one."""
        if self.get(origin) is None:
            return False
        try:
            _within_time(lambda: _system_keyring().delete_password(_SERVICE, origin))
        except TaplogsError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise TaplogsError(f"the system keyring still has the key: {str(error).partition(chr(10))[0]}") from None
        return True


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
        text = _private_text(self.path)
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
        return Credential(ApiKey(_private_text(Path(key_file).expanduser())), f"file {key_file}")
    for origin, find in (("system keyring", Keyring().get), (f"file {stored.path}", stored.get)):
        text = find(address.origin)
        if text is not None:
            return Credential(ApiKey(text), origin)
    raise AuthenticationError(
        f"there is no API key for {address.origin}", _NO_BACKEND_HINT if address.is_platform else _LOGIN_HINT
    )


def stored_file(config: Path) -> StoredFile:
    """Return the file of stored keys, beside the config file."""
    return StoredFile(config.parent / "credentials" / "keys.json")


def _private_text(path: Path) -> str:
    """Return what a file holds; raises AuthenticationError where it cannot be read, or others can read it too."""
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
            raise AuthenticationError(
                f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}); the key in it was not used",
                f"chmod 600 {path}; if others may have read it, make a new key",
            )
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise AuthenticationError(f"the key file {path} cannot be read: {reason}", _LOGIN_HINT) from None


def _system_keyring() -> Any:
    """Return the keyring library, which looks for a keyring when it is imported."""
    import keyring

    return keyring


def _not_stored(reason: str) -> TaplogsError:
    return TaplogsError(
        f"the system keyring cannot store the key: {reason}",
        f"set {KEY_VARIABLE} instead, or accept a file that only you can read: --insecure-storage",
    )


def _within_time(call: Callable[[], Result]) -> Result:
    """Return what `call` returns within the time limit; raises what it raises, or TaplogsError when time is up."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread, which raises it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="keyring")
    thread.start()
    thread.join(_KEYRING_SECONDS)
    if errors:
        raise errors[0]
    if not results:
        raise TaplogsError(
            f"the system keyring did not answer within {_KEYRING_SECONDS:.0f} s; is it locked?",
            f"unlock it, or set {KEY_VARIABLE} instead",
        )
    return results[0]

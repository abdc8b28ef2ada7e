"""Keyrings for tests, chosen by PYTHON_KEYRING_BACKEND: one that keeps its keys in a file, and others with faults."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Keeps what it is given in the file that KEYRING_FILE names."""

    priority = 1.0

    @property
    def _path(self) -> Path:
        return Path(os.environ["KEYRING_FILE"])

    def _passwords(self) -> dict[str, str]:
        passwords: dict[str, str] = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        return passwords

    def get_password(self, service: str, username: str) -> str | None:
        return self._passwords().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps(self._passwords() | {f"{service} {username}": password}), "utf-8")

    def delete_password(self, service: str, username: str) -> None:
        passwords = self._passwords()
        if passwords.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("there is none")
        self._path.write_text(json.dumps(passwords), "utf-8")


class HangingKeyring(FileKeyring):
    """Waits for a person who never comes."""

    def get_password(self, service: str, username: str) -> str | None:
        time.sleep(600)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        time.sleep(600)

    def delete_password(self, service: str, username: str) -> None:
        time.sleep(600)


class OddKeyring(FileKeyring):
    """Raises what no keyring is said to raise, the key within it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise ArithmeticError("no such luck")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise ArithmeticError(f"cannot keep {password}\nat all")

"""The system keyring, asked with a time limit: a locked one may wait for a person who is not there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from taplogs.errors import TaplogsError

_SERVICE = "taplogs"
_SECONDS = 5.0

Result = TypeVar("Result")


class _NoAnswer(Exception):
    pass


class SystemKeyring:
    """Secrets of one kind, each under its name; no error repeats one."""

    def __init__(self, variable: str, fault: type[TaplogsError], otherwise: str) -> None:
        """Take what errors tell of this kind of secret.

        `variable` may be set in the environment instead, `otherwise` is the hint where nothing can be stored, and
        `fault` is raised where the keyring cannot be read.
        """
        self._variable = variable
        self._fault = fault
        self._otherwise = otherwise

    def get(self, name: str) -> str | None:
        """Return what is stored under `name`; None without it, or on a machine without a keyring.

        Raises `fault` where there is a keyring that does not answer.
        """
        from keyring.errors import NoKeyringError

        try:
            text: str | None = _within_time(lambda: _keyring().get_password(_SERVICE, name))
        except NoKeyringError:
            return None
        except _NoAnswer as error:
            raise self._fault(str(error), self._unlock) from None
        except Exception as error:  # noqa: BLE001 - a keyring's backend is anybody's and raises what it likes
            raise self._fault(f"the system keyring cannot be read: {_reason(error)}", self._unlock) from None
        return text

    def set(self, name: str, secret: str) -> None:
        """Store a secret; raises TaplogsError where there is no keyring that keeps it."""
        try:
            _within_time(lambda: _keyring().set_password(_SERVICE, name, secret))
        except _NoAnswer as error:
            raise TaplogsError(str(error), self._unlock) from None
        except Exception as error:  # noqa: BLE001 - as above
            raise self._not_stored(_reason(error, "there is none").replace(secret, "…")) from None
        if self.get(name) != secret:  # a keyring that is turned off takes everything and keeps nothing
            raise self._not_stored("it does not keep what it is given")

    def delete(self, name: str) -> bool:
        """Forget what is stored under `name`; returns whether there was anything."""
        if self.get(name) is None:
            return False
        try:
            _within_time(lambda: _keyring().delete_password(_SERVICE, name))
        except _NoAnswer as error:
            raise TaplogsError(str(error), self._unlock) from None
        except Exception as error:  # noqa: BLE001 - as above
            raise TaplogsError(f"the system keyring still has the key: {_reason(error)}") from None
        return True

    @property
    def _unlock(self) -> str:
        return f"unlock it, or set {self._variable} instead"

    def _not_stored(self, reason: str) -> TaplogsError:
        return TaplogsError(f"the system keyring cannot store the key: {reason}", self._otherwise)


def _reason(error: Exception, unnamed: str = "") -> str:
    return (str(error) or unnamed or type(error).__name__).splitlines()[0]


def _keyring() -> Any:
    """Return the keyring library, which looks for a keyring when it is imported."""
    import keyring

    return keyring


def _within_time(call: Callable[[], Result]) -> Result:
    """Return what `call` returns within the time limit; raises what it raises, or _NoAnswer when time is up."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread, which raises it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="keyring")
    thread.start()
    thread.join(_SECONDS)
    if errors:
        raise errors[0]
    if not results:
        raise _NoAnswer(f"the system keyring did not answer within {_SECONDS:.0f} s; is it locked?")
    return results[0]

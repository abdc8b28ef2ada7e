"""The pseudonym key and where it came from: the environment, a file, the system keyring; in that order.

Under one key a person has one pseudonym, in every run. Without the key no pseudonym can be made of a guessed value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from taplogs.errors import ConfigurationError
from taplogs.private_file import private_text
from taplogs.system_keyring import SystemKeyring

KEY_VARIABLE = "TAPLOGS_PSEUDONYM_KEY"
LASTING_HINT = (
    f"'taplogs redact --new-key' makes a lasting key, or set {KEY_VARIABLE} to what 'openssl rand -hex 32' prints"
)
RANDOM_BYTES = 32
_NAME = "pseudonym key"
_LEAST = 32


class PseudonymKey(Struct, frozen=True):
    """A key and its origin, in words; nothing shows the key.

    `is_lasting`: later runs find it again. One made at random is gone after the run, unless somebody keeps it.
    """

    key: bytes
    origin: str
    is_lasting: bool = True

    def __repr__(self) -> str:
        return f"PseudonymKey({self.origin})"


def find_pseudonym_key(
    environ: Mapping[str, str], key_file: str | None, random_bytes: Callable[[int], bytes]
) -> PseudonymKey:
    """Return the key of this run, made at random where there is none.

    Raises ConfigurationError for a key that cannot be used, and where the keyring does not answer.
    """
    if environ.get(KEY_VARIABLE):
        origin = f"environment {KEY_VARIABLE}"
        return PseudonymKey(_checked(environ[KEY_VARIABLE], origin), origin)
    if key_file:
        text = private_text(Path(key_file).expanduser(), ConfigurationError, LASTING_HINT)
        return PseudonymKey(_checked(text, f"file {key_file}"), f"file {key_file}")
    stored = pseudonym_keyring().get(_NAME)
    if stored is not None:
        return PseudonymKey(_checked(stored, "system keyring"), "system keyring")
    return PseudonymKey(random_bytes(RANDOM_BYTES), "random", is_lasting=False)


def store_new_key(random_bytes: Callable[[int], bytes], *, replace: bool) -> PseudonymKey:
    """Make a key at random, store it in the system keyring, and return it.

    Raises ConfigurationError where there is one already, unless it is to be replaced, and TaplogsError where there is
    no keyring that keeps it.
    """
    keyring = pseudonym_keyring()
    if not replace and keyring.get(_NAME) is not None:
        raise ConfigurationError(
            "the system keyring has a pseudonym key already, and what it named would get other names",
            "--force replaces it",
        )
    text = random_bytes(RANDOM_BYTES).hex()
    keyring.set(_NAME, text)
    return PseudonymKey(_checked(text, "system keyring"), "system keyring")


def pseudonym_keyring() -> SystemKeyring:
    """Return the keyring as it is asked for the pseudonym key."""
    return SystemKeyring(
        KEY_VARIABLE,
        ConfigurationError,
        f"set {KEY_VARIABLE} to what 'openssl rand -hex 32' prints, and keep that as you keep a password",
    )


def _checked(text: str, origin: str) -> bytes:
    """Return the bytes of a key, white space around it ignored; raises ConfigurationError that does not repeat it."""
    key = text.strip()
    if len(key) < _LEAST or "\n" in key:
        fault = "it has more than one line" if "\n" in key else f"it has {len(key)} characters"
        raise ConfigurationError(
            f"the pseudonym key ({origin}) cannot be used: {fault}",
            f"a key is one line of at least {_LEAST} characters, such as 'openssl rand -hex 32' prints",
        )
    return key.encode("utf-8", "surrogateescape")

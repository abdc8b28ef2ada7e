"""Keys that sign and verify exports, as files: in minisign's formats, secret ones for their owner alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from taplogs.audit.keys import PublicKey, SecretKey, WrongPassphrase, read_public_key, read_secret_key
from taplogs.errors import ConfigurationError, TaplogsError
from taplogs.private_file import private_text
from taplogs.whole_file import replace_file, writing_hint

PASSPHRASE_VARIABLE = "TAPLOGS_SIGN_PASSPHRASE"  # noqa: S105 - its name, not what is in it

_KEYGEN_HINT = "'taplogs keygen' makes a pair of keys, and so does 'minisign -G'"
_PUBLIC_HINT = "the public key is the file that ends with .pub; whoever made the export gives it to you"
_MOST_BYTES = 1 << 16


def find_signing_key(path: Path, environ: Mapping[str, str], ask: Callable[[], str]) -> SecretKey:
    """Return the secret key in a file; `ask` is called for the passphrase where it has one and the environment none.

    Raises ConfigurationError where the file is missing, can be read by others, is no secret key, or the passphrase is
    wrong; TaplogsError where there is not enough memory to open it.
    """
    if path.is_file() and _is_public(path):  # what comes through a pipe can be read only once
        raise ConfigurationError(
            f"{path} is a public key, and only the secret key signs",
            "the secret key was made together with it, and mostly lies beside it: a file that ends with .key",
        )
    text = private_text(path, ConfigurationError, _KEYGEN_HINT)
    try:
        # A key that went through the secrets of a CI may have lost its last line feed, or got another one.
        return read_secret_key(f"{text.strip()}\n".encode(), lambda: environ.get(PASSPHRASE_VARIABLE) or ask())
    except WrongPassphrase:
        origin = f"; it was taken from {PASSPHRASE_VARIABLE}" if environ.get(PASSPHRASE_VARIABLE) else ""
        raise ConfigurationError(f"the passphrase does not open the signing key {path}{origin}") from None
    except ValueError as error:
        raise ConfigurationError(f"the signing key {path} cannot be used: {error}", _KEYGEN_HINT) from None


def _is_public(path: Path) -> bool:
    with suppress(OSError, ValueError), path.open("rb") as file:
        read_public_key(file.read(_MOST_BYTES).strip() + b"\n")
        return True
    return False


def find_public_key(named: str) -> PublicKey:
    """Return the public key in the file of this name, or that `named` itself is, one line as `minisign -P` takes it.

    Raises ConfigurationError where it is neither.
    """
    path = Path(named).expanduser()
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        with suppress(ValueError):
            return PublicKey.from_line(named)
        raise ConfigurationError(f"the public key {named} cannot be read: {error.strerror}", _PUBLIC_HINT) from None
    try:
        return read_public_key(text)
    except ValueError as error:
        raise ConfigurationError(f"the public key {named} cannot be used: {error}", _PUBLIC_HINT) from None


def refuse_existing(*paths: Path) -> None:
    """Raise ConfigurationError where one of the files exists."""
    for path in paths:
        if os.path.lexists(path):
            raise ConfigurationError(
                f"{path} exists, and nothing was written",
                "--secret-key names another file; --force makes new keys in place of the old: who has no copy of the "
                "secret one can never sign with it again",
            )


def write_key_pair(secret: Path, secret_text: bytes, public: Path, public_text: bytes, *, replace: bool) -> None:
    """Write both files, the secret one for its owner alone. Unless they replace others: both or none.

    Raises ConfigurationError where one exists and is not to be replaced, TaplogsError where one cannot be written.
    """
    _write(secret, secret_text, 0o600, replace=replace)
    try:
        _write(public, public_text, 0o644, replace=replace)
    except TaplogsError:
        if not replace:
            secret.unlink(missing_ok=True)
        raise


def _write(path: Path, text: bytes, mode: int, *, replace: bool) -> None:
    try:
        if replace:
            replace_file(path, text, mode, durable=True)
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        refuse_existing(path)
    except FileNotFoundError:
        raise TaplogsError(
            f"{path} cannot be written: there is no folder {path.parent}",
            "make the folder first, or name another one with --secret-key",
        ) from None
    except OSError as error:
        hint = writing_hint(error, "--secret-key and --public-key name files")
        raise TaplogsError(f"{path} cannot be written: {error.strerror}", hint) from None

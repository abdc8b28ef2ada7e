"""The passphrase of a signing key: from the environment, typed hidden, or the first line of standard input."""

from __future__ import annotations

from pathlib import Path

from taplogs.cli.hidden_input import read_secret
from taplogs.cli.runtime import Runtime
from taplogs.errors import ConfigurationError, UsageError
from taplogs.signing_key import PASSPHRASE_VARIABLE

_MOST_BYTES = 1000
"""minisign reads passphrases of 1023 bytes at most."""


def ask_passphrase(runtime: Runtime, path: Path) -> str:
    """Return the passphrase of an existing key; raises ConfigurationError where nobody gives one."""
    text = read_secret(runtime.stdin, f"Passphrase of {path}: ")
    passphrase = (text or "").rstrip("\r\n")
    if not passphrase:
        raise ConfigurationError(
            f"the signing key {path} takes a passphrase, and none was given",
            f"type it on a terminal, set {PASSPHRASE_VARIABLE}, or give it on standard input",
        )
    return passphrase


def new_passphrase(runtime: Runtime) -> str:
    """Return the passphrase for a new key, on a terminal typed twice; raises UsageError where none is fit."""
    passphrase = runtime.environ.get(PASSPHRASE_VARIABLE) or _given(runtime)
    if not passphrase:
        raise UsageError("an empty passphrase protects nothing", "--no-passphrase makes a key without one")
    if any(character in passphrase for character in "\r\n\0"):
        raise UsageError("a passphrase is one line", "nobody could type this one")
    if len(passphrase.encode("utf-8", "surrogateescape")) > _MOST_BYTES:
        raise UsageError(f"the passphrase has more than {_MOST_BYTES} bytes", "minisign could not read it")
    return passphrase


def _given(runtime: Runtime) -> str:
    text = read_secret(runtime.stdin, "Passphrase of the new key: ")
    if text is None:
        raise UsageError(
            "there is no standard input to read a passphrase from",
            f"set {PASSPHRASE_VARIABLE}, or --no-passphrase makes a key without one",
        )
    passphrase = text.rstrip("\r\n")
    is_typed = runtime.stdin is not None and runtime.stdin.isatty()
    if passphrase and is_typed and read_secret(runtime.stdin, "The same once more: ") != passphrase:
        raise UsageError("the two passphrases differ", "nothing was written")
    return passphrase

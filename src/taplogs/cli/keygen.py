"""taplogs keygen: a pair of keys that sign exports and verify them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.session import Session
from taplogs.errors import UsageError
from taplogs.output.curl import shell_word

_EPILOG = """\b
The passphrase is taken from TAPLOGS_SIGN_PASSPHRASE, typed twice, or read as one
line from standard input. The public key is printed. Both files are minisign's:
'minisign -V' verifies what the key signs, and 'minisign -S' signs with it.

\b
Examples:
  taplogs keygen
  taplogs keygen -s ~/keys/audit.key        the public key beside it: audit.pub
  taplogs keygen --no-passphrase            for a CI that keeps secrets by itself
  taplogs export --since monday -o DIR --sign-key taplogs.key
"""


def keygen(
    context: typer.Context,
    secret_key: Annotated[
        Path, typer.Option("--secret-key", "-s", metavar="FILE", help="Where the secret key goes.")
    ] = Path("taplogs.key"),
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key", "-p", metavar="FILE", help="Where the public key goes; beside the other, .pub, without it."
        ),
    ] = None,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Whoever has the secret key's file can sign with it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace keys that there are.")] = False,
) -> None:
    """Make a pair of keys, to sign exports and to verify them."""
    from taplogs.audit.keys import generate
    from taplogs.cli.passphrase import new_passphrase
    from taplogs.signing_key import refuse_existing, write_key_pair

    session = Session(context.obj, BackendOptions(), DisplayOptions())
    public_path = public_key or secret_key.with_suffix(".pub")
    if public_path == secret_key:
        raise UsageError(f"{secret_key} cannot be both keys", "name two files: --secret-key and --public-key")
    if not force:
        refuse_existing(secret_key, public_path)
    passphrase = None if no_passphrase else new_passphrase(session.runtime)
    key = generate(session.runtime.random_bytes)
    secret_text = key.encode(passphrase, session.runtime.random_bytes)
    write_key_pair(secret_key, secret_text, public_path, key.public_key.encode(), replace=force)

    session.output.write_lines([key.public_key.line])
    session.output.flush()
    protected = "without a passphrase" if no_passphrase else "which the passphrase opens"
    session.notice(f"made the secret key {secret_key}, {protected}: no copy of it is anywhere else")
    session.notice(
        f"made the public key {public_path} (id {key.public_key.key_id}): give it to those who verify, by another way "
        "than the exports. They can do it in two ways:"
    )
    session.suggest(f"taplogs verify DIR --pubkey {shell_word(str(public_path))}")
    session.suggest(f"minisign -Vm DIR/manifest.json -p {shell_word(str(public_path))}")


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, keygen, _EPILOG)

"""taplogs auth: store, forget and check the API key."""

import json
from contextlib import suppress
from typing import Annotated, Any, Literal

import typer
from msgspec.structs import replace

from taplogs.cli.command import build_group
from taplogs.cli.hidden_input import read_secret
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.session import Session
from taplogs.core.apikey import ApiKey
from taplogs.core.query import LogQuery
from taplogs.credentials import KEY_VARIABLE, stored_keyring
from taplogs.errors import AuthenticationError, BackendError, TaplogsError, UsageError
from taplogs.sources.locate import open_backend

_SUMMARY = "Store, forget and check the API key."
_EPILOG = f"""\b
The key is taken from {KEY_VARIABLE}, --key-file, the system keyring, or a
file that --insecure-storage made; in that order. Stored keys belong to one
backend (scheme, host and port) and are sent to no other.
"""


def login(
    context: typer.Context,
    source: BackendOptions,
    display: DisplayOptions,
    insecure_storage: Annotated[
        bool, typer.Option("--insecure-storage", help="Store it in a file that only you can read, not in the keyring.")
    ] = False,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Ask the backend whether it takes the key.")] = True,
) -> None:
    """Store an API key: typed hidden, or read from standard input."""
    session = Session(context.obj, source, display)
    address = _backend(session)
    key = ApiKey(_read_key(session, address.origin))
    address.admit(key)
    if check:
        try:
            _ask_backend(session, key)
        except BackendError as error:  # not a word about the key: perhaps there is no backend yet
            session.notice(f"the key could not be checked: {error.message}")
    if insecure_storage:
        session.stored_keys.set(address.origin, key)
        place = f"the file {session.stored_keys.path}"
    else:
        stored_keyring().set(address.origin, key.reveal())
        place = "the system keyring"
    session.notice(f"stored {key.masked} for {address.origin} in {place}")


def logout(context: typer.Context, source: BackendOptions, display: DisplayOptions) -> None:
    """Forget the stored API key."""
    session = Session(context.obj, source, display)
    address = _backend(session)
    forgotten = [session.stored_keys.delete(address.origin), stored_keyring().delete(address.origin)]
    if any(forgotten):
        session.notice(f"forgot the key for {address.origin}")
    else:
        session.notice(f"no key was stored for {address.origin}")
    if session.runtime.environ.get(KEY_VARIABLE):
        session.notice(f"{KEY_VARIABLE} is still set in the environment")


def status(
    context: typer.Context,
    source: BackendOptions,
    display: DisplayOptions,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """Show which key is used, and whether the backend takes it."""
    if output not in ("text", "json"):
        raise UsageError(f"--output {output!r} is not a format of auth status", "accepted: text, json")
    session = Session(context.obj, source, display)
    address = _backend(session)
    credential = session.credential
    base_url = session.settings.resolve("base_url")
    problem: TaplogsError | None = None
    try:
        _ask_backend(session, credential.key)
    except TaplogsError as error:
        problem = error
    rows = {
        "profile": session.settings.profile,
        "backend": address.base_url,
        "backendOrigin": "flag --source" if source.place else base_url.origin,
        "key": credential.key.masked,
        "keyOrigin": credential.origin,
        "environment": credential.key.environment,
        "accepted": _verdict(problem),
    }
    if output == "json":
        session.output.write(json.dumps(rows).encode() + b"\n")
    else:
        lines = [f"{name:<14} {session.output.screen.clean(_in_words(value))}" for name, value in rows.items()]
        session.output.write_lines(lines)
    session.output.flush()
    if problem:
        raise problem


def _backend(session: Session) -> Any:
    if session.place and not session.asks_backend:
        raise UsageError(
            f"{session.place.text} takes no API key", "auth is about backends: leave --source and --demo out"
        )
    return session.address


def _verdict(problem: TaplogsError | None) -> bool | None:
    """Return whether the key is accepted; None where the backend could not be asked."""
    if problem is None:
        return True
    return False if isinstance(problem, AuthenticationError) else None


def _in_words(value: str | bool | None) -> str:
    return value if isinstance(value, str) else {True: "yes", False: "no", None: "unknown"}[value]


def _read_key(session: Session, origin: str) -> str:
    text = read_secret(session.runtime.stdin, f"API key for {origin}: ")
    if text is None:
        raise AuthenticationError("there is no standard input to read the key from", f"set {KEY_VARIABLE} instead")
    return text


def _ask_backend(session: Session, key: ApiKey) -> None:
    """Ask for one entry; raises AuthenticationError where the key is refused, BackendError where nobody answers."""
    source = open_backend(session.address, key, session.reach, session.surroundings)
    try:
        with suppress(StopIteration):
            next(source.batches(replace(LogQuery(), limit=1, payloads=False)))
    finally:
        source.close()


def build(name: Literal["auth"]) -> Any:
    """Return the command."""
    return build_group(name, _SUMMARY, {"login": login, "logout": logout, "status": status}, _EPILOG)

"""taplogs serve: the reference logging backend over HTTP."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.gateway import Capture, open_server
from taplogs.cli.opening import open_clickhouse
from taplogs.cli.options import DisplayOptions, SourceOptions
from taplogs.cli.passing import Passing
from taplogs.cli.serve_options import AccessOptions, GatewayOptions, ListenOptions, StoreOptions
from taplogs.cli.session import Session
from taplogs.errors import AuthenticationError, TaplogsError, UsageError
from taplogs.output.terminal import Output
from taplogs.sources.address import is_loopback

if TYPE_CHECKING:
    from taplogs.backend.keys import ApiKeys, KeysBesideOne
    from taplogs.core.apikey import ApiKey
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.sqlite import SqliteStore
    from taplogs.sources.sqlite_database import SqliteDatabase

_EPILOG = """\b
Examples:
  taplogs serve --load requests.jsonl.gz
  taplogs serve --store logs.sqlite --new-key
  taplogs serve --store clickhouse://logs@db.example.com/logs --keys k.db

\b
The gateway passes every request on to the API and logs it; the integration's
base URL is pointed at it. docs/gateway.md tells all of it.
  taplogs serve --store logs.sqlite \\
    --upstream https://partner-api.taptalent.io/v1
  taplogs serve --store logs.sqlite --keep 90d --read-key read.key \\
    --upstream https://partner-api.taptalent.io/v1 \\
    --listen 0.0.0.0:8443 --cert cert.pem --key key.pem
"""


def serve(
    context: typer.Context,
    gateway: GatewayOptions,
    stored: StoreOptions,
    listening: ListenOptions,
    access: AccessOptions,
    display: DisplayOptions,
) -> None:
    """Run the reference logging backend, or the gateway, until Ctrl-C."""
    from taplogs.backend.app import create_app
    from taplogs.backend.keys import ApiKeys
    from taplogs.backend.ratelimit import RateLimit

    session = Session(context.obj, SourceOptions(ca_file=gateway.ca_file), display)
    output = session.output  # where it is closed, that is told before a key is made that nobody would see
    host, port = listening.address
    tls = listening.tls()
    held_key = access.held_key(session.runtime.environ)
    passing = Passing.of(gateway, session, host, port)
    limit = RateLimit.parse(access.rate) if access.rate else None
    with _ended_by_signals(), _opened(session, stored.store, access.keys_file) as (entries, database):
        keys = ApiKeys(database)
        if access.revoke_key:
            _revoke(session, keys, access.revoke_key)
        _refuse_open_door(keys, host, is_key_coming=access.new_key or held_key is not None)
        known = _known(keys, held_key)
        capture = Capture.into(entries, database, passing, session) if passing else None
        application = create_app(entries, keys=known, rate_limit=limit, health=capture.health if capture else None)
        server = open_server(application, capture, host, port, threads=listening.threads, tls=tls)
        with closing(server):
            for file in stored.load or []:
                _load(session, entries, file)

            def announce(url: str) -> None:
                # Only a server that listens makes a key: one that nobody was shown could never be used.
                key = _key(keys, wanted=access.new_key, held=held_key)
                _announce(session, output, url, key, passing, is_temporary=stored.store is None)

            drained = server.serve(announce)
    if not drained:
        raise TaplogsError("stopped, but not every running request could be answered in time")
    session.notice("stopped")


def _known(keys: ApiKeys, held: ApiKey | None) -> ApiKeys | KeysBesideOne:
    """Return what knows all keys that are taken; raises AuthenticationError for one that was revoked here."""
    from taplogs.backend.keys import KeysBesideOne, KeyState

    if held is None:
        return keys
    if keys.check(held.reveal()) is KeyState.REVOKED:
        raise AuthenticationError(f"--read-key holds {held.masked}, which was revoked", "put another key into its file")
    return KeysBesideOne(keys, held)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the process as Ctrl-C does, so that the temporary database goes with it."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous = [(number, signal.signal(number, end)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


@contextmanager
def _opened(
    session: Session, store: str | None, keys_file: Path | None
) -> Iterator[tuple[SqliteStore | ClickHouseStore, SqliteDatabase]]:
    """Give the store of entries and the database of keys, and close them."""
    from taplogs.sources.sqlite import SqliteStore
    from taplogs.sources.sqlite_database import SqliteDatabase

    with ExitStack() as opened:
        if store is None or not store.startswith("clickhouse"):
            path = store or opened.enter_context(TemporaryDirectory(prefix="taplogs-")) + "/logs.sqlite"
            entries = opened.enter_context(closing(SqliteStore(Path(path))))
            database = opened.enter_context(closing(SqliteDatabase(keys_file))) if keys_file else entries.database
            yield entries, database
            return
        if keys_file is None:
            raise UsageError("ClickHouse holds no API keys of ours", "--keys PATH names a database file for them")
        clickhouse = opened.enter_context(closing(open_clickhouse(session, store)))
        clickhouse.prepare()
        yield clickhouse, opened.enter_context(closing(SqliteDatabase(keys_file)))


def _load(session: Session, entries: SqliteStore | ClickHouseStore, file: Path) -> None:
    from taplogs.backend.load import load_file

    report = load_file(entries, file)
    named, total = report.refused.named, report.refused.total
    if total and not report.added and not report.duplicates:
        raise UsageError(
            f"{file} holds no log entries: {named[0].unit} {named[0].number}: {named[0].reason}",
            "taken are JSON Lines, as 'taplogs list -n 0 -o jsonl' writes them, JSON arrays, and CSV as it writes it",
        )
    refused = f", {total:,} lines refused" if total else ""
    known = f", {report.duplicates:,} known already" if report.duplicates else ""
    session.notice(f"{file}: {report.added:,} entries taken{known}{refused}")
    for fault in named:
        session.notice(f"  {fault.unit} {fault.number}: {fault.reason}")
    if total > len(named):
        session.notice(f"  … and {total - len(named):,} more")


def _revoke(session: Session, keys: ApiKeys, masked: str) -> None:
    if not keys.revoke(masked):
        known = ", ".join(key.masked for key in keys.listed()) or "none"
        raise UsageError(f"there is no active key {masked!r}", f"keys of this store: {known}")
    session.notice(f"{masked} is refused from now on")


def _refuse_open_door(keys: ApiKeys, host: str, *, is_key_coming: bool) -> None:
    """Raise AuthenticationError where others could reach a backend for which nobody has a key."""
    if not is_key_coming and not keys.any_active() and not is_loopback(host):
        raise AuthenticationError(
            f"the store has no API key, so {host} would be open to everybody; it does not listen",
            "--new-key makes one (with --store PATH it is kept), --read-key FILE takes one",
        )


def _key(keys: ApiKeys, *, wanted: bool, held: ApiKey | None) -> str | None:
    """Return a new key, where one is wanted or there is none yet."""
    return keys.create() if wanted or (held is None and not keys.any_active()) else None


def _announce(
    session: Session, output: Output, url: str, key: str | None, passing: Passing | None, *, is_temporary: bool
) -> None:
    from taplogs.backend.app import BASE_PATH

    lines = [f"export TAPLOGS_BASE_URL={shlex.quote(url_from_here(url) + BASE_PATH)}"]
    if key:
        lines.append(f"export TAPLOGS_API_KEY={key}")
        session.notice("the API key is shown this once; only its hash is kept")
    output.write_lines(lines)
    output.flush()
    if passing:
        if is_temporary:
            session.notice(
                "the log is in a temporary file, and goes with it when the gateway ends: --store PATH keeps it"
            )
        own = url_from_here(url) + passing.base_path
        session.notice(f"point the integration's base URL at {own} instead of {passing.upstream.url}")
    session.notice(f"listening on {url}{BASE_PATH} (Ctrl-C stops)")


def url_from_here(url: str) -> str:
    """Return the URL by which a client on this machine reaches a server: "any address" is none to connect to."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:", 1).replace("//[::]:", "//[::1]:", 1)


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, serve, _EPILOG)

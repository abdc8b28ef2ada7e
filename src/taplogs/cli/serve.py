"""taplogs serve: the reference logging backend over HTTP."""

import shlex
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.opening import open_clickhouse
from taplogs.cli.options import DisplayOptions, SourceOptions
from taplogs.cli.session import Session
from taplogs.errors import AuthenticationError, TaplogsError, UsageError
from taplogs.output.terminal import Output
from taplogs.sources.address import is_loopback

if TYPE_CHECKING:
    from taplogs.backend.keys import ApiKeys
    from taplogs.sources.clickhouse import ClickHouseStore
    from taplogs.sources.sqlite import SqliteStore
    from taplogs.sources.sqlite_database import SqliteDatabase

_EPILOG = """\b
Examples:
  taplogs serve --load requests.jsonl.gz
  taplogs serve --store logs.sqlite --new-key
  taplogs serve --store logs.sqlite --listen 0.0.0.0:8321 --rate 600/min
  taplogs serve --store 'clickhouse://logs@db.example.com/logs?secure=1' --keys keys.sqlite
"""


def serve(
    context: typer.Context,
    display: DisplayOptions,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8321",
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="STORE", help="A database file, or clickhouse://…; a temporary file without it."
        ),
    ] = None,
    keys_file: Annotated[
        Path | None,
        typer.Option("--keys", metavar="PATH", help="A database file for the API keys; the store's without it."),
    ] = None,
    load: Annotated[
        list[Path] | None,
        typer.Option("--load", metavar="FILE", help="Load JSON Lines, JSON or CSV; gzip and zstd too."),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make an API key; it is shown once, only its hash is kept.")
    ] = False,
    revoke_key: Annotated[
        str | None,
        typer.Option("--revoke-key", metavar="MASKED", help="Refuse this key from now on (sk_test_…WXYZ)."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="N/UNIT", help="Requests allowed for each key, such as 100/min.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", metavar="N", min=1, max=64, help="Requests at once.")] = 8,
) -> None:
    """Run the reference logging backend until Ctrl-C."""
    from taplogs.backend.app import create_app
    from taplogs.backend.keys import ApiKeys
    from taplogs.backend.ratelimit import RateLimit
    from taplogs.backend.server import BackendServer, serve_forever

    session = Session(context.obj, SourceOptions(), display)
    output = session.output  # where it is closed, that is told before a key is made that nobody would see
    host, port = _address(listen)
    limit = RateLimit.parse(rate) if rate else None
    with _ended_by_signals(), _opened(session, store, keys_file) as (entries, database):
        keys = ApiKeys(database)
        if revoke_key:
            _revoke(session, keys, revoke_key)
        _refuse_open_door(keys, host, new_key=new_key)
        application = create_app(entries, keys=keys, rate_limit=limit)
        with closing(BackendServer(application, host=host, port=port, threads=threads)) as server:
            for file in load or []:
                _load(session, entries, file)
            # Only a server that listens makes a key: one that nobody was shown could never be used.
            drained = serve_forever(server, lambda url: _announce(session, output, url, _key(keys, wanted=new_key)))
    if not drained:
        raise TaplogsError("stopped, but not every running request could be answered in time")
    session.notice("stopped")


def _address(listen: str) -> tuple[str, int]:
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--listen {listen!r} is not understood", "accepted: HOST:PORT, such as 127.0.0.1:8321")
    return host.strip("[]") or "127.0.0.1", int(port)


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
) -> Iterator[tuple["SqliteStore | ClickHouseStore", "SqliteDatabase"]]:
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


def _load(session: Session, entries: "SqliteStore | ClickHouseStore", file: Path) -> None:
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


def _revoke(session: Session, keys: "ApiKeys", masked: str) -> None:
    if not keys.revoke(masked):
        known = ", ".join(key.masked for key in keys.listed()) or "none"
        raise UsageError(f"there is no active key {masked!r}", f"keys of this store: {known}")
    session.notice(f"{masked} is refused from now on")


def _refuse_open_door(keys: "ApiKeys", host: str, *, new_key: bool) -> None:
    """Raise AuthenticationError where others could reach a backend for which nobody has a key."""
    if not new_key and not keys.any_active() and not is_loopback(host):
        raise AuthenticationError(
            f"the store has no API key, so {host} would be open to everybody; it does not listen",
            "--new-key makes one (with --store PATH it is kept)",
        )


def _key(keys: "ApiKeys", *, wanted: bool) -> str | None:
    """Return a new key, where one is wanted or none exists yet."""
    return keys.create() if wanted or not keys.any_active() else None


def _announce(session: Session, output: Output, url: str, key: str | None) -> None:
    from taplogs.backend.app import BASE_PATH

    url += BASE_PATH
    lines = [f"export TAPLOGS_BASE_URL={shlex.quote(url_from_here(url))}"]
    if key:
        lines.append(f"export TAPLOGS_API_KEY={key}")
        session.notice("the API key is shown this once; only its hash is kept")
    output.write_lines(lines)
    output.flush()
    session.notice(f"listening on {url} (Ctrl-C stops)")


def url_from_here(url: str) -> str:
    """Return the URL by which a client on this machine reaches a server: "any address" is none to connect to."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:", 1).replace("//[::]:", "//[::1]:", 1)


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, serve, _EPILOG)

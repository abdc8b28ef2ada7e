"""taplogs archive: the local archive looked at, checked, and rid of what is old; without a key or a network."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from taplogs.cli.command import build_group
from taplogs.cli.options import BackendOptions, DisplayOptions
from taplogs.cli.panels import OUTPUT, SOURCE
from taplogs.cli.session import Session
from taplogs.errors import ConfigurationError, TaplogsError, UsageError, VerificationFailed, chosen

if TYPE_CHECKING:
    from taplogs.archive.upkeep import ArchiveStatus
    from taplogs.sources.sqlite import SqliteStore

_SUMMARY = "Look after the local archive, which 'taplogs sync' fills."
_EPILOG = """\b
The archive is a folder (the setting archive, TAPLOGS_ARCHIVE) with a SQLite store for each profile
and backend. None of these commands asks a backend; none needs an API key.

\b
Examples:
  taplogs archive status --all
  taplogs archive verify
  taplogs archive prune --older-than 400d --dry-run
  taplogs archive prune --older-than 400d --yes
  sqlite3 "$(taplogs archive path)" ".backup archive-backup.sqlite"
"""


class StoreOptions(Struct, frozen=True):
    """Which store is meant."""

    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="The backend whose archive is meant, or sqlite:PATH; the profile's without it.",
            rich_help_panel=SOURCE,
        ),
    ] = None
    demo: Annotated[bool, typer.Option("--demo", help="The archive of the demo.", rich_help_panel=SOURCE)] = False
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            metavar="NAME",
            help="production, sandbox, or your own (taplogs config list).",
            rich_help_panel=SOURCE,
        ),
    ] = None

    def session(self, context: typer.Context, display: DisplayOptions) -> Session:
        """Return the session of a command."""
        named = [self.source] if self.source is not None else None
        return Session(context.obj, BackendOptions(source=named, demo=self.demo, profile=self.profile), display)


Everything = Annotated[bool, typer.Option("--all", help="Every store of the archive.", rich_help_panel=SOURCE)]

Output = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FORMAT", help="text or json (text).", show_default=False, rich_help_panel=OUTPUT
    ),
]


def status(
    context: typer.Context,
    chosen_store: StoreOptions,
    display: DisplayOptions,
    everything: Everything = False,
    output: Output = "text",
) -> None:
    """Show what the archive holds, and of which time."""
    from taplogs.archive.upkeep import status_of

    format_name = chosen("--output", output, ("text", "json"))
    session = chosen_store.session(context, display)
    paths = _all_paths(session) if everything else [_path(session)]
    found: list[ArchiveStatus] = []
    failure: TaplogsError | None = None
    for path in paths:
        try:
            with _store(session, path) as store:
                found.append(status_of(path, store))
        except TaplogsError as error:
            if not everything:
                raise
            session.notice(f"{path}: {error.message}")
            failure = error
    _write(session, format_name, found)
    if failure:
        raise failure


def verify(
    context: typer.Context, chosen_store: StoreOptions, display: DisplayOptions, everything: Everything = False
) -> None:
    """Check that the archive is sound: exit 8 where it is not."""
    session = chosen_store.session(context, display)
    failure: TaplogsError | None = None
    for path in _all_paths(session) if everything else [_path(session)]:
        try:
            _verify(session, path, f"{path}: " if everything else "")
        except TaplogsError as error:
            if not everything:
                raise
            session.notice(error.message if isinstance(error, VerificationFailed) else f"{path}: {error.message}")
            failure = failure if isinstance(failure, VerificationFailed) else error
    if failure:
        raise failure


def _verify(session: Session, path: Path, place: str) -> None:
    """Write what is wrong with a store, each finding after `place`; raises VerificationFailed where anything is."""
    from taplogs.output.wording import counted

    renewal = _renewal(session, path)
    clean = session.output.screen.clean
    count = 0
    for fault in _faults(session, path):
        session.output.write_lines([clean(f"{place}{fault}")])
        count += 1
    session.output.write_lines([] if count else [clean(f"{path} is sound")])
    session.output.flush()
    if count:
        raise VerificationFailed(
            f"{path} is not sound: {counted(count, 'finding')}",
            f"move it away, and {renewal} makes a new one of what the source still has",
        )


def prune(
    context: typer.Context,
    chosen_store: StoreOptions,
    display: DisplayOptions,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Before this time: 400d, 13mo, 2025-01-01.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove old entries for good: no sync pulls them again."""
    from taplogs.archive.place import held
    from taplogs.archive.upkeep import older_than as count_older
    from taplogs.archive.upkeep import prune as prune_store
    from taplogs.output.archive_view import local_text
    from taplogs.output.wording import counted

    session = chosen_store.session(context, display)
    before = _instant(session, older_than)
    path = _path(session)
    with _store(session, path) as store:
        count = count_older(store, before)
    age = f"earlier than {local_text(before, session.zone)}"
    what = f"{counted(count, 'entry', 'entries')} {age} from {path}"
    if not count:
        session.notice(f"there is nothing to remove: {path} holds no entry {age}")
        return
    if dry_run:
        session.notice(f"--dry-run removes nothing; without it this would remove {what}")
        return
    if not yes and not _agrees(session, f"remove {what}, for good?"):
        session.notice("nothing was removed")
        return
    with held(path), _store(session, path, writes=True) as store:
        removed = prune_store(store, before)
        session.notice(f"removed {counted(removed, 'entry', 'entries')} {age} from {path}")
        _erase_removed(store, path)


def path_(
    context: typer.Context,
    chosen_store: StoreOptions,
    display: DisplayOptions,
    folder: Annotated[bool, typer.Option("--folder", help="The folder of all stores.", rich_help_panel=SOURCE)] = False,
) -> None:
    """Print where the archive is, or would be."""
    from taplogs.archive.place import archive_folder

    session = chosen_store.session(context, display)
    place = str(archive_folder(session.settings.get("archive")) if folder else _place(session))
    session.output.write_lines([session.output.screen.clean(place) if session.output.screen.is_terminal else place])
    session.output.flush()


def vacuum(context: typer.Context, chosen_store: StoreOptions, display: DisplayOptions) -> None:
    """Give the space of removed entries back to the disk."""
    from taplogs.archive.place import held
    from taplogs.archive.upkeep import size_of
    from taplogs.output.archive_view import size_text

    session = chosen_store.session(context, display)
    path = _path(session)
    before = size_of(path)
    with held(path), _store(session, path, writes=True) as store:
        _erase_removed(store, path)
    session.notice(f"{path} takes {size_text(size_of(path))}, after {size_text(before)}")


def _erase_removed(store: "SqliteStore", path: Path) -> None:
    """Leave no trace of removed entries in the files of a store; raises TaplogsError where one is left."""
    from taplogs.output.curl import shell_word

    try:
        store.vacuum()
    except TaplogsError as error:
        command = f"taplogs archive vacuum --source {shell_word(f'sqlite:{path}')}"
        raise TaplogsError(
            f"removed entries are not erased from the files of the store yet: {error.message}",
            f"they are in no answer any more; '{command}' erases them, as soon as it can",
        ) from error


def _renewal(session: Session, path: Path) -> str:
    """Return the command that makes a store like this one."""
    from taplogs.archive.place import archive_folder, demo_path
    from taplogs.cli.opening import sync_command
    from taplogs.output.curl import shell_word

    setting = session.settings.get("archive")
    if path == demo_path(setting):
        return "'taplogs sync --demo'"
    if path.absolute().parent == archive_folder(setting).absolute():
        return f"'{sync_command(session)}'"
    words = shell_word(f"sqlite:{path}"), shell_word(str(path))
    return f"'taplogs sync --to {words[0]}' or 'taplogs serve --store {words[1]}'"


def _place(session: Session) -> Path:
    """Return where the store is that is meant, or would be; raises UsageError for what has none."""
    from taplogs.sources.place import Kind

    place = session.place
    if place is None or place.kind in (Kind.BACKEND, Kind.ARCHIVE, Kind.DEMO):
        return session.archive_path
    if place.kind is Kind.SQLITE:
        return Path(place.path).expanduser()
    raise UsageError(f"{place.text} is no archive", "accepted: the URL of a backend, or sqlite:PATH")


def _path(session: Session) -> Path:
    """Return the store that is meant; raises ConfigurationError where there is none."""
    from taplogs.cli.opening import no_archive
    from taplogs.sources.place import Kind

    path = _place(session)
    if path.exists():
        return path
    if session.place and session.place.kind is Kind.SQLITE:
        raise ConfigurationError(f"there is no store {path}", "'taplogs sync --to sqlite:PATH' makes one")
    raise no_archive(session, path)


def _all_paths(session: Session) -> list[Path]:
    """Return all stores of the archive, and say where there are none; raises UsageError where one of them is named."""
    from taplogs.archive.place import archive_folder, archive_paths

    if session.place:
        raise UsageError("--all is every store of the archive", "leave it out, or leave out --source and --demo")
    folder = session.settings.get("archive")
    paths = archive_paths(folder)
    if not paths:
        session.notice(f"there is no archive in {archive_folder(folder)} yet; 'taplogs sync' makes one")
    return paths


def _faults(session: Session, path: Path) -> Iterator[str]:
    """Yield what is wrong with a store, also where it is so damaged that it cannot be looked at."""
    from taplogs.archive.upkeep import faults_of
    from taplogs.sources.sqlite_database import StoreLocked

    try:
        with _store(session, path) as store:
            yield from faults_of(store)
    except (UsageError, StoreLocked):  # of something else, of a newer taplogs, or busy: nothing is known of it
        raise
    except TaplogsError as error:
        yield error.message


@contextmanager
def _store(session: Session, path: Path, *, writes: bool = False) -> "Iterator[SqliteStore]":
    from taplogs.sources.sqlite import SqliteStore

    with closing(SqliteStore(path, clock=session.runtime.clock, read_only=not writes)) as store:
        yield store


def _instant(session: Session, text: str) -> str:
    """Return --older-than as a canonical timestamp; raises UsageError for a time that is still to come."""
    from taplogs.core.timespan import parse_instant
    from taplogs.core.timestamp import ceil_to_millisecond, format_timestamp

    now = session.runtime.clock()
    instant = parse_instant(text, now=now, zone=session.zone, option="--older-than")
    if instant >= now:
        raise UsageError(f"--older-than {text} is not past", "it would remove everything; such as 400d, or 2025-01-01")
    return format_timestamp(ceil_to_millisecond(instant))


def _agrees(session: Session, question: str) -> bool:
    """Ask a person; raises UsageError where nobody is there."""
    stdin = session.runtime.stdin
    if stdin is None or not stdin.isatty() or session.messages is None:
        raise UsageError(
            "nobody can be asked whether entries are to be removed", "--yes does it, --dry-run counts them"
        )
    session.messages.write_raw(f"{session.messages.screen.clean(question)} [y/N] ")
    return stdin.readline().strip().lower() in ("y", "yes")


def _write(session: Session, format_name: str, found: "list[ArchiveStatus]") -> None:
    from taplogs.output.archive_view import SCHEMA, status_lines, status_record
    from taplogs.output.records import write_records

    if format_name == "json":
        document = {"schema": SCHEMA, "archives": list(map(status_record, found))}
        write_records("json", document, [], session.output)
        return
    clean = session.output.screen.clean
    for number, item in enumerate(found):
        session.output.write_lines(["", *map(clean, status_lines(item, session.zone))][number == 0 :])
    session.output.flush()


def build(name: str) -> Any:
    """Return the command."""
    commands: dict[str, Callable[..., None]] = {
        "status": status,
        "verify": verify,
        "prune": prune,
        "path": path_,
        "vacuum": vacuum,
    }
    return build_group(name, _SUMMARY, commands, _EPILOG)

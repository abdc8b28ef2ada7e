"""taplogs sync: what is new at the backend into the local archive."""

from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import DisplayOptions, SourceOptions, Texts
from taplogs.cli.panels import FILTERS, OUTPUT, SOURCE
from taplogs.cli.session import Session
from taplogs.errors import chosen

_EPILOG = """\b
The archive holds a store for each profile and backend, for nobody else to read; all commands that
read entries take them from there with --source archive. The first run pulls all that the backend
has, or what --since says; each later one pulls what came since, and reads what lies within
--overlap again, for entries that became visible late. No entry is stored twice.

\b
--overlap 30d reads the last 30 days again, once: for what a backend itself got days later, or
where its clock was wrong. Of a backend that does not tell its time, this machine's clock counts;
then nothing after the last entry that was read is said to be without a gap.

\b
A run may end anywhere: by Ctrl-C, a kill, a full disk, a backend that fails (exit 7, or 6 where
nothing came). What came is kept, and the next run goes on. Another API key than before has to see
the archive's newest entry, or entries of its company; any other company is refused.

\b
What is stored is what --redact leaves. Secrets are hidden, and not to be had back from the archive;
--redact none stores entries as they were sent.

\b
--source of files or another store, with --to, is read whole each time. Where lines of a file are no
entries, the rest is kept, and the exit code is 7.

\b
Examples:
  taplogs sync
  taplogs sync --since 90d                     older entries as well
  taplogs sync --overlap 6h -o json
  taplogs sync --to sqlite:november.sqlite --since 2026-11-01
  taplogs list --source archive --since 6mo -s 5xx
"""


class PulledOptions(SourceOptions, frozen=True):
    """Where entries are pulled from."""

    source: Annotated[
        Texts,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="A backend's URL; with --to also files, -, sqlite:PATH, clickhouse://…; the profile's without it.",
            rich_help_panel=SOURCE,
        ),
    ] = None
    demo: Annotated[
        bool, typer.Option("--demo", help="Made-up entries, into an archive of their own.", rich_help_panel=SOURCE)
    ] = False


def sync_entries(
    context: typer.Context,
    source: PulledOptions,
    display: DisplayOptions,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="From this time on, also what is older than the archive is.",
            rich_help_panel=FILTERS,
        ),
    ] = None,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap",
            metavar="TIME",
            help="How late entries may become visible (1h).",
            show_default=False,
            rich_help_panel=FILTERS,
        ),
    ] = "1h",
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="STORE", help="Not the archive, but sqlite:PATH or clickhouse://…", rich_help_panel=OUTPUT
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            help="What is told at the end: text or json (text).",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ] = "text",
) -> None:
    """Pull what is new into the archive, and go on where the last run ended."""
    format_name = chosen("--output", output, ("text", "json"))
    from taplogs.cli.syncing import SyncRun, Wanted

    session = Session(context.obj, source, display)
    SyncRun(session, Wanted(since, overlap, to, as_json=format_name == "json")).run()


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, sync_entries, _EPILOG)

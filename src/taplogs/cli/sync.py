"""taplogs sync: what is new at the backend into the local archive."""

from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import DisplayOptions, SourceOptions
from taplogs.cli.panels import FILTERS, OUTPUT
from taplogs.cli.session import Session
from taplogs.errors import chosen

_EPILOG = """\b
The archive holds a store for each profile and backend, for nobody else to read; all commands that
read entries take them from there with --source archive. The first run pulls all that the backend
has, or what --since says; each later one pulls what came since, and reads what lies within
--overlap again, for entries that became visible late. No entry is stored twice.

\b
A run may end anywhere: by Ctrl-C, a kill, a backend that fails (exit 7), a full disk. What came is
kept, and the next run goes on. A company that is not the archive's is refused.

\b
What is stored is what --redact leaves. Secrets are hidden, and not to be had back from the archive;
--redact none stores entries as they were sent.

\b
Examples:
  taplogs sync
  taplogs sync --since 90d                     older entries as well
  taplogs sync --overlap 6h -o json
  taplogs sync --to sqlite:november.sqlite --since 2026-11-01
  taplogs list --source archive --since 6mo -s 5xx
"""


def sync_entries(
    context: typer.Context,
    source: SourceOptions,
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

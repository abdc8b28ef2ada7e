"""taplogs export: a folder of records, with all that proves them; or the records alone, to a pipe."""

from pathlib import Path
from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import CsvOptions, DisplayOptions, FilterOptions, SourceOptions
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.errors import UsageError

_EPILOG = """\b
DIR gets records.jsonl, records.csv, manifest.json and, with --sign-key, its signature. While it
is written, all of it is in DIR/.partial. A manifest stands for a complete export, unless it says
otherwise. --chain does not read the records of PREVIOUS again: 'taplogs verify --chain' does.

\b
Examples:
  taplogs export --since 2026-11-01 --until 2026-12-01 -o november
  taplogs export --since 7d -o week --format jsonl --redact none
  taplogs export -o audit-2 --chain audit-1 --sign-key audit.key
  taplogs export -o november --since 2026-11-01 --until 2026-12-01 --resume
  taplogs export --since 1d --status error -o - | jq .requestUrl
"""

_FORMATS = ("jsonl", "csv")
_STANDARD_OUTPUT = "-"


def export_entries(
    context: typer.Context,
    filters: FilterOptions,
    csv: CsvOptions,
    source: SourceOptions,
    display: DisplayOptions,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="A folder for the export; - is standard output.",
            rich_help_panel=OUTPUT,
        ),
    ],
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMATS",
            help="jsonl, or jsonl,csv (jsonl,csv; on standard output jsonl or csv).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    include_personal_data: Annotated[
        bool,
        typer.Option("--include-personal-data", help="Hide secrets alone: --redact secrets.", rich_help_panel=OUTPUT),
    ] = False,
    chain: Annotated[
        str | None,
        typer.Option("--chain", metavar="PREVIOUS", help="Go on where this export ends.", rich_help_panel=OUTPUT),
    ] = None,
    sign_key: Annotated[
        str | None,
        typer.Option("--sign-key", metavar="FILE", help="Sign with this secret key.", rich_help_panel=OUTPUT),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that ended early.", rich_help_panel=OUTPUT)
    ] = False,
    allow_partial: Annotated[
        bool,
        typer.Option("--allow-partial", help="Finish what came, even if some is missing.", rich_help_panel=OUTPUT),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the export that is there.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Export log entries, oldest first, with what proves them complete and unchanged."""
    from taplogs.audit.records_table import TableForm

    if include_personal_data and source.redact not in (None, "secrets"):
        raise UsageError(f"--include-personal-data and --redact {source.redact} say two things", "give one of them")
    profile = "secrets" if include_personal_data else source.redact
    session = Session(context.obj, source, display, redaction="export_redact", export_redact=profile)
    written = _formats(formats, output)
    csv.refuse_without_csv(written)
    form = TableForm(formula_guard=not csv.csv_raw, byte_order_mark=csv.excel)
    if output == _STANDARD_OUTPUT:
        given = {
            "--chain": chain,
            "--sign-key": sign_key,
            "--resume": resume,
            "--allow-partial": allow_partial,
            "--force": force,
        }
        _refuse_with_pipe([name for name, value in given.items() if value])
        from taplogs.cli.export_stream import write_records

        write_records(session, filters, form, written[0])
        return
    if resume and force:
        raise UsageError("--resume and --force exclude each other", "--resume goes on, --force begins anew")
    from taplogs.cli.exporting import ExportRun, Wanted

    wanted = Wanted(
        Path(output),
        form=form if "csv" in written else None,
        chain=Path(chain) if chain is not None else None,
        sign_key=Path(sign_key) if sign_key is not None else None,
        resume=resume,
        allow_partial=allow_partial,
        force=force,
    )
    ExportRun(session, filters, wanted).run()


def _formats(text: str | None, output: str) -> tuple[str, ...]:
    """Return the formats to be written, without repeats; raises UsageError."""
    to_pipe = output == _STANDARD_OUTPUT
    if text is None:
        return ("jsonl",) if to_pipe else _FORMATS
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    if not set(names) <= set(_FORMATS):
        raise UsageError(f"--format {text!r} is not understood", f"accepted: {', '.join(_FORMATS)} or both")
    if to_pipe and len(names) > 1:
        raise UsageError(f"--format {text}: one format goes to standard output", "give jsonl or csv")
    return names


def _refuse_with_pipe(given: list[str]) -> None:
    if given:
        raise UsageError(f"{given[0]} is about a folder, and -o - writes to standard output", "name a folder with -o")


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, export_entries, _EPILOG)

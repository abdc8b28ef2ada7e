"""taplogs show: everything about one entry, or several."""

from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.options import DisplayOptions, SourceOptions
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.core.entry import LogEntry
from taplogs.errors import EntryNotFound, UsageError
from taplogs.output.wording import counted
from taplogs.sources.address import may_take_key
from taplogs.sources.place import Kind
from taplogs.sources.protocol import LogSource

_EPILOG = """\b
Examples:
  taplogs show 3f9a1c20b7de
  taplogs show 3f9a1c20b7de --curl          the request, ready to run again
  taplogs show 3f9a1c20b7de --response | jq .error
  taplogs show ID1 ID2 --har > calls.har
"""


def show_entries(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as list shows them.")],
    source: SourceOptions,
    display: DisplayOptions,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FORMAT", help="text or json; json in a pipe.", rich_help_panel=OUTPUT),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show huge bodies whole.", rich_help_panel=OUTPUT)] = False,
    curl: Annotated[
        bool, typer.Option("--curl", help="The request as a curl command.", rich_help_panel=OUTPUT)
    ] = False,
    har: Annotated[bool, typer.Option("--har", help="A HAR 1.2 document.", rich_help_panel=OUTPUT)] = False,
    request: Annotated[
        bool, typer.Option("--request", help="The bare request payload.", rich_help_panel=OUTPUT)
    ] = False,
    response: Annotated[
        bool, typer.Option("--response", help="The bare response payload.", rich_help_panel=OUTPUT)
    ] = False,
) -> None:
    """Show everything about an entry: request, response and metadata."""
    session = Session(context.obj, source, display)
    chosen = [name for name, wanted in _flags(curl=curl, har=har, request=request, response=response) if wanted]
    if len(chosen) > 1 or (chosen and output):
        names = [f"--{name}" for name in chosen] + (["--output"] if output else [])
        raise UsageError(f"{' and '.join(names)} cannot be combined", "give one of them")
    form = chosen[0] if chosen else output or ("text" if session.output.screen.is_terminal else "json")
    if form not in ("text", "json", "curl", "har", "request", "response"):
        raise UsageError(f"--output {form!r} is not a format of one entry", "accepted: text, json")
    with session.source() as log_source:
        entries, missing = _find(log_source, ids)
        if entries:
            _write(entries, form, session, full=full)
        hint = _hint(session, ids) if missing else None
    if missing:
        for error in missing[:-1]:
            session.notice(error.message)
        error = missing[-1]
        raise EntryNotFound(error.message, error.hint or hint)


def _find(source: LogSource, ids: list[str]) -> tuple[list[LogEntry], list[EntryNotFound]]:
    """Return the entries that there are, and an error for each id that none has."""
    entries: list[LogEntry] = []
    missing: list[EntryNotFound] = []
    for entry_id in ids:
        try:
            entries.append(source.get(entry_id))
        except EntryNotFound as error:
            missing.append(error)
    return entries, missing


def _hint(session: Session, ids: list[str]) -> str | None:
    """Return why an entry may be missing, and what to do; None where nothing but its id is to blame."""
    if session.place and session.place.kind is Kind.FILES:
        from taplogs.cli.extra_words import hint_of_files

        return hint_of_files(ids[-1:], session.place.texts)
    if not session.sync_states:
        return None
    from taplogs.cli.gap_words import hint_of_missing_entry

    return hint_of_missing_entry(session)


def _flags(**flags: bool) -> list[tuple[str, bool]]:
    return list(flags.items())


def _write(entries: list[LogEntry], form: str, session: Session, *, full: bool) -> None:
    if form == "text":
        from taplogs.output.detail import DetailView

        view = DetailView(session.runtime.stdout, session.output.screen, session.zone, session.templates, full=full)
        for entry in entries:
            view.show(entry)
        return
    from taplogs.output import documents

    if form == "curl":
        origins = (session.address.origin,) if session.asks_backend else ()
        documents.write_curl(entries, session.output, lambda url: may_take_key(url, origins))
        if hidden := sum(session.redactor.counts.values()):
            session.notice(f"{counted(hidden, 'value')} hidden; --redact none has the request as it was sent")
    else:
        documents.DOCUMENTS[form](entries, session.output)
    session.output.flush()


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, show_entries, _EPILOG)

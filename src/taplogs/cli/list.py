"""taplogs list: the newest entries that match, as a table or for programs."""

from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.again import rest_command
from taplogs.cli.command import build_command
from taplogs.cli.listing import Listing
from taplogs.cli.options import (
    CsvOptions,
    DisplayOptions,
    FailOnEmpty,
    FilterOptions,
    OutputOptions,
    SourceOptions,
    limit_option,
)
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.core.query import Order
from taplogs.output.formats import FORMATS, Layout, shows_payloads

_EPILOG = """\b
Examples:
  taplogs list --status 4xx --since 2d
  taplogs list -s '5xx,!503' -m POST --latency '>1s'
  taplogs list -e '/v1/partner/jobs/{id}' --grep 'INVALID_REQUEST'
  taplogs list --since today -n 0 -o jsonl | jq .requestUrl
"""


def list_entries(
    context: typer.Context,
    filters: FilterOptions,
    output: OutputOptions,
    csv: CsvOptions,
    source: SourceOptions,
    display: DisplayOptions,
    limit: Annotated[
        str | None,
        limit_option("At most so many; 0 for all (50)."),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Oldest first.", rich_help_panel=OUTPUT)] = False,
    fail_on_empty: FailOnEmpty = False,
) -> None:
    """List log entries, newest first."""
    session = Session(context.obj, source, display, limit=limit)
    format_name = output.format_for(session.output.screen)
    csv.refuse_without_csv([format_name])
    payloads = shows_payloads(format_name, output.columns)
    query = replace(
        filters.query(session.templates),
        order=Order.OLDEST_FIRST if reverse else Order.NEWEST_FIRST,
        limit=session.settings.get("limit") or None,
        payloads=payloads,
    )
    filters.window(session.runtime.clock(), session.zone)  # a wrong time is told before a key is looked for
    with session.source() as log_source:
        query = session.resolve(query, filters, log_source)
        listing = Listing(query)
        batches = session.with_progress(listing.shown(log_source.batches(listing.query)))
        layout = Layout(
            output.columns, session.zone, session.templates, guarded=not csv.csv_raw, byte_order_mark=csv.excel
        )
        FORMATS[format_name](batches, session.output, layout)
    if listing.next is not None:
        session.notice(f"{listing.count:,} shown, there are more. The next ones:")
        session.suggest(rest_command(session.runtime.arguments, query, listing))
    if listing.count == 0:
        session.tell_empty(query, fail_on_empty)


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, list_entries, _EPILOG)

"""taplogs list: the newest entries that match, as a table or for programs."""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.command import build_command
from taplogs.cli.options import DisplayOptions, FilterOptions, OutputOptions, SourceOptions
from taplogs.cli.session import Session
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import ceil_to_millisecond, format_timestamp
from taplogs.output.curl import shell_word
from taplogs.output.formats import FORMATS, Layout, shows_payloads
from taplogs.sources.pages import just_after

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
    source: SourceOptions,
    display: DisplayOptions,
    limit: Annotated[
        str | None,
        typer.Option("--limit", "-n", metavar="N", help="At most so many; 0 for all (50).", rich_help_panel="Output"),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Oldest first.", rich_help_panel="Output")] = False,
    fail_on_empty: Annotated[
        bool, typer.Option("--fail-on-empty", help="Exit 3 where nothing matches.", rich_help_panel="Output")
    ] = False,
) -> None:
    """List log entries, newest first."""
    session = Session(context.obj, source, display, limit=limit)
    format_name = output.format_for(session.output.screen)
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
        FORMATS[format_name](batches, session.output, Layout(output.columns, session.zone, session.templates))
    if listing.next is not None:
        session.notice(f"{listing.count:,} shown, there are more. The next ones:")
        session.suggest(rest_command(session.runtime.arguments, query, listing))
    if listing.count == 0:
        session.tell_empty(query, fail_on_empty)


def rest_command(arguments: Sequence[str], query: LogQuery, listing: "Listing") -> str:
    """Return the command that goes on after a listing that was cut: its window moved, relative times made absolute.

    Where the first entry beyond shares its millisecond with the last one shown, that millisecond is listed again, not
    lost; where the whole listing lies in it, with a higher limit, so that the next listing gets further.
    """
    first, last, beyond = listing.first, listing.last, listing.next
    if first is None or last is None or beyond is None:
        raise ValueError("a listing that was not cut has no rest")
    step = 0 if beyond.timestamp != last.timestamp else 1
    if query.order is Order.OLDEST_FIRST:
        window = Window(last.instant if step else just_after(last.instant), query.window.until)
    else:
        window = Window(query.window.since, just_after(last.instant) if step else last.instant)
    words = without_options(arguments, ("--since", "--until"))
    if first.timestamp == beyond.timestamp:
        words = [*without_options(words, ("--limit", "-n")), "--limit", str(2 * listing.count)]
    for option, bound in (("--since", window.since), ("--until", window.until)):
        words += [option, format_timestamp(ceil_to_millisecond(bound))] if bound else []
    return " ".join(map(shell_word, ["taplogs", *words]))


def without_options(arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """Return the arguments without these options and their values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in names:
            next(rest, None)
        elif argument.partition("=")[0] not in names and argument[:2] not in names:
            kept.append(argument)
    return kept


class Listing:
    """The entries of a query up to its limit, and whether there were more: it asks for one beyond."""

    def __init__(self, query: LogQuery) -> None:
        self._limit = query.limit
        self.query = query if query.limit is None else replace(query, limit=query.limit + 1)
        self.count = 0
        self.first: LogEntry | None = None
        self.last: LogEntry | None = None
        self.next: LogEntry | None = None

    def shown(self, batches: Iterator[list[LogEntry]]) -> Iterator[list[LogEntry]]:
        """Yield the batches without the entry beyond the limit."""
        for batch in batches:
            if self._limit is not None and self.count + len(batch) > self._limit:
                self.next = batch[-1]
                batch = batch[:-1]
            if batch:
                self.count += len(batch)
                self.first = self.first or batch[0]
                self.last = batch[-1]
            yield batch


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, list_entries, _EPILOG)

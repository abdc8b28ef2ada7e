"""taplogs errors: repeated errors in groups, and the entries of one group."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.again import rest_command, without_options
from taplogs.cli.command import build_command
from taplogs.cli.comparison import with_compared_window
from taplogs.cli.listing import Listing
from taplogs.cli.measuring import asked_for, measure, tell_overflow
from taplogs.cli.options import (
    Compare,
    DisplayOptions,
    FailOnEmpty,
    FilterOptions,
    OutputOptions,
    SourceOptions,
    limit_option,
    top_option,
)
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.error_comparison import SORTS
from taplogs.core.error_groups import HASH_LENGTH, MOST_GROUPS, ErrorGroups, error_key, group_errors, only_errors
from taplogs.core.error_report import ErrorReport
from taplogs.core.query import LogQuery
from taplogs.errors import GroupNotFound, UsageError, chosen
from taplogs.output.curl import shell_word
from taplogs.output.error_blocks import ErrorBlocks
from taplogs.output.error_records import error_document, error_members, error_records
from taplogs.output.formats import FORMATS, Layout, shows_payloads
from taplogs.output.records import report_format, write_records
from taplogs.output.wording import counted
from taplogs.sources.protocol import LogSource

_EPILOG = """\b
Errors are responses of 4xx and 5xx. A group is what has the same method, endpoint, status, error
code and message, where ids, numbers, quoted text, addresses and times in it are not looked at.

\b
With --compare a group is new (there was none before), grown (at least twice the rate and 10 errors
more), shrunk (at most half, 10 less) or vanished. A retry storm is a client that sends the same
request at least 10 times, each within 5 minutes of the one before.

\b
Groups are sorted by count; with --compare by change: new and grown ones first, vanished ones last.

\b
Examples:
  taplogs errors --since 1d
  taplogs errors --since 1d --compare
  taplogs errors --status 5xx --client-id acme-careers --top 5
  taplogs errors 3f9a1c20 --since 1d        the entries of a group
  taplogs errors --since today -o json | jq '.groups[] | {group, requests, message}'
"""

_TOP = 20


def show_errors(
    context: typer.Context,
    filters: FilterOptions,
    output: OutputOptions,
    source: SourceOptions,
    display: DisplayOptions,
    group: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="List the entries of this group, named by its hash.")
    ] = None,
    top: Annotated[int | None, top_option("So many groups; 0 for all (20 in a table).")] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="ORDER", help=f"{', '.join(SORTS)}.", rich_help_panel=OUTPUT),
    ] = None,
    compare: Compare = None,
    limit: Annotated[str | None, limit_option("Of a group at most so many entries; 0 for all (50).")] = None,
    fail_on_empty: FailOnEmpty = False,
) -> None:
    """Group repeated errors, with how often, since when and for whom."""
    session = Session(context.obj, source, display, limit=limit)
    if group is None:
        _refuse("the entries of a group", "name its hash", {"--limit": limit, "--columns": output.columns})
    else:
        _refuse("the groups", "leave GROUP out", {"--top": top, "--sort": sort, "--compare": compare})
    query = asked_for(session, filters, compare)
    query = replace(query, status=only_errors(query.status))
    if group is not None:
        _list_group(session, query, filters, output, group)
        return
    order = _order(sort, compare)
    format_name = report_format(output.output, session.output.screen)
    with session.source() as log_source:
        measurement = measure(
            session, log_source, query, filters, lambda query: _grouped(session, log_source, query), compare
        )
    now, before = measurement.now, measurement.before
    top = _TOP if top is None and format_name == "table" else top
    earlier = (before.summary, before.window) if before else ()
    report = ErrorReport(now.summary, now.window, *earlier, order=order, top=top)
    _write_groups(session, report, format_name)
    if before and before.gaps:
        session.notice("a group that is called new may not be: the window before is not all there")
    if report.groups.total == 0:
        session.tell_empty(measurement.query, fail_on_empty)


def _refuse(about: str, instead: str, options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} is about {about}", instead)


def _order(sort: str | None, compare: str | None) -> str:
    order = chosen("--sort", sort, SORTS) if sort is not None else "change" if compare else "count"
    if order == "change" and compare is None:
        raise UsageError("--sort change needs an earlier window", "add --compare")
    return order


def _write_groups(session: Session, report: ErrorReport, format_name: str) -> None:
    if format_name != "table":
        records = error_records(report)
        write_records(format_name, error_document(report, records), records, session.output, error_members(report))
    elif report.shown:
        session.output.write_lines(ErrorBlocks(report, session.output.screen, session.zone).lines())
        session.output.flush()
    tell_overflow(session, *filter(None, (report.groups, report.earlier)))
    if report.hidden:
        session.notice(f"{counted(report.hidden, 'more group')}. All of them:")
        session.suggest(_command(session, ("--top",), ["--top", "0"]))
    listable = [item.group.key.hash for item in report.shown if item.count and not item.group.key.is_other]
    if format_name == "table" and listable and session.messages and session.messages.screen.is_terminal:
        session.notice("The entries of a group:")
        session.suggest(_command(session, ("--top", "--sort", "--compare", "--output", "-o"), [], listable[0]))


def _grouped(session: Session, source: LogSource, query: LogQuery) -> ErrorGroups:
    return group_errors(source.batches(query), session.templates)


def _command(session: Session, without: Sequence[str], more: Sequence[str], *names: str) -> str:
    """Return this run's command line with other options, to be copied."""
    command, *rest = without_options(with_compared_window(list(session.runtime.arguments)), without)
    return " ".join(map(shell_word, ["taplogs", command, *names, *rest, *more]))


def _list_group(session: Session, query: LogQuery, filters: FilterOptions, output: OutputOptions, group: str) -> None:
    """List the entries of one group, newest first."""
    name = group.lower()
    _refuse_other_than_hash(name)
    format_name = output.format_for(session.output.screen)
    shows_payloads(format_name, output.columns)  # wrong columns are told before a key is looked for
    limit = session.settings.get("limit") or None
    with session.source() as log_source:
        query = session.resolve(query, filters, log_source)
        listing = Listing(replace(query, limit=limit))
        found = _members(log_source.batches(query), name, session.templates, limit)
        batches = session.with_progress(listing.shown(found))
        FORMATS[format_name](batches, session.output, Layout(output.columns, session.zone, session.templates))
    if listing.next is not None:
        session.notice(f"{listing.count:,} shown, there are more. The next ones:")
        session.suggest(rest_command(session.runtime.arguments, query, listing))
    if listing.count == 0:
        hint = "'taplogs errors' with the same options shows the groups there are"
        raise GroupNotFound(f"no error group {group} in this window", hint)


def _refuse_other_than_hash(group: str) -> None:
    if not re.fullmatch(f"[0-9a-f]{{{HASH_LENGTH}}}", group):
        raise UsageError(
            f"{group!r} is not the hash of a group",
            f"give all {HASH_LENGTH} hexadecimal digits that 'taplogs errors' shows before a group",
        )


def _members(
    batches: Iterable[list[LogEntry]], name: str, templates: EndpointTemplates, limit: int | None
) -> Iterator[list[LogEntry]]:
    """Yield the entries of a group, up to one beyond the limit: it tells that there are more."""
    hash_of = lru_cache(MOST_GROUPS)(lambda key: key.hash)
    left = sys.maxsize if limit is None else limit + 1
    for batch in batches:
        members = [entry for entry in batch if hash_of(error_key(entry, templates)) == name][:left]
        yield members
        left -= len(members)
        if left <= 0:
            return


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, show_errors, _EPILOG)

"""taplogs errors: repeated errors in groups, and the entries of one group."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.again import rest_command, without_options
from taplogs.cli.command import build_command
from taplogs.cli.help import with_compared_window
from taplogs.cli.listing import Listing
from taplogs.cli.measuring import asked_for, resolve_windows
from taplogs.cli.options import Compare, DisplayOptions, FilterOptions, OutputOptions, SourceOptions
from taplogs.cli.session import Session
from taplogs.core.buckets import covered
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.error_comparison import SORTS, compared_groups, ranked_groups, sorted_groups
from taplogs.core.error_groups import HASH_LENGTH, MOST_GROUPS, OTHER, ErrorKey, error_key, group_errors, only_errors
from taplogs.core.query import LogQuery
from taplogs.errors import GroupNotFound, UsageError
from taplogs.output.curl import shell_word
from taplogs.output.error_report import (
    COMPARED_MEMBERS,
    RECORD_MEMBERS,
    ErrorBlocks,
    ErrorReport,
    error_document,
    error_records,
)
from taplogs.output.formats import FORMATS, Layout, shows_payloads
from taplogs.output.records import report_format, write_records
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
  taplogs errors --since today -o json | jq '.groups[] | {group, count, message}'
"""

_TOP = 20
_PANEL = "Output"
_LEAST_PREFIX = 4


def show_errors(
    context: typer.Context,
    filters: FilterOptions,
    output: OutputOptions,
    source: SourceOptions,
    display: DisplayOptions,
    group: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="List the entries of this group, named by its hash.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top", metavar="N", min=0, help="So many groups; 0 for all (20 in a table).", rich_help_panel=_PANEL
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="ORDER", help=f"{', '.join(SORTS)}.", rich_help_panel=_PANEL),
    ] = None,
    compare: Compare = None,
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            "-n",
            metavar="N",
            help="Of a group at most so many entries; 0 for all (50).",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    fail_on_empty: Annotated[
        bool, typer.Option("--fail-on-empty", help="Exit 3 where there are no errors.", rich_help_panel=_PANEL)
    ] = False,
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
    report, query = _read_groups(session, query, filters, compare, order)
    _write_groups(session, report, format_name, top)
    if report.groups.total == 0:
        session.tell_empty(query, fail_on_empty)


def _refuse(about: str, instead: str, options: dict[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} is about {about}", instead)


def _order(sort: str | None, compare: str | None) -> str:
    if sort is not None and sort not in SORTS:
        raise UsageError(f"--sort {sort!r} is not an order", f"accepted: {', '.join(SORTS)}")
    if sort == "change" and compare is None:
        raise UsageError("--sort change needs an earlier window", "add --compare")
    return sort or ("change" if compare else "count")


def _read_groups(
    session: Session, query: LogQuery, filters: FilterOptions, compare: str | None, order: str
) -> tuple[ErrorReport, LogQuery]:
    """Return the groups of the window of `filters`, beside those that `compare` names, and the query resolved."""
    templates = session.templates
    with session.source() as log_source:
        windows = resolve_windows(session, log_source, query, filters, compare)
        query, earlier_window = windows.query, windows.earlier
        with session.progress():
            groups = group_errors(log_source.batches(query), templates)
            window = covered(query.window, groups.timeline, windows.now)
            if earlier_window is None:
                return ErrorReport(sorted_groups(ranked_groups(groups), order), groups, window), query
            earlier = group_errors(log_source.batches(query.within(earlier_window)), templates)
    ranked = compared_groups(groups, earlier, window.length / earlier_window.length)
    return ErrorReport(sorted_groups(ranked, order), groups, window, earlier, earlier_window), query


def _write_groups(session: Session, report: ErrorReport, format_name: str, top: int | None) -> None:
    report = replace(report, top=_TOP if top is None and format_name == "table" else top)
    if format_name != "table":
        members = RECORD_MEMBERS if report.earlier is None else COMPARED_MEMBERS
        write_records(format_name, error_document(report), error_records(report), session.output, members)
    elif report.ranked:
        session.output.write_lines(ErrorBlocks(report, session.output.screen, session.zone).lines())
        session.output.flush()
    if any(groups.overflowed for groups in (report.groups, report.earlier) if groups):
        session.notice(f"more than {MOST_GROUPS:,} kinds of errors; those beyond are counted together as {OTHER}")
    if hidden := len(report.ranked) - len(report.shown):
        session.notice(f"{hidden:,} more {'groups' if hidden > 1 else 'group'}. All of them:")
        session.suggest(_command(session, ("--top",), ["--top", "0"]))
    if format_name == "table" and report.ranked and session.messages and session.messages.screen.is_terminal:
        session.notice("The entries of a group:")
        name = report.ranked[0].group.key.hash
        session.suggest(_command(session, ("--top", "--sort", "--compare", "--output", "-o"), [], name))


def _command(session: Session, without: Sequence[str], more: Sequence[str], *names: str) -> str:
    """Return this run's command line with other options, to be copied."""
    command, *rest = without_options(with_compared_window(list(session.runtime.arguments)), without)
    return " ".join(map(shell_word, ["taplogs", command, *names, *rest, *more]))


def _list_group(session: Session, query: LogQuery, filters: FilterOptions, output: OutputOptions, group: str) -> None:
    """List the entries of one group, newest first."""
    prefix = _hash_prefix(group)
    format_name = output.format_for(session.output.screen)
    shows_payloads(format_name, output.columns)  # wrong columns are told before a key is looked for
    limit = session.settings.get("limit") or None
    with session.source() as log_source:
        query = session.resolve(query, filters, log_source)
        name = prefix if len(prefix) == HASH_LENGTH else _whole_hash(session, query, log_source, prefix)
        listing = Listing(replace(query, limit=limit))
        found = _members(log_source.batches(query), name, session.templates, limit)
        batches = session.with_progress(listing.shown(found))
        FORMATS[format_name](batches, session.output, Layout(output.columns, session.zone, session.templates))
    if listing.next is not None:
        session.notice(f"{listing.count:,} shown, there are more. The next ones:")
        session.suggest(rest_command(session.runtime.arguments, query, listing))
    if listing.count == 0:
        raise _no_group(group)


def _hash_prefix(group: str) -> str:
    prefix = group.lower()
    if not re.fullmatch(f"[0-9a-f]{{{_LEAST_PREFIX},{HASH_LENGTH}}}", prefix):
        raise UsageError(
            f"{group!r} is not the hash of a group",
            f"'taplogs errors' shows the hashes: {HASH_LENGTH} hexadecimal digits, of which {_LEAST_PREFIX} may do",
        )
    return prefix


def _no_group(group: str) -> GroupNotFound:
    return GroupNotFound(
        f"no error group {group} in this window", "'taplogs errors' with the same options shows the groups there are"
    )


def _whole_hash(session: Session, query: LogQuery, source: LogSource, prefix: str) -> str:
    """Return the hash that begins with `prefix`; raises GroupNotFound for none, UsageError for several."""
    with session.progress():
        groups = group_errors(source.batches(query), session.templates).groups
    hashes = sorted({group.key.hash for group in groups if group.key.hash.startswith(prefix)})
    if not hashes:
        raise _no_group(prefix)
    if len(hashes) > 1:
        raise UsageError(f"{prefix} is the beginning of several groups: {', '.join(hashes)}", "give one of them")
    return hashes[0]


def _members(
    batches: Iterable[list[LogEntry]], name: str, templates: EndpointTemplates, limit: int | None
) -> Iterator[list[LogEntry]]:
    """Yield the entries of a group, up to one beyond the limit: it tells that there are more."""
    keys: dict[ErrorKey, bool] = {}
    left = sys.maxsize if limit is None else limit + 1
    for batch in batches:
        members = []
        for entry in batch:
            key = error_key(entry, templates)
            if key not in keys:
                if len(keys) >= MOST_GROUPS:
                    keys.clear()
                keys[key] = key.hash == name
            if keys[key]:
                members.append(entry)
        yield members[:left]
        left -= len(members)
        if left <= 0:
            return


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, show_errors, _EPILOG)

"""taplogs tail: the last entries that match, then new ones as they arrive."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from taplogs.cli.command import build_command
from taplogs.cli.ending import NEW_ENTRIES, End, Interruption
from taplogs.cli.options import DisplayOptions, FilterOptions, OutputOptions, SourceOptions
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.core.duration import parse_duration
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery
from taplogs.core.timespan import Window, is_relative
from taplogs.errors import UsageError
from taplogs.output.formats import FORMATS, Layout, shows_payloads
from taplogs.output.reader import Reader
from taplogs.sources.follow import Follower, Pace

_EPILOG = """\b
Examples:
  taplogs tail --status error
  taplogs tail -m POST -e '/v1/partner/candidates' -o jsonl | jq .statusCode
  taplogs tail --since today -s 5xx --until +1h
  taplogs tail -n 0 --max 1 --latency '>2s'       waits for the next slow request
"""

_LAST = 10
_MOST_LAST = 1_000_000
_MOST_SKEW = timedelta(days=1)
"""How far the source's clock, which decides, may be behind this machine's."""

_LEAST_INTERVAL = timedelta(milliseconds=100)
_LEAST_OVERLAP = timedelta(seconds=1)

Batches = Iterator[list[LogEntry]]


def tail_entries(
    context: typer.Context,
    filters: FilterOptions,
    output: OutputOptions,
    source: SourceOptions,
    display: DisplayOptions,
    last: Annotated[
        int | None,
        typer.Option(
            "--last",
            "-n",
            metavar="N",
            min=0,
            max=_MOST_LAST,
            help="So many entries first (10; with --since: all).",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option("--max", metavar="N", min=1, help="Stop after so many entries in all.", rich_help_panel=OUTPUT),
    ] = None,
    interval: Annotated[
        str,
        typer.Option(
            "--interval", metavar="TIME", help="Look for new entries so often: 500ms, 2s, 1m (2s).", show_default=False
        ),
    ] = "2s",
    overlap: Annotated[
        str,
        typer.Option("--overlap", metavar="TIME", help="How late entries may become visible (1m).", show_default=False),
    ] = "1m",
) -> None:
    """Show the last entries that match, then new ones as they arrive, until Ctrl-C, --until or --max."""
    session = Session(context.obj, source, display)
    format_name = output.format_for(session.output.screen)
    query = replace(filters.query(session.templates), payloads=shows_payloads(format_name, output.columns))
    pace = Pace(
        parse_duration(interval, least=_LEAST_INTERVAL, option="--interval"),
        parse_duration(overlap, least=_LEAST_OVERLAP, option="--overlap"),
    )
    runtime = session.runtime
    window = filters.window(runtime.clock(), session.zone)  # a wrong time is told before a key is looked for
    leeway = timedelta() if is_relative(filters.until) else _MOST_SKEW
    _refuse_past(filters, window, runtime.clock() - leeway)
    reader = Reader(runtime.stdout, runtime.sleep)
    end = End(reader.wait)
    end.set(window.until, runtime.clock)
    with session.source(follow_until=end) as log_source:
        now = log_source.now()
        query = query.within(filters.window(now, session.zone))
        _refuse_past(filters, query.window, now)
        session.tell_gaps(query.window)
        end.set(query.window.until, log_source.now)
        follower = Follower(
            log_source, query, pace, monotonic=runtime.monotonic, sleep=reader.wait, notice=session.notice
        )
        if last is None and query.window.since is None:
            last = _LAST
        batches = _up_to(most, _followed(follower, last, query, session, end.awaited))
        with Interruption() as interruption:
            shown = interruption.ends(end.ends(batches))
            layout = Layout(output.columns, session.zone, session.templates, follows=True)
            FORMATS[format_name](shown, session.output, layout)
    if interruption.came:
        raise KeyboardInterrupt
    if end.failure:
        raise end.failure


def _refuse_past(filters: FilterOptions, window: Window, now: datetime) -> None:
    """Raise UsageError for a window that ends before it is followed."""
    if window.until is not None and window.until <= now:
        raise UsageError(
            f"--until {filters.until} ({window.until_text}) is past",
            "an end lies ahead, such as --until +10m; 'taplogs list' shows what was",
        )


def _followed(follower: Follower, last: int | None, query: LogQuery, session: Session, awaited: str | None) -> Batches:
    """Yield the first entries, then what arrives, if anything is awaited; between the two, say what is waited for.

    Where entries come by themselves, and there are some to show, nothing has to be said.
    """
    count = 0
    for batch in follower.first(last):
        count += len(batch)
        yield batch
    if awaited is None:
        if not count and last != 0:
            session.tell_empty(query, is_failure=False)
        return
    filters = session.filters_on(query)
    if not count and last != 0:
        rest = "new ones" if awaited == NEW_ENTRIES else awaited
        session.notice(f"no entries match yet{filters}; waiting for {rest}, Ctrl-C ends it")
    elif not count or awaited != NEW_ENTRIES:
        session.notice(f"waiting for {awaited}{filters}, Ctrl-C ends it")
    yield from follower.arriving()


def _up_to(most: int | None, batches: Batches) -> Batches:
    """Yield the first `most` entries of the batches; all of them for None."""
    left = most
    for batch in batches:
        if left is not None and len(batch) >= left:
            yield batch[:left]
            return
        yield batch
        left = left - len(batch) if left is not None else None


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, tail_entries, _EPILOG)

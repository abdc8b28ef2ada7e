"""What the commands that measure share: a window counted, and the window that it is compared with."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.buckets import covered
from taplogs.core.comparison import compared_window
from taplogs.core.query import LogQuery
from taplogs.core.stats import Grouping, Summary
from taplogs.core.timespan import Window
from taplogs.core.timestamp import ceil_to_millisecond
from taplogs.sources.protocol import LogSource


class Measured(Struct, frozen=True):
    """The entries of a window, counted; `window` has two bounds."""

    summary: Summary
    window: Window


class Measurement(Struct, frozen=True):
    """What was asked for, and what it is compared with where it is; `query` is resolved."""

    query: LogQuery
    now: Measured
    before: Measured | None = None


def asked_for(session: Session, filters: FilterOptions, compare: str | None) -> LogQuery:
    """Return the query that `filters` make, over all time.

    Raises UsageError, also for windows that cannot be: a wrong time is told before a key is looked for.
    """
    now = session.runtime.clock()
    window = filters.window(now, session.zone)
    if compare is not None:
        compared_window(compare, replace(window, until=window.until or now), now=now, zone=session.zone)
    return filters.query(session.templates)


def measure(
    session: Session,
    source: LogSource,
    query: LogQuery,
    filters: FilterOptions,
    grouping: Grouping,
    compare: str | None = None,
) -> Measurement:
    """Count the entries of `query` within the window of `filters`, and those of the one that `compare` names."""
    windows = resolve_windows(session, source, query, filters, compare)
    query = windows.query
    if query.window.since is None:  # where it begins is known from its entries alone
        grouping = replace(grouping, timeline=True)
    with session.progress():
        summary = source.summarise(query, grouping)
        now = Measured(summary, covered(query.window, summary.timeline, windows.now))
        if windows.earlier is None:
            return Measurement(query, now)
        before = source.summarise(query.within(windows.earlier), grouping)
    return Measurement(query, now, Measured(before, windows.earlier))


class Windows(Struct, frozen=True):
    """A query over its window, the window to compare with, and the one moment that both take for now."""

    query: LogQuery
    now: datetime
    earlier: Window | None = None


def resolve_windows(
    session: Session, source: LogSource, query: LogQuery, filters: FilterOptions, compare: str | None
) -> Windows:
    """Return the windows that `filters` and `compare` name. One with a start but no end, or compared, ends now."""
    now = ceil_to_millisecond(source.now())
    query = session.resolve_at(query, filters, now)
    window = query.window
    if window.until is None and (compare is not None or (window.since is not None and window.since < now)):
        query = query.within(replace(window, until=now))
    earlier = None if compare is None else compared_window(compare, query.window, now=now, zone=session.zone)
    return Windows(query, now, earlier)

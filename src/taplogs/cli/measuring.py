"""What the commands that measure share: a window counted, and the window that it is compared with."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.comparison import compared_window
from taplogs.core.query import LogQuery
from taplogs.core.stats import Grouping, Summary
from taplogs.core.timeline import covered
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
    query, earlier = resolve_windows(session, source, query, filters, compare)
    if query.window.since is None:  # where it begins is known from its entries alone
        grouping = replace(grouping, timeline=True)
    with session.progress():
        summary = source.summarise(query, grouping)
        window = covered(query.window, summary.timeline, source.now())
        if earlier is None:
            return Measurement(query, Measured(summary, window))
        before = source.summarise(query.within(earlier), grouping)
    return Measurement(query, Measured(summary, window), Measured(before, earlier))


def resolve_windows(
    session: Session, source: LogSource, query: LogQuery, filters: FilterOptions, compare: str | None
) -> tuple[LogQuery, Window | None]:
    """Return the query over its window, and the window to compare with; without an end, a comparison ends now."""
    query = session.resolve(query, filters, source)
    if compare is None:
        return query, None
    now = ceil_to_millisecond(source.now())
    window = filters.window(now, session.zone)  # by one and the same now, so that 1d is as long as the day before
    query = query.within(replace(window, until=window.until or now))
    return query, compared_window(compare, query.window, now=now, zone=session.zone)

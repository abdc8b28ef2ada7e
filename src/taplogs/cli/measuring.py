"""What the commands that measure share: a window counted, and the window that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.buckets import covered
from taplogs.core.comparison import compared_window
from taplogs.core.error_groups import MOST_GROUPS, OTHER, ErrorGroups
from taplogs.core.gap import Gap
from taplogs.core.query import LogQuery
from taplogs.core.stats import Grouping, Summary
from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import ceil_to_millisecond
from taplogs.sources.protocol import LogSource


class HasTimeline(Protocol):
    """What is counted of a window: it knows when its entries were."""

    timeline: Timeline[int]


Counted = TypeVar("Counted", bound=HasTimeline)


class Measured(Struct, Generic[Counted], frozen=True):
    """The entries of a window, counted; `window` has two bounds. `gaps` are what the source lacks of it."""

    summary: Counted
    window: Window
    gaps: tuple[Gap, ...] = ()


class Measurement(Struct, Generic[Counted], frozen=True):
    """What was asked for, and what it is compared with where it is; `query` is resolved."""

    query: LogQuery
    now: Measured[Counted]
    before: Measured[Counted] | None = None


def asked_for(session: Session, filters: FilterOptions, compare: str | None) -> LogQuery:
    """Return the query that `filters` make, over all time.

    Raises UsageError, also for windows that cannot be: a wrong time is told before a key is looked for.
    """
    now = session.runtime.clock()
    window = filters.window(now, session.zone)
    if compare is not None:
        until = window.until or (now if filters.is_relative else None)
        # Whether an absolute time is past is for the source's clock to say.
        until = until or max(now, (window.since or now) + timedelta(milliseconds=1))
        compared_window(compare, replace(window, until=until), now=now, zone=session.zone)
    return filters.query(session.templates)


def measure(
    session: Session,
    source: LogSource,
    query: LogQuery,
    filters: FilterOptions,
    count: Callable[[LogQuery], Counted],
    compare: str | None = None,
) -> Measurement[Counted]:
    """Count the entries of `query` within the window of `filters`, and those of the one that `compare` names.

    Both windows take one moment for now; one with a start but no end, or compared, ends then.
    """
    now = ceil_to_millisecond(source.now())
    window = filters.window(now, session.zone)
    if window.until is None and (compare is not None or (window.since is not None and window.since < now)):
        window = replace(window, until=now)
    query = query.within(window)
    earlier = None if compare is None else compared_window(compare, window, now=now, zone=session.zone)
    if window.since is not None:
        session.tell_window(window)
    if earlier is not None:
        session.tell_window(earlier, "compared with the window ", _other_length(window, earlier))
    gaps = session.tell_gaps(window)
    gaps_before = () if earlier is None else session.tell_gaps(earlier, "the window that it is compared with")
    with session.progress():
        summary = count(query)
        measured = Measured(summary, covered(window, summary.timeline, now), gaps)
        before = None if earlier is None else Measured(count(query.within(earlier)), earlier, gaps_before)
    if window.since is None and summary.timeline.first:
        session.tell_window(measured.window)
    return Measurement(query, measured, before)


def _other_length(window: Window, earlier: Window) -> str:
    times = earlier.length / window.length
    return "" if 0.99 < times < 1.01 else f", {times:.2g} times as long: changes are those of rates"


def summarised(source: LogSource, grouping: Grouping) -> Callable[[LogQuery], Summary]:
    """Return what counts entries by `grouping`, with their ends where only they tell when the window begins."""
    return lambda query: source.summarise(query, replace(grouping, ends=query.window.since is None))


def tell_overflow(session: Session, *groups: ErrorGroups) -> None:
    """Say where there were more groups of errors than are told apart."""
    if any(item.overflowed for item in groups):
        session.notice(f"more than {MOST_GROUPS:,} groups of errors; those beyond are counted together as {OTHER}")


def tell_coarse(session: Session, summary: Summary) -> None:
    """Say where there were more groups and latencies than are counted apart."""
    if summary.is_rounded:
        session.notice("so many different groups and latencies that the latencies are rounded to two digits")
    if summary.is_merged:
        session.notice("so many different groups that the smallest are counted as one, (others)")

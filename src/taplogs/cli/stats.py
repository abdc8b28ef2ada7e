"""taplogs stats: how many requests, how they ended, how long they took: in all, by group, beside another window."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from taplogs.cli.command import build_command
from taplogs.cli.measuring import Measurement, asked_for, measure, summarised, tell_coarse
from taplogs.cli.options import (
    Compare,
    DisplayOptions,
    FailOnEmpty,
    FilterOptions,
    Format,
    SourceOptions,
    by_option,
    top_option,
)
from taplogs.cli.panels import OUTPUT
from taplogs.cli.session import Session
from taplogs.core.dimensions import DIMENSION_NAMES, Dimension, dimensions_named, endpoint_dimension
from taplogs.core.ranking import SORTS, Ranked, compared, ranked, slowest, sort_for
from taplogs.core.stats import Figures, Grouping, Summary
from taplogs.errors import UsageError
from taplogs.output.records import report_format, write_records

_EPILOG = """\b
Examples:
  taplogs stats --since 1d
  taplogs stats --since 1d --by endpoint --sort p95
  taplogs stats --since today --by client,status --status error
  taplogs stats --since 1d --by endpoint --compare
"""

_ROWS = 24
"""The hours of a day are not cut."""


def show_stats(
    context: typer.Context,
    filters: FilterOptions,
    source: SourceOptions,
    display: DisplayOptions,
    by: Annotated[str | None, by_option(f"A table by one or two of {', '.join(DIMENSION_NAMES)}.")] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            "--sort", metavar="MEASURE", help=f"{', '.join(SORTS)} (count; along time key).", rich_help_panel=OUTPUT
        ),
    ] = None,
    top: Annotated[int | None, top_option("So many groups; 0 for all (24 in a table).")] = None,
    compare: Compare = None,
    output: Format = None,
    fail_on_empty: FailOnEmpty = False,
) -> None:
    """Measure requests: how many, how they ended, how long they took.

    Percentiles are exact, by nearest rank; requests whose latency is unknown are counted apart. "errors" is their share
    of the requests. With --compare, groups are sorted by how much the measure has changed. Days and hours are those of
    --tz; programs get the beginning of an hour in UTC.
    """
    if by is None and (sort is not None or top is not None):
        raise UsageError(
            "--sort and --top are about groups", f"add --by with one or two of {', '.join(DIMENSION_NAMES)}"
        )
    session = Session(context.obj, source, display)
    format_name = report_format(output, session.output.screen)
    dimensions = dimensions_named(by, session.templates, session.zone) if by is not None else ()
    if compare is not None and any(dimension.is_time and not dimension.recurs for dimension in dimensions):
        raise UsageError(
            "no hour and no day is in both windows that --compare puts side by side",
            "--by weekday or hour-of-day has groups that come again",
        )
    order = sort_for(sort, dimensions, is_comparison=compare is not None)
    query = asked_for(session, filters, compare)
    grouping = Grouping(dimensions or (endpoint_dimension(session.templates),), timeline=not dimensions)
    with session.source() as log_source:
        measurement = measure(session, log_source, query, filters, summarised(log_source, grouping), compare)
    rows = _ranked(measurement, order) if dimensions else []
    shown = _top(rows, _ROWS if top is None and format_name == "table" else top or len(rows), order, dimensions)
    if format_name == "table":
        _show(session, measurement, shown, dimensions)
    else:
        _write(session, format_name, measurement, shown, dimensions)
    _tell(session, measurement, len(rows) - len(shown), fail_on_empty=fail_on_empty)


def _ranked(measurement: Measurement[Summary], order: str) -> list[Ranked]:
    groups = measurement.now.summary.groups()
    if measurement.before is None:
        return ranked(groups, order)
    scale = measurement.now.window.length / measurement.before.window.length
    return compared(groups, measurement.before.summary.groups(), order, scale)


def _top(rows: list[Ranked], number: int, order: str, dimensions: Sequence[Dimension]) -> list[Ranked]:
    """Return the first groups; along time the last ones, which are the latest."""
    along_time = order == "key" and dimensions and dimensions[0].is_time and not dimensions[0].recurs
    return rows[-number:] if along_time else rows[:number]


def _show(
    session: Session, measurement: Measurement[Summary], rows: Sequence[Ranked], dimensions: Sequence[Dimension]
) -> None:
    from taplogs.output.stats_view import StatsView

    view = StatsView(session.output.screen, session.zone)
    (summary, window), before = (measurement.now.summary, measurement.now.window), measurement.before
    if not summary.counts and not (before and before.summary.counts):
        return
    if dimensions and before:
        lines = view.compared_table(rows, dimensions, window, before.window)
    elif dimensions:
        lines = view.table(rows, dimensions, summary.total)
    elif before:
        lines = view.comparison(summary.total, window, before.summary.total, before.window)
    else:
        lines = view.panel(summary, window, slowest(summary.groups()))
    session.output.write_lines(lines)
    session.output.flush()


def _write(
    session: Session,
    format_name: str,
    measurement: Measurement[Summary],
    rows: Sequence[Ranked],
    dimensions: Sequence[Dimension],
) -> None:
    from taplogs.output import stats_records

    summary, window = measurement.now.summary, measurement.now.window
    before, earlier = (
        (measurement.before.summary.total, measurement.before.window) if measurement.before else (None, None)
    )
    document = stats_records.document(summary, window, before, earlier)
    if dimensions:
        records = stats_records.group_records(rows, dimensions, summary.total, window, earlier)
        document["groups"] = records
    else:
        slow = slowest(summary.groups())
        document["timeline"] = stats_records.timeline_records(summary.timeline, window, session.zone)
        document["slowestEndpoint"] = slow and {
            "endpoint": slow.group[0],
            **stats_records.figures_record(slow.figures, window),
        }
        records = [stats_records.one_record(document)]
    nothing = Ranked((None,) * len(dimensions), Figures(), Figures() if earlier else None)
    members = stats_records.group_records([nothing], dimensions, summary.total, window, earlier)[0]
    write_records(format_name, document, records, session.output, list(members))


def _tell(session: Session, measurement: Measurement[Summary], hidden: int, *, fail_on_empty: bool) -> None:
    if hidden:
        session.notice(f"{hidden:,} more groups; --top 0 shows all")
    summary = measurement.now.summary
    tell_coarse(session, summary)
    if not summary.counts:
        session.tell_empty(measurement.query, fail_on_empty)


def build(name: str) -> Any:
    """Return the command."""
    return build_command(name, show_stats, _EPILOG)

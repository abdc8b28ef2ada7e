"""The figures of `stats` for programs: every number unrounded, with its unit in its name; times in RFC 3339 UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from taplogs.core.buckets import buckets
from taplogs.core.dimensions import Dimension
from taplogs.core.histogram import histogram
from taplogs.core.ranking import Ranked
from taplogs.core.stats import Figures, Summary
from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp

PERCENTILES = (50, 90, 95, 99)
_BUCKETS = 100


def minutes_of(window: Window) -> float:
    """Return the length of a bounded window in minutes."""
    return window.length.total_seconds() / 60


def window_record(window: Window) -> dict[str, Any]:
    """Return the bounds of a window, half-open."""
    return {"since": window.since_text, "until": window.until_text}


def figures_record(figures: Figures, window: Window) -> dict[str, Any]:
    """Return all figures; `window` has two bounds."""
    return {
        "requests": figures.requests,
        "requestsPerMinute": figures.requests / minutes_of(window),
        "successes": figures.classes[2],
        "redirects": figures.classes[3],
        "clientErrors": figures.classes[4],
        "serverErrors": figures.classes[5],
        "successRatio": figures.ratio(2),
        "redirectRatio": figures.ratio(3),
        "clientErrorRatio": figures.ratio(4),
        "serverErrorRatio": figures.ratio(5),
        "errorRatio": figures.error_rate,
        "latencyKnownRequests": figures.timed,
        "latencyUnknownRequests": figures.requests - figures.timed,
        **{f"latencyP{percent}Ms": figures.percentile(percent) for percent in PERCENTILES},
        "latencyMaxMs": figures.longest,
    }


def comparison_record(figures: Figures, window: Window, before: Figures, earlier: Window) -> dict[str, Any]:
    """Return the figures of both windows and the changes: of requests as a ratio of their rates, else differences."""
    now, then = figures_record(figures, window), figures_record(before, earlier)
    rate, was = now["requestsPerMinute"], then["requestsPerMinute"]
    return {
        **now,
        **{f"before{name[0].upper()}{name[1:]}": value for name, value in then.items()},
        "requestsChangeRatio": rate / was - 1 if was else None,
        **{
            f"{name}Change": _difference(now[name], then[name])
            for name in ("successRatio", "clientErrorRatio", "serverErrorRatio", "errorRatio")
        },
        **{
            f"latencyP{percent}ChangeMs": _difference(now[f"latencyP{percent}Ms"], then[f"latencyP{percent}Ms"])
            for percent in PERCENTILES
        },
    }


def group_records(
    rows: Sequence[Ranked],
    dimensions: Sequence[Dimension],
    total: Figures,
    window: Window,
    earlier: Window | None = None,
) -> list[dict[str, Any]]:
    """Return a record for each group: its keys, its share of all requests, its figures."""
    records = []
    for row in rows:
        record: dict[str, Any] = {dimension.member: key for dimension, key in zip(dimensions, row.group, strict=True)}
        record["share"] = row.figures.requests / total.requests if total.requests else None
        record |= total_record(row.figures, window, row.before, earlier)
        if row.before is not None:
            record["mark"] = row.mark
        records.append(record)
    return records


def document(
    summary: Summary, window: Window, before: Figures | None = None, earlier: Window | None = None
) -> dict[str, Any]:
    """Return the figures of all entries with their windows, as a JSON document; without groups."""
    total = total_record(summary.total, window, before, earlier)
    found: dict[str, Any] = {"window": window_record(window), "total": total}
    if earlier is not None:
        found["comparedWindow"] = window_record(earlier)
    found["latencyHistogram"] = [
        {"fromMs": item.low, "belowMs": item.high, "requests": item.requests}
        for item in histogram(summary.total.latencies)
    ]
    return found


def timeline_records(timeline: Timeline[int], window: Window, zone: tzinfo) -> list[dict[str, Any]]:
    """Return how many requests and errors there were in each of about a hundred parts of the window."""
    boundaries = [format_timestamp(moment) for moment in buckets(window, zone, _BUCKETS)]
    return [
        {"start": start, "requests": sum(counts.values()), "clientErrors": counts[4], "serverErrors": counts[5]}
        for start, counts in zip(boundaries, timeline.spread(boundaries), strict=False)
    ]


def one_record(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the windows of a document and the figures of all entries, flat."""
    earlier = document.get("comparedWindow")
    compared = {"beforeSince": earlier["since"], "beforeUntil": earlier["until"]} if earlier else {}
    return {**document["window"], **compared, **document["total"]}


def total_record(figures: Figures, window: Window, before: Figures | None, earlier: Window | None) -> dict[str, Any]:
    """Return the figures, beside those of another window where there is one."""
    if before is None or earlier is None:
        return figures_record(figures, window)
    return comparison_record(figures, window, before, earlier)


def _difference(now: float | None, then: float | None) -> float | None:
    return None if now is None or then is None else now - then

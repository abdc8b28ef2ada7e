"""Requests and errors over a window, one above the other over one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from taplogs.core.timeline import Timeline, buckets
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp
from taplogs.output.charts import columns
from taplogs.output.grid import paint
from taplogs.output.palette import STATUS_STYLES
from taplogs.output.terminal import Screen
from taplogs.zone import in_zone

_REQUEST_LINES = 5
_ERROR_LINES = 3
_MOST_COLUMNS = 120
_MARGIN = 10
_LABEL_GAP = 3
_BEYOND = 8
"""How far a label may reach beyond the last column."""


def time_chart(timeline: Timeline[int], window: Window, zone: tzinfo, screen: Screen, width: int) -> list[str]:
    """Return the lines of both charts; `timeline` counts by the first digit of the status."""
    boundaries = buckets(window, zone, max(2, min(_MOST_COLUMNS, width - _MARGIN - _BEYOND)))
    counts = timeline.spread([format_timestamp(moment) for moment in boundaries])
    requests = [sum(count.values()) for count in counts]
    errors = [count[4] + count[5] for count in counts]
    margin = len(f"{max(requests):,}")
    length = _in_words(boundaries[1] - boundaries[0])
    return [
        f"requests, a column is {length}",
        *_plot(requests, _REQUEST_LINES, margin, "", screen),
        "errors (4xx and 5xx)",
        *_plot(errors, _ERROR_LINES, margin, STATUS_STYLES[5], screen),
        *_axis(boundaries, zone, margin, screen),
    ]


def _plot(values: Sequence[int], height: int, margin: int, style: str, screen: Screen) -> list[str]:
    bar = "│" if screen.unicode else "|"
    labels = [f"{max(values):,}" if any(values) else "", *[""] * (height - 2), "0"]
    return [
        f"{label:>{margin}} {bar}{paint(line.rstrip(), style, screen)}"
        for label, line in zip(labels, columns(values, height, screen), strict=True)
    ]


def _axis(boundaries: Sequence[datetime], zone: tzinfo, margin: int, screen: Screen) -> list[str]:
    """Return the axis and its labels: as many as fit, those of round times first."""
    moments = [in_zone(moment, zone) for moment in boundaries[:-1]]
    by_day = boundaries[1] - boundaries[0] >= timedelta(hours=20)
    labels = [_label(moment, by_day=by_day, is_first=index == 0) for index, moment in enumerate(moments)]
    corner, tick, dash = ("└", "┴", "─") if screen.unicode else ("+", "+", "-")
    line, text = [dash] * len(moments), [" "] * (len(moments) + _BEYOND + _LABEL_GAP)
    for index in (0, *sorted(range(len(moments)), key=lambda index: _roundness(moments[index]))):
        end = index + len(labels[index])
        if end <= len(moments) + _BEYOND and not "".join(text[max(0, index - _LABEL_GAP) : end + _LABEL_GAP]).strip():
            line[index] = tick
            text[index:end] = labels[index]
    return [f"{'':{margin}} {corner}{''.join(line)}", f"{'':{margin}}  {''.join(text).rstrip()}"]


def _roundness(moment: datetime) -> int:
    """Return how far down the list of round times one stands: midnight is the first."""
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    steps = (86_400, 21_600, 10_800, 3600, 1800, 900, 300, 60)
    return next((index for index, step in enumerate(steps) if seconds % step == 0), len(steps))


def _label(moment: datetime, *, by_day: bool, is_first: bool) -> str:
    if by_day:
        return f"{moment:%Y-%m-%d}" if is_first else f"{moment:%m-%d}"
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if is_first:
        return f"{moment:%m-%d} {clock}"
    return f"{moment:%m-%d}" if clock == "00:00" else clock


def _in_words(step: timedelta) -> str:
    seconds = round(step.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0 or (unit == "d" and seconds > 80_000):
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"

"""Requests and errors over a window, one above the other over one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

from taplogs.core.buckets import buckets
from taplogs.core.timeline import Timeline
from taplogs.core.timespan import Window
from taplogs.core.timestamp import format_timestamp
from taplogs.output.charts import columns
from taplogs.output.palette import STATUS_STYLES
from taplogs.output.terminal import Screen
from taplogs.zone import in_zone

_REQUEST_LINES = 5
_ERROR_LINES = 3
_MOST_COLUMNS = 120
_MARGIN = 10
_LABEL_GAP = 3
_BY_DAY = timedelta(hours=20)
"""Steps from here on are days, of which one has 23 hours where the clocks change."""
_BY_MONTH = timedelta(days=15)
_ROUND = (86_400, 43_200, 21_600, 10_800, 7200, 3600, 1800, 900, 600, 300, 120, 60, 30, 15, 10, 5)
"""Seconds that labels may be apart: times of the day that are multiples of them are round."""
_BEYOND = 8
"""How far a label may reach beyond the last column."""


def time_chart(timeline: Timeline[int], window: Window, zone: tzinfo, screen: Screen, width: int) -> list[str]:
    """Return the lines of both charts; `timeline` counts by the first digit of the status."""
    boundaries = buckets(window, zone, max(2, min(_MOST_COLUMNS, width - _MARGIN - _BEYOND)))
    counts = timeline.spread([format_timestamp(moment) for moment in boundaries])
    requests = [sum(count.values()) for count in counts]
    errors = [count[4] + count[5] for count in counts]
    margin = len(f"{max(requests):,}")
    title = f"requests, a column is {_in_words(_step(boundaries))}"
    return [
        title if len(title) <= width else "requests",
        *_plot(requests, _REQUEST_LINES, margin, "", screen),
        "errors (4xx and 5xx)",
        *_plot(errors, _ERROR_LINES, margin, STATUS_STYLES[5], screen),
        *_axis(boundaries, zone, margin, screen, width),
    ]


def _step(boundaries: Sequence[datetime]) -> timedelta:
    """Return how long a bucket is; single ones are longer or shorter, where the clocks change."""
    lengths = sorted(high - low for low, high in pairwise(boundaries))
    return lengths[len(lengths) // 2]


def _plot(values: Sequence[int], height: int, margin: int, style: str, screen: Screen) -> list[str]:
    bar = "│" if screen.unicode else "|"
    labels = [f"{max(values):,}" if any(values) else "", *[""] * (height - 2), "0"]
    return [
        f"{label:>{margin}} {bar}{screen.paint(line.rstrip(), style)}"
        for label, line in zip(labels, columns(values, height, screen), strict=True)
    ]


def _axis(boundaries: Sequence[datetime], zone: tzinfo, margin: int, screen: Screen, width: int) -> list[str]:
    """Return the axis and its labels: at times as round as their number allows, the roundest first."""
    moments = [in_zone(moment, zone) for moment in boundaries[:-1]]
    step = _step(boundaries)
    room = min(len(moments) + _BEYOND, width - margin - 2)
    labels = [_label(moment, step, is_first=index == 0) for index, moment in enumerate(moments)]
    corner, tick, dash = ("└", "┴", "─") if screen.unicode else ("+", "+", "-")
    line, text = [dash] * len(moments), [" "] * (len(moments) + _BEYOND + _LABEL_GAP)
    apart = step.total_seconds() * (_LABEL_GAP + max(map(len, labels[1:]), default=0))
    interval = next((seconds for seconds in reversed(_ROUND) if seconds >= apart), _ROUND[0])
    round_ones = [index for index, moment in enumerate(moments) if _seconds(moment) % interval == 0]
    for index in (0, *sorted(round_ones, key=lambda index: _roundness(moments[index]))):
        end = index + len(labels[index])
        if end <= room and not "".join(text[max(0, index - _LABEL_GAP) : end + _LABEL_GAP]).strip():
            line[index] = tick
            text[index:end] = labels[index]
    return [f"{'':{margin}} {corner}{''.join(line)}", f"{'':{margin}}  {''.join(text).rstrip()}"]


def _roundness(moment: datetime) -> int:
    """Return how far down the list of round times one stands: midnight is the first."""
    return next((index for index, step in enumerate(_ROUND) if _seconds(moment) % step == 0), len(_ROUND))


def _seconds(moment: datetime) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _label(moment: datetime, step: timedelta, *, is_first: bool) -> str:
    if step >= _BY_DAY:
        date = moment.date().isoformat()
        return date if is_first else date[:7] if step >= _BY_MONTH else date[5:]
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if is_first:
        return f"{moment:%m-%d} {clock}"
    return f"{moment:%m-%d}" if clock == "00:00" else clock


def _in_words(step: timedelta) -> str:
    seconds = round(step.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0 or (unit == "d" and step >= _BY_DAY):
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} s"

"""The figures of `stats` for people: a panel of numbers with charts, or a table of groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo

from msgspec import Struct

from taplogs.core.comparison import Mark
from taplogs.core.dimensions import Dimension
from taplogs.core.histogram import histogram
from taplogs.core.ranking import Ranked
from taplogs.core.stats import Figures, Summary
from taplogs.core.timespan import Window
from taplogs.output.charts import bar
from taplogs.output.grid import Cell, GridColumn, grid_lines
from taplogs.output.group_cells import key_cells, key_columns
from taplogs.output.palette import BOLD, STATUS_STYLES
from taplogs.output.stats_records import minutes_of
from taplogs.output.table import shorten, show_latency, text_width
from taplogs.output.terminal import Screen
from taplogs.output.time_chart import time_chart
from taplogs.output.wording import percent, signed, signed_percent

_WIDTH_IN_A_PIPE = 100
_WIDEST = 140
_MOST_BAR = 40
_MARK_STYLES = {None: "", Mark.NEW: STATUS_STYLES[4], Mark.VANISHED: STATUS_STYLES[3]}
_NAMES = 13


class StatsView:
    """Lines for one screen; every foreign text passes `Screen.clean`."""

    def __init__(self, screen: Screen, zone: tzinfo) -> None:
        """`zone` is where times are shown."""
        self._screen = screen
        self._zone = zone
        self._width = min(screen.width or _WIDTH_IN_A_PIPE, _WIDEST)

    def panel(self, summary: Summary, window: Window, slowest: Ranked | None) -> list[str]:
        """Return the headline figures, a chart over the window, and how the latencies are spread."""
        total = summary.total
        lines = [self._named(name, text) for name, text in self._headline(total, window)]
        if slowest is not None:
            lines.append(self._named("slowest", self._slowest(slowest)))
        lines += ["", *time_chart(summary.timeline, window, self._zone, self._screen, self._width)]
        return lines + (["", "latency", *self._histogram(total)] if total.timed else [])

    def comparison(self, total: Figures, window: Window, before: Figures, earlier: Window) -> list[str]:
        """Return the headline figures of two windows and what changed."""
        rows = []
        factor = window.length / earlier.length
        for line in _COMPARED:
            now, then = line.value(total, minutes_of(window)), line.value(before, minutes_of(earlier))
            shown = [Cell(_shown(value, line.show)) for value in (now, then)]
            rows.append([Cell(line.name), *shown, line.change(now, then and then * factor if line.is_count else then)])
        columns = [GridColumn("")] + [GridColumn(name, right=True) for name in ("NOW", "BEFORE", "CHANGE")]
        return grid_lines(columns, rows, self._screen)

    def table(self, rows: Sequence[Ranked], dimensions: Sequence[Dimension], total: Figures) -> list[str]:
        """Return a line for each group, and one for all of them."""
        columns = [*key_columns(dimensions), *_right("REQUESTS", "SHARE", "ERRORS", "P50", "P95", "P99")]
        cells = [
            [*key_cells(row.group, dimensions, self._screen, self._zone), *self._figures(row.figures, total)]
            for row in rows
        ]
        cells.append([Cell("all", BOLD), *[Cell("")] * (len(dimensions) - 1), *self._figures(total, total)])
        return grid_lines(columns, cells, self._screen)

    def compared_table(
        self, rows: Sequence[Ranked], dimensions: Sequence[Dimension], window: Window, earlier: Window
    ) -> list[str]:
        """Return a line for each group of two windows: what it is, what it was, and how requests changed."""
        headings = ("REQUESTS", "WAS", "CHANGE", "ERRORS", "WAS", "P95", "WAS")
        columns = [*key_columns(dimensions), *_right(*headings)]
        lengths = minutes_of(window), minutes_of(earlier)
        cells = [
            [*key_cells(row.group, dimensions, self._screen, self._zone), *_compared_cells(row, *lengths)]
            for row in rows
        ]
        return grid_lines(columns, cells, self._screen)

    def _named(self, name: str, text: str) -> str:
        return f"{self._screen.paint(f'{name:{_NAMES}}', BOLD)}{text}".rstrip()

    def _headline(self, total: Figures, window: Window) -> list[tuple[str, str]]:
        lines = [("requests", f"{total.requests:>9,}   {_number(total.requests / minutes_of(window))} a minute")]
        for name, digit in (("success", 2), ("redirects", 3), ("client errors", 4), ("server errors", 5)):
            count = total.classes[digit]
            if count or digit != 3:
                ratio = self._screen.paint(f"{percent(total.ratio(digit)):>8}", STATUS_STYLES[digit] if count else "")
                lines.append((name, f"{count:>9,} {ratio}"))
        figures = [f"{name} {show_latency(value)}" for name, value in _percentiles(total)]
        lines += zip(("latency", *[""] * len(figures)), _in_lines(figures, self._width - _NAMES), strict=False)
        if unknown := total.requests - total.timed:
            lines.append(("", f"{unknown:,} of unknown latency"))
        return lines

    def _slowest(self, row: Ranked) -> str:
        facts = f"  p95 {show_latency(row.figures.percentile(95))} of {row.figures.requests:,}"
        endpoint = self._clean(str(row.group[0]))
        room = max(1, self._width - _NAMES - len(facts))
        return (endpoint if text_width(endpoint) <= room else shorten(endpoint, room, self._screen.ellipsis)) + facts

    def _histogram(self, total: Figures) -> list[str]:
        bins = histogram(total.latencies)
        greatest = max(item.requests for item in bins)
        labels = [f"{show_latency(item.low)}-{show_latency(item.high)}" for item in bins]
        margin, counts = max(map(len, labels)), [f"{item.requests:,}" for item in bins]
        room = max(1, min(_MOST_BAR, self._width - margin - max(map(len, counts)) - 12))
        return [
            f"{label:>{margin}} {count:>{max(map(len, counts))}} {percent(item.requests / total.timed):>7} "
            f"{bar(item.requests, greatest, room, self._screen)}".rstrip()
            for label, count, item in zip(labels, counts, bins, strict=True)
        ]

    def _figures(self, figures: Figures, total: Figures) -> list[Cell]:
        share = figures.requests / total.requests if total.requests else None
        return [
            Cell(f"{figures.requests:,}"),
            Cell(percent(share)),
            Cell(percent(figures.error_rate), _error_style(figures)),
            *(Cell(show_latency(figures.percentile(number))) for number in (50, 95, 99)),
        ]

    def _clean(self, text: str) -> str:
        return self._screen.clean(text)


class _Compared(Struct, frozen=True):
    """One line of the comparison: what it shows, of figures and minutes; whether more of it is worse.

    A count goes with the length of its window.
    """

    name: str
    value: Callable[[Figures, float], float | None]
    show: Callable[[float], str]
    more_is_worse: bool = False
    is_ratio: bool = False
    is_count: bool = False

    def change(self, now: float | None, then: float | None) -> Cell:
        """Return the change: of a share in points, of anything else in percent."""
        if now is None or then is None or (not self.is_ratio and not then):
            return Cell("-")
        difference = now - then
        text = f"{signed(difference * 100)} points" if self.is_ratio else signed_percent(difference / then)
        if not self.more_is_worse or text.startswith("0.0 "):
            return Cell(text)
        return Cell(text, STATUS_STYLES[5 if difference > 0 else 2])


def _milliseconds(value: float) -> str:
    return show_latency(round(value))


_COMPARED = (
    _Compared("requests", lambda figures, _: figures.requests, lambda value: f"{value:,.0f}", is_count=True),
    _Compared("a minute", lambda figures, minutes: figures.requests / minutes, lambda value: _number(value)),
    _Compared("success", lambda figures, _: figures.ratio(2), percent, is_ratio=True),
    _Compared("client errors", lambda figures, _: figures.ratio(4), percent, more_is_worse=True, is_ratio=True),
    _Compared("server errors", lambda figures, _: figures.ratio(5), percent, more_is_worse=True, is_ratio=True),
    _Compared("p50", lambda figures, _: figures.percentile(50), _milliseconds, more_is_worse=True),
    _Compared("p90", lambda figures, _: figures.percentile(90), _milliseconds, more_is_worse=True),
    _Compared("p95", lambda figures, _: figures.percentile(95), _milliseconds, more_is_worse=True),
    _Compared("p99", lambda figures, _: figures.percentile(99), _milliseconds, more_is_worse=True),
    _Compared("max", lambda figures, _: figures.longest, _milliseconds, more_is_worse=True),
)


def _compared_cells(row: Ranked, minutes: float, minutes_before: float) -> list[Cell]:
    figures, before = row.figures, row.before or Figures()
    rate, was = figures.requests / minutes, before.requests / minutes_before
    style = _MARK_STYLES[row.mark]
    return [
        Cell(f"{figures.requests:,}"),
        Cell(f"{before.requests:,}"),
        Cell(row.mark or signed_percent(rate / was - 1), style),
        Cell(percent(figures.error_rate), _error_style(figures)),
        Cell(percent(before.error_rate)),
        Cell(show_latency(figures.percentile(95))),
        Cell(show_latency(before.percentile(95))),
    ]


def _percentiles(figures: Figures) -> list[tuple[str, int | None]]:
    return [*((f"p{number}", figures.percentile(number)) for number in (50, 90, 95, 99)), ("max", figures.longest)]


def _in_lines(texts: Sequence[str], width: int) -> list[str]:
    """Return short texts side by side, in as many lines as they need."""
    lines = [texts[0]]
    for text in texts[1:]:
        if len(lines[-1]) + 2 + len(text) <= width:
            lines[-1] += f"  {text}"
        else:
            lines.append(text)
    return lines


def _error_style(figures: Figures) -> str:
    if figures.classes[5]:
        return STATUS_STYLES[5]
    return STATUS_STYLES[4] if figures.classes[4] else ""


def _shown(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def _right(*headings: str) -> list[GridColumn]:
    return [GridColumn(heading, right=True) for heading in headings]

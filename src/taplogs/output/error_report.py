"""Groups of errors: a block of lines each for people, a record each for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from taplogs.core.buckets import even_buckets
from taplogs.core.error_comparison import Mark, RankedGroup
from taplogs.core.error_groups import HASH_LENGTH, ErrorGroup, ErrorGroups, Storm
from taplogs.core.timespan import Window
from taplogs.output.charts import columns
from taplogs.output.palette import BOLD, STATUS_STYLES
from taplogs.output.table import LocalTimes, shorten, text_width
from taplogs.output.terminal import Screen
from taplogs.output.wrapping import wrapped

PARTS = 24
"""How many parts of the window a trend has for programs."""

_PARTS_BY_WIDTH = ((120, 32), (72, 16), (56, 8))
_PARTS_IN_PIPE = 16
_WIDEST_IN_PIPE = 80
_WIDEST_CLIENT = 48
_DIM = "2"
_MARK_STYLES = {Mark.NEW: "1;31", Mark.GROWN: "31", Mark.SHRUNK: "32", Mark.VANISHED: "32"}
_INDENT = " " * (HASH_LENGTH + 2)
_NAMED_CLIENTS = 3
_UNITS = (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


class ErrorReport(Struct, frozen=True):
    """What is reported: groups in their order, of which window with two bounds, and beside which earlier window.

    `top`: how many of them are shown; None or 0 for all.
    """

    ranked: Sequence[RankedGroup]
    groups: ErrorGroups
    window: Window
    earlier: ErrorGroups | None = None
    earlier_window: Window | None = None
    top: int | None = None

    @property
    def shown(self) -> list[RankedGroup]:
        """The first groups; of those that have vanished, which come last, as many once more."""
        vanished = [item for item in self.ranked if item.mark is Mark.VANISHED]
        present = self.ranked[: len(self.ranked) - len(vanished)]
        return [*present[: self.top or None], *vanished[: self.top or None]]

    def share(self, item: RankedGroup) -> float:
        """Return which part of all errors of the window a group is."""
        return item.count / self.groups.total if self.groups.total else 0.0

    def trends(self, parts: int) -> tuple[list[str], dict[int, list[int]]]:
        """Return the boundaries of equal parts of the window and, by the number of a group, its errors in each."""
        boundaries = even_buckets(self.window, parts)
        # An error is counted at the beginning of its step: what is before the window is rounded, not from outside.
        buckets = self.groups.timeline.spread(["", *boundaries[1:]])
        numbers = {item.group.number for item in self.shown if item.count}
        return boundaries, {number: [bucket[number] for bucket in buckets] for number in numbers}

    def trend(self, item: RankedGroup, trends: Mapping[int, Sequence[int]]) -> Sequence[int]:
        """Return the errors of a group in each part; none at all for one that has vanished."""
        return trends.get(item.group.number, ()) if item.count else ()


def error_document(report: ErrorReport) -> dict[str, Any]:
    """Return the report as one document: the window, how many errors, and the groups."""
    document: dict[str, Any] = {"since": report.window.since_text, "until": report.window.until_text}
    document["errors"] = report.groups.total
    if report.earlier is not None and report.earlier_window is not None:
        earlier = report.earlier_window
        document["before"] = {"since": earlier.since_text, "until": earlier.until_text, "errors": report.earlier.total}
    return document | {"groups": error_records(report)}


RECORD_MEMBERS = (
    *("group", "method", "endpoint", "status", "code", "message", "count", "share", "firstSeen", "lastSeen"),
    *("clients", "moreClients", "topClients", "exampleIds", "trend", "storms", "stormCount", "stormRequests"),
)
"""The members of a record."""

COMPARED_MEMBERS = (*RECORD_MEMBERS, "before", "change", "mark")
"""The members of a record beside an earlier window."""


def error_records(report: ErrorReport) -> list[dict[str, Any]]:
    """Return a record for each group: numbers as they are, times in RFC 3339."""
    boundaries, trends = report.trends(PARTS)
    return [_record(report, item, boundaries, report.trend(item, trends)) for item in report.shown]


def _record(report: ErrorReport, item: RankedGroup, boundaries: Sequence[str], trend: Sequence[int]) -> dict[str, Any]:
    group = item.group
    values: tuple[object, ...] = (
        group.key.hash,
        *group.key,
        item.count,
        report.share(item),
        group.first,
        group.last,
        len(group.clients),
        group.more_clients,
        [{"client": client, "requests": requests} for client, requests in _top_clients(group)],
        group.example_ids,
        [{"start": start, "count": count} for start, count in zip(boundaries, trend or [0] * PARTS, strict=False)],
        [_storm_record(storm) for storm in group.storms],
        group.storm_count,
        group.storm_requests,
    )
    record = dict(zip(RECORD_MEMBERS, values, strict=True))
    if report.earlier is not None:
        record |= {"before": item.before, "change": item.change, "mark": item.mark}
    return record


def _storm_record(storm: Storm) -> dict[str, Any]:
    return {
        "client": storm.client,
        "requests": storm.requests,
        "firstSeen": storm.first,
        "lastSeen": storm.last,
        "exampleId": storm.example_id,
    }


def _top_clients(group: ErrorGroup) -> list[tuple[str, int]]:
    return sorted(group.clients.items(), key=lambda item: (-item[1], item[0]))[:_NAMED_CLIENTS]


class ErrorBlocks:
    """Draws groups for people: what failed and how often in the first line, why and for whom in those below."""

    def __init__(self, report: ErrorReport, screen: Screen, zone: tzinfo) -> None:
        """`zone` is where times are shown."""
        self._report = report
        self._screen = screen
        self._clock = LocalTimes(zone, milliseconds=False)
        self._parts = _parts(screen.width)
        self._trends = report.trends(self._parts)[1] if self._parts else {}
        self._shown = report.shown
        self._counts = [f"{item.count:,}" for item in self._shown]
        self._count_width = max(map(len, self._counts), default=0)
        self._endpoint_width = self._room_for_endpoints()

    def lines(self) -> Iterator[str]:
        """Yield a headline, and the lines of each group after an empty one."""
        yield from self._headline()
        for item, count in zip(self._shown, self._counts, strict=True):
            yield ""
            yield self._first_line(item, count)
            yield from self._reason_lines(item.group)
            if item.before is not None:
                yield from self._plain(_change(item), _MARK_STYLES.get(item.mark, "") if item.mark else "")
            yield from self._plain(self._seen(item.group))
            if item.group.storms:
                yield from self._plain(self._storms(item.group), STATUS_STYLES[item.group.key.status // 100])
            yield from self._plain("examples " + " ".join(map(self._screen.clean, item.group.example_ids)), _DIM)

    def _headline(self) -> Iterator[str]:
        """Yield how many errors there are of how many kinds, what they were before, and how the trend is to be read."""
        report = self._report
        lines = [f"{_counted(report.groups.total, 'error')} of {_counted(len(report.groups.groups), 'kind')}"]
        if report.earlier is not None:
            marks = [item.mark for item in report.ranked]
            told = [f"{marks.count(mark):,} {mark}" for mark in Mark if mark in marks]
            lines.append(", ".join([f"before: {_counted(report.earlier.total, 'error')}", *told]))
        if self._parts and report.groups.total:
            lines.append(f"a column of the trend is {_duration(report.window.length.total_seconds() / self._parts)}")
        for number, line in enumerate(lines):
            for piece in wrapped(line, self._screen.width):
                yield self._screen.paint(piece, _DIM if number else BOLD)

    def _room_for_endpoints(self) -> int:
        """Return how wide endpoints are shown: as they are, or what the other parts of the line leave of the width.

        In a pipe none is shortened, and a very long one does not push the others' counts away.
        """
        natural = max((text_width(self._place(item.group)) for item in self._shown), default=0)
        if self._screen.width is None:
            return min(natural, _WIDEST_IN_PIPE)
        rest = len(_INDENT) + len("422 ") + 2 + self._count_width + len("  100.0 %  ") + self._parts
        return min(natural, max(len("DELETE /…"), self._screen.width - rest))

    def _place(self, group: ErrorGroup) -> str:
        return self._screen.clean(f"{group.key.method} {group.key.endpoint}")

    def _first_line(self, item: RankedGroup, count: str) -> str:
        group, screen = item.group, self._screen
        place = self._place(group)
        if screen.width is not None:
            place = _shortened(place, self._endpoint_width, screen)
        padding = " " * (self._endpoint_width - text_width(place))
        status = screen.paint(f"{group.key.status}", STATUS_STYLES[group.key.status // 100])
        share = f"{100 * self._report.share(item):5.1f} %"
        trend = columns(self._report.trend(item, self._trends), 1, screen)[0]
        line = f"{screen.paint(group.key.hash, BOLD)}  {status} {place}{padding}"
        return f"{line}  {count:>{self._count_width}}  {share}  {trend}".rstrip()

    def _reason_lines(self, group: ErrorGroup) -> Iterator[str]:
        """Yield why: code and message, or what the status stands for where the response had neither."""
        code, message = self._folded(group.key.code), self._folded(group.key.message)
        if not code and not message:
            message = _phrase(group.key.status)
        text = f"{code}  {message}" if code and message else code or message
        for number, line in enumerate(wrapped(text, self._room)):
            start = len(code) if number == 0 else 0
            yield _INDENT + self._screen.paint(line[:start], BOLD) + line[start:]

    def _folded(self, text: str) -> str:
        """Return foreign text as it may be shown; the ellipsis at its end is ours."""
        cut = text.endswith("…")
        return self._screen.clean(text.removesuffix("…")) + (self._screen.ellipsis if cut else "")

    @property
    def _room(self) -> int | None:
        return None if self._screen.width is None else max(20, self._screen.width - len(_INDENT))

    def _plain(self, text: str, style: str = "") -> Iterator[str]:
        """Yield harmless text as lines in a colour."""
        for line in wrapped(text, self._room):
            yield _INDENT + self._screen.paint(line, style)

    def _seen(self, group: ErrorGroup) -> str:
        first, last = self._clock.show(group.first), self._clock.show(group.last)
        seen = f"at {first}" if first == last else f"{first} to {last}"
        return f"{seen}, {self._clients(group)}" if group.clients else seen

    def _clients(self, group: ErrorGroup) -> str:
        """Return how many clients there were, and who they are, the most affected first."""
        number = len(group.clients)
        told = f"{number:,}+ clients" if group.more_clients else _counted(number, "client")
        clean, screen = self._screen.clean, self._screen
        names = ", ".join(_shortened(clean(client), _WIDEST_CLIENT, screen) for client, _ in _top_clients(group))
        return f"{told} ({names}{', and others' if number > _NAMED_CLIENTS else ''})"

    def _storms(self, group: ErrorGroup) -> str:
        storm, others = group.storms[0], group.storm_count - 1
        pause = storm.seconds / (storm.requests - 1)
        client = _shortened(self._screen.clean(storm.client), _WIDEST_CLIENT, self._screen)
        text = f"retry storm: {client} sent the same request {storm.requests:,} times"
        text += f" in {_duration(storm.seconds)}, every {_duration(pause)}" if storm.seconds else " at once"
        if others:
            rest = group.storm_requests - storm.requests
            text += f"; and {_counted(others, 'more storm')} of {rest:,} requests"
        return text


def _parts(width: int | None) -> int:
    """Return how many columns a trend has on a screen of this width."""
    if width is None:
        return _PARTS_IN_PIPE
    return next((parts for least, parts in _PARTS_BY_WIDTH if width >= least), 0)


def _shortened(text: str, room: int, screen: Screen) -> str:
    """Return harmless text in at most `room` columns, without its middle."""
    return text if text_width(text) <= room else shorten(text, room, screen.ellipsis)


def _change(item: RankedGroup) -> str:
    """Return what the group was before, and by how much its rate has changed."""
    told = [item.mark.value] if item.mark else []
    told.append(f"before {item.before:,}")
    if item.change is not None and item.mark is not Mark.VANISHED:
        told.append(f"rate {100 * item.change:+,.0f} %")
    return ", ".join(told)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _duration(seconds: float) -> str:
    """Return a length of time in its greatest unit, and the next one where that says more than a few percent."""
    if seconds < 9.95:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    for unit, size, lesser_unit, lesser_size in _UNITS:
        if whole >= size:
            number, rest = divmod(whole, size)
            lesser = rest // lesser_size
            return f"{number} {unit} {lesser} {lesser_unit}" if lesser and number < 10 else f"{number} {unit}"
    return f"{whole} s"

"""Groups of errors for people: a block of lines each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from http import HTTPStatus

from taplogs.core.comparison import Mark
from taplogs.core.error_comparison import RankedGroup
from taplogs.core.error_groups import HASH_LENGTH, ErrorGroup
from taplogs.core.error_report import ErrorReport, Trends
from taplogs.output.charts import columns
from taplogs.output.palette import BOLD, STATUS_STYLES
from taplogs.output.table import LocalTimes, shorten, text_width
from taplogs.output.terminal import Screen
from taplogs.output.wording import counted, duration, percent, signed_percent
from taplogs.output.wrapping import wrapped

_PARTS_BY_WIDTH = ((120, 32), (72, 16), (56, 8))
_PARTS_IN_PIPE = 16
_WIDEST_IN_PIPE = 80
_WIDEST_CLIENT = 48
_DIM = "2"
_MARK_STYLES = {None: "", Mark.NEW: "1;31", Mark.GROWN: "31", Mark.SHRUNK: "32", Mark.VANISHED: "32"}
_INDENT = " " * (HASH_LENGTH + 2)
_NAMED_CLIENTS = 3


class ErrorBlocks:
    """Draws groups for people: what failed and how often in the first line, why and for whom in those below."""

    def __init__(self, report: ErrorReport, screen: Screen, zone: tzinfo) -> None:
        """`zone` is where times are shown."""
        self._report = report
        self._screen = screen
        self._clock = LocalTimes(zone, milliseconds=False)
        parts = _parts(screen.width)
        self._trends = Trends(report.groups, report.window, parts) if parts else None
        self._count_width = max((len(f"{item.count:,}") for item in report.shown), default=0)
        self._endpoint_width = self._room_for_endpoints()

    def lines(self) -> Iterator[str]:
        """Yield a headline, and the lines of each group after an empty one."""
        yield from self._headline()
        for item in self._report.shown:
            yield ""
            yield self._first_line(item)
            yield from self._reason_lines(item.group)
            if item.before is not None:
                yield from self._plain(_change(item), _MARK_STYLES[item.mark])
            yield from self._plain(self._seen(item.group))
            if item.group.storms:
                yield from self._plain(self._storms(item.group), STATUS_STYLES[item.group.key.status // 100])
            yield from self._plain("examples " + " ".join(map(self._screen.clean, item.group.example_ids)), _DIM)

    def _headline(self) -> Iterator[str]:
        """Yield how many errors there are in how many groups, what they were before, and how the trend is read."""
        report = self._report
        lines = [f"{counted(report.groups.total, 'error')} in {counted(len(report.groups.groups), 'group')}"]
        if report.earlier is not None:
            told = [f"{report.marks[mark]:,} {mark}" for mark in Mark if mark in report.marks]
            lines.append(", ".join([f"before: {counted(report.earlier.total, 'error')}", *told]))
        if self._trends and report.groups.total:
            step = report.window.length.total_seconds() / self._trends.parts
            lines.append(f"a column of the trend is {duration(step)}")
        for number, line in enumerate(lines):
            for piece in wrapped(line, self._screen.width):
                yield self._screen.paint(piece, _DIM if number else BOLD)

    def _room_for_endpoints(self) -> int:
        """Return how wide endpoints are shown: as they are, or what the other parts of the line leave of the width.

        In a pipe none is shortened, and a very long one does not push the others' counts away.
        """
        natural = max((text_width(self._place(item.group)) for item in self._report.shown), default=0)
        if self._screen.width is None:
            return min(natural, _WIDEST_IN_PIPE)
        trend = self._trends.parts if self._trends else 0
        rest = len(_INDENT) + len("422 ") + 2 + self._count_width + len("  >99.9 %  ") + trend
        return min(natural, max(len("DELETE /…"), self._screen.width - rest))

    def _place(self, group: ErrorGroup) -> str:
        return self._screen.clean(f"{group.key.method} {group.key.endpoint}")

    def _first_line(self, item: RankedGroup) -> str:
        group, screen = item.group, self._screen
        place = self._place(group)
        if screen.width is not None:
            place = _shortened(place, self._endpoint_width, screen)
        padding = " " * (self._endpoint_width - text_width(place))
        status = screen.paint(f"{group.key.status}", STATUS_STYLES[group.key.status // 100])
        share = percent(self._report.share(item))
        trend = columns(self._trends.of(group.key), 1, screen)[0] if self._trends else ""
        line = f"{screen.paint(group.key.hash, BOLD)}  {status} {place}{padding}"
        return f"{line}  {item.count:>{self._count_width},}  {share:>7}  {trend}".rstrip()

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
        told = f"{number:,}+ clients" if group.more_clients else counted(number, "client")
        clean, screen = self._screen.clean, self._screen
        top = group.top_clients(_NAMED_CLIENTS)
        names = ", ".join(_shortened(clean(client.name), _WIDEST_CLIENT, screen) for client, _ in top)
        return f"{told} ({names}{', and others' if number > _NAMED_CLIENTS else ''})"

    def _storms(self, group: ErrorGroup) -> str:
        storm, others = group.storms[0], group.storm_count - 1
        pause = storm.seconds / (storm.requests - 1)
        client = _shortened(self._screen.clean(storm.client.name), _WIDEST_CLIENT, self._screen)
        text = f"retry storm: {client} sent the same request {storm.requests:,} times"
        text += f" in {duration(storm.seconds)}, every {duration(pause)}" if storm.seconds else " at once"
        if others:
            rest = group.storm_requests - storm.requests
            text += f"; and {counted(others, 'more storm')} of {rest:,} requests"
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
        told.append(f"rate {signed_percent(item.change)}")
    return ", ".join(told)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"

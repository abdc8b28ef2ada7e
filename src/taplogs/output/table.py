"""The table of entries, drawn as lines: a row costs microseconds, and rows appear as pages arrive."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import tzinfo

from msgspec import Struct

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import parse_timestamp
from taplogs.errors import UsageError
from taplogs.output.palette import BOLD, STATUS_STYLES
from taplogs.output.terminal import Screen
from taplogs.zone import in_zone

_GAP = "  "
_NARROW_GAP = " "
_NARROW = 100
_LEAST_FLEXIBLE = 8
_COMFORTABLE = 16

_ORIGIN = re.compile(r"([a-z]{2,8}://[^/]+)/")


class Column(Struct, frozen=True):
    """One column: its name on the command line, its heading, which member of the JSON shape it shows."""

    name: str
    heading: str
    member: str
    right: bool = False
    flexible: bool = False


COLUMNS = {
    column.name: column
    for column in (
        Column("timestamp", "TIME", "timestamp"),
        Column("method", "METHOD", "method"),
        Column("url", "URL", "requestUrl", flexible=True),
        Column("status", "STATUS", "statusCode", right=True),
        Column("latency", "LATENCY", "latencyMs", right=True),
        Column("id", "ID", "id"),
        Column("endpoint", "ENDPOINT", "endpoint", flexible=True),
        Column("reason", "REASON", "reason", flexible=True),
        Column("ip", "IP", "ipAddress"),
        Column("user-agent", "USER AGENT", "userAgent", flexible=True),
        Column("client-id", "CLIENT", "clientId"),
        Column("company-id", "COMPANY", "companyId"),
        Column("created-at", "CREATED", "createdAt"),
        Column("updated-at", "UPDATED", "updatedAt"),
    )
}
DEFAULT_COLUMNS = ("timestamp", "method", "url", "status", "latency", "id")
PAYLOAD_MEMBERS = ("requestPayload", "responsePayload", "reason")
"""The members that need the payloads."""


def columns_named(text: str | None) -> list[Column]:
    """Return the columns of a comma-separated list, by name or by JSON member; raises UsageError."""
    if text is None:
        return [COLUMNS[name] for name in DEFAULT_COLUMNS]
    by_name = {column.member: column for column in COLUMNS.values()} | COLUMNS
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise UsageError(
            f"--columns {text!r}: there is no column {unknown[0]!r}" if unknown else "--columns is empty",
            f"columns of a table: {', '.join(COLUMNS)}",
        )
    return [by_name[name] for name in names]


class Table:
    """Draws entries row by row. The widths are settled by the first rows and hold for all that follow."""

    def __init__(
        self,
        columns: Sequence[Column],
        screen: Screen,
        zone: tzinfo,
        templates: EndpointTemplates | None = None,
        *,
        fills: bool = False,
    ) -> None:
        """`zone` is where times are shown; without a width (in a pipe) nothing is shortened.

        `fills`: flexible columns take the room that the first rows leave, for what will come.
        """
        self._fills = fills
        self._columns = columns
        self._screen = screen
        self._narrow = screen.width is not None and screen.width < _NARROW
        self._gap = _NARROW_GAP if self._narrow else _GAP
        self._zone = zone
        self._clock = LocalTimes(zone, milliseconds=not self._narrow)
        self._templates = templates or EndpointTemplates()
        self._widths: list[int] = []
        self._origin = ""
        self._cells = [self._cell(column) for column in columns]

    def header(self, first: Sequence[LogEntry]) -> str:
        """Settle the widths by the first entries and return the line of headings."""
        headings = [self._heading(column) for column in self._columns]
        self._widths = self._natural_widths(headings, first)
        if self._excess() > 0:
            self._origin = _common_origin(first)
            self._widths = self._natural_widths(headings, first)
            if self._squeeze() < _COMFORTABLE:
                year = self._common_year(first)
                self._clock = LocalTimes(self._zone, milliseconds=False, hidden_year=year)
                headings = [f"{heading} {year}".rstrip() if heading == "TIME" else heading for heading in headings]
                self._widths = self._natural_widths(headings, first)
                self._squeeze()
        if self._fills:
            self._fill()
        return self._screen.paint(self._line(headings), BOLD)

    def row(self, entry: LogEntry) -> str:
        """Return one entry as a line, without its line feed."""
        texts = [cell(entry) for cell in self._cells]
        return self._line(texts, entry.status_code)

    def _heading(self, column: Column) -> str:
        narrow = {"STATUS": "CODE", "LATENCY": "TOOK"}
        return narrow.get(column.heading, column.heading) if self._narrow else column.heading

    def _common_year(self, first: Sequence[LogEntry]) -> str:
        """Return the year that all of these entries show, empty if they differ."""
        clock = LocalTimes(self._zone, milliseconds=False)
        years = {clock.show(entry.timestamp)[:4] for entry in first}
        return years.pop() if len(years) == 1 else ""

    def _natural_widths(self, headings: list[str], first: Sequence[LogEntry]) -> list[int]:
        rows = [[cell(entry) for cell in self._cells] for entry in first]
        return [max([len(heading), *(text_width(row[i]) for row in rows)]) for i, heading in enumerate(headings)]

    def _excess(self) -> int:
        """Return by how many columns the table is too wide."""
        if self._screen.width is None:
            return 0
        return sum(self._widths) + len(self._gap) * (len(self._widths) - 1) - self._screen.width

    def _squeeze(self) -> int:
        """Let the flexible columns give way, evenly, where the table is wider than the screen.

        Return the width of the narrowest that had to; 0 where the table is too wide even so.
        """
        narrowest = self._screen.width or 0
        flexible = [index for index, column in enumerate(self._columns) if column.flexible]
        excess = self._excess()
        for position, index in enumerate(sorted(flexible, key=lambda index: self._widths[index])):
            share = max(0, -(-excess // (len(flexible) - position)))
            given = min(share, max(0, self._widths[index] - _LEAST_FLEXIBLE))
            self._widths[index] -= given
            excess -= given
            narrowest = min(narrowest, self._widths[index]) if given else narrowest
        return narrowest if excess <= 0 else 0

    def _fill(self) -> None:
        """Let the flexible columns have the room that is left, evenly."""
        flexible = [index for index, column in enumerate(self._columns) if column.flexible]
        for position, index in enumerate(flexible):
            self._widths[index] += max(0, -self._excess()) // (len(flexible) - position)

    def _line(self, texts: list[str], status: int | None = None) -> str:
        sizes = [len(text) if text.isascii() else text_width(text) for text in texts]
        widths = self._widths
        if any(size > width for size, width in zip(sizes, widths, strict=True)):
            widths = self._shorten(texts, sizes)
        parts = []
        last = len(texts) - 1
        for index, (column, text, size, width) in enumerate(zip(self._columns, texts, sizes, widths, strict=True)):
            padding = " " * (width - size)
            if status is not None and column.name == "status":
                text = self._screen.paint(text, STATUS_STYLES.get(status // 100, ""))
            parts.append(padding + text if column.right else text if index == last else text + padding)
        return self._gap.join(parts)

    def _shorten(self, texts: list[str], sizes: list[int]) -> list[int]:
        """Let the flexible cells of one row give way to their width, and to what its other cells are too wide.

        Return the widths of this row.
        """
        if self._screen.width is None:
            return self._widths
        widths = list(self._widths)
        excess = sum(
            max(0, size - width)
            for column, size, width in zip(self._columns, sizes, self._widths, strict=True)
            if not column.flexible
        )
        for index, column in enumerate(self._columns):
            if column.flexible:
                room = max(min(_LEAST_FLEXIBLE, widths[index]), widths[index] - excess)
                excess -= widths[index] - room
                widths[index] = room
                if sizes[index] > room:
                    texts[index] = shorten(texts[index], room, self._screen.ellipsis)
                    sizes[index] = text_width(texts[index])
        return widths

    def _cell(self, column: Column) -> Callable[[LogEntry], str]:
        clean = self._screen.clean
        if column.name in ("timestamp", "created-at", "updated-at"):
            attribute = column.name.replace("-", "_")
            return lambda entry: self._clock.show(getattr(entry, attribute)) if getattr(entry, attribute) else "-"
        special: dict[str, Callable[[LogEntry], str]] = {
            "status": lambda entry: str(entry.status_code),
            "latency": lambda entry: show_latency(entry.latency_ms),
            "endpoint": lambda entry: clean(self._templates.of_url(entry.request_url)),
            "reason": lambda entry: clean(_reason(entry) or "-"),
            "url": self._url,
            "method": lambda entry: clean(entry.method),
            "id": lambda entry: clean(entry.id),
            "ip": lambda entry: clean(entry.ip_address or "-"),
            "user-agent": lambda entry: clean(entry.user_agent or "-"),
            "client-id": lambda entry: clean(entry.client_id or "-"),
            "company-id": lambda entry: clean(entry.company_id or "-"),
        }
        return special[column.name]

    def _url(self, entry: LogEntry) -> str:
        url = entry.request_url
        return self._screen.clean(url[len(self._origin) :] if self._origin and url.startswith(self._origin) else url)


def _reason(entry: LogEntry) -> str | None:
    from taplogs.core.failure_reason import reason_text

    return reason_text(entry)


DERIVED: dict[str, Callable[[LogEntry, EndpointTemplates], str | None]] = {
    "endpoint": lambda entry, templates: templates.of_url(entry.request_url),
    "reason": lambda entry, _: _reason(entry),
}
"""The members that an entry does not hold itself: its endpoint, and what it failed for."""


class LocalTimes:
    """Shows canonical timestamps in a time zone; the offset is looked up once a minute, not once a row."""

    def __init__(self, zone: tzinfo, *, milliseconds: bool, hidden_year: str = "") -> None:
        """`hidden_year` is left out where it is a time's year; any other is shown."""
        self._zone = zone
        self._hidden = f"{hidden_year}-" if hidden_year else ""
        self._end = 23 if milliseconds else 19
        self._minute = ""
        self._local = ""

    def show(self, timestamp: str) -> str:
        """Return `2026-11-01 10:00:00`, or with milliseconds, or without the hidden year, in the zone."""
        if timestamp[:16] != self._minute:
            local = in_zone(parse_timestamp(f"{timestamp[:16]}:00Z"), self._zone)
            if local.second:  # an offset with seconds, as before 1900
                exact = in_zone(parse_timestamp(timestamp), self._zone).isoformat(" ", "milliseconds")
                return exact[: self._end].removeprefix(self._hidden)
            self._minute, self._local = timestamp[:16], local.isoformat(" ")[:16].removeprefix(self._hidden)
        return self._local + timestamp[16 : self._end]


def show_latency(milliseconds: int | None) -> str:
    """Return a latency in at most six characters where it is under 28 hours: `812ms`, `1.24s`, `61.3s`; `-` unknown."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    if milliseconds < 9_995:
        return f"{milliseconds / 1000:.2f}s"
    return f"{milliseconds / 1000:.1f}s" if milliseconds < 99_950 else f"{milliseconds / 1000:.0f}s"


def text_width(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shorten(text: str, room: int, ellipsis: str) -> str:
    """Return `text` in at most `room` columns, without its middle."""
    keep = room - len(ellipsis)
    if keep <= 0:
        return ellipsis[:room]
    head = fitting(text, keep - keep // 2)
    tail = fitting(text[::-1], keep // 2)[::-1]
    return head + ellipsis + tail


def _common_origin(entries: Sequence[LogEntry]) -> str:
    """Return the scheme and host that the URLs of all `entries` begin with, before a path; empty if they differ."""
    origins = {match[1] if (match := _ORIGIN.match(entry.request_url)) else "" for entry in entries}
    return origins.pop() if len(origins) == 1 else ""


def fitting(text: str, room: int) -> str:
    """Return as much of the beginning of `text` as `room` columns hold."""
    if text.isascii():
        return text[:room]
    end = 0
    while end < len(text) and (room := room - text_width(text[end])) >= 0:
        end += 1
    return text[:end]

"""Everything about one entry, for people: panels of request, response and metadata; huge bodies folded."""

from __future__ import annotations

from datetime import tzinfo
from typing import TextIO

from msgspec import Raw
from rich.console import Console, Group, RenderableType
from rich.highlighter import JSONHighlighter
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import LogEntry, has_payload, is_text, payload_text
from taplogs.core.timestamp import parse_timestamp
from taplogs.output.har import status_text
from taplogs.output.json_text import indented
from taplogs.output.palette import STATUS_COLORS
from taplogs.output.table import show_latency
from taplogs.output.terminal import Screen
from taplogs.zone import in_zone

_LINES = 40
_CHARACTERS = 6000
_WIDEST = 140


class DetailView:
    """Draws entries on a rich console; every foreign text passes `Screen.clean` and none is read as markup."""

    def __init__(
        self, stream: TextIO, screen: Screen, zone: tzinfo, templates: EndpointTemplates, *, full: bool
    ) -> None:
        """`zone` is where times are shown; `full` shows bodies whole."""
        self._screen = screen
        self._zone = zone
        self._templates = templates
        self._full = full
        self._console = Console(
            file=stream,
            height=100,
            _environ={},  # widths and colours are settled already; rich would read COLUMNS and LINES again
            width=min(screen.width or 100, _WIDEST),
            force_terminal=screen.color,
            color_system="standard" if screen.color else None,
            no_color=not screen.color,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
            safe_box=True,
        )

    def show(self, entry: LogEntry) -> None:
        """Write one entry."""
        color = STATUS_COLORS.get(entry.status_code // 100, "default")
        self._console.print(self._panel("Request", self._request(entry), "default"))
        self._console.print(self._panel("Response", self._response(entry, color), color))
        self._console.print(self._panel("Entry", self._metadata(entry), "default"))

    def _panel(self, title: str, content: RenderableType, color: str) -> Panel:
        from rich import box

        shape = box.ROUNDED if self._screen.unicode else box.ASCII
        return Panel(content, title=title, title_align="left", border_style=color, box=shape)

    def _request(self, entry: LogEntry) -> RenderableType:
        line = Text(f"{self._clean(entry.method)} ", style="bold", overflow="fold")
        line.append(self._clean(entry.request_url), style="not bold")
        return self._with_body(line, entry.request_payload, "no body")

    def _response(self, entry: LogEntry, color: str) -> RenderableType:
        line = Text(f"{entry.status_code} {status_text(entry.status_code)}".rstrip(), style=f"bold {color}")
        took = "unknown" if entry.latency_ms is None else show_latency(entry.latency_ms)
        line.append(f"   latency {took}", style="default not bold")
        missing = "body not stored: the platform keeps none for status 200" if entry.status_code == 200 else "no body"
        return self._with_body(line, entry.response_payload, missing)

    def _metadata(self, entry: LogEntry) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in (
            ("id", entry.id),
            ("time", self._time(entry.timestamp)),
            ("endpoint", self._templates.template(entry.path)),
            ("ip", entry.ip_address),
            ("user agent", entry.user_agent),
            ("client", entry.client_id),
            ("company", entry.company_id),
            ("created", self._time(entry.created_at)),
            ("updated", self._time(entry.updated_at)),
        ):
            grid.add_row(name, Text(self._clean(value) if value else "-"))
        return grid

    def _time(self, timestamp: str | None) -> str | None:
        if timestamp is None:
            return None
        local = in_zone(parse_timestamp(timestamp), self._zone).isoformat(" ", "milliseconds")
        return f"{local}  ({timestamp})"

    def _with_body(self, first: Text, payload: Raw, missing: str) -> RenderableType:
        if not has_payload(payload):
            return Group(first, Text(missing, style="dim"))
        return Group(first, Text(), *self._body(payload))

    def _body(self, payload: Raw) -> list[RenderableType]:
        text = payload_text(payload) if is_text(payload) else indented(bytes(payload)).decode("utf-8")
        lines = text.split("\n")
        shown = lines if self._full else _fold(lines)
        body = Text("\n".join(map(self._clean, shown)), overflow="fold")
        if not is_text(payload):
            JSONHighlighter().highlight(body)
        if shown is lines:
            return [body]
        size = len(text.encode("utf-8", "replace"))
        left_out = f"{len(lines):,} lines, {size:,} bytes in all"
        return [body, Text(f"{self._screen.ellipsis} folded: {left_out}; --full shows everything", style="dim italic")]

    def _clean(self, text: str) -> str:
        return self._screen.clean(text)


def _fold(lines: list[str]) -> list[str]:
    """Return the first lines of a body, or the same list where all of it is short enough."""
    kept: list[str] = []
    room = _CHARACTERS
    for line in lines[:_LINES]:
        kept.append(line[:room])
        room -= len(line)
        if room < 0:
            return kept
    return kept if len(lines) > _LINES else lines

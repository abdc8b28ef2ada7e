"""The outcome of a check as a table for people, also for those who read the log of a CI."""

from __future__ import annotations

from datetime import datetime, tzinfo

from msgspec.structs import replace

from taplogs.core.assertions import NEW_ERRORS, Finding, Outcome, Verdict
from taplogs.output.finding_text import (
    VERDICTS,
    new_error_lines,
    requests_of,
    shown_limit,
    shown_measured,
    without_commands,
)
from taplogs.output.grid import Cell, GridColumn, grid_lines
from taplogs.output.group_cells import key_cells, key_columns
from taplogs.output.palette import BOLD
from taplogs.output.table import fitting, text_width
from taplogs.output.terminal import Screen
from taplogs.output.wording import counted
from taplogs.zone import in_zone

_STYLES = {Verdict.FAIL: "31", Verdict.TOO_FEW: "33", Verdict.PASS: "32"}


class FindingTable:
    """Lines for one screen; every foreign text passes `Screen.clean`, and none holds a command for a CI."""

    def __init__(self, screen: Screen, zone: tzinfo) -> None:
        """`zone` is where times are shown."""
        self._screen = screen
        self._zone = zone

    def lines(self, outcome: Outcome, top: int | None) -> list[str]:
        """Return a line for each finding (the first `top`; None: all), the new errors, and how the findings are."""
        columns = [
            GridColumn("ASSERTION"),
            *key_columns(outcome.dimensions),
            GridColumn("MEASURED", right=True),
            GridColumn("LIMIT", right=True),
            GridColumn("REQUESTS", right=True),
            GridColumn("VERDICT"),
        ]
        rows = [self._row(finding, outcome) for finding in outcome.findings[:top]]
        return [*grid_lines(columns, rows, self._screen), *self._new_errors(outcome), "", *self._summary(outcome)]

    def _row(self, finding: Finding, outcome: Outcome) -> list[Cell]:
        return [
            Cell(finding.assertion.measure.name),
            *self._keys(finding, outcome),
            Cell(shown_measured(finding)),
            Cell(shown_limit(finding.assertion)),
            Cell(requests_of(finding)),
            Cell(VERDICTS[finding.verdict], _STYLES[finding.verdict]),
        ]

    def _keys(self, finding: Finding, outcome: Outcome) -> list[Cell]:
        if finding.scope.group is None:
            return [Cell("all", BOLD), *[Cell("")] * (len(outcome.dimensions) - 1)][: len(outcome.dimensions)]
        cells = key_cells(finding.scope.group, outcome.dimensions, self._screen, self._zone)
        return [replace(cell, text=without_commands(cell.text)) for cell in cells]

    def _new_errors(self, outcome: Outcome) -> list[str]:
        """Return what errors are new among all requests, a line each."""
        found = [item for item in outcome.findings if item.assertion.measure is NEW_ERRORS and not item.scope.group]
        lines = [self._fitted(line) for finding in found for line in new_error_lines(finding)]
        return ["", self._screen.paint("new errors", BOLD), *lines] if lines else []

    def _fitted(self, text: str) -> str:
        line = "  " + without_commands(self._screen.clean(text))
        width = self._screen.width
        if width is None or text_width(line) <= width:
            return line
        return fitting(line, width - text_width(self._screen.ellipsis)) + self._screen.ellipsis

    def _summary(self, outcome: Outcome) -> list[str]:
        """Return how many findings have which verdict, and of which requests: who reads a log reads it later."""
        told = [
            self._screen.paint(f"{number:,} {VERDICTS[verdict]}", _STYLES[verdict])
            for verdict in Verdict
            if (number := outcome.number(verdict))
        ]
        window = " to ".join(self._local(bound) for bound in (outcome.window.since, outcome.window.until) if bound)
        return [", ".join(told), f"{counted(outcome.requests, 'request')}, {window}"]

    def _local(self, instant: datetime) -> str:
        return in_zone(instant, self._zone).isoformat(" ", "seconds")

"""What is measured, for programs: one JSON document, JSON Lines or CSV; numbers unrounded, units in the names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from taplogs.errors import chosen
from taplogs.output.spreadsheet import csv_cell
from taplogs.output.terminal import Output, Screen, harmless_json

Record = Mapping[str, Any]
"""Names in camelCase -> what JSON can hold."""

REPORT_FORMATS = ("table", "json", "jsonl", "csv")


def report_format(name: str | None, screen: Screen) -> str:
    """Return the format that `name` says, else a table on a terminal and JSON Lines in a pipe; raises UsageError."""
    if name is None:
        return "table" if screen.is_terminal else "jsonl"
    return chosen("--output", name, REPORT_FORMATS)


def write_records(
    format_name: str, document: Record, records: Sequence[Record], output: Output, members: Sequence[str] = ()
) -> None:
    """Write `document` as JSON, or `records` as JSON Lines or CSV; `members` are the columns where no record is."""
    if format_name == "json":
        _write_json(document, output, indent=2)
    elif format_name == "jsonl":
        for record in records:
            _write_json(record, output, indent=None)
    else:
        _write_csv(records, list(records[0]) if records else members, output)
    output.flush()


def _write_json(value: Record, output: Output, indent: int | None) -> None:
    separators = (",", ": ") if indent else (",", ":")
    try:
        text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: JSON has an escape for it, UTF-8 has not
        text = json.dumps(value, indent=indent, separators=separators).encode("ascii")
    if output.screen.is_terminal:
        text = harmless_json(text, ascii_only=not output.screen.unicode)
    output.write(text + b"\n")


def _write_csv(records: Sequence[Record], members: Sequence[str], output: Output) -> None:
    for row in (members, *([record[member] for member in members] for record in records)):
        line = ",".join(csv_cell(_flat(value)) for value in row)
        if output.screen.is_terminal:
            line = output.screen.clean(line)
        output.write(f"{line}\r\n".encode("utf-8", "backslashreplace"))


def _flat(value: object) -> object:
    return (
        json.dumps(value, separators=(",", ":"), ensure_ascii=False) if isinstance(value, list | dict | bool) else value
    )

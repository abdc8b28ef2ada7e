"""The output formats of a listing, in one registry: each turns batches of entries into bytes as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, tzinfo

import msgspec
from msgspec import Struct

from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.entry import MEMBERS, LogEntry, encode_entries, encode_entry
from taplogs.errors import UsageError
from taplogs.output.json_text import encoded
from taplogs.output.spreadsheet import CsvRows, csv_header
from taplogs.output.table import COLUMNS, DERIVED, PAYLOAD_MEMBERS, Table, columns_named
from taplogs.output.terminal import Output, harmless_json

Batches = Iterable[list[LogEntry]]


class Layout(Struct, frozen=True):
    """How a listing is laid out: the columns asked for, where times are shown, the company's own templates.

    `follows`: the listing goes on long after its first rows have settled the widths of a table. `guarded` and
    `byte_order_mark`: CSV guards what a spreadsheet would run, and begins with the mark by which Excel knows UTF-8.
    """

    columns: str | None = None
    zone: tzinfo = UTC
    templates: EndpointTemplates = msgspec.field(default_factory=EndpointTemplates)
    follows: bool = False
    guarded: bool = True
    byte_order_mark: bool = False


def write_table(batches: Batches, output: Output, layout: Layout) -> None:
    """Write a table; its rows appear as batches arrive. Nothing, not even a heading, where there are no entries."""
    table = Table(columns_named(layout.columns), output.screen, layout.zone, layout.templates, fills=layout.follows)
    begun = False
    for batch in batches:
        if batch and not begun:
            output.write_lines([table.header(batch[:100])])
            begun = True
        output.write_lines(map(table.row, batch))
        output.flush()


def write_json(batches: Batches, output: Output, layout: Layout) -> None:
    """Write one JSON array, an entry a line."""
    line_of = _line_encoder(output, layout)
    separator = b"[\n"
    for batch in batches:
        for entry in batch:
            output.write(separator + line_of(entry))
            separator = b",\n"
        output.flush()
    output.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def write_jsonl(batches: Batches, output: Output, layout: Layout) -> None:
    """Write JSON Lines, flushed with every batch."""
    line_of = _line_encoder(output, layout)
    for batch in batches:
        if line_of is encode_entry:
            output.write(encode_entries(batch))
        else:
            output.write(b"".join([line_of(entry) + b"\n" for entry in batch]))
        output.flush()


def write_csv(batches: Batches, output: Output, layout: Layout) -> None:
    """Write CSV (RFC 4180) with a heading; cells that a spreadsheet would run are guarded unless told otherwise."""
    members = members_named(layout.columns)
    rows = CsvRows(members, layout.templates, guarded=layout.guarded)
    heading = csv_header(members, byte_order_mark=layout.byte_order_mark)
    for batch in batches:
        output.write(heading)
        heading = b""
        if output.screen.is_terminal:
            output.write(b"".join([f"{output.screen.clean(line)}\r\n".encode() for line in rows.lines(batch)]))
        else:
            output.write(rows.encoded(batch))
        output.flush()
    output.write(heading)


FORMATS: dict[str, Callable[[Batches, Output, Layout], None]] = {
    "table": write_table,
    "json": write_json,
    "jsonl": write_jsonl,
    "csv": write_csv,
}


def shows_payloads(format_name: str, columns: str | None) -> bool:
    """Return whether a format writes the payloads; raises UsageError for columns that it does not have."""
    if format_name == "table":
        return any(column.member in PAYLOAD_MEMBERS for column in columns_named(columns))
    return not set(PAYLOAD_MEMBERS).isdisjoint(members_named(columns))


def members_named(text: str | None) -> Sequence[str]:
    """Return the JSON members that `--columns` names, all of them for None; raises UsageError."""
    if text is None:
        return MEMBERS
    by_name = {column.name: column.member for column in COLUMNS.values()} | {member: member for member in MEMBERS}
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise UsageError(
            f"--columns {text!r}: there is no member {unknown[0]!r}" if unknown else "--columns is empty",
            f"members: {', '.join((*MEMBERS, *DERIVED))}",
        )
    return [by_name[name] for name in names]


def _line_encoder(output: Output, layout: Layout) -> Callable[[LogEntry], bytes]:
    """Return what encodes one entry as a line: whole or its chosen members, made harmless for a terminal."""
    encode = encode_entry if layout.columns is None else _member_encoder(layout)
    if not output.screen.is_terminal:
        return encode
    ascii_only = not output.screen.unicode
    return lambda entry: harmless_json(encode(entry), ascii_only=ascii_only)


def _member_encoder(layout: Layout) -> Callable[[LogEntry], bytes]:
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(LogEntry)}

    def value_of(entry: LogEntry, member: str) -> object:
        return getattr(entry, fields[member]) if member in fields else DERIVED[member](entry, layout.templates)

    names = {member: f'"{member}":'.encode("ascii") for member in members_named(layout.columns)}

    def encode(entry: LogEntry) -> bytes:
        return b"{" + b",".join([name + encoded(value_of(entry, member)) for member, name in names.items()]) + b"}"

    return encode

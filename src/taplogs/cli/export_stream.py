"""`taplogs export -o -`: the records of an export to standard output, and nothing but them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from taplogs.audit.canonical import record_lines
from taplogs.audit.records_table import RecordsTable, TableForm
from taplogs.audit.total_order import TotalOrder
from taplogs.cli.options import FilterOptions
from taplogs.cli.session import Session
from taplogs.core.entry import LogEntry
from taplogs.core.query import Order
from taplogs.output.formats import FORMATS, Layout
from taplogs.output.terminal import Output


def write_records(session: Session, filters: FilterOptions, form: TableForm, format_name: str) -> None:
    """Write the records, in total order, as records.jsonl or records.csv of a folder would hold them."""
    query = replace(filters.query(session.templates), order=Order.OLDEST_FIRST)
    filters.window(session.runtime.clock(), session.zone)  # a wrong time is told before a key is looked for
    with session.source() as source:
        query = session.resolve(query, filters, source)
        batches = session.with_progress(TotalOrder().sort(source.batches(query)))
        if session.output.screen.is_terminal:
            layout = Layout(zone=session.zone, guarded=form.formula_guard, byte_order_mark=form.byte_order_mark)
            FORMATS[format_name](batches, session.output, layout)
        elif format_name == "csv":
            _write_table(batches, session.output, form)
        else:
            _write_lines(batches, session.output)


def _write_lines(batches: Iterator[list[LogEntry]], output: Output) -> None:
    for batch in batches:
        output.write(_block(batch))
        output.flush()


def _write_table(batches: Iterator[list[LogEntry]], output: Output, form: TableForm) -> None:
    table = RecordsTable(form)
    output.write(table.heading)
    for batch in batches:
        output.write(table.rows(_block(batch)))
        output.flush()


def _block(batch: list[LogEntry]) -> bytes:
    return b"\n".join([*record_lines(batch), b""])

"""Reading a window as one NDJSON stream, taken up again where it broke off."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

import httpx
from msgspec.structs import replace

from taplogs.core.decoding import MalformedBody, decode_lines, decode_trailer
from taplogs.core.entry import LogEntry
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.errors import BackendError
from taplogs.sources.body import MEBIBYTE, whole_lines
from taplogs.sources.connection import JSON, NDJSON, Connection, body_chunks
from taplogs.sources.pages import is_in_order, just_after, refuse_other_order, unseen
from taplogs.sources.parameters import backend_parameters
from taplogs.sources.retry import TransientFault

_TELLING_ENTRIES = 2
"""More than so many entries, the first of a stream, tell its order; two may just be out of order."""


class StreamsRefused(Exception):
    """The backend answers with pages where it was asked for a stream."""


def stream_entries(connection: Connection, query: LogQuery) -> Generator[list[LogEntry], None, None]:
    """Yield the entries of the query's window in batches, each entry once, also when the stream breaks.

    The order is total, so a broken stream goes on at its last timestamp, and the entries of that timestamp which
    were already given are dropped, as is what a backend sends beyond the window. Raises StreamsRefused before
    anything is given, and BackendError.
    """
    rest, seam = query, frozenset[str]()
    failures, ordered = 0, True
    while True:
        within = LogQuery(window=rest.window)
        try:
            for batch in _one_stream(connection, rest):
                fresh = unseen(within.select(batch), seam)
                if fresh:
                    if rest is query and len(fresh) > _TELLING_ENTRIES:
                        refuse_other_order(query.order, fresh)
                    ordered = ordered and is_in_order(query.order, fresh)
                    failures = 0
                    connection.retrier.succeeded()
                    rest, seam = _after(rest, fresh, seam)
                    yield fresh
        except TransientFault as fault:
            failures += 1
            if not ordered:  # where it broke off says nothing about what has come
                raise fault.error from fault
            connection.retrier.wait(fault, failures)
        except StreamsRefused:
            if rest is query:
                raise
            failures += 1
            connection.retrier.wait(TransientFault(BackendError("the backend broke off and streams no more")), failures)
        else:
            connection.retrier.succeeded()
            return


def _after(query: LogQuery, batch: list[LogEntry], seam: frozenset[str]) -> tuple[LogQuery, frozenset[str]]:
    last = batch[-1]
    ids = frozenset(entry.id for entry in batch if entry.timestamp == last.timestamp)
    if batch[0].timestamp == last.timestamp:
        ids |= seam
    if query.order is Order.NEWEST_FIRST:
        return query.within(replace(query.window, until=just_after(last.instant))), ids
    return query.within(Window(last.instant, query.window.until)), ids


def _one_stream(connection: Connection, query: LogQuery) -> Iterator[list[LogEntry]]:
    accept = f"{NDJSON}, {JSON};q=0.5"
    with connection.open(connection.address.logs_url, backend_parameters(query), accept) as response:
        if NDJSON not in response.headers.get("content-type", ""):
            raise StreamsRefused
        yield from _records(connection, response)


def _records(connection: Connection, response: httpx.Response) -> Iterator[list[LogEntry]]:
    received = unaccounted = 0
    blocks = whole_lines(body_chunks(response), connection.limits.line)
    for block in blocks:
        unaccounted += len(block)
        if unaccounted > MEBIBYTE:  # a stream may last as long as it delivers; a drip does not count
            connection.deadline.restart(connection.limits.request)
            unaccounted = 0
        last_line = block.rstrip(b"\n").rfind(b"\n") + 1
        trailer = decode_trailer(block[last_line:])
        batch = decode_lines(block[:last_line] if trailer else block)
        received += len(batch)
        paused = time.monotonic()
        yield batch
        connection.deadline.extend(time.monotonic() - paused)
        if trailer:
            if trailer.count != received:
                raise MalformedBody(f"{received} entries came, {trailer.count} were announced", truncated=True)
            return
    raise MalformedBody("the stream ended without its last record", truncated=True)

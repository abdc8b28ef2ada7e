"""Several slices of a window read at once, delivered in order as if they were one.

Each slice is read by a thread into a short queue of its own; the reader of the whole takes from the first slice until
it ends, then from the second, and so on. Slices are started in order and the queues are short, so memory stays
bounded however large the window is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from queue import Empty, Full, Queue

from taplogs.core.entry import LogEntry
from taplogs.core.query import Order
from taplogs.core.timespan import Window

Batch = list[LogEntry]

_BATCHES_AHEAD = 4
_POLL_SECONDS = 0.2


def cut(window: Window, pieces: int, order: Order) -> list[Window]:
    """Return `window`, which has both bounds, as at most so many adjoining windows of one length, in `order`."""
    if window.since is None or window.until is None:
        raise ValueError("only a window with both bounds can be cut")
    milliseconds = (window.until - window.since) // timedelta(milliseconds=1)
    pieces = max(1, min(pieces, milliseconds))
    inner = [window.since + timedelta(milliseconds=milliseconds * number // pieces) for number in range(1, pieces)]
    bounds = [window.since, *inner, window.until]
    slices = [Window(since, until) for since, until in pairwise(bounds)]
    return slices[::-1] if order is Order.NEWEST_FIRST else slices


def read_in_parallel(
    slices: Sequence[Window], read: Callable[[Window], Iterator[Batch]], workers: int
) -> Generator[Batch, None, None]:
    """Yield the batches of `read(slice)` for every slice, in the order of the slices; `workers` are read at once.

    What `read` raises is raised here, in its place in the order. Ending the iteration early stops the threads.
    """
    queues: list[Queue[_Item]] = [Queue(_BATCHES_AHEAD) for _ in slices]
    pending = iter(zip(slices, queues, strict=True))
    lock = threading.Lock()
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                task = next(pending, None)
            if task is None:
                return
            _read_slice(task[0], read, task[1], stopped)

    threads = [threading.Thread(target=work, daemon=True, name=f"slice-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for queue in queues:
            yield from _drain(queue)
    finally:
        stopped.set()


class _End:
    """What a slice's queue ends with: the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


_Item = Batch | _End


def _read_slice(
    window: Window, read: Callable[[Window], Iterator[Batch]], queue: Queue[_Item], stopped: threading.Event
) -> None:
    try:
        for batch in read(window):
            if not _put(queue, batch, stopped):
                return
    except BaseException as error:  # noqa: BLE001 - handed over to the reading thread, which raises it
        _put(queue, _End(error), stopped)
    else:
        _put(queue, _End(), stopped)


def _put(queue: Queue[_Item], item: _Item, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[_Item]) -> Iterator[Batch]:
    while True:
        try:
            item = queue.get(timeout=_POLL_SECONDS)  # in steps, so that Ctrl-C is seen on every platform
        except Empty:
            continue
        if isinstance(item, _End):
            if item.error is not None:
                raise item.error
            return
        yield item

"""Several slices of a window read at once, delivered in order as if they were one.

Each slice is read by a thread; the reader of the whole takes from the first slice until it ends, then from the second,
and so on. What may lie ready is bounded over all slices together, so memory stays bounded however large the window is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from taplogs.core.entry import LogEntry
from taplogs.core.query import Order
from taplogs.core.timespan import Window

Batch = list[LogEntry]

_ENTRIES_AHEAD = 8_000
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
    shelf = _Shelf(len(slices))
    pending = iter(enumerate(slices))
    lock = threading.Lock()

    def work() -> None:
        while not shelf.closed:
            with lock:
                task = next(pending, None)
            if task is None:
                return
            _read_slice(*task, read, shelf)

    threads = [threading.Thread(target=work, daemon=True, name=f"slice-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for number in range(len(slices)):
            yield from shelf.drain(number)
    finally:
        shelf.close()


class _End:
    """What a slice ends with: the error that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def _read_slice(number: int, window: Window, read: Callable[[Window], Iterator[Batch]], shelf: _Shelf) -> None:
    try:
        for batch in read(window):
            if not shelf.put(number, batch):
                return
    except BaseException as error:  # noqa: BLE001 - handed over to the reading thread, which raises it
        shelf.end(number, error)
    else:
        shelf.end(number)


class _Shelf:
    """What was read and is not taken yet, slice by slice: so many entries at most, and a batch of the first slice.

    That one batch is always let in. So the slice that is waited for goes on, however much lies ready beyond it.
    """

    def __init__(self, slices: int) -> None:
        self.closed = False
        self._items: list[deque[Batch | _End]] = [deque() for _ in range(slices)]
        self._first = 0
        self._entries = 0
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._room_for_first = threading.Condition(lock)

    def put(self, number: int, batch: Batch) -> bool:
        """Add a batch to this slice as soon as there is room; return False where nobody wants it any more."""
        with self._filled:
            while not self._has_room(number) and not self.closed:
                (self._room_for_first if number == self._first else self._room).wait()
            self._items[number].append(batch)
            self._entries += len(batch)
            self._filled.notify()
        return not self.closed

    def end(self, number: int, error: BaseException | None = None) -> None:
        """Say that nothing more comes of this slice."""
        with self._filled:
            self._items[number].append(_End(error))
            self._filled.notify()

    def drain(self, number: int) -> Iterator[Batch]:
        """Yield the batches of this slice, now the first one, as they come; raise the error that ended it."""
        with self._filled:
            self._first = number
            self._room.notify_all()
        while not isinstance(item := self._take(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def close(self) -> None:
        """Let nothing more in."""
        with self._filled:
            self.closed = True
            self._room.notify_all()
            self._room_for_first.notify_all()

    def _take(self) -> Batch | _End:
        items = self._items[self._first]
        with self._filled:
            while not items:
                self._filled.wait(_POLL_SECONDS)  # in steps, so that Ctrl-C is seen on every platform
            item = items.popleft()
            if not isinstance(item, _End):
                self._entries -= len(item)
            self._room_for_first.notify()
            if self._entries < _ENTRIES_AHEAD:
                self._room.notify()
        return item

    def _has_room(self, number: int) -> bool:
        return self._entries < _ENTRIES_AHEAD or (number == self._first and not self._items[number])

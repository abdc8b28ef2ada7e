"""Who reads standard output: where that is a pipe, a reader that goes away is noticed while nothing is written."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import TextIO

_LONGEST_STEP = 3600.0


class Reader:
    """The reader of a stream, as far as the stream can tell of it."""

    def __init__(self, stream: TextIO, sleep: Callable[[float], object]) -> None:
        """`sleep` waits so many seconds where there is no pipe to look at."""
        self._sleep = sleep
        self._watch = select.poll() if hasattr(select, "poll") and _is_pipe(stream) else None
        if self._watch:
            self._watch.register(stream.fileno(), 0)  # errors and hang-ups are told without being asked for

    def wait(self, seconds: float) -> None:
        """Wait so many seconds; raises BrokenPipeError as soon as nobody reads any more."""
        if self._watch is None:
            self._sleep(seconds)
            return
        while True:
            step = min(seconds, _LONGEST_STEP)
            if self._watch.poll(step * 1000):
                raise BrokenPipeError
            seconds -= step
            if seconds <= 0:
                return


def _is_pipe(stream: TextIO) -> bool:
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # a stream in memory has no descriptor
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)

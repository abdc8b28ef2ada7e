"""A running `taplogs tail`, read as it prints."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from command import Command
from serving import log_entry
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp

QUICK = ("--interval", "100ms")


def recent(number: int, seconds_ago: float = 0.0, **fields: Any) -> LogEntry:
    """Return an entry of so many seconds ago."""
    moment = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    return log_entry(number, timestamp=format_timestamp(moment), **fields)


def name(number: int) -> str:
    return f"entry-{number:05}"


class Tail:
    """A running tail, whose lines are read as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        assert process.stderr
        self.process = process
        self.lines: list[str] = []
        self.told: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=arguments)
            for arguments in ((process.stdout, self.lines), (process.stderr, self.told))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[bytes], lines: list[str]) -> None:
        with stream:
            lines.extend(line.decode() for line in stream)

    @property
    def ids(self) -> list[str]:
        """The ids of the rows of JSON Lines so far."""
        return [json.loads(line)["id"] for line in list(self.lines)]

    @property
    def out(self) -> str:
        return "".join(self.lines)

    @property
    def err(self) -> str:
        return "".join(self.told)

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join()
        return code

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()


@contextmanager
def tailing(taplogs: Command, *arguments: str, env: dict[str, str] | None = None) -> Iterator[Tail]:
    """Run a tail that looks for entries ten times a second, until the end of the block at the latest."""
    process = taplogs.start("tail", *QUICK, *arguments, env=env, stdin=subprocess.DEVNULL)
    tail = Tail(process)
    try:
        yield tail
    finally:
        process.kill()
        tail.wait()

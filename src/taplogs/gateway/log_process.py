"""A process of its own that makes entries and stores them: two threads of one interpreter hinder each other.

It is started as `python -m taplogs.gateway.log_process`, is told on standard input where the store is, and then gets
batches there; for each it answers on standard output. All of it is msgpack, each message after its length in four
bytes. It ends when standard input does, having written what it got: none is left where the gateway is killed.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING

import msgspec
from msgspec import Struct

from taplogs.core.redact import Redactor
from taplogs.core.redaction_profile import built_in
from taplogs.core.timespan import parse_instant
from taplogs.core.timestamp import format_timestamp
from taplogs.errors import TaplogsError
from taplogs.gateway.caller import Callers
from taplogs.gateway.entries import EntryBuilder
from taplogs.gateway.log_sink import StoreSink, Written
from taplogs.gateway.retention import Retention
from taplogs.sources.clickhouse_address import ClickHouseAddress
from taplogs.sources.sqlite import SqliteStore

if TYPE_CHECKING:
    from taplogs.sources.clickhouse import ClickHouseStore

_encoder = msgspec.msgpack.Encoder()

_LENGTH = 4
_END_SECONDS = 2.0
_NICENESS = 10
"""Traffic goes first where there is not enough of the processor for both."""


class StorePlace(Struct, frozen=True):
    """Where a store is: the path of a file, or the address of a ClickHouse server and what it takes to reach it."""

    path: str | None = None
    clickhouse: ClickHouseAddress | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout: float = 60.0

    def __str__(self) -> str:
        """Return what messages call it: the path, or the server's URL without a user."""
        return self.clickhouse.origin if self.clickhouse else self.path or ""


class Plan(Struct, frozen=True):
    """All that the process has to know. `keep` is how long entries are kept, as it was typed; None is for ever."""

    store: StorePlace
    secret: bytes
    trusted_proxies: tuple[str, ...]
    run: int
    company: str | None
    largest_body: int
    keep: str | None


class _Answer(Struct, frozen=True):
    """What a batch has come to, or why it was not written; `removed` entries were too old so far."""

    written: Written | None = None
    fault: str | None = None
    removed: int = 0


class ProcessSink:
    """A LogSink in a process of its own, which is started again where it has ended."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is started yet."""
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._is_closed = False

    def write(self, several: Sequence[bytes]) -> Written:
        """Store a batch; raises TaplogsError where it is not known to be stored."""
        answer = self._asked(_encoder.encode(several))
        if answer.written is None:
            raise TaplogsError(answer.fault or "the process that writes the log said nothing")
        return answer.written

    def tend(self) -> int:
        """Have old entries removed; return how many were so far."""
        answer = self._asked(_encoder.encode(()))
        if answer.fault:
            raise TaplogsError(answer.fault)
        return answer.removed

    def start(self) -> None:
        """Start the process, where none runs; raises OSError."""
        with self._starting:
            if self._process is not None or self._is_closed:
                return
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "taplogs.gateway.log_process"],  # -P: nothing is imported from this folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the gateway, which ends this one in its time
            )
            assert self._process.stdin  # noqa: S101 - for the type checker
            _send(self._process.stdin, msgspec.msgpack.encode(self._plan))

    def close(self) -> None:
        """End the process; another thread that still waits for it is told that it has ended."""
        with self._starting:
            self._is_closed = True
        self._end()

    def _asked(self, message: bytes) -> _Answer:
        try:
            self.start()
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                raise TaplogsError("the log is closed")
            _send(process.stdin, message)
            if (answer := _receive(process.stdout)) is not None:
                return msgspec.msgpack.decode(answer, type=_Answer)
        except BrokenPipeError:
            pass
        except (OSError, ValueError) as error:
            self._end()
            raise TaplogsError(f"the process that writes the log cannot be reached: {error}") from error
        self._end()
        raise TaplogsError("the process that writes the log has ended")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError, ValueError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def main(read: IO[bytes], write: IO[bytes]) -> None:
    """Store what comes until it ends."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # whoever has started it ends it
    with suppress(AttributeError, OSError):  # Windows has no such thing
        os.nice(_NICENESS)
    plan = _receive(read)
    if plan is None:
        return
    decoder = msgspec.msgpack.Decoder(tuple[bytes, ...])
    sink: StoreSink | None = None
    file = _StoreFile(None)
    while (message := _receive(read)) is not None:
        answer = _Answer()
        try:
            file.refuse_other()
            if sink is None:
                decoded = msgspec.msgpack.decode(plan, type=Plan)
                file = _StoreFile(decoded.store.path)
                file.refuse_other()
                sink = sink_over(_opened(decoded.store), decoded)
            several = decoder.decode(message)
            answer = _Answer(written=sink.write(several)) if several else _Answer(removed=sink.tend())
        except TaplogsError as error:
            answer = _Answer(fault=error.message)
        except (sqlite3.Error, OSError) as error:
            answer = _Answer(fault=str(error))
        except Exception as error:  # noqa: BLE001 - it is told where somebody reads it
            answer = _Answer(fault=f"{type(error).__name__}: {error}")
        _send(write, msgspec.msgpack.encode(answer))


def sink_over(store: SqliteStore | ClickHouseStore, plan: Plan) -> StoreSink:
    """Return what does here, with a store that is open, what the process does with the one of its plan."""
    builder = EntryBuilder(
        Callers(plan.secret, [ipaddress.ip_network(text) for text in plan.trusted_proxies]),
        Redactor(built_in("secrets"), b""),
        run=plan.run,
        company=plan.company,
        largest_body=plan.largest_body,
        clock=_now,
    )
    keep = plan.keep
    if keep is None:
        return StoreSink(store, builder)

    def oldest_kept() -> str:
        return format_timestamp(parse_instant(keep, now=_now(), zone=UTC, option="--keep"))

    return StoreSink(store, builder, Retention(store, oldest_kept, monotonic=monotonic))


class _StoreFile:
    """The file of a store: what is written to one that was removed or renamed would be lost without a word."""

    def __init__(self, path: str | None) -> None:
        """None is for a store that is no file."""
        self._path = path
        self._identity: tuple[int, int] | None = None

    def refuse_other(self) -> None:
        """Raise TaplogsError where the file is gone, or another one is in its place."""
        if self._path is None:
            return
        try:
            found = Path(self._path).stat()
        except FileNotFoundError:
            raise TaplogsError(f"the store {self._path} is gone") from None
        identity = (found.st_dev, found.st_ino)
        if self._identity not in (None, identity):
            raise TaplogsError(f"another file is in the place of the store {self._path}")
        self._identity = identity


def _opened(place: StorePlace) -> SqliteStore | ClickHouseStore:
    if place.clickhouse is None:
        return SqliteStore(Path(place.path or ""))
    from taplogs.sources.clickhouse import ClickHouseStore

    return ClickHouseStore(place.clickhouse, place.password, ca_file=place.ca_file, timeout=place.timeout)


def _now() -> datetime:
    return datetime.now(UTC)


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(_LENGTH) + message)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """Return the next message, None where no more comes."""
    length = stream.read(_LENGTH)
    if len(length) < _LENGTH:
        return None
    message = stream.read(int.from_bytes(length))
    return message if len(message) == int.from_bytes(length) else None


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)

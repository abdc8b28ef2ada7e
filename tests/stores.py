"""Stores as other runs of sync, and prune, would have left them."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from command import Command
from serving import log_entry
from taplogs.archive.coverage import Span
from taplogs.archive.sync_state import decode_state, encode_state
from taplogs.core.entry import LogEntry
from taplogs.core.timestamp import format_timestamp
from taplogs.sources.sqlite import SqliteStore


def ago(minutes: float) -> str:
    """Return the canonical timestamp of so many minutes ago."""
    return format_timestamp(datetime.now(UTC) - timedelta(minutes=minutes))


def recent(number: int, minutes: float, **fields: Any) -> LogEntry:
    """Return an entry that was made so many minutes ago."""
    return log_entry(number, timestamp=ago(minutes), **fields)


def archive_of(command: Command) -> Path:
    """Return where the archive is that the command's surroundings say."""
    return Path(command.here("archive", "path").out.rstrip("\n"))


def set_states(path: Path, *covered: tuple[str, str], **members: Any) -> None:
    """Have every origin of a store be covered in these spans, and its state have these members."""
    spans = tuple(Span(since, until) for since, until in covered)
    with closing(SqliteStore(path)) as store:
        for name, text in store.states().items():
            state = replace(decode_state(text), covered=spans, **members)
            store.keep([], origin=name, state=encode_state(state))

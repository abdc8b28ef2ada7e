"""The archive, and a run that brought it in step with a backend: in words, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Any

from taplogs.archive.coverage import Coverage, gaps_between
from taplogs.archive.sync_state import SyncState
from taplogs.archive.upkeep import ArchiveStatus
from taplogs.core.timestamp import parse_timestamp
from taplogs.output.wording import counted
from taplogs.zone import in_zone

SCHEMA = "taplogs.archive/1"

_LABEL = 12
_UNITS = ("kB", "MB", "GB", "TB")


def status_lines(status: ArchiveStatus, zone: tzinfo) -> Iterator[str]:
    """Yield what there is in a store, a line each; what strangers wrote in it is not harmless yet."""
    rows = [("archive", str(status.path)), ("size", size_text(status.size)), ("entries", f"{status.entries:,}")]
    for name, timestamp in (("oldest", status.oldest), ("newest", status.newest)):
        rows.append((name, local_text(timestamp, zone) if timestamp else "-"))
    for state in status.states:
        rows.append(("source", f"{state.source} (profile {state.profile})"))
        rows += [("gap-free", words) for words in covered_words(state.covered, zone)] or [("gap-free", "nothing yet")]
        rows += [("missing", words) for words in covered_words(gaps_between(state.covered), zone)]
        rows += [("pruned", f"before {local_text(state.pruned_before, zone)}")] if state.pruned_before else []
        if state.redactions:
            rows.append(("redacted by", ", ".join(dict.fromkeys(found.name for found in state.redactions))))
        rows.append(("late", counted(state.late, "entry", "entries")))
        rows.append(
            ("last sync", local_text(state.synced_at, zone) if state.synced_at else "none that came to its end")
        )
    if not status.states:
        rows.append(("last sync", "none"))
    return (f"{name:<{_LABEL}}{words}" for name, words in rows)


def status_record(status: ArchiveStatus) -> dict[str, Any]:
    """Return what there is in a store, for programs: sizes in bytes, times as canonical timestamps."""
    return {
        "path": str(status.path),
        "bytes": status.size,
        "entries": status.entries,
        "oldest": status.oldest,
        "newest": status.newest,
        "sources": [_state_record(state) for state in status.states],
    }


def covered_words(covered: Coverage, zone: tzinfo) -> list[str]:
    """Return spans of time in words, each from its beginning until its end."""
    return [
        f"from {local_text(span.since, zone) if span.since else 'the beginning'} until {local_text(span.until, zone)}"
        for span in covered
    ]


def covered_records(covered: Sequence[Any]) -> list[dict[str, str | None]]:
    """Return spans of time for programs; no `since` is the beginning of everything."""
    return [{"since": span.since or None, "until": span.until} for span in covered]


def local_text(timestamp: str, zone: tzinfo) -> str:
    """Return a canonical timestamp as people read it: in their time zone, to the second."""
    return in_zone(parse_timestamp(timestamp), zone).isoformat(" ", "seconds")


def size_text(size: int) -> str:
    """Return a number of bytes as people read it."""
    if size < 1000:
        return counted(size, "byte")
    exponent = min(len(_UNITS), (len(str(size)) - 1) // 3)
    return f"{size / 1000**exponent:.1f} {_UNITS[exponent - 1]}"


def _state_record(state: SyncState) -> dict[str, Any]:
    return {
        "source": state.source,
        "profile": state.profile,
        "covered": covered_records(state.covered),
        "missing": covered_records(gaps_between(state.covered)),
        "companies": list(state.companies),
        "key": state.key,
        "environment": state.environment,
        "redactions": [{"name": found.name, "sha256": found.sha256} for found in state.redactions],
        "late": state.late,
        "syncedAt": state.synced_at,
        "prunedBefore": state.pruned_before or None,
    }

"""What of a window a store is known to lack: by how far it is in step with the places its entries come from."""

from __future__ import annotations

from collections.abc import Iterable

from taplogs.archive.coverage import Coverage, Span, joined, missing
from taplogs.archive.sync_state import SyncState
from taplogs.core.gap import Gap
from taplogs.sources.place import DEMO

NOT_SYNCED = "not synced"
PRUNED = "pruned"


def gaps_of(states: Iterable[SyncState], wanted: Span) -> tuple[Gap, ...]:
    """Return what of a window a store does not hold of one or more of its origins, in the order of time.

    A window without a beginning begins for each origin where its coverage does.
    """
    unsynced: Coverage = ()
    pruned: Coverage = ()
    for state in states:
        covered = _covered(state, wanted.until)
        begin = covered[0].since if covered else state.pruned_before
        for span in missing(covered, Span(wanted.since or begin, wanted.until)):
            unsynced = joined(unsynced, Span(max(span.since, state.pruned_before), span.until))
            pruned = joined(pruned, Span(span.since, min(span.until, state.pruned_before)))
    pruned = tuple(part for span in pruned for part in missing(unsynced, span))
    found = [(span, PRUNED) for span in pruned] + [(span, NOT_SYNCED) for span in unsynced]
    return tuple(
        Gap(span.since or None, span.until, reason) for span, reason in sorted(found, key=lambda item: item[0].since)
    )


def _covered(state: SyncState, until: str) -> Coverage:
    """Return what is covered of an origin. What was read of a file is all that there is of it, at any time."""
    is_live = state.source == DEMO.text or state.source.startswith(("http://", "https://"))
    if is_live:
        return state.covered
    return joined((), Span(state.pruned_before, until)) if state.synced_at else ()

"""Which requests the gateway answers itself: those for the logs, for its health and for its metrics."""

from __future__ import annotations

from taplogs.backend.app import BASE_PATH

_LOGS = f"{BASE_PATH}/partner/logs".encode("ascii")
_OWN_PATHS = frozenset({_LOGS, b"/healthz", b"/metrics"})


def is_own(target: bytes) -> bool:
    """Return whether a request for this path and query, as they were sent, is the gateway's own."""
    path = target.partition(b"?")[0]
    return path in _OWN_PATHS or path.startswith(_LOGS + b"/")

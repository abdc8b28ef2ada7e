"""Lock files: one process at a time works on something, and its end, however it comes, lets the next one in."""

from __future__ import annotations

import os
from pathlib import Path

from taplogs.whole_file import open_unless_link


def locked(path: Path) -> int | None:
    """Return the descriptor of a lock file that this process alone has locked; None where another process has it.

    Closing it lets others in; the file may be removed before that. Raises OSError where it cannot be made, and
    UsageError where it is a link.
    """
    descriptor = open_unless_link(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        import fcntl
    except ImportError:  # Windows has no such locks; two writers at once are not kept apart there
        return descriptor
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_current = os.path.samestat(os.fstat(descriptor), path.stat())  # the one before us removes it at its end
    except OSError:
        is_current = False
    if is_current:
        return descriptor
    os.close(descriptor)
    return None

"""Numbers of bytes as people type them: `64KiB`, `1 MiB`, `65536`."""

from __future__ import annotations

import re

from taplogs.errors import UsageError

_UNITS = {"": 1, "b": 1, "kib": 1024, "mib": 1024 * 1024}


def parse_byte_size(text: str, *, most: int, option: str = "size") -> int:
    """Return how many bytes a text names, from 0 to `most`; units are powers of 1024 (IEC 80000-13).

    Raises UsageError, for `KB` and `MB` too: to some that is 1000, to others 1024.
    """
    match = re.fullmatch(r"([0-9]{1,12}) ?([a-z]*)", text.strip().lower())
    if match and match[2] in _UNITS:
        size = int(match[1]) * _UNITS[match[2]]
        if size <= most:
            return size
    raise UsageError(
        f"{option} {text!r} is not a size that it takes",
        f"accepted: 0 to {most // _UNITS['mib']}MiB, such as 65536, 64KiB or 1MiB",
    )

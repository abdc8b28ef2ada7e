"""Files that hold a secret: read only where nobody else can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from taplogs.errors import TaplogsError


def private_text(path: Path, fault: type[TaplogsError], hint: str, *, is_guarded: bool = False) -> str:
    """Return what a file holds; raises `fault` where it cannot be read (with `hint`), or others can read it too.

    `is_guarded`: its folder keeps others out, whatever the file's own mode is.
    """
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and not is_guarded and stat.S_ISREG(mode) and mode & 0o077:
            raise fault(
                f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}); the key in it was not used",
                f"chmod 600 {path}; if others may have read it, make a new key",
            )
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise fault(f"the key file {path} cannot be read: {reason}", hint) from None

"""Stock minisign, as auditors run it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def minisign(*arguments: str, folder: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run minisign in a folder; it reads passphrases from standard input, a line of `typed` for each."""
    return subprocess.run(
        ["minisign", *arguments],
        input=typed,
        encoding="utf-8",
        errors="surrogateescape",
        capture_output=True,
        cwd=folder,
        check=False,
        timeout=60,
    )


def accepts(message: bytes, signature: bytes, public_key: bytes, folder: Path) -> bool:
    """Return whether `minisign -V` takes a signature of a message by a public key; all three are texts of files."""
    for name, text in (("message", message), ("message.minisig", signature), ("key.pub", public_key)):
        (folder / name).write_bytes(text)
    return minisign("-Vm", "message", "-p", "key.pub", folder=folder).returncode == 0

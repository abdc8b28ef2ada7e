"""What all files of minisign are made of: a comment on a line, base64 on the next; and the ids of keys.

The formats are those of https://jedisct1.github.io/minisign/ and of its source. What minisign reads leniently is
refused here where it could mean two things: base64 with bits to spare, control characters, lines too many.
"""

from __future__ import annotations

from base64 import b64decode, b64encode

from msgspec import Struct

from taplogs.output.wording import counted

UNTRUSTED = "untrusted comment: "
TRUSTED = "trusted comment: "
ALGORITHM = b"Ed"
"""Ed25519, as keys name it."""

_MOST_BYTES = 16 * 1024
"""More than twice of what minisign writes at most."""


class KeyId(Struct, frozen=True):
    """The eight random bytes by which a signature names its key; shown as minisign shows them."""

    number: bytes

    def __str__(self) -> str:
        return f"{int.from_bytes(self.number, 'little'):016X}"


def split_lines(text: bytes, count: int) -> list[str]:
    """Return the lines of a file without their ends; raises ValueError, which repeats nothing of it.

    Each ends with LF, or CR LF, which minisign writes on Windows; there are exactly `count`.
    """
    if len(text) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES} bytes")
    try:
        plain = text.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    if has_control_characters(plain.replace("\n", "")):
        raise ValueError("it holds control characters")
    if not plain.endswith("\n"):
        raise ValueError("it does not end with a line feed")
    lines = plain[:-1].split("\n")
    if len(lines) != count:
        raise ValueError(f"it has {counted(len(lines), 'line')}, not {count}")
    return lines


def has_control_characters(text: str) -> bool:
    """Return whether a comment could be taken for more than one line, or for less than it is; tab is none of them."""
    return any((character < " " and character != "\t") or character == "\x7f" for character in text)


def comment_of(line: str, prefix: str) -> str:
    """Return the comment on a line; raises ValueError where it does not begin with `prefix`."""
    if not line.startswith(prefix):
        raise ValueError(f"a line does not begin with {prefix.rstrip()!r}")
    return line.removeprefix(prefix)


def encode_line(binary: bytes) -> str:
    """Return bytes as minisign writes them."""
    return b64encode(binary).decode("ascii")


def decode_line(line: str) -> bytes:
    """Return the bytes that a line stands for; raises ValueError for any other text than `encode_line` gives."""
    try:
        binary = b64decode(line.encode("ascii"), validate=True)
    except ValueError:
        binary = b""
    if not binary or encode_line(binary) != line:
        raise ValueError("a line is not base64")
    return binary

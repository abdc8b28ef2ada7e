"""Streams, width and colour of this run, and the one function that makes foreign text harmless."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import BinaryIO, TextIO

from msgspec import Struct

from taplogs.core.apikey import mask_keys

# Characters that Python calls printable and a terminal shows as nothing, or merged with its neighbours or not, as it
# likes: fillers, joiners, variation selectors, the letters of flags, skin tones. Everything else that is dangerous (Cc,
# Cf, Cs, Co, Zl, Zp) is not printable.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(
        map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400)])
    )
)


def harmless(text: str, *, ascii_only: bool = False) -> str:
    r"""Return `text` with every character that is not plainly visible written as an escape, such as `\x1b`.

    That is every C0 (tab, CR and LF too), DEL, C1, bidirectional control, zero-width, tag and filler character and
    lone surrogate. No sequence is parsed: without its first character none works. `ascii_only` escapes all else.
    """
    if text.isascii():
        return text if text.isprintable() else "".join(map(_shown, text))
    if ascii_only:
        return "".join(character if " " <= character <= "~" else _escape(character) for character in text)
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(map(_shown, text))


def harmless_json(line: bytes, *, ascii_only: bool = False) -> bytes:
    r"""Return JSON with the same characters written as `\u` escapes, which JSON readers read as what they were.

    `line` may hold white space between its tokens; within a string it is escaped already, so tab and CR become spaces.
    """
    if b"\t" in line or b"\r" in line:
        line = line.replace(b"\t", b" ").replace(b"\r", b" ")
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode("utf-8")
    return "".join(
        character if character == "\n" or _is_visible(character, ascii_only) else _json_escape(character)
        for character in text
    ).encode("utf-8")


def _is_visible(character: str, ascii_only: bool) -> bool:
    if ascii_only:
        return " " <= character <= "~"
    return character.isprintable() and character not in _INVISIBLE


def _shown(character: str) -> str:
    return character if _is_visible(character, ascii_only=False) else _escape(character)


def _escape(character: str) -> str:
    code = ord(character)
    short = {0x09: r"\t", 0x0A: r"\n", 0x0D: r"\r"}.get(code)
    if short:
        return short
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


class Screen(Struct, frozen=True):
    """What a stream can show: whether it is a terminal, how wide, in colour, beyond ASCII."""

    is_terminal: bool
    width: int | None
    color: bool
    unicode: bool

    def clean(self, text: str) -> str:
        """Return foreign text as this screen may show it."""
        return harmless(text, ascii_only=not self.unicode)

    def paint(self, text: str, style: str) -> str:
        """Return harmless `text` in a colour (SGR, see `output.palette`), where the screen has any."""
        return f"\x1b[{style}m{text}\x1b[0m" if style and self.color and text else text

    @property
    def ellipsis(self) -> str:
        """What stands for text that was left out."""
        return "…" if self.unicode else "..."


def screen_of(stream: TextIO, environ: Mapping[str, str], color: str = "auto") -> Screen:
    """Return what `stream` can show.

    `color`: auto, always or never; auto is colour on a terminal that is not dumb.
    The width of a terminal is COLUMNS where that is set; without a terminal there is none.
    """
    is_terminal = stream.isatty()
    return Screen(
        is_terminal=is_terminal,
        width=_width(stream, environ) if is_terminal else None,
        color=_color(is_terminal, environ, color),
        unicode=_speaks_unicode(stream, environ),
    )


def _width(stream: TextIO, environ: Mapping[str, str]) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and len(columns) < 6 and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _color(is_terminal: bool, environ: Mapping[str, str], color: str) -> bool:
    if color != "auto":
        return color == "always"
    return is_terminal and environ.get("TERM") != "dumb"


def _speaks_unicode(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether `stream` takes UTF-8. Python reads the C locale as UTF-8 (PEP 540); the terminal may not."""
    if "utf" not in (stream.encoding or "").lower():
        return False
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return locale not in ("C", "POSIX")


class Output:
    """Standard output: data only. Takes bytes; what is written reaches the reader at the latest at `flush`."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self._bytes: BinaryIO = stream.buffer
        self.screen = screen

    def write(self, data: bytes) -> None:
        """Write bytes as they are; they must be harmless where the screen is a terminal."""
        self._bytes.write(data)

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write text that is harmless already, a line feed after each line."""
        text = "".join(f"{line}\n" for line in lines)
        self._bytes.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Send on what was written."""
        self._bytes.flush()


class Messages:
    """Standard error: notices, warnings and errors, each made harmless and with keys masked."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self._stream = stream
        self.screen = screen

    def write(self, text: str, *, label: str = "", style: str = "") -> None:
        """Write one message; on a terminal it is wrapped at words, its label in colour."""
        clean = mask_keys(self.screen.clean(text))
        lines = [label + clean]
        if self.screen.width:
            from textwrap import wrap

            lines = wrap(
                label + clean,
                width=max(20, self.screen.width),
                subsequent_indent=" " * len(label),
                break_long_words=False,
                break_on_hyphens=False,
            )
        if lines:
            lines[0] = self.screen.paint(lines[0][: len(label)], style) + lines[0][len(label) :]
        self.write_raw("".join(f"{line}\n" for line in lines))

    def write_raw(self, text: str) -> None:
        """Write text that is harmless already. Where nobody can be told any more, the work goes on in silence."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            discard(self._stream)


def discard(stream: TextIO | None) -> None:
    """Point a broken stream at nothing, so that Python's own flush at exit does not fail once more."""
    if stream is None:
        return
    with suppress(OSError, ValueError):  # a stream without a descriptor has nothing to flush to
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)

"""Harmless text broken into lines at its spaces, by how wide it is on a terminal."""

from __future__ import annotations

from taplogs.output.table import fitting, text_width


def wrapped(text: str, room: int | None) -> list[str]:
    """Return `text` as lines of at most `room` columns; a word that is wider is broken. None: one line."""
    if room is None or text_width(text) <= room:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if text_width(joined) <= room:
            line = joined
            continue
        if line:
            lines.append(line.rstrip(" "))
        line = word
        while text_width(line) > room:
            piece = fitting(line, room) or line[0]
            lines.append(piece)
            line = line[len(piece) :]
    return [*lines, line] if line else lines

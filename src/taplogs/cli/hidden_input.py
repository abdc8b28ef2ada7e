"""Secrets that come in by standard input: typed without being shown, or from a pipe."""

from __future__ import annotations

from typing import TextIO

from taplogs.errors import UsageError

_MOST_CHARACTERS = 4096


def read_secret(stdin: TextIO | None, prompt: str) -> str | None:
    """Return one line, as it came, typed hidden after `prompt` where a person is there; None without standard input.

    At the end of the input it is empty. Raises UsageError where it is not text.
    """
    if stdin is None:
        return None
    try:
        return _typed(prompt) if stdin.isatty() else stdin.readline(_MOST_CHARACTERS)
    except UnicodeDecodeError:
        raise UsageError("standard input is not text in the encoding of this locale", "UTF-8 is usual") from None


def _typed(prompt: str) -> str:
    """Ask at the terminal. Not by typer.prompt: what is typed before it turns the echo off is shown, and lost."""
    from getpass import getpass

    try:
        return getpass(prompt)
    except EOFError:
        return ""

"""Words that a command does not take: said with what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taplogs.errors import UsageError


def unexpected(words: Sequence[str], command: str, sources: Sequence[str] | None) -> UsageError:
    """Return what is raised for words that a command such as `taplogs list` does not take.

    `sources` is what --source names; None for a command without that option.
    """
    hint = None if sources is None else hint_of_files(words, sources)
    plural = "" if len(words) == 1 else "s"
    return UsageError(
        f"unexpected extra argument{plural}: {' '.join(words)}", hint or f"'{command} --help' shows what it takes"
    )


def hint_of_files(words: Sequence[str], sources: Sequence[str]) -> str | None:
    """Return how files are read where all the words name some; None otherwise.

    Beside `sources` they are what a shell has made of a pattern: all of its files but the first.
    """
    from taplogs.output.curl import shell_word

    paths = [Path(word) for word in [*sources, *words]]
    try:
        if not words or not all(path.exists() for path in paths):
            return None
    except (ValueError, OSError):  # what cannot be a name, such as one that is too long
        return None
    if len(paths) == 1:
        return f"files are read with --source: --source {shell_word(words[0])}"
    folders, suffixes = {path.parent for path in paths}, {path.suffix for path in paths}
    pattern = f"*{suffixes.pop()}" if len(suffixes) == 1 else "*"
    where = str(folders.pop() / pattern) if len(folders) == 1 else "PATTERN"
    return f"put the pattern in quotes: --source {shell_word(where)}"

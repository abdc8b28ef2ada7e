"""Commands to run after this one: its words with other options."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from taplogs.cli.listing import Listing
from taplogs.core.query import LogQuery, Order
from taplogs.core.timespan import Window
from taplogs.core.timestamp import ceil_to_millisecond, format_timestamp
from taplogs.output.curl import shell_word
from taplogs.sources.pages import just_after


def rest_command(arguments: Sequence[str], query: LogQuery, listing: Listing) -> str:
    """Return the command that goes on after a listing that was cut: its window moved, relative times made absolute.

    Where the first entry beyond shares its millisecond with the last one shown, that millisecond is listed again, not
    lost; where the whole listing lies in it, with a higher limit, so that the next listing gets further.
    """
    first, last, beyond = listing.first, listing.last, listing.next
    if first is None or last is None or beyond is None:
        raise ValueError("a listing that was not cut has no rest")
    step = 0 if beyond.timestamp != last.timestamp else 1
    if query.order is Order.OLDEST_FIRST:
        window = Window(last.instant if step else just_after(last.instant), query.window.until)
    else:
        window = Window(query.window.since, just_after(last.instant) if step else last.instant)
    words = without_options(arguments, ("--since", "--until"))
    if first.timestamp == beyond.timestamp:
        words = [*without_options(words, ("--limit", "-n")), "--limit", str(2 * listing.count)]
    for option, bound in (("--since", window.since), ("--until", window.until)):
        words += [option, format_timestamp(ceil_to_millisecond(bound))] if bound else []
    return " ".join(map(shell_word, ["taplogs", *words]))


def without_options(arguments: Sequence[str], names: Collection[str]) -> list[str]:
    """Return the arguments without these options and their values."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in names:
            next(rest, None)
        elif argument.partition("=")[0] not in names and argument[:2] not in names:
            kept.append(argument)
    return kept

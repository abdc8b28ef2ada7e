"""Auditing: an export against the same pull without a manifest, its CSV against csv.writer, and verifying it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from environments import Environments
from figure import Figure, Target
from measure import Command, in_turns, result_of, run
from servers import filled_store, reference_backend

_ROUNDS = 3
_QUICK_ROUNDS = 9
_ENTRIES = 500_000
_REDACTED = 50_000
_ROWS = 50_000


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield what an export costs, and what checking it does."""
    yield from _table(environments, rounds or _QUICK_ROUNDS)
    with reference_backend(environments, filled_store(environments, scratch, _ENTRIES)) as variables:
        exported, pulled = in_turns(_both_ways(environments, variables, scratch, "none"), rounds or _ROUNDS)
        words = ("export", "--force", "-o", str(scratch / "both"), "--redact", "none")
        with_table = run(environments.command(*words, variables=variables))
    measured = f"{exported.seconds:.2f} s against {pulled.seconds:.2f} s, {_ENTRIES:,} entries"
    share = pulled.seconds / exported.seconds
    yield Figure("an export, as fast as a pull", share, "×", measured, Target(0.5, at_least=True))
    yield Figure("memory of that", exported.peak_bytes / 1e6, "MB", "the most resident of all rounds", Target(80))
    yield Figure("… with records.csv", pulled.seconds / with_table.seconds, "×", f"{with_table.seconds:.2f} s, once")
    yield from _verified(environments, scratch, rounds or _ROUNDS)
    with reference_backend(environments, filled_store(environments, scratch, _REDACTED)) as variables:
        exported, pulled = in_turns(_both_ways(environments, variables, scratch, "personal"), 1)
    measured = f"{exported.seconds:.2f} s against {pulled.seconds:.2f} s, {_REDACTED:,} entries"
    yield Figure("both with personal data hidden", pulled.seconds / exported.seconds, "×", measured)


def _both_ways(environments: Environments, variables: dict[str, str], scratch: Path, profile: str) -> list[Command]:
    """Return an export, and a listing into a file: the same records in the same order on the same disk."""
    export = ("export", "--force", "--format", "jsonl", "-o", str(scratch / "lines"), "--redact", profile)
    pull = ("list", "-n", "0", "-o", "jsonl", "--reverse", "--redact", profile)
    return [
        environments.command(*export, variables=variables),
        replace(environments.command(*pull, variables=variables), stored=scratch / "pulled.jsonl"),
    ]


def _table(environments: Environments, rounds: int) -> Iterator[Figure]:
    times = result_of(environments.script("write_csv.py", str(_ROWS), str(rounds)))
    rows, from_entries, from_cells = (seconds / _ROWS * 1e6 for seconds in times.values())
    what = "CSV, as fast as Python's csv.writer"
    measured = f"{rows:.2f} µs a row against {from_entries:.2f} µs, {_ROWS:,} rows"
    yield Figure(what, from_entries / rows, "×", measured, Target(1.5, at_least=True))
    yield Figure("… whose cells are made beforehand", from_cells / rows, "×", f"{from_cells:.2f} µs")


def _verified(environments: Environments, scratch: Path, rounds: int) -> Iterator[Figure]:
    commands = [environments.command("verify", str(scratch / name)) for name in ("lines", "both")]
    of_lines, of_both = in_turns(commands, rounds)
    measured = f"{of_lines.seconds:.2f} s, {_ENTRIES:,} records"
    target = Target(300_000, at_least=True)
    yield Figure("records verified in a second", _ENTRIES / of_lines.seconds, "/s", measured, target)
    yield Figure("… with records.csv", _ENTRIES / of_both.seconds, "/s", f"{of_both.seconds:.2f} s")
    yield Figure("memory of that", of_both.peak_bytes / 1e6, "MB", "the most resident of one process")

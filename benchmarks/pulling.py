"""Pulling everything as JSON Lines, against curl of the same stream and decoding what it fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from environments import Environments
from figure import Figure, Target
from measure import Command, in_turns, output_of
from servers import filled_store, reference_backend

_ROUNDS = 5
_ENTRIES = 200_000


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield how fast and in how much memory `list -n 0 -o jsonl` is."""
    stream = scratch / "stream.jsonl"
    with reference_backend(environments, filled_store(environments, scratch, _ENTRIES)) as variables:
        output_of(_curl(environments, variables, "--output", str(stream)))
        commands = [
            environments.command("list", "-n", "0", "-o", "jsonl", variables=variables),
            _curl(environments, variables),
            environments.script("decode_stream.py", str(stream), str(_ENTRIES)),
        ]
        pulled, fetched, decoded = in_turns(commands, rounds or _ROUNDS)
    base = fetched.seconds + decoded.seconds
    measured = f"{pulled.seconds:.2f} s against {fetched.seconds:.2f} s and {decoded.seconds:.2f} s"
    size = f"{_ENTRIES:,} entries of {stream.stat().st_size // _ENTRIES} bytes"
    yield Figure("a pull to JSON Lines, against curl + decoding", pulled.seconds / base, "×", measured)
    yield Figure("entries pulled in a second", _ENTRIES / pulled.seconds, "/s", size)
    yield Figure("memory of that pull", pulled.peak_bytes / 1e6, "MB", "the most resident of all rounds", Target(60))


def _curl(environments: Environments, variables: dict[str, str], *options: str) -> Command:
    """Fetch the stream as taplogs does: compressed on its way, and decompressed."""
    fields = ["Accept: application/x-ndjson", f"Authorization: Bearer {variables['TAPLOGS_API_KEY']}"]
    headers = [argument for field in fields for argument in ("--header", field)]
    url = f"{variables['TAPLOGS_BASE_URL']}/partner/logs"
    return Command(["curl", "--silent", "--fail", "--compressed", *headers, *options, url], environments.environ)

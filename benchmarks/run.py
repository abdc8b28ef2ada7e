"""Measure taplogs on this machine, and print every figure with its target.

Only the standard library is used here: what is measured runs in processes of its own, in fresh environments.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import archiving
import auditing
import counting
import drawing
import passing
import pulling
import slices
import startup
import tailing
from environments import Environments
from figure import Figure, header, line
from measure import CommandFailed

GROUPS: dict[str, Callable[[Environments, Path, int | None], Iterator[Figure]]] = {
    "startup": startup.figures,
    "drawing": drawing.figures,
    "pulling": pulling.figures,
    "slices": slices.figures,
    "tailing": tailing.figures,
    "counting": counting.figures,
    "auditing": auditing.figures,
    "archiving": archiving.figures,
    "passing": passing.figures,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the groups asked for; 0 whether or not the targets are reached, for this is no test."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _leave)
    try:
        with TemporaryDirectory(prefix="taplogs-benchmark-") as scratch:
            _measure(options, Path(scratch))
    except (CommandFailed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(options: argparse.Namespace, scratch: Path) -> None:
    environments = Environments(options.environments or scratch / "environments", scratch / "home")
    figures: list[Figure] = []
    if not options.json:
        print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.platform()}\n\n{header()}")
    groups = GROUPS | {"archiving": archiving.both_sizes, "passing": passing.with_soak} if options.large else GROUPS
    for name in options.only or groups:
        for figure in groups[name](environments, scratch, options.rounds):
            figures.append(figure)
            if not options.json:
                print(line(figure), flush=True)
    if options.json:
        print(json.dumps([figure.as_json() for figure in figures], indent=2, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="GROUP", choices=GROUPS, action="append", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--rounds", metavar="N", type=_positive, help="rounds that the medians are of")
    parser.add_argument("--environments", metavar="DIR", type=Path, help="keep the virtual environments here")
    parser.add_argument(
        "--large", action="store_true", help="archiving: ten million entries; passing: five minutes, too"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number


def _leave(_number: int, _frame: object) -> NoReturn:
    sys.exit(128 + signal.SIGTERM)  # as an exception, so that servers are stopped and folders removed


if __name__ == "__main__":
    sys.exit(main())

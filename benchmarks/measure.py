"""Running commands as whole processes: how long each takes, and how much memory it holds at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter
from typing import Any

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class CommandFailed(Exception):
    """A command that was to be measured, or prepares it, ended with another code than it should."""

    def __init__(self, argv: Sequence[str], code: int, said: str) -> None:
        super().__init__(f"{' '.join(argv)} ended with {code}\n{said[-2000:]}".rstrip())


@dataclass(frozen=True)
class Command:
    """A command line and its environment.

    Its output goes to the null device; with `piped` through a pipe, with `stored` into this file. `code` is the exit
    code that it is to end with.
    """

    argv: Sequence[str]
    environ: Mapping[str, str]
    piped: bool = False
    stored: Path | None = None
    code: int = 0


@dataclass(frozen=True)
class Run:
    """What one process took, from its start to its end."""

    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Runs:
    """What one command took, round by round."""

    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """The highest of all rounds."""
        return max(run.peak_bytes for run in self.runs)


def run(command: Command) -> Run:
    """Run a command to its end; raises CommandFailed.

    Linux counts the memory that a process had before it became the command, which is this process's own: so nothing
    large is kept here.
    """
    with TemporaryFile() as errors, (command.stored or Path(os.devnull)).open("wb") as output:
        start = perf_counter()
        process = subprocess.Popen(
            command.argv,
            env=command.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if command.piped else output,
            stderr=errors,
        )
        with process:
            if process.stdout:
                process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != command.code:
            errors.seek(0)
            raise CommandFailed(command.argv, process.returncode, errors.read().decode("utf-8", "replace"))
    return Run(seconds, usage.ru_maxrss * _RSS_UNIT)


def in_turns(commands: Iterable[Command], rounds: int) -> list[Runs]:
    """Run the commands A B C … A B C …, so that a busy moment of the machine touches all; a first round is not kept."""
    commands = list(commands)
    table = [[run(command) for command in commands] for _ in range(rounds + 1)][1:]
    return [Runs(column) for column in zip(*table, strict=True)]


def result_of(command: Command) -> Any:
    """Run a command that measures something within itself, and return what it prints as JSON; raises CommandFailed."""
    return json.loads(output_of(command))


def output_of(command: Command) -> str:
    """Run a command and return what it prints; raises CommandFailed."""
    done = subprocess.run(command.argv, env=command.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(command.argv, done.returncode, done.stderr or done.stdout)
    return done.stdout

"""The backends that are measured against: processes of their own on the loopback interface."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from environments import Environments
from measure import Command, CommandFailed, output_of

_STOP_SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A server's process, and the URL where it answers."""

    process: int
    url: str


def filled_store(environments: Environments, scratch: Path, entries: int) -> Path:
    """Return a store with so many of the demo's entries, made when it is first asked for."""
    path = scratch / f"{entries}.sqlite"
    if not path.exists():
        output_of(environments.script("fill_store.py", str(path), str(entries)))
    return path


@contextmanager
def reference_backend(environments: Environments, store: Path) -> Iterator[dict[str, str]]:
    """Run `taplogs serve`; give the variables with its URL and key."""
    command = environments.command("serve", "--store", str(store), "--listen", "127.0.0.1:0", "--new-key")
    with _running(command, 2) as (_, lines):
        yield dict(line.removeprefix("export ").split("=", 1) for line in map(_unquoted, lines))


@contextmanager
def late_backend(environments: Environments, store: Path, milliseconds: int) -> Iterator[str]:
    """Run a backend that knows pages only and sends each so late; give its base URL."""
    with _running(environments.script("late_backend.py", str(store), str(milliseconds)), 1) as (_, lines):
        yield lines[0]


@contextmanager
def light_upstream(environments: Environments) -> Iterator[Running]:
    """Run an upstream that costs next to nothing."""
    with _running(environments.script("light_upstream.py"), 1) as (process, lines):
        yield Running(process, lines[0])


@contextmanager
def passing_gateway(environments: Environments, upstream: str) -> Iterator[Running]:
    """Run the gateway's server without what records."""
    with _running(environments.script("passing_gateway.py", upstream), 1) as (process, lines):
        yield Running(process, lines[0])


@contextmanager
def capturing_gateway(environments: Environments, upstream: str, store: Path) -> Iterator[Running]:
    """Run `taplogs serve --upstream`."""
    options = ("--upstream", upstream, "--store", str(store), "--listen", "127.0.0.1:0", "--new-key")
    with _running(environments.command("serve", *options), 2) as (process, lines):
        yield Running(process, _unquoted(lines[0]).partition("=")[2])


@contextmanager
def _running(command: Command, announced: int) -> Iterator[tuple[int, list[str]]]:
    """Run a server, give its process and the lines that it announces itself with, and stop it in the end."""
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            command.argv,
            env=command.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the server
        )
        with process:
            try:
                assert process.stdout
                lines = [process.stdout.readline().strip() for _ in range(announced)]
                if not all(lines):
                    code = process.wait(_STOP_SECONDS)
                    errors.seek(0)
                    raise CommandFailed(command.argv, code, errors.read().decode("utf-8", "replace"))
                yield process.pid, lines
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def _unquoted(line: str) -> str:
    return " ".join(shlex.split(line))

"""Runs the command line as people and programs do: in a process, on a terminal, or (where many runs are) in place.

Every run has a home, a config file, a cache and an archive of its own; nothing is inherited from the environment of
the tests but what Python needs to start.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyte

from serving import Backend, log_entry, payload
from taplogs.__main__ import run_safely
from taplogs.cli.runtime import Runtime
from taplogs.core.entry import LogEntry

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"  # no run within this process asks a real one

KEY = "sk_test_" + "Canary7" * 3 + "Z"
TESTS = Path(__file__).parent
_SECONDS = 60
_INHERITED = ("PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "LD_LIBRARY_PATH")

_PROGRAM = [sys.executable, "-m", "taplogs"]
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
terminal = next(number for number in range(3) if os.isatty(number))
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_ON_ITS_TERMINAL = [sys.executable, "-S", "-E", "-c", _TAKE_TERMINAL]

OWN_SEQUENCES = re.compile(rb"\x1b\[[0-9;]*m")
"""SGR: the only sequences that a table or a panel may hold."""


def sample_entries(count: int = 120) -> list[LogEntry]:
    """Return entries of every status class, one a second, the oldest first; each 4xx and 5xx holds an error."""
    entries = []
    for number in range(1, count + 1):
        status = (200, 201, 302, 404, 422, 500)[number % 6]
        error = payload(f'{{"error":{{"code":"E{status}","message":"It went wrong."}}}}')
        body = {"response_payload": error} if status >= 400 else {}
        entries.append(log_entry(number, status_code=status, latency_ms=number * 10, **body))
    return entries


@dataclass(frozen=True)
class Finished:
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Standard output read as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]

    @property
    def error(self) -> dict[str, Any]:
        """Standard error read as the one JSON object that tells an error."""
        document = json.loads(self.err)
        assert list(document) == ["error"]
        error: dict[str, Any] = document["error"]
        assert list(error) == ["code", "message", "hint"]
        return error


@dataclass(frozen=True)
class Shown:
    """What a run wrote to its terminal, byte for byte, and what the terminal shows."""

    code: int
    raw: bytes
    screen: pyte.Screen

    @property
    def lines(self) -> list[str]:
        """The lines of the screen that are not empty, without the spaces at their ends."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def plain(self) -> str:
        """What was written, without colours; line ends as the program wrote them."""
        return OWN_SEQUENCES.sub(b"", self.raw).replace(b"\r\n", b"\n").decode()


@dataclass
class Command:
    """taplogs in surroundings of its own, below `folder`. `env` is what every run gets besides."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config" / "config.toml"

    def at(self, backend: Backend) -> Command:
        """Return the same command with this backend and its key in the environment."""
        return self.with_env(TAPLOGS_BASE_URL=backend.url, TAPLOGS_API_KEY=backend.key)

    def with_env(self, **env: str) -> Command:
        return Command(self.folder, self.env | env)

    def configured(self, text: str) -> Command:
        """Write the config file, and return the same command."""
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(text, "utf-8")
        return self

    def environ(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            **inherited,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "TAPLOGS_CONFIG": str(self.config),
            "TAPLOGS_CACHE_DIR": str(self.folder / "cache"),
            "TAPLOGS_ARCHIVE": str(self.folder / "archive"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "PYTHONPATH": str(TESTS),
            **self.env,
            **(env or {}),
        }

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, **streams: Any) -> subprocess.Popen[bytes]:
        """Start the real process; its streams are pipes unless said otherwise."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return self._start([*_PROGRAM, *arguments], env, **(pipes | streams))

    def _start(self, words: list[str], env: Mapping[str, str] | None = None, **streams: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(words, env=self.environ(env), cwd=self.folder, **streams)

    def run(
        self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None, stdout: Any = subprocess.PIPE
    ) -> Finished:
        """Run the real process to its end."""
        with self.start(*arguments, env=env, stdout=stdout) as process:
            out, err = process.communicate(stdin.encode(), timeout=_SECONDS)
        return Finished(process.returncode, (out or b"").decode(), err.decode())

    def shell(self, line: str, env: Mapping[str, str] | None = None) -> Finished:
        """Run a line of bash in which `taplogs` is the real process."""
        function = f'taplogs() {{ "{sys.executable}" -m taplogs "$@"; }}\n'
        done = subprocess.run(
            ["bash", "-c", function + line],
            env=self.environ(env),
            cwd=self.folder,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def here(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Finished:
        """Run within this process: for tables of many cases."""
        out, err = _Stream(), _Stream()
        runtime = Runtime(arguments, self.environ(env), _typed(stdin), out.text, err.text)
        code = run_safely(runtime)
        return Finished(code, out.written(), err.written())

    def on_terminal(
        self,
        *arguments: str,
        columns: int = 120,
        rows: int = 60,
        typed: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        **streams: Any,
    ) -> Shown:
        """Run the real process on a terminal of this size.

        `typed`: what is typed as soon as a text has appeared. `streams` that are named are not the terminal.
        """
        with terminal(columns, rows) as (outside, inside):
            ends = dict.fromkeys(("stdin", "stdout", "stderr"), inside) | streams
            process = self._start([*_ON_ITS_TERMINAL, *_PROGRAM, *arguments], env, **ends)
            os.close(inside)
            raw = read_terminal(outside, dict(typed or {}))
            code = process.wait(_SECONDS)
        return Shown(code, raw, screen_of(raw, columns, rows))


def _typed(text: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8")


class _Stream:
    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self.text = io.TextIOWrapper(self._bytes, "utf-8", newline="\n", write_through=True)

    def written(self) -> str:
        return self._bytes.getvalue().decode()


@contextmanager
def terminal(columns: int, rows: int) -> Iterator[tuple[int, int]]:
    """Give both ends of a pseudo terminal; the inner one is the caller's to close."""
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield outside, inside
    finally:
        os.close(outside)


def read_terminal(outside: int, typed: dict[str, str]) -> bytes:
    """Return all that is written to a terminal until nobody holds it any more, typing what is due."""
    raw = b""
    end = time.monotonic() + _SECONDS
    while True:
        ready, _, _ = select.select([outside], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"nothing more came: {raw!r}"
        try:
            data = os.read(outside, 65536)
        except OSError:  # Linux says EIO where the other end is closed
            data = b""
        if not data:
            return raw
        raw += data
        for prompt in [prompt for prompt in typed if prompt.encode() in raw]:
            os.write(outside, typed.pop(prompt).encode())


def screen_of(raw: bytes, columns: int, rows: int = 60) -> pyte.Screen:
    """Return what a terminal shows after these bytes."""
    screen = pyte.Screen(columns, rows)
    pyte.ByteStream(screen).feed(raw)
    return screen


def assert_harmless(raw: bytes) -> None:
    """Assert that bytes for a terminal hold line ends, our own colours and visible characters, and nothing else."""
    text = OWN_SEQUENCES.sub(b"", raw).decode("utf-8")  # strict: nothing but UTF-8 either
    for line in re.split("\r*\n", text):
        harmful = {character for character in line if not character.isprintable()}
        assert not harmful, f"{harmful!r} in {line!r}"


def interrupt(process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> Finished:
    """Send a signal to a running process and return how it ended."""
    process.send_signal(number)
    out, err = process.communicate(timeout=_SECONDS)
    return Finished(process.returncode, out.decode(), err.decode())


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition holds; fail where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.01)

"""The virtual environments that are measured: taplogs as it is installed for use, awslogs, and DuckDB.

An environment with the test extra would not do: some of its packages make httpx import more. And all of both is
compiled beforehand, as whatever runs a second time is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from measure import Command, output_of

_CHECKOUT = Path(__file__).parent.parent
_INSIDE = Path(__file__).parent / "inside"


class Environments:
    """Environments below one folder, each made when it is first needed."""

    def __init__(self, folder: Path, home: Path) -> None:
        """What is there already is brought up to date. `home` is made for the commands: no config file is in it."""
        self._folder = folder
        home.mkdir()
        unwanted = ("PYTHON", "TAPLOGS_", "XDG_", "VIRTUAL_ENV")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        self.environ |= {"HOME": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    @cached_property
    def taplogs(self) -> Path:
        """The folder of programs of the environment with this checkout's taplogs."""
        return self._made("taplogs", str(_CHECKOUT))

    @cached_property
    def awslogs(self) -> Path:
        """The folder of programs of the environment with awslogs."""
        return self._made("awslogs", "awslogs")

    @cached_property
    def _duckdb(self) -> Path:
        """The folder of programs of an environment with nothing but DuckDB."""
        return self._made("duckdb", "duckdb")

    def command(self, *arguments: str, variables: Mapping[str, str] | None = None, piped: bool = False) -> Command:
        """Return a taplogs command."""
        return Command([str(self.taplogs / "taplogs"), *arguments], {**self.environ, **(variables or {})}, piped)

    def python(self, *arguments: str) -> Command:
        """Return a command of the Python that taplogs is installed for."""
        return Command([str(self.taplogs / "python"), *arguments], self.environ)

    def script(self, name: str, *arguments: str) -> Command:
        """Return a command that runs one of the programs in `inside/`."""
        return self.python(str(_INSIDE / name), *arguments)

    def duckdb(self, name: str, *arguments: str) -> Command:
        """Return a command that runs one of the programs in `inside/` beside DuckDB."""
        return Command([str(self._duckdb / "python"), str(_INSIDE / name), *arguments], self.environ)

    def _made(self, name: str, requirement: str) -> Path:
        place = self._folder / name
        programs = place / ("Scripts" if os.name == "nt" else "bin")
        python = str(programs / "python")
        steps = [
            ["-m", "pip", "install", "--quiet", "--upgrade", "pip"],
            ["-m", "pip", "install", "--quiet", requirement],
            ["-m", "compileall", "-q", str(place)],
        ]
        environ = {**self.environ, "HOME": os.environ.get("HOME", "")}  # pip's own settings and cache are there
        if not programs.exists():
            output_of(Command([sys.executable, "-m", "venv", str(place)], environ))
        for step in steps:
            output_of(Command([python, *step], environ))
        return programs

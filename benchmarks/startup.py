"""Start-up: short commands as whole processes, against bare Python and against awslogs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from environments import Environments
from figure import Figure, Target
from measure import Command, Runs, in_turns
from servers import filled_store, reference_backend

_ROUNDS = 15
_STORED = 1_000


def figures(environments: Environments, scratch: Path, rounds: int | None) -> Iterator[Figure]:
    """Yield the figures of `--version`, `--help` and a `list` of 50 rows."""
    awslogs = Command([str(environments.awslogs / "awslogs"), "--version"], environments.environ, piped=True)
    with reference_backend(environments, filled_store(environments, scratch, _STORED)) as variables:
        commands = [
            environments.python("-c", "pass"),
            awslogs,
            environments.command("--version", piped=True),
            environments.command("--help", piped=True),
            environments.command("list", "-n", "50", "-o", "table", variables=variables, piped=True),
        ]
        bare, other, version, help_, listing = in_turns(commands, rounds or _ROUNDS)
    yield _against(bare, "Python", "--version", version, Target(1.3))
    yield _against(bare, "Python", "--help", help_, Target(8))
    yield _against(bare, "Python", "list of 50 rows", listing, Target(13))
    yield _against(other, "awslogs --version", "list of 50 rows", listing, Target(0.75))
    yield _against(bare, "Python", "awslogs --version", other)


def _against(base: Runs, name: str, what: str, runs: Runs, target: Target | None = None) -> Figure:
    measured = f"{runs.seconds * 1000:.0f} ms against {base.seconds * 1000:.0f} ms"
    return Figure(f"{what}, against {name}", runs.seconds / base.seconds, "×", measured, target)

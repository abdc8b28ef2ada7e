from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from command import Command, sample_entries
from serving import Backend, running_backend

settings.register_profile("steady", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("steady")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A running backend over an empty store."""
    with running_backend(tmp_path / "logs.db") as running:
        yield running


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A running backend over `sample_entries`, which no test changes."""
    with running_backend(tmp_path_factory.mktemp("logs") / "logs.db") as running:
        running.store.add(sample_entries())
        yield running


@pytest.fixture
def taplogs(tmp_path: Path) -> Command:
    """The command line, in surroundings of its own."""
    return Command(tmp_path)

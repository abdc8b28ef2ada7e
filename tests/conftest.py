from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Backend, running_backend


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    """A running backend over an empty store."""
    with running_backend(tmp_path / "logs.db") as running:
        yield running

"""What one run of taplogs is given from outside: arguments, environment, streams, clocks, randomness."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

from taplogs.errors import TaplogsError


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Runtime:
    """The surroundings of one run. `now` is resolved once: every relative time of a run means the same moment."""

    arguments: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    stdin: TextIO | None = field(default_factory=lambda: sys.stdin)
    out: TextIO | None = field(default_factory=lambda: sys.stdout)
    err: TextIO | None = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    random_bytes: Callable[[int], bytes] = os.urandom
    """For keys: random bytes that nobody can guess."""
    color: str | None = None
    """When output is coloured, as soon as the settings of the run have said it."""

    @property
    def stdout(self) -> TextIO:
        """Standard output; raises TaplogsError where it is closed."""
        if self.out is None:
            raise TaplogsError("standard output is closed, so nothing can be written")
        return self.out

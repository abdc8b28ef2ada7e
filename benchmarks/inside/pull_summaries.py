"""Read all entries of a backend without their payloads, and do nothing with them: NUMBER."""

import os
import random
import sys
import time
from datetime import UTC, datetime

from taplogs.core.apikey import ApiKey
from taplogs.core.query import LogQuery
from taplogs.sources.address import BackendAddress
from taplogs.sources.locate import Reach, Surroundings, open_backend


class Silent:
    """Nobody is told anything."""

    def notice(self, message: str) -> None:
        """Say nothing."""

    def expect(self, total: int) -> None:
        """Say nothing."""

    def receive(self, count: int) -> None:
        """Say nothing."""

    def debug(self, message: str) -> None:
        """Say nothing."""


def main() -> None:
    """Read as `stats` does, without counting."""
    surroundings = Surroundings(lambda: datetime.now(UTC), time.sleep, random.random, Silent())
    address = BackendAddress(os.environ["TAPLOGS_BASE_URL"])
    source = open_backend(address, ApiKey(os.environ["TAPLOGS_API_KEY"]), Reach(), surroundings)
    read = sum(map(len, source.batches(LogQuery(payloads=False))))
    source.close()
    if read != int(sys.argv[1]):
        sys.exit(f"{read} entries, not {sys.argv[1]}")


if __name__ == "__main__":
    main()

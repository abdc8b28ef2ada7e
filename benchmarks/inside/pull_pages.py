"""Read everything from a backend, and print the seconds that it took: URL SLICES NUMBER."""

import random
import sys
import time
from datetime import UTC, datetime

from taplogs.core.apikey import ApiKey
from taplogs.core.query import LogQuery
from taplogs.sources.locate import Reach, Surroundings, address_of, open_backend

KEY = ApiKey("sk_test_" + "0" * 22)  # the backend takes any


class Silent:
    """Whoever is told what happens, and does not care."""

    def notice(self, message: str) -> None:
        """Drop it."""

    def expect(self, total: int) -> None:
        """Drop it."""

    def debug(self, message: str) -> None:
        """Drop it."""


def main() -> None:
    """Read, count and measure."""
    url, slices, number = sys.argv[1:]
    surroundings = Surroundings(lambda: datetime.now(UTC), time.sleep, random.random, Silent())
    address = address_of(url, url, "/partner/logs")
    source = open_backend(address, KEY, Reach(parallel=int(slices)), surroundings)
    start = time.perf_counter()
    read = sum(map(len, source.batches(LogQuery())))
    print(time.perf_counter() - start)
    source.close()
    if read != int(number):
        sys.exit(f"{read} entries, not {number}")


if __name__ == "__main__":
    main()

"""Read everything from a backend; print the seconds it took and the peak of memory as JSON: URL SLICES NUMBER."""

import json
import random
import resource
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

    def receive(self, count: int) -> None:
        pass

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
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))
    source.close()
    if read != int(number):
        sys.exit(f"{read} entries, not {number}")


if __name__ == "__main__":
    main()

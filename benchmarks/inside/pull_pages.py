"""Read everything from a backend; print the seconds it took and the peak of memory as JSON.

URL SLICES NUMBER [summaries]: the last word leaves the payloads out, as `stats` does. The key is in the environment.
"""

import json
import os
import random
import resource
import sys
import time
from datetime import UTC, datetime

from taplogs.core.apikey import ApiKey
from taplogs.core.query import LogQuery
from taplogs.sources.address import BackendAddress
from taplogs.sources.locate import Reach, Surroundings, open_backend

ANY_KEY = "sk_test_" + "0" * 22
"""For a backend that takes any."""


class Silent:
    """Whoever is told what happens, and does not care."""

    def notice(self, message: str) -> None:
        """Drop it."""

    def leave_out(self, message: str) -> None:
        """Drop it."""

    def expect(self, total: int) -> None:
        """Drop it."""

    def receive(self, count: int) -> None:
        pass

    def retried(self) -> None:
        """Drop it."""

    def debug(self, message: str) -> None:
        """Drop it."""


def main() -> None:
    """Read, count and measure."""
    url, slices, number, *what = sys.argv[1:]
    key = ApiKey(os.environ.get("TAPLOGS_API_KEY", ANY_KEY))
    surroundings = Surroundings(lambda: datetime.now(UTC), time.sleep, random.random, Silent())
    address = BackendAddress(url)
    source = open_backend(address, key, Reach(parallel=int(slices)), surroundings)
    start = time.perf_counter()
    read = sum(map(len, source.batches(LogQuery(payloads=not what))))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))
    source.close()
    if read != int(number):
        sys.exit(f"{read} entries, not {number}")


if __name__ == "__main__":
    main()

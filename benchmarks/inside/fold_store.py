"""Count a store's entries by endpoint; print the seconds and the peak of memory as JSON: STORE NUMBER fold|sql."""

import gc
import json
import resource
import sys
from pathlib import Path
from time import perf_counter

from taplogs.core.dimensions import endpoint_dimension
from taplogs.core.endpoint import EndpointTemplates
from taplogs.core.query import LogQuery
from taplogs.core.stats import Grouping, fold
from taplogs.sources.sqlite import SqliteStore


def main() -> None:
    """Measure from opening the store to the percentiles of each group."""
    path, number, way = sys.argv[1:]
    gc.set_threshold(50_000, 20, 20)  # as the command does
    start = perf_counter()
    store = SqliteStore(Path(path))
    grouping = Grouping((endpoint_dimension(EndpointTemplates()),))
    query = LogQuery()
    if way == "fold":
        summary = fold(store.batches(grouping.query(query)), grouping)
    else:
        summary = store.summarise(query, grouping)
    percentiles = [[figures.percentile(number) for number in (50, 95, 99)] for figures in summary.groups().values()]
    seconds = perf_counter() - start
    store.close()
    if summary.total.requests != int(number) or not percentiles:
        sys.exit(f"{summary.total.requests} entries, not {number}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()

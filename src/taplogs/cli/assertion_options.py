"""The options of check that say what is asserted, and the assertions that they make."""

from typing import Annotated

from msgspec import Struct
from typer import Option

from taplogs.cli.panels import ASSERTIONS
from taplogs.core.assertions import (
    ERROR_RATE,
    LATENCIES,
    MEASURES,
    NEW_ERRORS,
    REQUESTS,
    SERVER_ERROR_RATE,
    Assertion,
    latency_limit,
    share_limit,
)
from taplogs.errors import UsageError


class AssertionOptions(Struct, frozen=True):
    """What is asserted."""

    max_error_rate: Annotated[
        str | None,
        Option("--max-error-rate", metavar="PERCENT", help="The share of 4xx and 5xx: 1%.", rich_help_panel=ASSERTIONS),
    ] = None
    max_server_error_rate: Annotated[
        str | None,
        Option(
            "--max-server-error-rate", metavar="PERCENT", help="The share of 5xx: 0.1%.", rich_help_panel=ASSERTIONS
        ),
    ] = None
    max_p50: Annotated[
        str | None,
        Option("--max-p50", metavar="DURATION", help="The median latency: 800ms, 1.5s.", rich_help_panel=ASSERTIONS),
    ] = None
    max_p90: Annotated[
        str | None,
        Option("--max-p90", metavar="DURATION", help="The 90th percentile.", rich_help_panel=ASSERTIONS),
    ] = None
    max_p95: Annotated[
        str | None,
        Option("--max-p95", metavar="DURATION", help="The 95th percentile.", rich_help_panel=ASSERTIONS),
    ] = None
    max_p99: Annotated[
        str | None,
        Option("--max-p99", metavar="DURATION", help="The 99th percentile.", rich_help_panel=ASSERTIONS),
    ] = None
    max_new_errors: Annotated[
        int | None,
        Option(
            "--max-new-errors",
            metavar="N",
            min=0,
            help="Groups of errors that the window before, or that of --compare, does not have.",
            rich_help_panel=ASSERTIONS,
        ),
    ] = None
    min_requests: Annotated[
        int | None,
        Option(
            "--min-requests",
            metavar="N",
            min=1,
            help="Fewer requests are too few for any verdict (1).",
            rich_help_panel=ASSERTIONS,
        ),
    ] = None

    @property
    def needed(self) -> int:
        """How many requests are enough."""
        return self.min_requests or 1

    def assertions(self) -> list[Assertion]:
        """Return what is asserted; --min-requests by itself where nothing else is. Raises UsageError, also for none."""
        shares = ((ERROR_RATE, self.max_error_rate), (SERVER_ERROR_RATE, self.max_server_error_rate))
        given = [Assertion(kind, share_limit(kind, text)) for kind, text in shares if text is not None]
        latencies = zip(LATENCIES.values(), (self.max_p50, self.max_p90, self.max_p95, self.max_p99), strict=True)
        given += [Assertion(kind, latency_limit(kind, text)) for kind, text in latencies if text is not None]
        if self.max_new_errors is not None:
            given.append(Assertion(NEW_ERRORS, self.max_new_errors))
        if not given and self.min_requests is not None:
            given.append(Assertion(REQUESTS, self.min_requests))
        if not given:
            raise UsageError(
                "nothing is asserted", f"give one or more of {', '.join(kind.option for kind in MEASURES)}"
            )
        return given

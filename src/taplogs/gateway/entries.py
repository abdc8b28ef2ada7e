"""What was recorded -> entries, redacted: by the platform's rules, and nothing secret in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from taplogs.core.entry import LogEntry
from taplogs.core.redact import Redactor
from taplogs.core.timestamp import format_timestamp
from taplogs.gateway.caller import Callers
from taplogs.gateway.payload import payload_of
from taplogs.gateway.protocol import Headers
from taplogs.gateway.recording import Recorded

RUNS = 1 << 12
"""How many runs of a gateway can be told apart by the ids of their entries."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VARIANT = 1 << 63
_NUMBERS = 1 << 62


class EntryBuilder:
    """Builds the entries of one run of a gateway."""

    def __init__(
        self,
        callers: Callers,
        redactor: Redactor,
        *,
        run: int,
        company: str | None,
        largest_body: int,
        clock: Callable[[], datetime],
    ) -> None:
        """`run` is a number below `RUNS`; `redactor` hides what must not be kept; `largest_body` is in bytes."""
        self._callers = callers
        self._redactor = redactor
        self._run = run
        self._company = company
        self._largest_body = largest_body
        self._clock = clock

    def entries(self, several: Sequence[Recorded]) -> list[LogEntry]:
        """Return the entries of what was recorded, in its order, redacted."""
        written_at = format_timestamp(self._clock())
        return self._redactor.redact_all([self._entry(recorded, written_at) for recorded in several])

    def _entry(self, recorded: Recorded, written_at: str) -> LogEntry:
        headers, most = recorded.headers, self._largest_body
        return LogEntry(
            id=_id(recorded.began, self._run, recorded.number),
            timestamp=format_timestamp(recorded.began),
            method=recorded.method,
            request_url=recorded.url,
            status_code=recorded.status,
            latency_ms=max(0, round(recorded.latency * 1000)),
            request_payload=payload_of(recorded.request, headers, most),
            response_payload=payload_of(recorded.response, recorded.response_headers, most),
            ip_address=self._callers.address_of(recorded.peer, headers),
            user_agent=_user_agent(headers),
            client_id=self._callers.client_of(headers),
            company_id=self._company,
            created_at=written_at,
            updated_at=written_at,
        )


def _user_agent(headers: Headers) -> str | None:
    for name, value in headers:
        if name.lower() == b"user-agent":
            return value.decode("utf-8", "replace") or None
    return None


def _id(began: datetime, run: int, number: int) -> str:
    """Return a UUID of version 8 (RFC 9562, section 5.8): milliseconds since 1970, the run, the request's number.

    As text they are in the order of time, and those of one run without a hole, unless an entry was lost.
    """
    milliseconds = max(0, (began - _EPOCH) // timedelta(milliseconds=1))
    last = _VARIANT | (number % _NUMBERS)
    text = f"{milliseconds:012x}8{run:03x}{last:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

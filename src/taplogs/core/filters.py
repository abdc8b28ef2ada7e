"""The filters of a query, one class each: what it takes, what it matches, how it prints.

Every filter is a set of terms. Values within one filter combine with OR, terms with a leading `!` remove. `parse`
takes the texts of one option, as often as it was given; `str(filter)` is text that parses to the same filter.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

from taplogs.core.endpoint import EndpointTemplates, anonymous, glob_pattern
from taplogs.core.entry import LogEntry, has_payload, payload_text
from taplogs.errors import UsageError

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD")


@dataclass(frozen=True)
class Filter(ABC):
    """Terms that select or, negated, remove entries; an empty filter is never built.

    Kinds without fields of their own take `__init__` and `__eq__` from here: each dataclass costs half a millisecond
    of every start.
    """

    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()

    option: ClassVar[str]
    accepted: ClassVar[str]
    separator: ClassVar[str | None] = ","

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Return the filter that `texts` describe; raises UsageError that shows the text and what is accepted."""
        wanted: list[str] = []
        unwanted: list[str] = []
        for text in texts:
            for part in text.split(cls.separator) if cls.separator else [text]:
                term = part.strip()
                negated = term.startswith("!")
                (unwanted if negated else wanted).append(cls._term(term[1:].strip() if negated else term, text))
        return cls(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted)))

    @classmethod
    def _term(cls, term: str, text: str) -> str:
        normal = cls.normalise(term) if term else None
        if normal is None:
            raise UsageError(f"{cls.option} {text!r} is not understood", f"accepted: {cls.accepted}")
        return normal

    @classmethod
    def normalise(cls, term: str) -> str | None:
        """Return `term` in its canonical spelling, or None where it is not one of this filter's."""
        return term

    def matches(self, entry: LogEntry) -> bool:
        """Return whether `entry` passes."""
        return self.accepts(self.value(entry))

    def accepts(self, value: object) -> bool:
        """Return whether a field of this value passes: one wanted term at least if there are any, no unwanted one."""
        wanted = not self.wanted or any(self.holds(term, value) for term in self.wanted)
        return wanted and not any(self.holds(term, value) for term in self.unwanted)

    @staticmethod
    @abstractmethod
    def value(entry: LogEntry) -> object:
        """Return what of `entry` this filter looks at."""

    @abstractmethod
    def holds(self, term: str, value: object) -> bool:
        """Return whether one term, without its negation, is true of `value`."""

    def texts(self) -> list[str]:
        """Return the texts that `parse` reads as this filter."""
        terms = [*self.wanted, *(f"!{term}" for term in self.unwanted)]
        return [self.separator.join(terms)] if self.separator else terms

    def __str__(self) -> str:
        return ", ".join(self.texts())


class StatusFilter(Filter):
    """`4xx`, `404`, `400-404`, `ok` (2xx), `error` (4xx and 5xx)."""

    option = "--status"
    accepted = "4xx, 404, 400-404, ok, error, and !404 to remove; comma-separated"

    @classmethod
    def normalise(cls, term: str) -> str | None:
        term = term.lower()
        if term in {"ok", "error"} or re.fullmatch(r"[1-5]xx|[1-9][0-9][0-9]", term):
            return term
        if match := re.fullmatch(r"([1-9][0-9][0-9])\s*-\s*([1-9][0-9][0-9])", term):
            low, high = match.groups()
            return f"{low}-{high}" if low <= high else None
        return None

    @staticmethod
    def value(entry: LogEntry) -> int:
        return entry.status_code

    def holds(self, term: str, value: object) -> bool:
        low, high = status_range(term)
        return isinstance(value, int) and low <= value <= high


@lru_cache(maxsize=256)
def status_range(term: str) -> tuple[int, int]:
    """Return the lowest and highest status of one canonical status term."""
    if term == "ok":
        return 200, 299
    if term == "error":
        return 400, 599
    if term.endswith("xx"):
        return int(term[0]) * 100, int(term[0]) * 100 + 99
    low, _, high = term.partition("-")
    return int(low), int(high or low)


class MethodFilter(Filter):
    """`GET,POST`, `!OPTIONS`."""

    option = "--method"
    accepted = f"{', '.join(METHODS)}, and !OPTIONS to remove; comma-separated"

    @classmethod
    def normalise(cls, term: str) -> str | None:
        return term.upper() if term.upper() in METHODS else None

    @staticmethod
    def value(entry: LogEntry) -> str:
        return entry.method

    def holds(self, term: str, value: object) -> bool:
        return isinstance(value, str) and value.upper() == term


@dataclass(frozen=True)
class EndpointFilter(Filter):
    """A template (`/v1/partner/jobs/{id}`) or a glob (`/v1/partner/jobs/*`) on the path."""

    templates: EndpointTemplates | None = None

    option = "--endpoint"
    accepted = "a path, a template such as /v1/partner/jobs/{id}, a glob such as '/v1/partner/jobs/*' (** crosses /)"
    separator = None

    @classmethod
    def normalise(cls, term: str) -> str | None:
        return term if term.startswith(("/", "*")) else None

    @staticmethod
    def value(entry: LogEntry) -> str:
        return entry.path

    def holds(self, term: str, value: object) -> bool:
        path = str(value)
        if _glob(term).match(path):
            return True
        if "{" not in term:
            return False
        return anonymous((self.templates or _NO_OVERRIDES).template(path)) == anonymous(term)


_NO_OVERRIDES = EndpointTemplates()
_glob = lru_cache(maxsize=256)(glob_pattern)


class TextFilter(Filter):
    """Text within a field; upper and lower case are one unless the text has a capital."""

    accepted = "text, and !text to remove"
    separator = None

    def holds(self, term: str, value: object) -> bool:
        if not isinstance(value, str):
            return False
        return term in (value if term != term.lower() else value.lower())


class UrlFilter(TextFilter):
    """Text within the request URL."""

    option = "--url"

    @staticmethod
    def value(entry: LogEntry) -> str:
        return entry.request_url


class UserAgentFilter(TextFilter):
    """Text within the user agent."""

    option = "--user-agent"

    @staticmethod
    def value(entry: LogEntry) -> str | None:
        return entry.user_agent


class ExactFilter(Filter):
    """The whole of a field, to the letter."""

    accepted = "an id, and !id to remove; comma-separated"

    def holds(self, term: str, value: object) -> bool:
        return value == term


class ClientFilter(ExactFilter):
    """The client id."""

    option = "--client-id"

    @staticmethod
    def value(entry: LogEntry) -> str | None:
        return entry.client_id


class CompanyFilter(ExactFilter):
    """The company id."""

    option = "--company-id"

    @staticmethod
    def value(entry: LogEntry) -> str | None:
        return entry.company_id


class IpFilter(Filter):
    """An address or a CIDR block (RFC 4632, RFC 4291); an IPv4 address written as IPv6 is that IPv4 address."""

    option = "--ip"
    accepted = "an address (203.0.113.7, 2001:db8::1) or a block (203.0.113.0/24), and !… to remove; comma-separated"

    @classmethod
    def normalise(cls, term: str) -> str | None:
        import ipaddress

        try:
            network = ipaddress.ip_network(term, strict=False)
        except ValueError:
            return None
        if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
            mapped = network.network_address.ipv4_mapped
            network = network if mapped is None else ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
        return str(network) if "/" in term else str(network.network_address)

    @staticmethod
    def value(entry: LogEntry) -> str | None:
        return entry.ip_address

    def holds(self, term: str, value: object) -> bool:
        return isinstance(value, str) and _in_network(term, value)


@lru_cache(maxsize=65536)
def _in_network(term: str, value: str) -> bool:
    import ipaddress

    try:
        address = ipaddress.ip_address(value.strip())
    except ValueError:
        return False
    network = ipaddress.ip_network(term)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped and network.version == 4:
        address = address.ipv4_mapped
    return address.version == network.version and address in network


class LatencyFilter(Filter):
    """`>500ms`, `>=1s`, `200ms-2s` (both ends included). An entry of unknown latency passes no wanted term."""

    option = "--latency"
    accepted = "'>500ms', '>=1s', '<2s', '<=80ms', '200ms-2s', and '!>1s' to remove; units ms, s, m"

    @classmethod
    def normalise(cls, term: str) -> str | None:
        compact = re.sub(r"\s+(?![0-9.])|(?<![0-9.])\s+", "", term).lower()
        if match := re.fullmatch(r"(>=|<=|>|<)(.+)", compact):
            limit = _duration(match[2])
            return None if limit is None else f"{match[1]}{limit}"
        if match := re.fullmatch(r"([0-9.]+[a-z]+)-([0-9.]+[a-z]+)", compact):
            low, high = _duration(match[1]), _duration(match[2])
            if low is None or high is None or float(low[:-2]) > float(high[:-2]):
                return None
            return f"{low}-{high}"
        return None

    @staticmethod
    def value(entry: LogEntry) -> int | None:
        return entry.latency_ms

    def holds(self, term: str, value: object) -> bool:
        if not isinstance(value, int):
            return False
        operator, low, high = latency_bounds(term)
        return {
            ">": value > low,
            ">=": value >= low,
            "<": value < low,
            "<=": value <= low,
            "-": low <= value <= high,
        }[operator]


@lru_cache(maxsize=256)
def latency_bounds(term: str) -> tuple[str, float, float]:
    """Return the comparison of one canonical latency term and its bounds in milliseconds; `-` alone has two."""
    match = re.fullmatch(r"(>=|<=|>|<)(.+)ms", term)
    if match:
        return match[1], float(match[2]), 0.0
    low, _, high = term.partition("-")
    return "-", float(low[:-2]), float(high[:-2])


def _duration(text: str) -> str | None:
    """Return a duration with its unit as canonical milliseconds, such as `1500ms`."""
    from taplogs.core.duration import exact_milliseconds

    milliseconds = exact_milliseconds(text)
    return None if milliseconds is None else f"{milliseconds.normalize():f}ms"


class GrepFilter(Filter):
    """A regular expression over URL, user agent and both payloads; smart case; a leading `!` is part of it."""

    option = "--grep"
    accepted = "a regular expression, as Python's re module takes it"
    separator = None

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        return cls(tuple(dict.fromkeys(cls._term(text, text) for text in texts)))

    @classmethod
    def normalise(cls, term: str) -> str | None:
        try:
            _compile(term)
        except (re.error, ValueError, OverflowError, RecursionError) as error:
            reason = str(error)
            if isinstance(error, re.error) and error.pos is not None:
                reason = f"{error.msg} at character {error.pos + 1}"
            raise UsageError(
                f"--grep {term!r} is not a regular expression: {reason}",
                r"to find the text as it is, put \ before . * + ? ( ) [ ] { } ^ $ | \ ",
            ) from None
        return term

    @staticmethod
    def value(entry: LogEntry) -> list[str]:
        payloads = filter(has_payload, (entry.request_payload, entry.response_payload))
        return [entry.request_url, entry.user_agent or "", *map(payload_text, payloads)]

    def holds(self, term: str, value: object) -> bool:
        search = _compile(term).search
        return isinstance(value, list) and any(map(search, value))


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    has_capital = any(map(str.isupper, re.sub(r"\\.", "", pattern)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `[[` may change its meaning in some later Python: nothing to tell a user
        return re.compile(pattern, 0 if has_capital else re.IGNORECASE)
